//! The file: opening it again, twice and at once, and refusing what is not ours.
#![allow(
    clippy::disallowed_methods,
    reason = "a test prepares and breaks its database with statements of its own"
)]
#![allow(clippy::unwrap_used, reason = "everything here is a test: a broken expectation is a panic")]

mod support;

use std::path::Path;
use std::sync::{Arc, Barrier};
use std::thread;

use carrack_adapters::sqlite::SqliteStore;
use carrack_shared::error::ErrorKind;
use carrack_shared::operation::State;
use carrack_shared::port::operations::Listing;
use carrack_shared::port::{Operations, Records};
use carrack_shared::spec::Duplicates;
use rusqlite::Connection;
use support::Import;
use tokio::task::JoinSet;

#[tokio::test]
async fn a_store_that_was_dropped_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    // A name that would be a query, if paths were taken for URIs.
    let path = folder.path().join("a b%20?mode=memory#.db");
    let store = SqliteStore::open(&path).unwrap();
    let import = Import::plan(&store, Duplicates::Skip, 2).await;
    import.load(0, &[("a", "1")]).await;
    let id = import.operation.id;
    let snapshot = store.snapshot().await.unwrap();
    drop((snapshot, import, store));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(left, std::slice::from_ref(&path), "all is in the one file");
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.totals(id).await.unwrap().tally.created, 1);
    let again = Import { operation: store.get(id).await.unwrap().unwrap(), store };
    again.load(1, &[("b", "2")]).await;
    assert_eq!(again.store.totals(id).await.unwrap().batches, 2);
}

#[tokio::test]
async fn a_second_store_reads_and_cancels_during_an_import() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("carrack.db");
    let (importing, looking) = (SqliteStore::open(&path).unwrap(), SqliteStore::open(&path).unwrap());
    let import = Import::plan(&importing, Duplicates::Skip, 3).await;
    for batch in 0..2 {
        import.load(batch, &[(&format!("k{batch}"), "")]).await;
        let seen = looking.totals(import.operation.id).await.unwrap();
        assert_eq!(seen.batches, u64::from(batch) + 1);
    }
    assert_eq!(looking.list(Listing::Active).await.unwrap().len(), 1);
    looking.cancel(import.operation.id).await.unwrap();
    assert_eq!(importing.get(import.operation.id).await.unwrap().unwrap().state, State::Cancelling);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_stores_that_write_at_once_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("carrack.db");
    let stores = [SqliteStore::open(&path).unwrap(), SqliteStore::open(&path).unwrap()];
    let mut writers = JoinSet::new();
    for (name, store) in ["a", "b"].into_iter().zip(stores) {
        let import = Import::plan(&store, Duplicates::Skip, 100).await;
        writers.spawn(async move {
            for batch in 0..100 {
                import.load(batch, &[(&format!("{name}{batch}"), "")]).await;
            }
        });
    }
    writers.join_all().await;
}

#[test]
fn many_may_open_a_new_file_at_once() {
    const OPENERS: usize = 8;
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("carrack.db");
        let start = Barrier::new(OPENERS);
        let open = || {
            start.wait();
            SqliteStore::open(&path).map(drop)
        };
        thread::scope(|scope| {
            let openers: Vec<_> = (0..OPENERS).map(|_| scope.spawn(open)).collect();
            for opener in openers {
                opener.join().unwrap().unwrap();
            }
        });
    }
}

#[test]
fn what_is_not_ours_is_refused_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("garbage"), vec![7; 4_096]).unwrap();
    std::fs::create_dir(file("folder")).unwrap();
    Connection::open(file("foreign")).unwrap().execute("CREATE TABLE t (a)", []).unwrap();
    drop(SqliteStore::open(&file("newer")).unwrap());
    Connection::open(file("newer")).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let cases = [
        ("garbage", "not a database"),
        ("folder", "unable to open"),
        ("no/such/folder", "unable to open"),
        ("foreign", "another program's database"),
        ("newer", "version 99"),
    ];
    for (name, expected) in cases {
        let error = SqliteStore::open(&file(name)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused, "{name}: {error:?}");
        let text = error.chain();
        assert!(text.contains(expected) && text.contains(&file(name).display().to_string()), "{text}");
    }
    let tables = "SELECT group_concat(name) FROM sqlite_schema";
    let foreign: String =
        Connection::open(file("foreign")).unwrap().query_row(tables, [], |row| row.get(0)).unwrap();
    assert_eq!(foreign, "t", "a foreign file is left as it was");
}

/// The tables of a release whose operations had one type.
const ONE_TYPE: [&str; 3] = [
    include_str!("../migrations/sqlite/0001_control_tables.sql"),
    include_str!("../migrations/sqlite/0002_layers.sql"),
    include_str!("../migrations/sqlite/0003_workers.sql"),
];

