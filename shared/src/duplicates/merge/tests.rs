//! Whatever order the records of a key come in, and however they are batched, the row and the counts are those of
//! one sequential run.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::*;
use crate::format::json::Canonical;
use crate::schema::{Field, FieldType, Identifier};
use crate::tally::Tally;

const ME: u128 = 1;
const OTHER: u128 = 2;

fn data_type(with_defaults: bool) -> Arc<DataType> {
    let field = |name: &str, field_type, required, default: Option<Json>| {
        let mut field = Field::new(Identifier::new(name).unwrap(), field_type, required);
        field.constraints.default = default.filter(|_| with_defaults);
        field
    };
    Arc::new(DataType {
        name: Identifier::new("things").unwrap(),
        fields: vec![
            field("id", FieldType::String, true, None),
            field("title", FieldType::String, true, None),
            field("n", FieldType::Integer, false, Some(json!(7))),
            field("meta", FieldType::Object, false, Some(json!({"a": 0, "d": {"e": 0}}))),
            field("photo", FieldType::Binary, false, None),
        ],
        key: 0,
    })
}

fn canonical(value: &Json) -> Vec<u8> {
    let (text, mut out) = (value.to_string(), Vec::new());
    let mut canonical = Canonical::default();
    canonical.next_record(text.len());
    canonical.write(&text, &mut out).unwrap();
    out
}

/// The row of a document at a position.
fn push(rows: &mut Rows, document: &Json, position: Position) {
    let data_type = Arc::clone(rows.data_type());
    let (mut cells, mut extra) = (Vec::new(), Map::new());
    for field in &data_type.fields {
        let value = document.get(field.name.as_str());
        cells.push(match value {
            None | Some(Json::Null) => Cell::Missing,
            Some(Json::String(text)) => Cell::Text(rows.span_of_copy(text.as_bytes())),
            Some(value) => Cell::Json(rows.span_of_copy(&canonical(value))),
        });
    }
    for (name, value) in document.as_object().unwrap() {
        if data_type.slot(name).is_none() || value.is_null() {
            extra.insert(name.clone(), value.clone());
        }
    }
    cells.push(match extra.is_empty() {
        true => Cell::Missing,
        false => Cell::Json(rows.span_of_copy(&canonical(&Json::Object(extra)))),
    });
    rows.push(Origin { position, frame: 0..0 }, &cells);
}

/// The document of a row; what is in it must be canonical.
fn document(rows: &Rows, row: usize) -> Json {
    let mut document = Map::new();
    let read = |bytes: &[u8]| -> Json {
        let value: Json = serde_json::from_slice(bytes).unwrap();
        assert_eq!(canonical(&value), bytes);
        value
    };
    for (slot, field) in rows.data_type().fields.iter().enumerate() {
        let value = match rows.value(row, slot) {
            Value::Missing => continue,
            Value::Text(text) => Json::String(String::from_utf8(text.to_vec()).unwrap()),
            Value::Json(bytes) => read(bytes),
            Value::Instant(_) => unreachable!("there is no date"),
        };
        document.insert(field.name.as_str().to_owned(), value);
    }
    if let Value::Json(extra) = rows.value(row, rows.width() - 1) {
        for (name, value) in read(extra).as_object().unwrap() {
            assert!(document.insert(name.clone(), value.clone()).is_none(), "{name} stands twice");
        }
    }
    Json::Object(document)
}

/// What merging means, without any memory.
fn merge_naively(into: &mut Json, record: &Json) {
    match (into, record) {
        (Json::Object(into), Json::Object(record)) => {
            for (name, value) in record {
                match into.get_mut(name) {
                    // A binary is no object.
                    Some(mine) if name != "photo" => merge_naively(mine, value),
                    _ => drop(into.insert(name.clone(), value.clone())),
                }
            }
        }
        (into, record) => *into = record.clone(),
    }
}

fn sequential(
    data_type: &DataType,
    before: Option<&Json>,
    records: &[(u64, Json)],
) -> (Option<Json>, Tally, Vec<u64>) {
    let (mut row, mut tally, mut refused) = (before.cloned(), Tally::default(), Vec::new());
    let mut accepted = 0;
    for (number, record) in records {
        if before.is_none() && record.get("title").is_none() {
            tally.count(Counted::Rejected);
            refused.push(*number);
            continue;
        }
        accepted += 1;
        match &mut row {
            Some(row) => merge_naively(row, record),
            None => {
                let mut created = record.clone();
                for field in &data_type.fields {
                    if let Some(default) = &field.constraints.default {
                        let members = created.as_object_mut().unwrap();
                        members.entry(field.name.as_str()).or_insert_with(|| default.clone());
                    }
                }
                row = Some(created);
            }
        }
    }
    if accepted > 0 {
        tally.count(match before {
            None => Counted::Created,
            before if before == row.as_ref() => Counted::Unchanged,
            Some(_) => Counted::Updated,
        });
        tally.add(Counted::Skipped, accepted - 1);
    }
    (row, tally, refused)
}

