//! Merging: what each record says of nested objects and of fields outside the schema ends as in a sequential run.

use carrack_shared::limits::PUBLISHED_ROWS;
use carrack_shared::spec::Duplicates;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use super::Fresh;
use super::fixture::{Given, Record, cut, json, records, text};
use super::import::{Planned, tally};
use super::loading::table;
use super::model::refusals;
use crate::partial::{self, Documents};

const KEYS: u32 = 3;

/// The record of a document.
fn record(says: &Value) -> Record {
    let says = says.as_object().unwrap();
    let of = |name: &str| says.get(name).and_then(Value::as_str);
    let mut record = Record::new(of("id").unwrap(), of("title").unwrap());
    if of("content").is_none() {
        record = record.without("content");
    }
    if let Some(kind) = of("type") {
        record = record.with("type", text(kind));
    }
    if let Some(metadata) = says.get("metadata").filter(|value| value.is_object()) {
        record = record.with("metadata", json(&metadata.to_string()));
    }
    let is_extra = |(name, value): &(&String, &Value)| *name == "more" || value.is_null();
    let extra: serde_json::Map<String, Value> =
        says.iter().filter(is_extra).map(|(name, value)| (name.clone(), value.clone())).collect();
    if extra.is_empty() { record } else { record.with("extra", json(&canonical(&extra))) }
}

