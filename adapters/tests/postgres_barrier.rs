//! The barrier and the snapshot, against transactions that are under way.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test prepares and breaks its database with statements of its own, and panics where that fails"
)]

mod postgres_support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use carrack_shared::error::ErrorKind;
use carrack_shared::operation::State;
use carrack_shared::port::batches::Commit;
use carrack_shared::port::{Operations, Records};
use carrack_shared::schema;
use carrack_shared::spec::Duplicates;
use postgres_support::{Database, Import, sessions};

const ROWS: &str = "SELECT count(*) FROM carrack_data.sessions";
/// How long a test waits for what must happen at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// Sessions of ours that wait for a lock of this kind.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = ";

/// Returns when some session waits for a lock of this kind.
async fn wait_for_waiter(database: &Database, kind: &str) {
    let (sql, client, start) = (format!("{WAITING}'{kind}'"), database.client().await, Instant::now());
    while client.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(start.elapsed() < PATIENCE, "nobody waits for a lock of the kind {kind}");
    }
}

#[tokio::test]
async fn a_cancel_waits_for_the_commit_under_way_and_for_no_other() {
    let database = Database::create().await;
    let store = database.store().await;
    let batches = vec![sessions(1, "a=1 b=1"), sessions(3, "c=1")];
    let import = Arc::new(Import::plan(&store, Duplicates::Skip, batches).await);
    let (first, second) = (import.claim(0).await, import.claim(1).await);
    // Somebody holds the key "b", so that the first commit stops in its middle, behind the barrier.
    let mut blocker = database.client().await;
    let held = blocker.transaction().await.unwrap();
    let insert = "INSERT INTO carrack_data.sessions (id, _operation, _position, _hash)
         VALUES ('b', gen_random_uuid(), 1, '')";
    held.batch_execute(insert).await.unwrap();
    let under_way = tokio::spawn({
        let import = Arc::clone(&import);
        async move { import.commit(&first).await }
    });
    wait_for_waiter(&database, "transactionid").await;
    let cancelling = tokio::spawn({
        let (store, id) = (Arc::clone(&store), import.operation.id);
        async move { store.cancel(id).await }
    });
    wait_for_waiter(&database, "advisory").await;
    assert!(!cancelling.is_finished());
    held.rollback().await.unwrap();
    let cancelled = cancelling.await.unwrap().unwrap().expect("the operation");
    assert_eq!(cancelled.state, State::Cancelling);
    let rows = database.integer(ROWS).await;
    assert_eq!(rows, 2, "what was under way is visible when the cancel answers");
    assert!(matches!(under_way.await.unwrap(), Commit::Done(_)));
    assert_eq!(import.commit(&second).await, Commit::Stopped(State::Cancelling));
    assert_eq!(database.integer(ROWS).await, rows);
    database.close().await;
}

#[tokio::test]
async fn a_snapshot_whose_connection_broke_is_gone() {
    let database = Database::create().await;
    let store = database.store().await;
    let import = Import::plan(&store, Duplicates::Skip, vec![sessions(1, "a=1 b=1")]).await;
    assert!(matches!(import.load(0).await, Commit::Done(_)));
    let mut snapshot = store.snapshot().await.unwrap();
    snapshot.alive().await.unwrap();
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND state = 'idle in transaction'";
    database.client().await.batch_execute(kill).await.unwrap();
    let start = Instant::now();
    let error = loop {
        if let Err(error) = snapshot.alive().await {
            break error;
        }
        assert!(start.elapsed() < PATIENCE, "the snapshot outlives its connection");
    };
    assert_eq!(error.kind, ErrorKind::SnapshotGone, "{}", error.chain());
    let data_type = schema::built_in("sessions").unwrap();
    let range = store.snapshot().await.unwrap().next_range(&data_type, None, 10).await.unwrap().unwrap();
    let error = store.scan(&data_type, &range, &[], snapshot.id()).await.err().expect("no rows");
    assert_eq!(error.kind, ErrorKind::SnapshotGone, "{}", error.chain());
    database.close().await;
}

#[tokio::test]
async fn a_commit_whose_session_dies_leaves_nothing() {
    let database = Database::create().await;
    let store = database.store().await;
    let import = Arc::new(Import::plan(&store, Duplicates::Skip, vec![sessions(1, "a=1 b=1")]).await);
    let claim = import.claim(0).await;
    let mut blocker = database.client().await;
    let held = blocker.transaction().await.unwrap();
    let insert = "INSERT INTO carrack_data.sessions (id, _operation, _position, _hash)
         VALUES ('b', gen_random_uuid(), 1, '')";
    held.batch_execute(insert).await.unwrap();
    let effect = tokio::spawn({
        let (import, claim) = (Arc::clone(&import), claim.clone());
        async move {
            let rows = &import.batches[0];
            let frames = std::collections::HashMap::new();
            let effect = carrack_shared::port::batches::ImportEffect {
                rows,
                rejects: &[],
                stored_frames: &frames,
                filtered: 0,
                bytes: 1,
            };
            carrack_shared::port::Batches::commit_import(&*import.store, &import.operation, &claim, effect)
                .await
        }
    });
    wait_for_waiter(&database, "transactionid").await;
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event = 'transactionid'";
    database.client().await.batch_execute(kill).await.unwrap();
    let error = effect.await.unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "it was not at its commit yet: {}", error.chain());
    held.rollback().await.unwrap();
    assert_eq!(database.integer(ROWS).await, 0);
    assert!(matches!(import.commit(&claim).await, Commit::Done(_)));
    assert_eq!(database.integer(ROWS).await, 2);
    database.close().await;
}
