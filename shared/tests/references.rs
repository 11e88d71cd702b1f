//! Framing against the parsers that everybody uses: the same records at the same places.
#![allow(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "inputs of tests are small; a failure is a failed test"
)]

use carrack_shared::format::reading::Reading;
use carrack_shared::format::{Format, FrameRange};
use proptest::prelude::*;
use serde_json::value::RawValue;

fn frames(format: Format, input: &[u8]) -> Option<Vec<FrameRange>> {
    let mut framer = format.framer(&Reading::default());
    let mut found = Vec::new();
    framer.push(input, &mut found).and_then(|()| framer.finish(&mut found)).ok().map(|()| found)
}

fn text<'a>(input: &'a str, frame: &FrameRange) -> &'a str {
    &input[frame.start as usize..frame.end as usize]
}

/// The rows of a text as the crate `csv` reads them.
fn rows(input: &[u8]) -> Vec<csv::ByteRecord> {
    let mut builder = csv::ReaderBuilder::new();
    let reader = builder.has_headers(false).flexible(true).from_reader(input);
    reader.into_byte_records().map(Result::unwrap).collect()
}

/// Any JSON value, with hostile strings.
fn value() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        "[\\[\\]{}\",:\\\\\n ]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((".{0,3}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn written(values: &[serde_json::Value], pretty: bool) -> Vec<String> {
    let write = if pretty { serde_json::to_string_pretty } else { serde_json::to_string };
    values.iter().map(|value| write(value).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_are_those_of_csv(input in "([a,\"\n\r ]|\"\"|,\"|\",|\r\n|é){0,24}") {
        // The crate takes what stands in unclosed quotes for a field.
        let input = ["h\n", &input[..]].concat();
        let closed = [&input[..], "\"\n"].concat();
        let (input, frames) = match frames(Format::Csv, input.as_bytes()) {
            Some(frames) => (input, frames),
            None => (closed.clone(), frames(Format::Csv, closed.as_bytes()).unwrap()),
        };
        let expected = rows(&input.as_bytes()[2..]);
        let alone: Vec<_> = frames.iter().map(|frame| rows(text(&input, frame).as_bytes())).collect();
        prop_assert!(alone.iter().all(|rows| rows.len() == 1), "a frame is one row");
        prop_assert_eq!(alone.concat(), expected);
    }

    #[test]
    fn values_are_those_of_serde_json(values in prop::collection::vec(value(), 1..6), pretty in any::<bool>(), glue in "[ \n]{1,3}") {
        // A first record over two lines says that these are values, not lines; one on a line by itself says
        // that they are lines, which are not looked into and so must hold one value each.
        let lines = !pretty && glue.contains('\n');
        let first = if lines { "{\"a\": 1}\n" } else { "{\n}" };
        let input = [first, &written(&values, pretty).join(&glue)].concat();
        let stream = serde_json::Deserializer::from_str(&input).into_iter::<Box<RawValue>>();
        let expected: Vec<String> = stream.map(|raw| raw.unwrap().get().to_owned()).collect();
        let frames = frames(Format::Json, input.as_bytes()).unwrap();
        let found: Vec<&str> = frames.iter().map(|frame| text(&input, frame)).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn elements_are_those_of_serde_json(values in prop::collection::vec(value(), 0..6), pretty in any::<bool>(), glue in "[ \n]{0,2}") {
        let input = format!("{glue}[{glue}{}{glue}]{glue}", written(&values, pretty).join(&format!("{glue},{glue}")));
        let expected: Vec<&RawValue> = serde_json::from_str(&input).unwrap();
        let frames = frames(Format::Json, input.as_bytes()).unwrap();
        let found: Vec<&str> = frames.iter().map(|frame| text(&input, frame)).collect();
        prop_assert_eq!(found, expected.iter().map(|raw| raw.get()).collect::<Vec<_>>());
    }
}
