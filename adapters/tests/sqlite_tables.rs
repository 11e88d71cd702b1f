//! Data tables belong to their users, who put triggers and indexes on them and change them: a refused row
//! is isolated, whatever refused it, and what cannot be loaded or read is said, never guessed.
#![allow(
    clippy::disallowed_methods,
    reason = "a test prepares and breaks its database with statements of its own"
)]
#![allow(clippy::unwrap_used, reason = "everything here is a test: a broken expectation is a panic")]

mod support;

use std::path::PathBuf;
use std::sync::Arc;

use carrack_adapters::sqlite::SqliteStore;
use carrack_shared::error::ErrorKind;
use carrack_shared::operation::Totals;
use carrack_shared::port::Rejects;
use carrack_shared::port::rejects::RejectPage;
use carrack_shared::port::{Operations, Records};
use carrack_shared::segment::KeyRange;
use carrack_shared::spec::Duplicates;
use futures_util::StreamExt;
use rusqlite::Connection;
use support::{Import, contexts};
use tempfile::TempDir;

struct Table {
    _folder: TempDir,
    path: PathBuf,
    store: Arc<SqliteStore>,
}

impl Table {
    /// A store whose table of contexts was changed by `sql`.
    async fn changed_by(sql: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("carrack.db");
        let store = SqliteStore::open(&path).unwrap();
        let table = Self { _folder: folder, path, store };
        let first = Import::plan(&table.store, Duplicates::Skip, 1).await;
        table.store.cancel(first.operation.id).await.unwrap();
        table.user().execute_batch(sql).unwrap();
        table
    }

    fn user(&self) -> Connection {
        Connection::open(&self.path).unwrap()
    }