/// The table of one key, and what the import remembers of it.
struct Table {
    merging: Merging,
    row: Option<(Existing, Rows)>,
    remembered: Option<Remembered>,
    tally: Tally,
    refused: Vec<u64>,
}

impl Table {
    fn new(data_type: &Arc<DataType>, before: Option<&Json>) -> Self {
        let row = before.map(|before| {
            let mut rows = Rows::new(Arc::clone(data_type), Bytes::new(), 0, 0);
            push(&mut rows, before, Position::new(0, 1));
            (
                Existing {
                    operation: OperationId::from_u128(OTHER),
                    position: Position::new(0, 1),
                    hash: [9; 16],
                },
                rows,
            )
        });
        let merging = Merging::new(data_type, true);
        Self { merging, row, remembered: None, tally: Tally::default(), refused: Vec::new() }
    }

    fn load(&mut self, batch: &[(u64, Json)]) {
        let data_type = Arc::clone(&self.merging.data_type);
        let held = self.row.as_ref().map(|(existing, rows)| Held { existing: *existing, rows, row: 0 });
        let mut fold = self.merging.begin(OperationId::from_u128(ME), held, self.remembered.as_ref());
        let mut rows = Rows::new(Arc::clone(&data_type), Bytes::new(), 0, 0);
        for (row, (number, record)) in batch.iter().enumerate() {
            push(&mut rows, record, Position::new(0, *number));
            if let Some(left_out) = fold.add(&rows, row) {
                assert_eq!(self.merging.faults(&rows, row, left_out)[0].code, "required.missing");
                self.tally.count(Counted::Rejected);
                self.refused.push(*number);
            }
        }
        let mut out = Rows::new(data_type, Bytes::new(), 0, 0);
        let Some(merged) = fold.end(&mut out) else { return };
        self.tally.count(merged.counted.1);
        self.tally.add(Counted::Skipped, merged.skipped);
        if let Some(displaced) = merged.displaced {
            assert!(self.tally.recount(displaced.counted, Counted::Skipped));
        }
        assert_eq!(merged.write == Write::Keep, out.is_empty());
        if !out.is_empty() {
            let position = out.origin(0).position;
            self.row =
                Some((Existing { operation: OperationId::from_u128(ME), position, hash: out.hash(0) }, out));
        }
        if let Some(mut remembered) = merged.remembered {
            let stored = serde_json::to_string(&remembered.marks).unwrap();
            remembered.marks = serde_json::from_str(&stored).unwrap();
            remembered.takeover.from = None;
            self.remembered = Some(remembered);
        }
    }
}

