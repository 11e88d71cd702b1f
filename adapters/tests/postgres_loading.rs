//! The two ways of loading: COPY where nothing is in the way, the general path otherwise.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test prepares and breaks its database with statements of its own, and panics where that fails"
)]

mod postgres_support;

use std::sync::Arc;

use bytes::Bytes;
use carrack_shared::port::Rejects;
use carrack_shared::port::batches::Commit;
use carrack_shared::port::rejects::RejectPage;
use carrack_shared::record::{Cell, Origin, Position, Rows};
use carrack_shared::schema::{DataType, Field, FieldType, Identifier};
use carrack_shared::spec::Duplicates;
use carrack_shared::tally::Tally;
use postgres_support::{Database, Import, sessions};

fn done(commit: Commit) -> [u64; 5] {
    match commit {
        Commit::Done(Tally { created, updated, unchanged, skipped, rejected, .. }) => {
            [created, updated, unchanged, skipped, rejected]
        }
        other => panic!("expected the commit to happen, found {other:?}"),
    }
}

/// Counts the statements that come to a table, by the way they take.
async fn count_ways(database: &Database, table: &str) {
    let trigger = format!(
        "CREATE TABLE ways (way text);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO ways VALUES (split_part(current_query(), ' ', 1)); RETURN NULL; END $$;
         CREATE TRIGGER note AFTER INSERT ON carrack_data.{table}
             FOR EACH STATEMENT EXECUTE FUNCTION note()"
    );
    database.client().await.batch_execute(&trigger).await.unwrap();
}

async fn ways(database: &Database) -> (i64, i64) {
    let count = async |way| database.integer(&format!("SELECT count(*) FROM ways WHERE way = '{way}'")).await;
    (count("COPY").await, count("INSERT").await)
}

#[tokio::test]
async fn a_conflict_sends_the_next_batches_the_general_way() {
    let database = Database::create().await;
    let store = database.store().await;
    let batches = vec![sessions(1, "a=1 b=1"), sessions(3, "b=2 c=2"), sessions(5, "d=3 e=3")];
    let import = Import::plan(&store, Duplicates::Skip, batches).await;
    count_ways(&database, "sessions").await;
    assert_eq!(done(import.load(0).await), [2, 0, 0, 0, 0]);
    assert_eq!(ways(&database).await, (1, 0));
    assert_eq!(done(import.load(1).await), [1, 0, 0, 1, 0], "the COPY is undone, its rows are not lost");
    assert_eq!(ways(&database).await, (1, 1));
    assert_eq!(done(import.load(2).await), [2, 0, 0, 0, 0]);
    assert_eq!(ways(&database).await, (1, 2), "no COPY soon after a conflict");
    let other = Import::plan(&store, Duplicates::Skip, vec![sessions(1, "f=1")]).await;
    assert_eq!(done(other.load(0).await), [1, 0, 0, 0, 0]);
    assert_eq!(ways(&database).await, (2, 2), "another operation met no conflict");
    database.close().await;
}

#[tokio::test]
async fn both_ways_store_the_same() {
    let database = Database::create().await;
    let store = database.store().await;
    for (position, words) in [(1, "a=1 b=2"), (1, "a=1 a=9 b=2")] {
        let import = Import::plan(&store, Duplicates::Skip, vec![sessions(position, words)]).await;
        done(import.load(0).await);
        let stored = database
            .client()
            .await
            .query_one(
                "SELECT string_agg(concat_ws(' ', id, title, \"createdAt\", metadata, extra, _hash, octet_length(_hash)),
                        ',' ORDER BY id) FROM carrack_data.sessions",
                &[],
            )
            .await
            .unwrap();
        let expected: String = stored.get(0);
        let hash = |row: usize| {
            sessions(1, "a=1 b=2").hash(row).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        assert_eq!(expected, format!("a 1 \\x{} 16,b 2 \\x{} 16", hash(0), hash(1)), "{words}");
        database.client().await.batch_execute("TRUNCATE carrack_data.sessions").await.unwrap();
    }
    database.close().await;
}

/// Rows with a value for each column, the first of which is the key; a word `-` is none.
fn numbers(first: u64, lines: &[&str]) -> Arc<Rows> {
    let fields = [
        ("id", FieldType::String),
        ("integer", FieldType::Integer),
        ("number", FieldType::Number),
        ("decimal", FieldType::Decimal),
        ("boolean", FieldType::Boolean),
    ];
    let field = |(name, field_type)| Field::new(Identifier::new(name).unwrap(), field_type, false);
    let fields = fields.map(field).into();
    let data_type = DataType { name: Identifier::new("numbers").unwrap(), fields, key: 0 };
    let mut rows = Rows::new(Arc::new(data_type), Bytes::from_static(b"k"), 0, 1);
    for (line, record) in lines.iter().zip(first..) {
        let mut cells = vec![Cell::Missing; rows.width()];
        for (cell, word) in cells.iter_mut().zip(line.split(' ')).filter(|(_, word)| *word != "-") {
            *cell = Cell::Json(rows.span_of_copy(word.as_bytes()));
        }
        cells[0] = match cells[0] {
            Cell::Json(key) => Cell::Text(key),
            other => other,
        };
        rows.push(Origin { position: Position::new(0, record), frame: 0..1 }, &cells);
    }
    Arc::new(rows)
}

