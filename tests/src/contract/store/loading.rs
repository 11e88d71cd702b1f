//! Loading: what goes into a table comes out of it, to the byte.

use std::collections::BTreeMap;
use std::sync::Arc;

use carrack_shared::fault::{Fault, Frame, Reject, Stage};
use carrack_shared::port::Store;
use carrack_shared::port::records::Snapshot;
use carrack_shared::port::rejects::RejectPage;
use carrack_shared::record::{Position, Rows};
use carrack_shared::schema::DataType;
use carrack_shared::segment::KeyRange;
use carrack_shared::spec::Duplicates;
use futures_util::TryStreamExt;

use super::Fresh;
use super::fixture::{Given, Record, contexts, cut, json, text, values};
use super::import::{Planned, tally};

/// All rows of a table with their values, by key, as a reader sees them.
pub(super) async fn table(store: &Arc<dyn Store>) -> BTreeMap<String, Vec<Given>> {
    table_of(store, &contexts()).await
}

/// The same of another type's table.
pub(super) async fn table_of(
    store: &Arc<dyn Store>,
    data_type: &Arc<DataType>,
) -> BTreeMap<String, Vec<Given>> {
    let mut snapshot = store.snapshot().await.unwrap();
    let mut table = BTreeMap::new();
    for range in &ranges_of(&mut *snapshot, data_type, 1_000).await {
        let pieces: Vec<Rows> =
            store.scan(data_type, range, &[], snapshot.id()).await.unwrap().try_collect().await.unwrap();
        for rows in pieces {
            for row in 0..rows.len() {
                let key = String::from_utf8(rows.key(row).to_vec()).unwrap();
                assert!(table.insert(key.clone(), values(&rows, row)).is_none(), "{key} came twice");
            }
        }
    }
    table
}

/// The whole table, cut into ranges of `rows` rows.
pub(super) async fn ranges(snapshot: &mut dyn Snapshot, rows: u32) -> Vec<KeyRange> {
    ranges_of(snapshot, &contexts(), rows).await
}

async fn ranges_of(snapshot: &mut dyn Snapshot, data_type: &Arc<DataType>, rows: u32) -> Vec<KeyRange> {
    let mut ranges: Vec<KeyRange> = Vec::new();
    loop {
        match snapshot.next_range(data_type, ranges.last(), rows).await.unwrap() {
            Some(range) => ranges.push(range),
            None => return ranges,
        }
    }
}

/// The pieces of a range.
pub(super) async fn scan(store: &Arc<dyn Store>, range: &KeyRange, snapshot: &str) -> Vec<Rows> {
    store.scan(&contexts(), range, &[], snapshot).await.unwrap().try_collect().await.unwrap()
}

/// Loads the records in batches of two and reads them back.
async fn come_back(fresh: &Fresh, records: &[Record]) {
    let store = fresh.store();
    let import = Planned::import(&store, Duplicates::Reject, cut(records, &vec![2; records.len() / 2])).await;
    let loaded = import.load_all().await;
    assert_eq!(loaded, tally([records.len() as u64, 0, 0, 0, 0]));
    let mut table = table(&store).await;
    let contexts = contexts();
    let names: Vec<&str> = contexts.fields.iter().map(|field| field.name.as_str()).chain(["extra"]).collect();
    for record in records {
        let found = table.remove(record.id()).unwrap_or_else(|| panic!("{:?} is gone", record.id()));
        for ((name, found), expected) in names.iter().zip(found).zip(record.values()) {
            let short = |given: &Given| format!("{given:?}").chars().take(200).collect::<String>();
            let (id, was, is) = (record.id(), short(&expected), short(&found));
            assert!(found == expected, "record {id:?}: field {name}: found {is}, expected {was}");
        }
    }
    assert!(table.is_empty(), "unexpected: {:?}", table.keys());

    // Equal by value is what decides *unchanged*, also after the way through the database.
    let again = Planned::import(&store, Duplicates::Overwrite, cut(records, &[])).await;
    assert_eq!(again.load_all().await, tally([0, 0, records.len() as u64, 0, 0]));
}

pub(super) async fn texts_come_back_byte_for_byte(fresh: Fresh) {
    let long = "a longer line with a \"quote\" — ✓ 𝄞\r\n".repeat(1024 * 1024 / 41 + 1);
    let texts = [
        "plain",
        " edges ",
        "\t",
        "\n",
        "\r\n",
        "a\nb",
        "\"",
        "\"\"",
        "'",
        "''",
        "\\",
        "\\N",
        "\\.",
        "\\n",
        "a\\",
        "NULL",
        "null",
        "{}",
        "[]",
        "{1,2}",
        ",",
        ";",
        "%s",
        "$1",
        "?1",
        ":x",
        "🦀",
        "e\u{301}",
        "é",
        "\u{feff}x",
        "\u{1}\u{7f}\u{80}\u{ffff}\u{10ffff}",
        "שלום",
        "ß",
        "ẞ",
        "1e5",
        "007",
        "true",
        "-- x",
        "/* x */",
        "\u{2028}",
    ];
    let mut records = vec![Record::new("long", &long)];
    for (number, value) in texts.iter().enumerate() {
        let id = format!("{number} {value}");
        records.push(Record::new(&id, value).with("content", text(value)).with("type", text(value)));
    }
    come_back(&fresh, &records).await;
}