    fn texts(&self, sql: &str) -> Vec<String> {
        let user = self.user();
        let mut statement = user.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    fn rows(&self) -> Vec<String> {
        self.texts("SELECT id || '=' || title FROM carrack_data_contexts ORDER BY id")
    }
}

#[tokio::test]
async fn whatever_refuses_a_row_refuses_that_row_alone() {
    let before = "BEFORE INSERT ON carrack_data_contexts WHEN new.title = 'bad'";
    let after = "AFTER INSERT ON carrack_data_contexts WHEN new.title = 'bad'";
    let cases = [
        (
            format!("CREATE TRIGGER no {before} BEGIN SELECT raise(ABORT, 'no bad titles'); END"),
            "no bad titles",
        ),
        (
            // FAIL undoes nothing by itself: neither the row nor what the trigger did before it.
            format!(
                "CREATE TABLE seen (id TEXT);
                 CREATE TRIGGER no {after}
                 BEGIN INSERT INTO seen VALUES (new.id); SELECT raise(FAIL, 'seen enough'); END"
            ),
            "seen enough",
        ),
        (
            format!("CREATE TRIGGER no {before} BEGIN SELECT raise(IGNORE); END"),
            "a trigger of the table left the row out",
        ),
        (
            "CREATE UNIQUE INDEX one_bad ON carrack_data_contexts (content) WHERE content = 'bad';
             INSERT INTO carrack_data_contexts
                 (id, title, content, _operation, _position, _updated_at, _hash)
             VALUES ('0', 'first', 'bad', 'by hand', 1, '', x'00')"
                .to_owned(),
            "UNIQUE constraint failed: carrack_data_contexts.content",
        ),
    ];
    for (change, expected) in cases {
        let table = Table::changed_by(&change).await;
        table.user().execute_batch("CREATE TABLE IF NOT EXISTS seen (id TEXT)").unwrap();
        let import = Import::plan(&table.store, Duplicates::Skip, 1).await;
        let tally = import.load(0, &[("a", "good"), ("b", "bad"), ("c", "good")]).await;
        assert_eq!((tally.read, tally.created, tally.rejected), (3, 2, 1), "{expected}");
        let rejects = table.store.rejects(import.operation.id, &RejectPage::first(9)).await.unwrap();
        let messages: Vec<_> = rejects.iter().map(|reject| reject.faults[0].message.as_str()).collect();
        assert_eq!(messages, [expected]);
        assert_eq!(rejects[0].position.record(), 2);
        assert_eq!(table.rows().iter().filter(|row| row.ends_with("=good")).count(), 2);
        assert!(!table.rows().contains(&"b=bad".to_owned()), "{expected}");
        assert!(table.texts("SELECT id FROM seen").is_empty(), "a refused row left traces: {expected}");
    }
}

#[tokio::test]
async fn a_trigger_that_rolls_back_fails_the_batch_whole() {
    let table = Table::changed_by(
        "CREATE TRIGGER no BEFORE INSERT ON carrack_data_contexts WHEN new.title = 'bad'
         BEGIN SELECT raise(ROLLBACK, 'all or nothing'); END",
    )
    .await;
    let import = Import::plan(&table.store, Duplicates::Skip, 1).await;
    let claim = import.claim(0).await;
    let error = import.commit(&claim, &[("a", "good"), ("b", "bad")]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused, "{error:?}");
    assert!(error.message.contains("carrack_data_contexts"), "{}", error.message);
    assert_eq!(table.rows(), [""; 0]);
    assert_eq!(table.store.totals(import.operation.id).await.unwrap(), Totals::default());
    table.user().execute_batch("DROP TRIGGER no").unwrap();
    import.commit(&claim, &[("a", "good"), ("b", "bad")]).await.unwrap();
    assert_eq!(table.rows(), ["a=good", "b=bad"]);
}

#[tokio::test]
async fn rows_that_their_user_wrote_are_rows_of_before() {
    let table = Table::changed_by(
        "INSERT INTO carrack_data_contexts (id, title, content, _operation, _position, _updated_at, _hash)
         VALUES ('a', 'by hand', '', '', 99, '', x'')",
    )
    .await;
    let skipping = Import::plan(&table.store, Duplicates::Skip, 1).await;
    assert_eq!(skipping.load(0, &[("a", "new")]).await.skipped, 1);
    let overwriting = Import::plan(&table.store, Duplicates::Overwrite, 1).await;
    assert_eq!(overwriting.load(0, &[("a", "new")]).await.updated, 1);
    assert_eq!(table.rows(), ["a=new"]);
}

#[tokio::test]
async fn a_changed_table_is_refused_and_never_read_wrongly() {
    let insert = "INSERT INTO carrack_data_contexts
                      (id, title, content, tags, createdAt, _operation, _position, _updated_at, _hash)
                  VALUES ('the key', 't', 'c', '[]', '2024-01-01T00:00:00.000000Z', '', 1, '', x'')";
    let cases = [
        // Without the setting against it, SQLite reads an unknown quoted name as a string.
        ("ALTER TABLE carrack_data_contexts DROP COLUMN sessionId", "sessionId"),
        ("DROP TABLE carrack_data_contexts", "no such table"),
        ("UPDATE carrack_data_contexts SET createdAt = '01/02/2024'", "createdAt"),
        ("UPDATE carrack_data_contexts SET title = CAST(x'ff' AS TEXT)", "title"),
    ];
    for (change, named) in cases {
        let table = Table::changed_by(&format!("{insert}; {change}")).await;
        let snapshot = table.store.snapshot().await.unwrap();
        let all = KeyRange { table: 0, from: String::new(), to: "z".into(), first: 1, rows: 0 };
        let mut stream = table.store.scan(&contexts(), &all, &[], snapshot.id()).await.unwrap();
        let error = stream.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused, "{change}: {error:?}");
        assert!(error.chain().contains(named), "{change}: {}", error.chain());
        if change.starts_with("UPDATE") {
            assert!(error.chain().contains("the key"), "{change}: {}", error.chain());
        }
    }
}