fn value(depth: u32) -> BoxedStrategy<Json> {
    let leaf = prop_oneof![
        2 => (0..3).prop_map(Json::from),
        1 => Just(Json::Null),
        1 => Just(json!("x\"y")),
        1 => Just(json!([{"a": 1}])),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    prop_oneof![2 => leaf, 3 => object(depth - 1)].boxed()
}

fn object(depth: u32) -> impl Strategy<Value = Json> {
    let names = prop::sample::select(vec!["a", "b", "cc", "\u{e9}"]);
    prop::collection::vec((names, value(depth)), 0..3)
        .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn record() -> impl Strategy<Value = Json> {
    let title = prop::option::weighted(0.7, prop::sample::select(vec!["s", "t"]));
    let n = prop::option::weighted(0.4, prop_oneof![(1..3).prop_map(Json::from), Just(Json::Null)]);
    let meta = prop::option::weighted(0.7, prop_oneof![4 => object(3), 1 => Just(Json::Null)]);
    let photo = prop::option::weighted(0.2, (1..3).prop_map(|size| json!({"sha256": "0", "size": size})));
    let more = prop::option::weighted(0.7, value(3));
    (title, n, meta, photo, more).prop_map(|(title, n, meta, photo, more)| {
        let mut record = Map::from_iter([("id".to_owned(), json!("k"))]);
        let given =
            [("title", title.map(Json::from)), ("n", n), ("meta", meta), ("photo", photo), ("more", more)];
        record.extend(given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        Json::Object(record)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn order_and_batches_never_matter(
        with_defaults: bool,
        before in prop::option::of(record()),
        records in prop::collection::vec(record(), 1..7),
        order in Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle(),
        cuts in prop::collection::vec(1..4_usize, 6),
    ) {
        let data_type = data_type(with_defaults);
        let records: Vec<(u64, Json)> = (5..).zip(records).collect();
        let expected = sequential(&data_type, before.as_ref(), &records);
        let mut table = Table::new(&data_type, before.as_ref());
        let mut left: Vec<_> = order.iter().filter_map(|index| records.get(*index)).cloned().collect();
        for cut in cuts {
            let mut batch: Vec<_> = left.drain(..cut.min(left.len())).collect();
            batch.sort_by_key(|(number, _)| *number);
            if !batch.is_empty() {
                table.load(&batch);
            }
        }
        table.refused.sort_unstable();
        let row = table.row.as_ref().map(|(_, rows)| document(rows, 0));
        prop_assert_eq!((row, table.tally, table.refused), expected);
    }
}

#[test]
fn each_rule_has_its_case() {
    let whole =
        json!({"id": "k", "title": "t", "meta": {"a": 1, "b": {"c": 2, "d": [1, 2]}}, "x": {"y": 1, "z": 2}});
    for (record, expected) in [
        (json!({"id": "k", "meta": {"b": {"c": 3}}}), json!({"meta": {"a": 1, "b": {"c": 3, "d": [1, 2]}}})),
        (json!({"id": "k", "meta": {"b": {"d": [3]}}}), json!({"meta": {"a": 1, "b": {"c": 2, "d": [3]}}})),
        (json!({"id": "k", "meta": {"b": null}}), json!({"meta": {"a": 1, "b": null}})),
        (json!({"id": "k", "meta": {}}), json!({})),
        (json!({"id": "k", "meta": null}), json!({"meta": null})),
        (json!({"id": "k", "x": {"y": null}}), json!({"x": {"y": null, "z": 2}})),
        (json!({"id": "k", "x": 5, "new": true}), json!({"x": 5, "new": true})),
        (json!({"id": "k", "title": "u"}), json!({"title": "u"})),
        (json!({"id": "k"}), json!({})),
    ] {
        let data_type = data_type(true);
        let mut table = Table::new(&data_type, Some(&whole));
        table.load(&[(1, record.clone())]);
        let mut row = whole.clone();
        row.as_object_mut().unwrap().extend(expected.as_object().unwrap().clone());
        let found = table.row.as_ref().map(|(_, rows)| document(rows, 0));
        assert_eq!(found.as_ref(), Some(&row), "{record}");
        let counted = if row == whole { table.tally.unchanged } else { table.tally.updated };
        assert_eq!((counted, table.tally.read), (1, 1), "{record}");
    }
}

#[test]
fn what_is_stored_keeps_its_form() {
    let data_type = data_type(true);
    let stored = |before: Option<&Json>, batches: &[&[(u64, Json)]]| {
        let mut table = Table::new(&data_type, before);
        batches.iter().for_each(|batch| table.load(batch));
        table.remembered.map(|known| serde_json::to_string(&known.marks).unwrap())
    };
    let whole = json!({"id": "k", "title": "t", "n": 1, "meta": {"a": 1}});
    assert_eq!(stored(None, &[&[(3, whole.clone())]]), None, "a row of one record needs no memory");
    for (before, batches, golden) in [
        (
            None,
            &[&[(3, json!({"id": "k", "title": "t"}))][..]][..],
            r#"{"first":3,"fields":{"meta":0,"n":0}}"#,
        ),
        (
            None,
            &[&[(3, whole.clone())], &[(4, json!({"id": "k", "title": "t", "meta": {"b": 1}}))]],
            r#"{"first":3,"fields":{"meta":{"at":4,"members":{"b":4}},"title":4}}"#,
        ),
        (
            Some(&whole),
            &[&[(9, json!({"id": "k", "meta": {"c": 1}}))], &[(7, json!({"id": "k", "meta": null}))]],
            r#"{"fields":{"meta":{"at":9,"floor":7,"members":{"c":9}}}}"#,
        ),
    ] {
        assert_eq!(stored(before, batches).as_deref(), Some(golden));
    }
}