pub(super) async fn instants_come_back_to_the_microsecond(fresh: Fresh) {
    const YEAR_1: i64 = -62_135_596_800_000_000;
    const YEAR_9999_ENDS: i64 = 253_402_300_799_999_999;
    const YEAR_2000: i64 = 946_684_800_000_000;
    let instants = [
        0,
        1,
        -1,
        999_999,
        -999_999,
        1_000_000,
        YEAR_1,
        YEAR_1 + 1,
        YEAR_9999_ENDS,
        YEAR_2000,
        YEAR_2000 - 1,
        1_709_164_800_000_001,
        1_735_689_599_123_456,
    ];
    let record = |(number, &micros): (usize, &i64)| {
        let record = Record::new(&format!("k{number}"), "a date");
        let record = record.with("createdAt", Given::Instant(micros));
        if number % 2 == 0 { record } else { record.with("updatedAt", Given::Instant(micros / 2)) }
    };
    come_back(&fresh, &instants.iter().enumerate().map(record).collect::<Vec<_>>()).await;
}

pub(super) async fn json_comes_back_canonical(fresh: Fresh) {
    let arrays = [
        "[]",
        "[[]]",
        "[null,true,false,0,\"\"]",
        "[1.5,-0.000001,123456789012345678901234567890]",
        r#"["a,b","\"","\\","\n\r\t\b\f","\u0001\u001f","é","🦀","/","<"]"#,
        "[\"\u{7f}\u{2028}\"]",
        "[9007199254740993,0.1,100000000000000000000000000000000000000]",
        r#"[{"a":[1,{"b":"c"}]}]"#,
    ];
    // Members stand in the order of the length of their names, then of their bytes; see `record.rs`.
    let objects = [
        "{}",
        r#"{"":1}"#,
        r#"{"a":{"b":{"c":[{}]}}}"#,
        r#"{"b":1,"c":2,"aa":3,"ab":4,"aaa":5}"#,
        r#"{"\"":3,"zz":2,"é":1}"#,
        r#"{"source":"x: y, z","importance":0.5}"#,
        r#"{"a":null}"#,
    ];
    let mut records = Vec::new();
    for (number, (array, object)) in arrays.iter().zip(objects).enumerate() {
        let record = Record::new(&format!("k{number}"), "json");
        records.push(record.with("tags", json(array)).with("metadata", json(object)));
    }
    come_back(&fresh, &records).await;
}

pub(super) async fn missing_and_empty_stay_apart(fresh: Fresh) {
    let records = [
        Record::new("missing", "x"),
        Record::new("empty text", "").with("type", text("")).with("sessionId", text("")),
        Record::new("empty json", "x").with("tags", json("[]")).with("metadata", json("{}")),
        Record::new("null text", "x").with("type", text("null")).with("sessionId", text("NULL")),
    ];
    come_back(&fresh, &records).await;
}

pub(super) async fn extra_fields_come_back_with_explicit_nulls(fresh: Fresh) {
    let records = [
        Record::new("null", "x").with("extra", json(r#"{"type":null}"#)),
        Record::new("more", "x").with("extra", json(r#"{"n":1.25,"tags":null,"other":{"a":[1,"é"]}}"#)),
        Record::new("none", "x"),
    ];
    come_back(&fresh, &records).await;
}

pub(super) async fn columns_can_be_queried_by_their_names(fresh: Fresh) {
    let record = Record::new("k", "Größe")
        .with("sessionId", text("s1"))
        .with("createdAt", Given::Instant(1_709_164_800_000_001));
    let import = Planned::import(&fresh.store(), Duplicates::Skip, cut(&[record], &[])).await;
    import.load_all().await;
    let table = fresh.table("contexts");
    assert_eq!(fresh.texts(&format!("SELECT \"title\" FROM {table}")).await, ["Größe"]);
    let condition = "\"sessionId\" = 's1' AND \"createdAt\" = '2024-02-29T00:00:00.000001Z' \
        AND \"updatedAt\" IS NULL AND \"tags\" IS NULL AND \"extra\" IS NULL";
    assert_eq!(fresh.integer(&format!("SELECT count(*) FROM {table} WHERE {condition}")).await, 1);
    let position = fresh.integer(&format!("SELECT \"_position\" FROM {table}")).await;
    assert_eq!(Position::from_stored(position), Position::new(0, 1));
}

pub(super) async fn rejects_of_the_pipeline_are_stored_as_they_are(fresh: Fresh) {
    let records = [Record::new("a", "1"), Record::new("b", "2").framed(70_000), Record::new("c", "3")];
    let mut pieces = cut(&records, &[]);
    let rows = std::mem::replace(&mut pieces[0].rows, cut(&[Record::new("x", "x")], &[]).remove(0).rows);
    let faults = vec![
        Fault::new(Stage::Decode, "utf8.invalid", "found the byte 0xff at 7, expected UTF-8"),
        Fault::new(Stage::Validate, "date.invalid", "found \"31/02\", expected a date").in_field("createdAt"),
    ];
    let first = Reject { line: u64::from(u32::MAX) + 5, byte_start: 1 << 45, ..rows.reject(0, faults, None) };
    let oversized = vec![Fault::new(Stage::Frame, "record.too_large", "")];
    let second = rows.reject(1, oversized, Some("frames/ä b".into()));
    let third = Reject {
        key: Some("c".into()),
        winner: Some(Position::new(0, 1)),
        frame: Frame::Inline(vec![0, 255, b'\\', b'\n'].into()),
        ..rows.reject(2, vec![Fault::new(Stage::Duplicate, "duplicate.existing", "x")], None)
    };
    pieces[0].rejects = vec![third.clone(), first.clone(), second.clone()];
    let import = Planned::import(&fresh.store(), Duplicates::Reject, pieces).await;
    assert_eq!(import.load_all().await, tally([1, 0, 0, 0, 3]));
    let found = fresh.reopened().await.rejects(import.operation.id, &RejectPage::first(9)).await.unwrap();
    assert_eq!(found, [first, second, third]);
}
