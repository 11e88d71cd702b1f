//! Records against rows, one by one and added up.

use bytes::Bytes;
use std::sync::Arc;

use super::*;
use crate::operation::State;
use crate::record::{Cell, Origin};
use crate::schema;

const PARENT: u128 = 5;

/// Rows of sessions: key, title, position.
fn rows(of: &[(&str, &str, u64)]) -> Rows {
    let mut text = String::new();
    let mut places = Vec::new();
    for (key, title, position) in of {
        let start = u32::try_from(text.len()).unwrap();
        text.push_str(key);
        let middle = u32::try_from(text.len()).unwrap();
        text.push_str(title);
        places.push((start..middle, middle..u32::try_from(text.len()).unwrap(), *position));
        text.push('\n');
    }
    let mut rows = Rows::new(schema::built_in("sessions").unwrap(), Bytes::from(text), 0, 1);
    let width = rows.width();
    for (key, title, record) in places {
        let mut cells = vec![Cell::Missing; width];
        cells[0] = Cell::Text(Rows::span_of_source(key.clone()));
        cells[1] = Cell::Text(Rows::span_of_source(title.clone()));
        rows.push(Origin { position: Position::new(0, record), frame: key.start..title.end }, &cells);
    }
    rows
}

fn present(of: &[(&str, &str, u64, u128)]) -> Present {
    let plain: Vec<_> = of.iter().map(|(key, title, position, _)| (*key, *title, *position)).collect();
    Present { rows: rows(&plain), writers: of.iter().map(|one| OperationId::from_u128(one.3)).collect() }
}

/// A row's title, position and writer.
type Row<'a> = Option<(&'a str, u64, u128)>;

/// All records, compared together.
fn compared(rules: &Rules, records: &Rows, present: &Present) -> Compared {
    let mut compared = Compared::default();
    compare(rules, records, 0..records.len(), present, &mut compared);
    compared
}

fn rules(duplicates: Duplicates) -> Rules {
    Rules { parent: OperationId::from_u128(PARENT), duplicates, by_key: false, stopped: false }
}

