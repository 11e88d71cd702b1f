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
    assert_eq!(database.integer("SELECT count(*) FROM carrack.schema_history").await, 1);
    database.close().await;
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_apart() {
    let database = Database::create().await;
    let wrong = |from: &str, to: &str| Settings { url: database.url.replace(from, to), pool_size: 1 };
    let cases = [
        (wrong(":45432", ":1"), ErrorKind::Unavailable),
        (wrong("carrack:carrack@", "carrack:wrong@"), ErrorKind::Denied),
        (wrong("carrack_test_", "no_such_"), ErrorKind::Refused),
        (wrong("postgres://", "mysql ://"), ErrorKind::Refused),
    ];
    for (settings, kind) in cases {
        let url = settings.url.clone();
        let error = PostgresStore::connect(settings).await.err().expect("an error");
        assert_eq!(error.kind, kind, "{url}: {}", error.chain());
        assert!(!error.chain().contains("carrack:wrong"), "a password in {}", error.chain());
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
    // The pool may hand out a connection that does not know yet that it is closed.
    if let Err(error) = store.ready().await {
        assert_eq!(error.kind, ErrorKind::Unavailable, "{}", error.chain());
        assert!(error.try_again());
        store.ready().await.unwrap();
    }
    database.close().await;
}