/// What such an operation remembered in mid-run.
const REMEMBERED: &str = r#"
    INSERT INTO carrack_operations (id, state, owner, lane, spec, spec_sha256, created_at)
        VALUES ('o', 'running', 'ann', 'import', '{"version":"1","kind":"import","data_type":"sessions"}', x'00', '');
    INSERT INTO carrack_claims VALUES ('o', 'k', 7, x'0102', 'updated');
    INSERT INTO carrack_displaced VALUES ('o', 8, 'created', 'l', 9, 0);
    INSERT INTO carrack_rejects VALUES ('o', 1, 1, 0, 1, x'00', '[]', 'm', 3, x'00', NULL);
    INSERT INTO carrack_rejects VALUES ('o', 2, 1, 0, 1, x'00', '[]', NULL, NULL, x'00', NULL);
    PRAGMA user_version = 3; PRAGMA application_id = 1130459762;"#;

#[test]
fn what_an_operation_of_one_type_remembered_is_of_that_type() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("carrack.db");
    let before = Connection::open(&path).unwrap();
    ONE_TYPE.iter().chain([&REMEMBERED]).for_each(|sql| before.execute_batch(sql).unwrap());
    drop(before);
    drop(SqliteStore::open(&path).unwrap());
    let after = Connection::open(&path).unwrap();
    for (sql, expected) in [
        (
            "SELECT data_type || key || position || hex(hash_before) || counted FROM carrack_claims",
            "sessionsk70102updated",
        ),
        (
            "SELECT data_type || key || position || counted || winner || settled FROM carrack_displaced",
            "sessionsl8created90",
        ),
        ("SELECT group_concat(position || coalesce(data_type, '')) FROM carrack_rejects", "1sessions,2"),
    ] {
        assert_eq!(after.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap(), expected);
    }
}

/// The migrations between those and the one that numbers images.
const IMAGES_BY_KEY: [&str; 7] = [
    include_str!("../migrations/sqlite/0004_several_types.sql"),
    include_str!("../migrations/sqlite/0005_templates.sql"),
    include_str!("../migrations/sqlite/0006_staging.sql"),
    include_str!("../migrations/sqlite/0007_undo.sql"),
    include_str!("../migrations/sqlite/0008_filters.sql"),
    include_str!("../migrations/sqlite/0009_verification.sql"),
    include_str!("../migrations/sqlite/0010_merge.sql"),
];

/// Two operations that have kept images, of which the second one has two.
const KEPT: &str = r#"
    INSERT INTO carrack_operations (number, id, state, owner, lane, spec, spec_sha256, created_at, images)
        VALUES (3, 'o', 'succeeded', 'ann', 'import', '{}', x'00', '', 'kept'),
               (5, 'p', 'succeeded', 'ann', 'import', '{}', x'00', '', 'kept');
    INSERT INTO carrack_claims (operation, data_type, key, position, hash_before, counted)
        VALUES ('o', 't', 'k', 7, x'0102', 'updated'), ('o', 't', 'unchanged', 7, x'0102', 'unchanged'),
               ('p', 't', 'k', 7, x'0102', 'updated'), ('p', 'u', 'k', 7, x'0102', 'updated');
    INSERT INTO carrack_images VALUES ('p', 'u', 'k', x'02'), ('o', 't', 'k', x'00'), ('p', 't', 'k', x'01');
    PRAGMA user_version = 10; PRAGMA application_id = 1130459762;"#;

#[test]
fn images_of_earlier_releases_are_found_by_their_claims() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("carrack.db");
    let before = Connection::open(&path).unwrap();
    let all = ONE_TYPE.iter().chain(&IMAGES_BY_KEY).chain([&KEPT]);
    all.for_each(|sql| before.execute_batch(sql).unwrap());
    drop(before);
    drop(SqliteStore::open(&path).unwrap());
    let after = Connection::open(&path).unwrap();
    let sql = "SELECT group_concat(c.operation || c.data_type || c.key || (i.id >> 36) || (i.id & 0xF) || hex(i.image))
               FROM carrack_claims AS c LEFT JOIN carrack_images AS i ON i.id = c.image WHERE c.image IS NOT NULL";
    let found: String = after.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(found, "otk3100,ptk5201,puk5102");
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'carrack_images%'";
    assert_eq!(after.query_row(tables, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
}

#[tokio::test]
async fn the_settings_that_we_promise_are_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("carrack.db");
    let store: Arc<SqliteStore> = SqliteStore::open(&path).unwrap();
    store.ready().await.unwrap();
    assert_eq!(setting(&path, "journal_mode"), "wal");
    assert_eq!(setting(&path, "page_size"), "16384");
    assert_eq!(setting(&path, "integrity_check"), "ok");
}

fn setting(path: &Path, name: &str) -> String {
    let connection = Connection::open(path).unwrap();
    connection
        .pragma_query_value(None, name, |row| {
            Ok(match row.get_ref(0)? {
                rusqlite::types::ValueRef::Integer(value) => value.to_string(),
                other => other.as_str()?.to_owned(),
            })
        })
        .unwrap()
}
