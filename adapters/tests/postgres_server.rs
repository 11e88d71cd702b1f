//! Which servers are refused, starting many processes at once, and what errors are called.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test prepares and breaks its database with statements of its own, and panics where that fails"
)]

mod postgres_support;

use carrack_adapters::postgres::{PostgresStore, Settings};
use carrack_shared::error::ErrorKind;
use carrack_shared::port::Records;
use postgres_support::Database;
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
