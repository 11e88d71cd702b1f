//! Filters: a store selects the rows that the reference does, whatever stands in them.

use std::collections::BTreeSet;
use std::sync::Arc;

use carrack_shared::filter::{Condition, Filter};
use carrack_shared::format::instant;
use carrack_shared::port::Store;
use carrack_shared::record::Rows;
use carrack_shared::schema::DataType;
use carrack_shared::segment::KeyRange;
use carrack_shared::spec::Duplicates;
use carrack_shared::tally::Tally;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde_json::{Value, json as document};

use super::fixture::{Given, Record, contexts, cut, json, records, text};
use super::import::{LEASE, Planned};
use super::{Fresh, types};

/// Texts that a query could take for something else.
const HARD: [&str; 16] = [
    "a",
    "A",
    "",
    " a",
    "a ",
    "'",
    "\"",
    "\\",
    "%",
    "_",
    "a\"b\n\t\u{1f}c",
    "{a,b}",
    "null",
    "é",
    "e\u{301}",
    "\u{10ffff}",
];

/// Instants around the edges of the filters below, in microseconds since 1970.
const INSTANTS: [i64; 9] = [
    -62_135_596_800_000_000,
    -1,
    0,
    1,
    1_704_067_199_999_999,
    1_704_067_200_000_000,
    1_704_153_599_999_999,
    1_704_153_600_000_000,
    253_402_300_799_999_999,
];

