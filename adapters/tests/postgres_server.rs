//! Which servers are refused, starting many processes at once, and what errors are called.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test prepares and breaks its database with statements of its own, and panics where that fails"
)]

mod postgres_support;

use std::sync::Arc;

use carrack_adapters::postgres::{PostgresStore, Settings};
use carrack_shared::error::ErrorKind;
use carrack_shared::port::batches::Commit;
use carrack_shared::port::operations::Listing;
use carrack_shared::port::rejects::RejectPage;
use carrack_shared::port::{
    Finalising, Operations, Outbox, Planning, Records, Rejects, Templates, Verifying,
};
use carrack_shared::segment::KeyRange;
use carrack_shared::spec::Duplicates;
use futures_util::TryStreamExt;
use postgres_support::{Database, Import, LEASE, sessions};
use tokio::task::JoinSet;
use url::Url;

#[tokio::test]
async fn a_server_that_may_lose_commits_is_refused_by_the_name_of_its_setting() {
    let database = Database::create().await;
    database.store().await;
    let alter = format!("ALTER DATABASE {} SET synchronous_commit = off", database.name);
    database.client().await.batch_execute(&alter).await.unwrap();
    let error = PostgresStore::connect(database.settings()).await.err().expect("a refusal");
    assert_eq!(error.kind, ErrorKind::Refused);
    assert!(error.message.contains("synchronous_commit is off"), "{}", error.message);
    database.close().await;
}

#[tokio::test]
async fn many_processes_may_start_on_an_empty_database_at_once() {
    let database = Database::create().await;
    let mut starting = JoinSet::new();
    for _ in 0..8 {
        let settings = database.settings();
        starting.spawn(async move { PostgresStore::connect(settings).await.map(drop) });
    }
    for started in starting.join_all().await {
        started.expect("a started store");
    }
    let once = "SELECT count(*) - max(version) FROM carrack.schema_history";
    assert_eq!(database.integer(once).await, 0, "each migration was made once");
    database.close().await;
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_apart() {
    let database = Database::create().await;
    let wrong = |change: fn(&mut Url)| {
        let mut url = Url::parse(&database.url).unwrap();
        change(&mut url);
        Settings { url: url.into(), pool_size: 1 }
    };
    let cases = [
        (wrong(|url| url.set_port(Some(1)).unwrap()), ErrorKind::Unavailable),
        (wrong(|url| url.set_password(Some("a-wrong-one")).unwrap()), ErrorKind::Denied),
        (wrong(|url| url.set_path("no_such_database")), ErrorKind::Refused),
        (wrong(|url| url.set_query(Some("sslmode=maybe"))), ErrorKind::Refused),
    ];
    for (settings, kind) in cases {
        let url = settings.url.clone();
        let error = PostgresStore::connect(settings).await.err().expect("an error");
        assert_eq!(error.kind, kind, "{url}: {}", error.chain());
        assert!(!error.chain().contains("a-wrong-one"), "a password in {}", error.chain());
    }
    database.close().await;
}

#[tokio::test]
async fn a_broken_connection_is_replaced() {
    let database = Database::create().await;
    let store = database.store().await;
    store.ready().await.unwrap();
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    database.client().await.batch_execute(kill).await.unwrap();
    store.ready().await.expect("a connection that lives");
    database.close().await;
}

#[tokio::test]
async fn a_database_that_is_away_for_a_while_is_waited_for() {
    let database = Database::create().await;
    let store = database.store().await;
    let rename = async |from: &str, to: &str| {
        let admin = Database::admin().await;
        let statements = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{from}';
             ALTER DATABASE {from} RENAME TO {to}"
        );
        admin.batch_execute(&statements).await.unwrap();
    };
    let away = format!("{}_away", database.name);
    rename(&database.name, &away).await;
    let error = store.ready().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{}", error.chain());
    rename(&away, &database.name).await;
    store.ready().await.expect("it is there again");
    database.close().await;
}

/// Every release may add columns to tables of ours, while processes of the release before go on.
#[tokio::test]
async fn connections_go_on_when_control_tables_grow() {
    let database = Database::create().await;
    let store = PostgresStore::connect(Settings { pool_size: 1, ..database.settings() }).await.unwrap();
    let grow = "DO $$ DECLARE name regclass; BEGIN
             FOR name IN SELECT oid FROM pg_class WHERE relnamespace = 'carrack'::regnamespace AND relkind = 'r' LOOP
                 EXECUTE format('ALTER TABLE %s ADD COLUMN of_a_later_release integer', name);
             END LOOP; END $$";
    for change in ["", grow] {
        database.client().await.batch_execute(change).await.unwrap();
        let import = Import::plan(&store, Duplicates::Reject, vec![sessions(1, "a=1 a=2 b=3")]).await;
        let id = import.operation.id;
        let sent = store.due(8, 8, LEASE).await.unwrap();
        assert!(!sent.is_empty(), "{change}");
        assert!(matches!(import.load(0).await, Commit::Done(_)), "{change}");
        assert_eq!(store.segments(id, 0, 0, 9).await.unwrap().len(), 1, "{change}");
        assert!(!store.rejects(id, &RejectPage::first(9)).await.unwrap().is_empty(), "{change}");
        assert_eq!(store.ledger(id).await.unwrap().len(), 1, "{change}");
        store.parts(id).await.unwrap();
        store.template("Pets").await.unwrap();
        store.templates().await.unwrap();
        store.list(Listing::Latest(9)).await.unwrap();
    }
    database.close().await;
}

#[tokio::test]
async fn columns_whose_types_were_changed_are_read_by_connections_that_knew_them() {
    let database = Database::create().await;
    let store = PostgresStore::connect(Settings { pool_size: 1, ..database.settings() }).await.unwrap();
    let rows = sessions(1, "a=1 b=2");
    let data_type = Arc::clone(rows.data_type());
    let import = Import::plan(&store, Duplicates::Skip, vec![rows]).await;
    import.load(0).await;
    let records = Arc::new(sessions(1, "a=1 b=2"));
    let scanned = async || {
        let snapshot = store.snapshot().await?;
        let range = KeyRange { table: 0, from: "a".into(), to: "b".into(), first: 1, rows: 2 };
        let pieces = store.scan(&data_type, &range, &[], snapshot.id()).await?;
        pieces.try_fold(0, async |sum, piece| Ok(sum + piece.len())).await
    };
    for change in ["", "ALTER TABLE carrack_data.sessions ALTER title TYPE varchar(100)"] {
        database.client().await.batch_execute(change).await.unwrap();
        assert_eq!(scanned().await.unwrap(), 2, "{change}");
        assert_eq!(store.present(&records, 0..2).await.unwrap().unwrap().rows.len(), 2, "{change}");
        let merge = Import::plan(&store, Duplicates::Merge, vec![sessions(1, "a=3")]).await;
        assert!(matches!(merge.load(0).await, Commit::Done(_)), "{change}");
    }
    let change = "ALTER TABLE carrack_data.sessions ALTER title TYPE integer USING 0";
    database.client().await.batch_execute(change).await.unwrap();
    let error = scanned().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused);
    assert!(error.message.contains("column \"title\" has the type int4, expected"), "{}", error.message);
    database.close().await;
}