/// Members by the length of their names: of those here only the outermost are not in order by themselves.
fn canonical(object: &serde_json::Map<String, Value>) -> String {
    let mut members: Vec<_> = object.iter().collect();
    members.sort_by_key(|(name, _)| name.len());
    let members = members.iter().map(|(name, value)| format!("{name:?}:{value}"));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

async fn rows(fresh: &Fresh) -> Documents {
    let contexts = super::fixture::contexts();
    let names = contexts.fields.iter().map(|field| field.name.as_str()).chain(["extra"]);
    let names: Vec<&str> = names.collect();
    let document = |values: Vec<Given>| {
        let mut document = serde_json::Map::new();
        for (name, value) in names.iter().zip(values) {
            match value {
                Given::Missing => {}
                Given::Text(text) => drop(document.insert((*name).to_owned(), Value::String(text))),
                Given::Instant(_) => panic!("there is no date"),
                Given::Json(json) => {
                    let value: Value = serde_json::from_str(&json).unwrap();
                    match value {
                        Value::Object(members) if *name == "extra" => document.extend(members),
                        value => drop(document.insert((*name).to_owned(), value)),
                    }
                }
            }
        }
        Value::Object(document)
    };
    table(&fresh.store()).await.into_iter().map(|(key, values)| (key, document(values))).collect()
}

pub(super) async fn nested_objects_end_as_in_a_sequential_run(fresh: Fresh) {
    let store = fresh.store();
    let seed = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    for case in 0..fresh.cases() {
        let before = rows_or_none(&fresh, case).await;
        let says: Vec<Value> =
            (0..random.random_range(1..=9)).map(|_| partial::record(&mut random, KEYS)).collect();
        let records: Vec<Record> = says.iter().map(record).collect();
        let sizes: Vec<usize> = (0..9).map(|_| random.random_range(1..=4)).collect();
        let expected = partial::sequential(&before, &says);
        let told = format!("seed {seed}, case {case}: {before:?} and then {says:?}");
        let dry = Planned::dry_run(&store, Duplicates::Merge, cut(&records, &sizes)).await.run().await;
        assert_eq!(dry.tally, Some(tally(expected.counts)), "a dry run: {told}");
        let strict = case % 3 == 0;
        let import = match strict {
            true => Planned::strict(&store, Duplicates::Merge, cut(&records, &sizes)).await,
            false => Planned::import(&store, Duplicates::Merge, cut(&records, &sizes)).await,
        };
        let mut order: Vec<u32> = (0..).take(import.pieces.len()).collect();
        order.shuffle(&mut random);
        for batch in order {
            import.load(batch).await;
        }
        let ended = import.close().await;
        let lacking: Vec<_> = refusals(&import).await;
        assert!(lacking.iter().all(|(_, code, _)| code == "required.missing"), "{lacking:?}: {told}");
        let lacking: Vec<u64> = lacking.iter().map(|(position, ..)| position.record()).collect();
        assert_eq!(lacking, expected.lacking, "{told}");
        if strict && !lacking.is_empty() {
            assert_eq!(rows(&fresh).await, before, "all or nothing: {told}");
            continue;
        }
        assert_eq!(ended.tally, Some(tally(expected.counts)), "{told}");
        assert_eq!(rows(&fresh).await, expected.rows, "{told}");
        if random.random_bool(0.3) {
            let from = random.random_range(0..KEYS);
            let delete = format!("DELETE FROM {} WHERE id >= 'key {from:04}'", fresh.table("contexts"));
            fresh.execute(&delete).await.unwrap();
        }
    }
}

/// The rows; none before the first import has made the table.
async fn rows_or_none(fresh: &Fresh, case: u64) -> Documents {
    if case == 0 { Documents::new() } else { rows(fresh).await }
}

/// A record that changes nothing does not write its row.
pub(super) async fn what_changes_nothing_writes_nothing(fresh: Fresh) {
    let store = fresh.store();
    Planned::import(&store, Duplicates::Reject, cut(&records("a=1 b=1"), &[])).await.run().await;
    let before = fresh.rows_as_they_stand("contexts").await;
    fresh.log_effects("contexts").await;
    let import = Planned::import(&store, Duplicates::Merge, cut(&records("?a=1 b=1 ?a=1"), &[1, 1])).await;
    assert_eq!(import.run().await.tally, Some(tally([0, 0, 2, 1, 0])));
    assert_eq!(fresh.rows_as_they_stand("contexts").await, before);
    assert_eq!(fresh.integer("SELECT count(*) FROM effects").await, 0);
}

/// Of several records of one key only those are refused whose row the table does not take.
pub(super) async fn a_record_whose_row_is_refused_leaves_the_others(fresh: Fresh) {
    let store = fresh.store();
    Planned::import(&store, Duplicates::Reject, cut(&records("a=1 b=1"), &[])).await.run().await;
    fresh.refuse_titles("contexts").await;
    let words = "?a=2 ?a=refused b=refused n=refused n=3 n=refused ?m=1";
    let import = Planned::import(&store, Duplicates::Merge, cut(&records(words), &[])).await;
    assert_eq!(import.run().await.tally, Some(tally([1, 1, 0, 0, 5])));
    let refused: Vec<_> =
        refusals(&import).await.iter().map(|(position, code, _)| (position.record(), code.clone())).collect();
    let table = |record| (record, "table.refused".to_owned());
    let expected = [table(2), table(3), table(4), table(6), (7, "required.missing".to_owned())];
    assert_eq!(refused, expected);
    assert_eq!(super::model::rows_of(&fresh, "").await, ["a=2", "b=1", "n=3"]);
}

/// The records of a key need not lie in one piece of what is published.
pub(super) async fn a_key_of_many_records_is_published_as_one(fresh: Fresh) {
    let store = fresh.store();
    let before = [Record::new("a", "0").with("metadata", json(r#"{"old":1}"#))];
    Planned::import(&store, Duplicates::Reject, cut(&before, &[])).await.run().await;
    let count = PUBLISHED_ROWS + 2;
    let of = |number: usize| {
        let record = Record::new(["a", "b", "c"][number % 3], &number.to_string());
        match number {
            0..3 => record.with("metadata", json(r#"{"first":2}"#)),
            _ if number.is_multiple_of(2) => record,
            _ => record.with("metadata", json(&format!("{{\"last\":{number}}}"))),
        }
    };
    let input: Vec<Record> = (0..count).map(of).collect();
    let strict = Planned::strict(&store, Duplicates::Merge, cut(&input, &[count / 2])).await;
    let ended = strict.run().await;
    assert_eq!(ended.tally, Some(tally([2, 1, 0, count as u64 - 3, 0])));
    let found = rows(&fresh).await;
    for (index, key) in ["a", "b", "c"].into_iter().enumerate() {
        let last = (0..count).rev().find(|number| number % 3 == index).unwrap();
        let odd = (3..count).rev().find(|number| number % 3 == index && number % 2 == 1).unwrap();
        let mut metadata = serde_json::json!({"first": 2, "last": odd});
        if key == "a" {
            metadata["old"] = 1.into();
        }
        assert_eq!((&found[key]["title"], &found[key]["metadata"]), (&last.to_string().into(), &metadata));
    }
    let displaced = format!("SELECT count(*) FROM {}", fresh.control("displaced"));
    assert_eq!(fresh.integer(&displaced).await, 0);
}
