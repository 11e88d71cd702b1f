//! Types of fields: what a column of each type holds, and that it comes out of it to the last digit.

use std::sync::Arc;

use carrack_shared::content::Reference;
use carrack_shared::error::ErrorKind;
use carrack_shared::scalar;
use carrack_shared::schema::{DataType, Field, FieldType, Identifier};
use carrack_shared::segment::KeyRange;
use carrack_shared::spec::Duplicates;
use futures_util::TryStreamExt;

use super::Fresh;
use super::fixture::{Given, Record, cut, json, text};
use super::import::Planned;
use super::loading::table_of;

/// A type with a field of every type.
pub(super) fn things() -> Arc<DataType> {
    use FieldType::{Array, Binary, Boolean, Date, Decimal, Integer, Number, Object, String};
    let fields = [
        ("id", String),
        ("title", String),
        ("integer", Integer),
        ("number", Number),
        ("decimal", Decimal),
        ("boolean", Boolean),
        ("date", Date),
        ("array", Array),
        ("object", Object),
        ("binary", Binary),
    ];
    let field = |(name, field_type)| Field::new(Identifier::new(name).unwrap(), field_type, name == "id");
    let fields = fields.into_iter().map(field);
    Arc::new(DataType { name: Identifier::new("things").unwrap(), fields: fields.collect(), key: 0 })
}

