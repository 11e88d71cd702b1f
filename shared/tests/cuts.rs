//! Where the input is cut changes nothing: any batch size and pieces of any size give the same rows and the
//! same faults as one batch in one piece, and planning goes on from every cursor as if undisturbed.
#![allow(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "inputs of tests are small; a failure is a failed test"
)]

mod support;

use carrack_shared::format::Format;
use carrack_shared::limits;
use carrack_shared::pipeline::split::Rules;
use proptest::prelude::*;
use support::inputs::input;
use support::{WHOLE, resumed, run, split};

fn rules() -> impl Strategy<Value = Rules> {
    let records = prop_oneof![1..5u32, Just(u32::MAX)];
    let bytes = prop_oneof![1..80u64, Just(u64::MAX)];
    (records, bytes, prop_oneof![1 => 5..60u64, 2 => Just(u64::MAX)]).prop_map(
        |(batch_records, batch_bytes, record_bytes)| Rules { batch_records, batch_bytes, record_bytes },
    )
}

/// The line on which byte `at` stands. A byte between the halves of a `\r\n` is never asked for.
fn line_of(format: Format, input: &[u8], at: usize) -> u64 {
    let ends = |index: &usize| match input[*index] {
        b'\n' => true,
        b'\r' => format == Format::Csv && input.get(index + 1) != Some(&b'\n'),
        _ => false,
    };
    1 + (0..at).filter(ends).count() as u64
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cutting_changes_nothing((way, input) in input(), rules in rules(), size in 1..8usize) {
        let whole = run(way.clone(), &input, Rules { record_bytes: rules.record_bytes, ..WHOLE }, input.len());
        prop_assert_eq!(&run(way.clone(), &input, rules, input.len()), &whole, "batches");
        prop_assert_eq!(&run(way.clone(), &input, rules, size), &whole, "batches and pieces");
    }

    #[test]
    fn segments_are_as_the_rules_say((way, input) in input(), rules in rules(), size in 1..8usize) {
        let (segments, _, _) = split(way.clone(), &input, rules, size);
        prop_assert_eq!(&split(way.clone(), &input, rules, input.len()).0, &segments, "pieces");
        let mut behind = 0;
        for segment in &segments {
            prop_assert!(segment.bytes.start >= behind && segment.bytes.end <= input.len() as u64);
            behind = segment.bytes.end;
            let bytes = &input[segment.bytes.start as usize..segment.bytes.end as usize];
            prop_assert_eq!(segment.first_line, line_of(way.format, &input, segment.bytes.start as usize));
            if segment.fault.is_none() {
                prop_assert_eq!(segment.hash, Some(*blake3::hash(bytes).as_bytes()));
                prop_assert!(segment.records <= rules.batch_records);
                prop_assert!(bytes.len() as u64 <= rules.batch_bytes || segment.records == 1);
            }
        }
    }

    #[test]
    fn planning_goes_on_from_every_cursor((way, input) in input(), rules in rules(), size in 1..8usize) {
        let (segments, _, broken) = split(way.clone(), &input, rules, size);
        for (cursor, rest, broken_then) in resumed(way.clone(), &input, rules, size) {
            let planned = segments.iter().take_while(|segment| segment.bytes.end <= cursor.byte).count();
            prop_assert_eq!(&rest, &segments[planned..], "from {:?}", &cursor);
            if cursor.byte < input.len() as u64 {
                prop_assert_eq!(&broken_then, &broken);
            }
        }
    }
}

/// What fuzzing found, mended since: every batch size and every feed gives what one piece gives.
#[test]
fn what_was_found_stays_mended() {
    let name = "n".repeat(limits::NAME_BYTES + 1);
    let long_name = format!("<{name}>");
    let cases: &[(Format, &str)] = &[
        // The place of an error in an end tag was that of the piece in which it was found.
        (Format::Xml, "<data><item><id>2</id></item></dates>"),
        (Format::Xml, "<data><item/></dat></data>"),
        (Format::Xml, "<data><item/></data></data>"),
        (Format::Xml, &long_name),
        // A record that was found to end just where a piece does stood on the line of its sure part.
        (Format::Markdown, "## Item 1\na\n\n##\n\n## Item 2\nb\n"),
    ];
    let sizes = |input: &str| (1..input.len().min(24)).chain([input.len() - 1, input.len()]);
    for (format, input) in cases {
        let whole = run(*format, input.as_bytes(), WHOLE, input.len());
        for (size, batch_records) in sizes(input).flat_map(|size| [(size, 1), (size, 2), (size, u32::MAX)]) {
            let rules = Rules { batch_records, ..WHOLE };
            assert_eq!(run(*format, input.as_bytes(), rules, size), whole, "{input} in pieces of {size}");
            let (segments, _, _) = split(*format, input.as_bytes(), rules, size);
            for (cursor, rest, _) in resumed(*format, input.as_bytes(), rules, size) {
                let planned = segments.iter().take_while(|segment| segment.bytes.end <= cursor.byte).count();
                assert_eq!(rest, segments[planned..], "{input} in pieces of {size} from {cursor:?}");
            }
        }
    }
}
