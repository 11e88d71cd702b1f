//! Generated contexts of which many have only some fields, and what merging them one after another comes to.

use std::collections::BTreeMap;

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};

/// Rows by their keys.
pub type Documents = BTreeMap<String, Value>;

/// What an import of some records leaves behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The rows.
    pub rows: Documents,
    /// Created, updated, unchanged, skipped, rejected.
    pub counts: [u64; 5],
    /// The records that lack fields and found no row, by their numbers from 1.
    pub lacking: Vec<u64>,
}

/// A value of few kinds and few names, so that most of them meet.
fn nested(random: &mut StdRng, depth: u32) -> Value {
    match random.random_range(0..if depth == 0 { 4 } else { 9 }) {
        0 => Value::Null,
        1 => json!([1, {"x": 2}]),
        2 => json!("te\"xt"),
        3 => json!(random.random_range(0..3)),
        _ => object(random, depth - 1),
    }
}

fn object(random: &mut StdRng, depth: u32) -> Value {
    let mut members = Map::new();
    for _ in 0..random.random_range(0..3) {
        let name = ["x", "y", "zz"][random.random_range(0..3)];
        members.insert(name.to_owned(), nested(random, depth));
    }
    Value::Object(members)
}

/// A record of one of so many keys. Three of ten have no content; `more` is no field of the schema.
pub fn record(random: &mut StdRng, keys: u32) -> Value {
    let (key, title) = (random.random_range(0..keys), random.random_range(0..3));
    let mut record = json!({"id": format!("key {key:04}"), "title": title.to_string()});
    if random.random_bool(0.7) {
        record["content"] = json!("some content");
    }
    match random.random_range(0..4) {
        0 => {}
        1 => record["metadata"] = Value::Null,
        _ => record["metadata"] = object(random, 2),
    }
    match random.random_range(0..4) {
        0 => record["type"] = json!("t"),
        1 => record["type"] = Value::Null,
        _ => {}
    }
    if random.random_bool(0.6) {
        record["more"] = nested(random, 2);
    }
    record
}

fn merge(into: &mut Value, record: &Value) {
    match (into, record) {
        (Value::Object(into), Value::Object(record)) => {
            for (name, value) in record {
                match into.get_mut(name) {
                    Some(mine) => merge(mine, value),
                    None => drop(into.insert(name.clone(), value.clone())),
                }
            }
        }
        (into, record) => *into = record.clone(),
    }
}

/// Merges record by record, in the order of the input, knowing nothing of batches.
pub fn sequential(before: &Documents, records: &[Value]) -> Outcome {
    let (mut rows, mut counts, mut lacking) = (before.clone(), [0; 5], Vec::new());
    let mut merged = BTreeMap::new();
    for (number, record) in (1..).zip(records) {
        let key = record["id"].as_str().unwrap_or_default().to_owned();
        if record.get("content").is_none() && !before.contains_key(&key) {
            lacking.push(number);
            continue;
        }
        *merged.entry(key.clone()).or_insert(0) += 1;
        rows.entry(key).and_modify(|row| merge(row, record)).or_insert_with(|| record.clone());
    }
    for (key, times) in merged {
        let counted = match before.get(&key) {
            None => 0,
            Some(was) if *was != rows[&key] => 1,
            Some(_) => 2,
        };
        counts[counted] += 1;
        counts[3] += times - 1;
    }
    counts[4] = lacking.len() as u64;
    Outcome { rows, counts, lacking }
}