#[tokio::test]
async fn both_ways_write_numbers_as_the_server_reads_them() {
    let lines = [
        "a -9223372036854775808 0.1 0 true",
        "b 9223372036854775807 -1.5 123456789012345678901234567890.000000000000000000001 false",
        "c 0 0.30000000000000004 -0.00000000000000000000000000000000000000001 true",
        "d -1 - 10000 -",
        "e - - 99999999 -",
        "f 1 123456789012.25 1000000000000.0001 false",
    ];
    let database = Database::create().await;
    let store = database.store().await;
    // The second time a key stands twice, which no COPY takes.
    for (more, ways_taken, skipped) in [(None, (1, 0), 0), (Some("a 1 1 1 true"), (0, 1), 1)] {
        let lines: Vec<&str> = lines.into_iter().chain(more).collect();
        let import = Import::plan(&store, Duplicates::Skip, vec![numbers(1, &lines)]).await;
        count_ways(&database, "numbers").await;
        assert_eq!(done(import.load(0).await), [6, 0, 0, skipped, 0]);
        assert_eq!(ways(&database).await, ways_taken);
        let client = database.client().await;
        let sql = "SELECT concat_ws(' ', id, coalesce(integer::text, '-'), coalesce(number::text, '-'), decimal::text,
                coalesce(boolean::text, '-')) FROM carrack_data.numbers ORDER BY id";
        let found: Vec<String> = client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
        assert_eq!(found, lines[..6], "{more:?}");
        client.batch_execute("DROP TABLE carrack_data.numbers, ways; DROP FUNCTION note").await.unwrap();
    }
    database.close().await;
}

/// What the table refuses, by the words of a definition, and the words of the reason.
#[tokio::test]
async fn whatever_the_table_refuses_is_isolated_with_its_reason() {
    let raise = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NEW.title = 'bad' THEN RAISE EXCEPTION 'not today'; END IF; RETURN NEW; END $$;
         CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON carrack_data.sessions
             FOR EACH ROW EXECUTE FUNCTION refuse()";
    let leave_out = "CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NEW.title = 'bad' THEN RETURN NULL; END IF; RETURN NEW; END $$;
         CREATE TRIGGER leave_out BEFORE INSERT OR UPDATE ON carrack_data.sessions
             FOR EACH ROW EXECUTE FUNCTION leave_out()";
    let deferred = "CREATE TABLE titles (title text PRIMARY KEY);
         INSERT INTO titles VALUES ('1'), ('2'), ('3');
         ALTER TABLE carrack_data.sessions ADD CONSTRAINT known_title
             FOREIGN KEY (title) REFERENCES titles DEFERRABLE INITIALLY DEFERRED";
    let too_long = "CREATE FUNCTION lengthened(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$
             SELECT string_agg(md5(n::text), '') FROM generate_series(1, CASE $1 WHEN 'bad' THEN 200 ELSE 1 END) AS n $$;
         CREATE INDEX lengths ON carrack_data.sessions (lengthened(title))";
    let cases = [
        (
            "ALTER TABLE carrack_data.sessions ADD CONSTRAINT good CHECK (title <> 'bad')",
            "constraint \"good\"",
        ),
        (
            "ALTER TABLE carrack_data.sessions ADD CONSTRAINT one_each UNIQUE (title)",
            "constraint \"one_each\"",
        ),
        (deferred, "constraint \"known_title\""),
        (raise, "not today"),
        (leave_out, "leaves it out"),
        (too_long, "exceeds btree version 4 maximum 2704 for index \"lengths\""),
    ];
    for (definition, reason) in cases {
        let database = Database::create().await;
        let store = database.store().await;
        let first = Import::plan(&store, Duplicates::Skip, vec![sessions(1, "x=0")]).await;
        if definition.contains("UNIQUE") {
            let taken = Import::plan(&store, Duplicates::Skip, vec![sessions(1, "y=bad")]).await;
            done(taken.load(0).await);
        }
        database.client().await.batch_execute(definition).await.unwrap();
        drop(first);
        let import =
            Import::plan(&store, Duplicates::Skip, vec![sessions(1, "a=1 b=bad c=2 d=3 e=bad")]).await;
        assert_eq!(done(import.load(0).await), [3, 0, 0, 0, 2], "{definition}");
        let rejects = store.rejects(import.operation.id, &RejectPage::first(9)).await.unwrap();
        let found: Vec<_> = rejects.iter().map(|reject| reject.position.record()).collect();
        assert_eq!(found, [2, 5], "{definition}");
        let message = &rejects[0].faults[0].message;
        assert!(message.contains(reason), "{definition}: {message}");
        assert!(!message.contains("Failing row"), "record data in {message}");
        database.close().await;
    }
}