/// Records with every value that is known to be hard, each in its field.
pub(super) fn hard() -> Vec<Record> {
    let integers =
        [i64::MIN, i64::MIN + 1, -1, 0, 1, 1 << 53, (1 << 53) + 1, i64::MAX].map(|n| n.to_string());
    let doubles = [
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        5e-324,
        1e-320,
        -1e-320,
        -0.0,
        0.1,
        0.1 + 0.2,
        1e23,
        1e22,
        4503599627370497.5,
        -1.5,
        123456789012.345,
    ];
    let numbers = doubles.map(|number| scalar::of_number(number).unwrap());
    let (nines, zeros) = ("9".repeat(1_000), "0".repeat(998));
    let decimals = [
        "0",
        "1",
        "-1",
        "9999",
        "10000",
        "100000000",
        "123456789012345678901234567890",
        "-123456789012345678901234567890.123456789",
        "0.1",
        "0.0001",
        "0.00001",
        "-0.000000000000000000000000000001",
        "10000.0001",
        "9007199254740993.1",
        &nines,
        &format!("-{nines}"),
        &format!("0.{zeros}1"),
    ]
    .map(str::to_owned);
    let booleans = ["true", "false"].map(str::to_owned);
    let references = [Reference::of(b""), Reference::of(b"foo")].map(|reference| reference.json());
    let columns: [(&'static str, &[String]); 5] = [
        ("integer", &integers),
        ("number", &numbers),
        ("decimal", &decimals),
        ("boolean", &booleans),
        ("binary", &references),
    ];
    let of_column = |(name, values): (&'static str, &[String])| {
        let record = |(number, value): (usize, &String)| {
            Record::new(&format!("{name} {number}"), "true").of(&things()).with(name, json(value))
        };
        values.iter().enumerate().map(record).collect::<Vec<_>>()
    };
    let mut records: Vec<Record> = columns.into_iter().flat_map(of_column).collect();
    let all = Record::new("all", "1e5").of(&things());
    let all = columns.into_iter().fold(all, |record, (name, values)| record.with(name, json(&values[1])));
    let all = all.with("date", Given::Instant(1)).with("array", json("[1]")).with("object", json("{}"));
    records.push(all.with("extra", json(r#"{"more":1.5}"#)));
    records.push(Record::new("none", "").of(&things()));
    records
}

async fn run(fresh: &Fresh, mode: Duplicates, records: &[Record]) -> [u64; 5] {
    let import = Planned::import(&fresh.store(), mode, cut(records, &[])).await;
    let found = import.load_all().await;
    [found.created, found.updated, found.unchanged, found.skipped, found.rejected]
}

async fn assert_table(fresh: &Fresh, expected: &[Record]) {
    let mut table = table_of(&fresh.store(), &things()).await;
    for record in expected {
        assert_eq!(table.remove(record.id()), Some(record.values()), "{:?}", record.id());
    }
    assert!(table.is_empty(), "unexpected: {:?}", table.keys());
}

pub(super) async fn values_of_every_type_come_back_whichever_way_they_are_loaded(fresh: Fresh) {
    let records = hard();
    let count = records.len() as u64;
    // Nothing is in the way of the first half. The second finds the first in its way, and replaces it.
    let (first, _) = records.split_at(records.len() / 2);
    assert_eq!(run(&fresh, Duplicates::Reject, first).await, [count / 2, 0, 0, 0, 0]);
    assert_table(&fresh, first).await;
    let renamed: Vec<Record> =
        records.iter().map(|record| record.clone().with("title", text("another"))).collect();
    let found = run(&fresh, Duplicates::Overwrite, &renamed).await;
    assert_eq!(found, [count - count / 2, count / 2, 0, 0, 0]);
    assert_table(&fresh, &renamed).await;
    assert_eq!(run(&fresh, Duplicates::Overwrite, &renamed).await, [0, 0, count, 0, 0]);

    // Values go, too.
    let empty: Vec<Record> =
        records.iter().map(|record| Record::new(record.id(), "empty").of(&things())).collect();
    run(&fresh, Duplicates::Overwrite, &empty).await;
    assert_table(&fresh, &empty).await;
}

pub(super) async fn columns_of_every_type_can_be_queried(fresh: Fresh) {
    let record = Record::new("k", "x").of(&things());
    let values = [
        ("integer", "9223372036854775807"),
        ("number", "0.1"),
        ("decimal", "123456789012345678901234567890.00000000000000000001"),
        ("boolean", "true"),
        ("binary", &Reference::of(b"foo").json()),
    ];
    let record = values.iter().fold(record, |record, (name, value)| record.with(name, json(value)));
    assert_eq!(run(&fresh, Duplicates::Reject, &[record]).await, [1, 0, 0, 0, 0]);
    let table = fresh.table("things");
    for column in ["integer", "decimal"] {
        let (_, expected) = values.iter().find(|(name, _)| *name == column).unwrap();
        let sql = format!("SELECT CAST(\"{column}\" AS TEXT) FROM {table}");
        assert_eq!(fresh.texts(&sql).await, [*expected], "{column}");
    }
    let condition = "\"boolean\" AND \"number\" = 0.1 AND \"integer\" > 9223372036854775806 \
        AND CAST(\"binary\" ->> 'size' AS TEXT) = '3'";
    assert_eq!(fresh.integer(&format!("SELECT count(*) FROM {table} WHERE {condition}")).await, 1);
}

pub(super) async fn what_others_write_into_a_column_is_read_or_refused(fresh: Fresh) {
    run(&fresh, Duplicates::Reject, &[Record::new("k", "x").of(&things())]).await;
    let table = fresh.table("things");
    let set = async |column: &str, value: &str| {
        fresh.execute(&format!("UPDATE {table} SET \"{column}\" = {value}")).await.unwrap();
    };
    for (column, value, expected) in [
        ("decimal", "'1.50'", "1.5"),
        ("decimal", "'-0.0'", "0"),
        ("decimal", "'1000000.000'", "1000000"),
        ("number", "1", "1"),
        ("number", "-0.0", "0"),
        ("number", "1e300", &format!("1{}", "0".repeat(300))),
        ("boolean", "(1 = 1)", "true"),
    ] {
        set(column, value).await;
        let row = table_of(&fresh.store(), &things()).await.remove("k").unwrap();
        let slot = things().slot(column).unwrap();
        assert_eq!(row[slot], json(expected), "{column} = {value}");
    }
    for (column, postgres, sqlite) in
        [("number", "'infinity'", "9e999"), ("decimal", "'NaN'", "'abc'"), ("decimal", "'infinity'", "' 1'")]
    {
        if fresh.execute(&format!("UPDATE {table} SET \"{column}\" = {postgres}")).await.is_err() {
            set(column, sqlite).await;
        }
        let store = fresh.store();
        let snapshot = store.snapshot().await.unwrap();
        let all = KeyRange { from: String::new(), to: "z".into(), first: 1, rows: 0, table: 0 };
        let found = match store.scan(&things(), &all, &[], snapshot.id()).await {
            Ok(stream) => stream.try_collect::<Vec<_>>().await.map(|pieces| pieces.len()),
            Err(error) => Err(error),
        };
        let error = found.expect_err(&format!("{column} = {postgres} or {sqlite}"));
        assert_eq!(error.kind, ErrorKind::Refused, "{error:?}");
        assert!(error.chain().contains(&format!("column {column:?}")), "{}", error.chain());
        set(column, "NULL").await;
    }
}
