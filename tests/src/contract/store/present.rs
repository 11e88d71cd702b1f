//! Looking up the rows that a verification compares.

use std::collections::{BTreeMap, BTreeSet};

use carrack_shared::limits::COMPARED_BYTES;
use carrack_shared::operation::OperationId;
use carrack_shared::record::Value;
use carrack_shared::spec::Duplicates;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::Fresh;
use super::fixture::{CONTEXTS, Record, cut, records, text};
use super::import::Planned;
use super::verifying::all;

/// In the order of the input, as most do, or in any other.
pub(super) async fn rows_are_found_wherever_they_lie(fresh: Fresh) {
    const ROWS: usize = 120;
    let key = |number: usize| format!("k{number:03}");
    let input: String = (0..ROWS).map(|number| format!("{}={number} ", key(number))).collect();
    let parent = Planned::import(&fresh.store(), Duplicates::Reject, cut(&records(&input), &[50, 30])).await;
    parent.run().await;
    let mut there: BTreeMap<String, (u64, OperationId)> =
        (0..ROWS).map(|number| (key(number), (number as u64 + 1, parent.operation.id))).collect();
    // Holes, and rows that lie elsewhere: those of a later import, in another order.
    let mut moved = Vec::new();
    for number in (0..ROWS).rev().filter(|number| number % 11 == 5 || (60..75).contains(number)) {
        let sql = format!("DELETE FROM {} WHERE \"id\" = '{}'", fresh.table(CONTEXTS), key(number));
        fresh.execute(&sql).await.unwrap();
        there.remove(&key(number));
        if number % 3 > 0 {
            moved.push(format!("{}={number} ", key(number)));
        }
    }
    let later =
        Planned::import(&fresh.store(), Duplicates::Reject, cut(&records(&moved.concat()), &[])).await;
    later.run().await;
    for (word, record) in moved.iter().zip(1..) {
        there.insert(word[..4].to_owned(), (record, later.operation.id));
    }
    let mut keys: Vec<String> = (0..ROWS + 5).map(key).collect();
    for order in ["of the input", "the other way round", "any", "any, with all keys twice"] {
        match order {
            "the other way round" => keys.reverse(),
            "any" => keys.shuffle(&mut StdRng::seed_from_u64(7)),
            "any, with all keys twice" => keys.extend(keys.clone()),
            _ => {}
        }
        let input: String = keys.iter().map(|key| format!("{key}=x ")).collect();
        let present = all(&fresh.store(), &cut(&records(&input), &[])[0].rows).await;
        let rows = present.rows;
        assert_eq!(rows.len(), present.writers.len(), "{order}");
        let found: BTreeSet<&[u8]> = (0..rows.len()).map(|row| rows.key(row)).collect();
        assert_eq!(found.len(), there.len(), "{order}");
        assert!(order.ends_with("twice") || rows.len() == there.len(), "{order}: rows come twice");
        for (row, writer) in present.writers.into_iter().enumerate() {
            let key = String::from_utf8(rows.key(row).to_vec()).unwrap();
            assert_eq!(there[&key], (rows.origin(row).position.record(), writer), "{order}: {key}");
            let title = Value::Text(key[1..].trim_start_matches('0').as_bytes());
            assert!(key == "k000" || rows.value(row, 1) == title, "{order}: {key}");
        }
    }
}

pub(super) async fn rows_that_are_too_much_are_asked_for_a_few_at_a_time(fresh: Fresh) {
    let store = fresh.store();
    let asked = cut(&records("a=1 b=2 c=3 d=4 e=5 f=6"), &[]);
    // The last one is too long for everything but being alone.
    let content = |id: &str| "x".repeat(if id == "f" { COMPARED_BYTES + 1 } else { COMPARED_BYTES / 4 });
    let long = |id| Record::new(id, "long").with("content", text(&content(id)));
    let long: Vec<Record> = ["a", "b", "c", "d", "e", "f"].map(long).into();
    Planned::import(&store, Duplicates::Reject, cut(&long, &[2, 2, 1, 1])).await.run().await;
    let rows = &asked[0].rows;
    for (portion, answered) in
        [(0..6, false), (0..5, false), (4..6, false), (5..6, true), (0..2, true), (3..5, true), (2..3, true)]
    {
        let present = store.present(rows, portion.clone()).await.unwrap();
        let keys = present
            .map(|present| (0..present.rows.len()).map(|row| present.rows.key(row).to_vec()).collect());
        let expected: Vec<_> = portion.clone().map(|record| rows.key(record).to_vec()).collect();
        assert_eq!(
            keys.map(|keys: BTreeSet<_>| keys.into_iter().collect()),
            answered.then_some(expected),
            "{portion:?}"
        );
    }
}