/// Rows with every hard value in every field that filters know, and rows without them.
fn rows() -> Vec<Record> {
    let mut rows = Vec::new();
    let mut add = |fields: Vec<(&'static str, Given)>| {
        let row = Record::new(&format!("k{:04}", rows.len()), "x");
        rows.push(fields.into_iter().fold(row, |row, (name, value)| row.with(name, value)));
    };
    add(Vec::new());
    add(vec![("extra", json(r#"{"type":null,"tags":null,"metadata":null,"updatedAt":null}"#))]);
    for (number, hard) in HARD.iter().enumerate() {
        let other = HARD[(number + 3) % HARD.len()];
        let quoted = document!(hard).to_string();
        add(vec![("type", text(hard)), ("sessionId", text(other))]);
        add(vec![("tags", json(&document!([other, hard]).to_string())), ("type", text(other))]);
        add(vec![("tags", json(&document!([[hard]]).to_string()))]);
        add(vec![("metadata", json(&document!({ "importance": hard }).to_string())), ("type", text("a"))]);
        add(vec![("metadata", json(&format!(r#"{{"x":{{"importance":{quoted}}}}}"#)))]);
        add(vec![("metadata", json(&format!(r#"{{"importance":[{quoted}]}}"#)))]);
    }
    for array in ["[]", "[null]", "[1,true]", r#"[{"a":"a"}]"#, r#"["b","a","a"]"#] {
        add(vec![("tags", json(array))]);
    }
    for object in ["{}", r#"{"importance":null}"#, r#"{"importance":1}"#, r#"{"importance":{"a":1}}"#] {
        add(vec![("metadata", json(object))]);
    }
    for (number, instant) in INSTANTS.into_iter().enumerate() {
        let other = INSTANTS[(number + 4) % INSTANTS.len()];
        add(vec![("createdAt", Given::Instant(instant))]);
        add(vec![("updatedAt", Given::Instant(instant))]);
        add(vec![("updatedAt", Given::Instant(instant)), ("createdAt", Given::Instant(other))]);
    }
    rows
}

/// Filters by themselves and together.
fn filters() -> Vec<Value> {
    let mut filters = vec![
        document!({}),
        document!({"dateRange": {"start": "2024-01-01", "end": "2024-01-01"}}),
        document!({"dateRange": {"start": "1970-01-01T00:00:00Z"}}),
        document!({"dateRange": {"start": "1970-01-01T00:00:00.000001Z", "end": "2023-12-31"}}),
        document!({"dateRange": {"end": "1969-12-31T23:59:59.999999Z"}}),
        document!({"dateRange": {"start": "0001-01-01", "end": "9999-12-31"}}),
        document!({"types": ["a"], "importance": HARD}),
        document!({"types": HARD, "tags": ["a", "1", "null", "true"]}),
        document!({"sessionIds": HARD, "types": ["nothing has it"]}),
        document!({"types": HARD}),
        document!({"tags": HARD}),
        document!({"importance": HARD}),
    ];
    for hard in HARD {
        filters.extend(["types", "tags", "sessionIds", "importance"].map(|name| document!({ name: [hard] })));
    }
    filters
}

async fn keys(
    store: &Arc<dyn Store>,
    data_type: &Arc<DataType>,
    range: &KeyRange,
    conditions: &[Condition],
    snapshot: &str,
) -> Vec<String> {
    let pieces: Vec<Rows> =
        store.scan(data_type, range, conditions, snapshot).await.unwrap().try_collect().await.unwrap();
    let key = |rows: &Rows, row| String::from_utf8(rows.key(row).to_vec()).unwrap();
    pieces.iter().flat_map(|rows| (0..rows.len()).map(|row| key(rows, row)).collect::<Vec<_>>()).collect()
}

pub(super) async fn stores_select_what_the_reference_does(fresh: Fresh) {
    let store = fresh.store();
    let records = rows();
    Planned::import(&store, Duplicates::Reject, cut(&records, &[])).await.load_all().await;
    let mut snapshot = store.snapshot().await.unwrap();
    let range = snapshot.next_range(&contexts(), None, 10_000).await.unwrap().expect("rows");
    let all: Vec<Rows> =
        store.scan(&contexts(), &range, &[], snapshot.id()).await.unwrap().try_collect().await.unwrap();
    let mut sizes = BTreeSet::new();
    for filter in filters() {
        let conditions = Filter::read(&filter).unwrap().conditions(&contexts()).unwrap();
        let matching = |rows: &Rows, row: &usize| Condition::all_hold(&conditions, rows, *row);
        let expected: Vec<String> = all
            .iter()
            .flat_map(|rows| {
                let chosen = (0..rows.len()).filter(|row| matching(rows, row));
                chosen.map(|row| String::from_utf8(rows.key(row).to_vec()).unwrap()).collect::<Vec<_>>()
            })
            .collect();
        let found = keys(&store, &contexts(), &range, &conditions, snapshot.id()).await;
        assert_eq!(found, expected, "selected by {filter}");
        sizes.insert(found.len());
    }
    assert!(sizes.len() > 9 && sizes.contains(&0) && sizes.contains(&records.len()), "{sizes:?}");
}

/// Expressions about texts, dates, arrays and objects; with each whether a database is to help with it.
fn expressions() -> Vec<(String, bool)> {
    let mut all: Vec<(String, bool)> = Vec::new();
    let mut add = |sources: &[String], pushed| all.extend(sources.iter().map(|it| (it.clone(), pushed)));
    for (number, hard) in HARD.iter().enumerate() {
        // A text of JSON is one of CEL.
        let (it, other) =
            (document!(hard).to_string(), document!(HARD[(number + 5) % HARD.len()]).to_string());
        let pushed = [
            format!("type == {it}"),
            format!("type != {it}"),
            format!("type < {it}"),
            format!("type <= {it}"),
            format!("{it} < type"),
            format!("{it} <= record.type"),
            format!("!(type > {it})"),
            format!("!(type != {it})"),
            format!("type > {it} && type < {other}"),
            format!("type == {it} || sessionId == {other}"),
            format!("!(type == {it} || sessionId >= {other})"),
            format!("!(type != {it} && sessionId == {other})"),
            format!("type == {it} && type.size() > 1"),
            format!("type.contains({it})"),
            format!("record['type'].startsWith({it})"),
            format!("type in [{it}, {other}]"),
            format!("{it} in tags"),
            format!("metadata.importance == {it}"),
            format!("metadata['importance'] in [{it}, {other}]"),
            format!("!(metadata.importance != {it})"),
            // What fails for some rows is still asked of the others.
            format!("type == {it} && (tags == null || tags[0] == {other})"),
            format!("(tags == null || tags[0] == {other}) && sessionId == {it}"),
        ];
        add(&pushed, true);
        let decided_here = [
            format!("type.endsWith({it})"),
            format!("!type.startsWith({it})"),
            format!("metadata.importance != {it}"),
            format!("!({it} in tags)"),
            format!("tags.exists(t, t == {it})"),
            format!("metadata.x.importance == {it}"),
            format!("type == {it} || type.size() > 1"),
            format!("type == title + {it}"),
        ];
        add(&decided_here, false);
    }
    for instant in INSTANTS {
        let whole = instant::text(instant);
        for cut in [4, 7, 10, 13, 16, 19, whole.len()] {
            let it = &whole[..cut];
            let pushed = ["<", "<=", ">", ">=", "=="].map(|order| format!("createdAt {order} '{it}'"));
            add(&pushed, true);
            add(&[format!("!(createdAt < '{it}')")], true);
            add(&[format!("createdAt != '{it}'")], false);
        }
        let second = &whole[..19];
        add(&[format!("'{second}+01:00' <= updatedAt"), format!("updatedAt < '{second}.5'")], true);
        add(&[format!("updatedAt < '{second}é'"), format!("'{second}é' == updatedAt")], true);
        add(&[format!("updatedAt < '{}x'", &whole[..4]), "updatedAt < '2024-02-30'".into()], false);
    }
    add(&["type == null".into(), "type != null".into(), "!(null == type)".into()], true);
    add(&["!has(record.tags)".into(), "tags == null && metadata == null".into()], true);
    add(&["has(record.tags)".into(), "record.more == null".into(), "now() > '1970'".into()], false);
    add(&["type > 'a' ? true : sessionId == 'a'".into(), "createdAt < updatedAt".into()], false);
    add(&["metadata.importance > 3".into(), "tags[0].x == 'a'".into()], false);
    all
}

/// Selects by expressions, and compares what comes with what the reference says; how many rows each leaves.
async fn assert_pushed(
    fresh: &Fresh,
    data_type: &Arc<DataType>,
    records: &[Record],
    expressions: &[(String, bool)],
) -> BTreeSet<usize> {
    let store = fresh.store();
    Planned::import(&store, Duplicates::Reject, cut(records, &[])).await.load_all().await;
    let mut snapshot = store.snapshot().await.unwrap();
    let range = snapshot.next_range(data_type, None, 10_000).await.unwrap().expect("rows");
    let all: Vec<Rows> =
        store.scan(data_type, &range, &[], snapshot.id()).await.unwrap().try_collect().await.unwrap();
    let one_by_one = |rows: &Rows| -> Vec<Rows> {
        let only = |row: usize| {
            let mut rows = rows.clone();
            let keep: Vec<bool> = (0..rows.len()).map(|other| other == row).collect();
            rows.keep(&keep);
            rows
        };
        (0..rows.len()).map(only).collect()
    };
    let all: Vec<Rows> = all.iter().flat_map(one_by_one).collect();
    let mut sizes = BTreeSet::new();
    for (source, is_pushed) in expressions {
        let filter = Filter::read(&document!({ "where": source })).unwrap();
        assert_eq!(filter.conditions(data_type).unwrap(), [], "{source}");
        let pushed = filter.necessary(data_type);
        assert_eq!(pushed.is_some(), *is_pushed, "{source}: {pushed:?}");
        let conditions: Vec<Condition> = pushed.into_iter().collect();
        let judge = filter.judge(data_type, Timestamp::UNIX_EPOCH).unwrap();
        let key = |rows: &Rows| String::from_utf8(rows.key(0).to_vec()).unwrap();
        // Those that match, and those for which the expression fails.
        let wanted = |rows: &&Rows| judge.matching(rows).map_or(true, |found| found[0]);
        let wanted: Vec<String> = all.iter().filter(wanted).map(key).collect();
        let selected: Vec<String> =
            all.iter().filter(|rows| Condition::all_hold(&conditions, rows, 0)).map(key).collect();
        let found = keys(&store, data_type, &range, &conditions, snapshot.id()).await;
        assert_eq!(found, selected, "selected by {source}: {conditions:?}");
        let lost: Vec<&String> = wanted.iter().filter(|key| !found.contains(key)).collect();
        assert!(lost.is_empty(), "{source} loses {lost:?} by {conditions:?}");
        sizes.insert(wanted.len());
    }
    sizes
}

pub(super) async fn expressions_are_pushed_down_and_lose_no_row(fresh: Fresh) {
    let records = rows();
    let sizes = assert_pushed(&fresh, &contexts(), &records, &expressions()).await;
    assert!(sizes.len() > 20 && sizes.contains(&0) && sizes.contains(&records.len()), "{sizes:?}");
}

pub(super) async fn expressions_over_every_type_are_pushed_down(fresh: Fresh) {
    let mut expressions: Vec<(String, bool)> = Vec::new();
    for whole in [i64::MIN + 1, -1, 0, 1, 1 << 53, (1 << 53) + 1, i64::MAX] {
        let pushed = ["<", "<=", ">", ">=", "==", "!="].map(|order| format!("integer {order} {whole}"));
        expressions.extend(pushed.map(|source| (source, true)));
        expressions.push((format!("!({whole} <= integer) && title == 'true'"), true));
        expressions.push((format!("decimal > {whole} || number > {whole}"), false));
    }
    for (source, pushed) in [
        ("boolean", true),
        ("!boolean", true),
        ("record.boolean", true),
        ("!!boolean && integer == null", true),
        ("boolean == true", true),
        ("boolean != true", true),
        ("false != boolean", true),
        ("!(boolean == false)", true),
        ("boolean || integer > 0", true),
        ("!(boolean && integer > 0)", true),
        ("boolean || number > 0", false),
        ("decimal == null", true),
        ("number != null && binary == null", true),
        ("!has(record.binary)", true),
        ("array == [1]", false),
        ("object == {}", false),
        ("binary.size > 0", false),
        ("record.more == 1.5", false),
        ("integer > 1.5", false),
        ("decimal == '0.1' || decimal == 0.1", false),
    ] {
        expressions.push((source.to_owned(), pushed));
    }
    let sizes = assert_pushed(&fresh, &types::things(), &types::hard(), &expressions).await;
    assert!(sizes.len() > 9, "{sizes:?}");
}

pub(super) async fn a_filtered_range_is_read_in_small_pieces(fresh: Fresh) {
    let store = fresh.store();
    let records: Vec<Record> = (0..5_000)
        .map(|number| {
            let row = Record::new(&format!("k{number:05}"), "x");
            if number % 2 == 0 { row.with("type", text("even")) } else { row }
        })
        .collect();
    Planned::import(&store, Duplicates::Reject, cut(&records, &[])).await.load_all().await;
    let mut snapshot = store.snapshot().await.unwrap();
    let range = snapshot.next_range(&contexts(), None, 4_001).await.unwrap().expect("rows");
    let filter = Filter::read(&document!({"types": ["even"]})).unwrap();
    let conditions = filter.conditions(&contexts()).unwrap();
    let found = keys(&store, &contexts(), &range, &conditions, snapshot.id()).await;
    let expected: Vec<String> = (0..=4_000).step_by(2).map(|number| format!("k{number:05}")).collect();
    assert!(found == expected, "{} rows, expected every second one of 4,001", found.len());
}

pub(super) async fn what_is_left_out_is_counted(fresh: Fresh) {
    let store = fresh.store();
    // The third has the key of the first, and yet does not contend for it; the sixth does.
    let given = records("a=1 b=1 a=2 !c=1 d=1 b=2")
        .into_iter()
        .enumerate()
        .map(|(number, record)| if [2, 4].contains(&number) { record.left_out() } else { record });
    let given: Vec<Record> = given.collect();
    let import = Planned::import(&store, Duplicates::Skip, cut(&given, &[3, 3])).await;
    let first = import.load(0).await;
    assert_eq!(first, Tally { read: 3, created: 2, skipped: 1, filtered: 1, ..Tally::default() });
    let second = import.load(1).await;
    assert_eq!(second, Tally { read: 3, skipped: 2, rejected: 1, filtered: 1, ..Tally::default() });
    let sum = Tally { read: 6, created: 2, skipped: 3, rejected: 1, filtered: 2, ..Tally::default() };
    let id = import.operation.id;
    assert_eq!(store.totals(id).await.unwrap().tally, sum);
    assert_eq!(store.ledger(id).await.unwrap()[1].totals.tally, second);
    assert_eq!(store.sources(id).await.unwrap()[0].ledger, sum);
    let claim = import.claim_finish(LEASE).await;
    assert_eq!(store.evidence(&claim).await.unwrap().ledger, sum);
    store.renew_finish(&claim, std::time::Duration::ZERO).await.unwrap();
    assert_eq!(import.close().await.tally, Some(sum));
    let listed = store.list(carrack_shared::port::operations::Listing::Latest(1)).await.unwrap();
    assert_eq!(listed[0].tally, Some(sum));
}