#[test]
fn a_record_is_judged_by_its_row_and_by_who_wrote_it() {
    use Counted::{Created, Skipped, Unchanged, Updated};
    use Duplicates::{Overwrite, Reject, Skip};
    // Record 3 with the key k and the title t; the row's title, position and writer; what it counts as, whether
    // that is certain.
    let table: [(&str, Duplicates, Row<'_>, Counted, bool); 14] = [
        ("its row", Reject, Some(("t", 3, PARENT)), Unchanged, true),
        ("its row, changed by hand", Reject, Some(("x", 3, PARENT)), Updated, true),
        ("no row", Reject, None, Created, false),
        ("the row of the one before", Skip, Some(("x", 2, PARENT)), Skipped, true),
        ("the row of the one behind", Overwrite, Some(("x", 4, PARENT)), Skipped, true),
        ("the row of one that should have lost", Skip, Some(("x", 4, PARENT)), Updated, false),
        ("the same, overwriting", Overwrite, Some(("x", 2, PARENT)), Updated, false),
        ("a row from before", Skip, Some(("x", 9, PARENT - 1)), Skipped, true),
        ("a row from before, overwritten", Overwrite, Some(("x", 9, PARENT - 1)), Updated, false),
        ("a row from before that was equal", Overwrite, Some(("t", 9, PARENT - 1)), Unchanged, false),
        ("a later row", Skip, Some(("x", 9, PARENT + 1)), Updated, false),
        ("a later row", Reject, Some(("x", 9, PARENT + 1)), Updated, false),
        ("a later row that is equal", Reject, Some(("t", 9, PARENT + 1)), Unchanged, false),
        ("a later row, overwriting", Overwrite, Some(("x", 9, PARENT + 1)), Updated, false),
    ];
    for (what, mode, row, counted, certain) in table {
        let row: Vec<_> = row.iter().map(|(title, position, by)| ("k", *title, *position, *by)).collect();
        let found = compared(&rules(mode), &rows(&[("k", "t", 3)]), &present(&row));
        let mut expected = Tally::default();
        expected.count(counted);
        assert_eq!(found.tally, expected, "{what}");
        assert_eq!(found.candidates.is_empty(), certain, "{what}");
        let settled = certain && counted != Skipped;
        assert_eq!(
            (found.keys.len(), found.settled.source.records),
            (settled.into(), settled.into()),
            "{what}"
        );
        assert_eq!(found.settled.source == found.settled.target, !(settled && counted == Updated), "{what}");
        for candidate in found.candidates {
            assert_eq!(candidate.counted, counted, "{what}");
            assert_eq!(candidate.finding.is_some(), counted != Unchanged, "{what}");
            assert_eq!(candidate.target == Some(candidate.source), counted == Unchanged, "{what}");
            assert_eq!(candidate.later, row.first().is_some_and(|row| row.3 > PARENT), "{what}");
        }
    }
}

#[test]
fn in_an_import_that_was_stopped_any_record_may_hold_the_key() {
    let records = rows(&[("k", "1", 1), ("k", "2", 2), ("k", "3", 3), ("l", "4", 4)]);
    let there = present(&[("k", "2", 2, PARENT)]);
    for mode in [Duplicates::Reject, Duplicates::Skip, Duplicates::Overwrite] {
        let found = compared(&Rules { stopped: true, ..rules(mode) }, &records, &there);
        let expected = Tally { read: 4, created: 1, unchanged: 1, skipped: 2, ..Tally::default() };
        assert_eq!(
            (found.tally, found.keys, found.candidates.len()),
            (expected, vec!["k".to_owned()], 1),
            "{mode:?}"
        );
        assert_eq!(found.settled.source, found.settled.target);
    }
}

#[test]
fn where_only_keys_count_positions_say_nothing() {
    let rules = Rules { by_key: true, ..rules(Duplicates::Skip) };
    let records = rows(&[("a", "1", 1), ("b", "2", 2), ("b", "3", 3), ("c", "4", 4)]);
    let there = present(&[("a", "1", 9, PARENT), ("b", "2", 1, PARENT)]);
    let found = compared(&rules, &records, &there);
    assert_eq!(found.tally, Tally { read: 4, created: 1, updated: 1, unchanged: 2, ..Tally::default() });
    assert_eq!((found.keys.len(), found.candidates.len()), (0, 4), "who wins b is decided later");
    assert!(found.candidates.iter().take(3).all(|one| one.own && !one.later));
}

#[test]
fn portions_come_to_what_the_whole_comes_to() {
    // More that are changed than are told; some matched, missing, taken by others; and all keys once more.
    let keys: Vec<String> = (0..40).map(|number| format!("k{number:02}")).collect();
    let given: Vec<_> = keys.iter().chain(&keys).zip(1..).map(|(key, place)| (&**key, "t", place)).collect();
    let records = rows(&given);
    let row = |(number, key): (usize, _)| match number % 8 {
        0 => Some((key, "t", number as u64 + 1, PARENT)),
        1 => Some((key, "x", 7, PARENT + 1)),
        2 => None,
        _ => Some((key, "x", number as u64 + 1, PARENT)),
    };
    let there: Vec<_> = keys.iter().map(|key| &**key).enumerate().filter_map(row).collect();
    let rules = rules(Duplicates::Reject);
    let whole = compared(&rules, &records, &present(&there));
    let expected =
        Tally { read: 80, created: 10, updated: 35, unchanged: 5, skipped: 30, ..Tally::default() };
    assert_eq!((whole.tally, whole.settled.findings.len()), (expected, FINDINGS));
    for cut in 0..=records.len() {
        let mut found = Compared::default();
        for portion in [0..cut, cut..records.len()] {
            let asked: Vec<_> = portion.clone().map(|record| records.key(record)).collect();
            let answer: Vec<_> =
                there.iter().filter(|row| asked.contains(&row.0.as_bytes())).copied().collect();
            compare(&rules, &records, portion, &present(&answer), &mut found);
        }
        assert_eq!(found, whole, "cut before {cut}");
    }
}

#[test]
fn a_finding_says_where_the_record_stands_and_what_differs() {
    let records = rows(&[("a", "1", 1), ("b", "2", 2), ("c", "3", 3)]);
    let there = present(&[("c", "4", 3, PARENT), ("a", "1", 1, PARENT), ("b", "9", 1, PARENT + 1)]);
    let found = compared(&rules(Duplicates::Reject), &records, &there);
    let [certain] = found.settled.findings.as_slice() else { panic!("{found:?}") };
    assert_eq!((certain.kind, certain.line, certain.key.as_str()), (Kind::Different, 3, "c"));
    let differing = |source: &str, target: &str| Differing {
        name: "title".into(),
        source: Some(source.into()),
        target: Some(target.into()),
    };
    assert_eq!((certain.fields.as_slice(), certain.writer), (&[differing("3", "4")][..], None));
    let [candidate] = found.candidates.as_slice() else { panic!("{found:?}") };
    let finding = candidate.finding.as_ref().unwrap();
    assert_eq!((finding.line, finding.writer), (2, Some(OperationId::from_u128(PARENT + 1))));
    assert_eq!(finding.fields, [differing("2", "9")]);
    let stored = serde_json::to_string(&found.settled).unwrap();
    assert_eq!(serde_json::from_str::<Settled>(&stored).unwrap(), found.settled);
}

#[test]
fn only_so_many_examples_are_kept_and_the_first_ones() {
    let mut all = TypeFindings::new("sessions");
    let first = Position::new(0, 1);
    for record in (1..=500).rev() {
        all.add_extra(Position::new(0, record), format!("k{record}"), [1; 16]);
    }
    let all = all.done();
    assert_eq!((all.extra, all.findings.len(), all.findings[0].position), (500, FINDINGS, first));
}

#[test]
fn sides_are_equal_in_any_order_and_only_then() {
    let hashes = [[1; 16], [255; 16], [7; 16]];
    let side = |order: &[usize]| {
        let mut side = Side::default();
        order.iter().for_each(|index| side.add(hashes[*index]));
        side
    };
    assert_eq!(side(&[0, 1, 2]), side(&[2, 0, 1]));
    assert_ne!(side(&[0, 1, 1]), side(&[0, 1, 2]));
    assert_ne!(side(&[0, 1]), side(&[0, 1, 2]));
}

#[test]
fn findings_must_agree_with_the_counts() {
    let found = |source: &[u8], target: &[u8], extra| {
        let mut one = TypeFindings::new("sessions");
        source.iter().for_each(|byte| one.source.add([*byte; 16]));
        target.iter().for_each(|byte| one.target.add([*byte; 16]));
        Findings::new(vec![TypeFindings { extra, ..one }])
    };
    let tally = |unchanged, updated, created| Tally {
        read: unchanged + updated + created,
        unchanged,
        updated,
        created,
        ..Tally::default()
    };
    for (what, found, tally, state) in [
        ("clean", found(&[1, 2], &[2, 1], 0), tally(2, 0, 0), Some(State::Succeeded)),
        ("missing", found(&[1, 2], &[2], 0), tally(1, 0, 1), Some(State::SucceededWithRejects)),
        ("different", found(&[1, 2], &[2, 3], 0), tally(1, 1, 0), Some(State::SucceededWithRejects)),
        ("extra", found(&[1], &[1, 3], 1), tally(1, 0, 0), Some(State::SucceededWithRejects)),
        ("a record too few", found(&[1], &[1], 0), tally(2, 0, 0), None),
        ("a row too many", found(&[1], &[1, 1], 0), tally(1, 0, 0), None),
        ("clean, with other hashes", found(&[1], &[2], 0), tally(1, 0, 0), None),
        ("different, with equal hashes", found(&[1], &[1], 0), tally(0, 1, 0), None),
    ] {
        assert_eq!(found.check(&tally).ok().map(|()| found.state(&tally)), state, "{what}");
    }
    assert!(Arc::new(found(&[], &[], 0)).is_clean(&Tally::default()));
}
