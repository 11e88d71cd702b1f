//! Operations: created once, found again, listed, stopped, and what they have to show.

use std::sync::Arc;

use carrack_shared::operation::{Failure, OperationId, State, Totals};
use carrack_shared::port::Store;
use carrack_shared::port::batches::Commit;
use carrack_shared::port::operations::{Created, Idempotency, Listing, NewOperation};
use carrack_shared::port::progress::BatchTotals;
use carrack_shared::spec::{Duplicates, ImportSpec, Retry, Spec, Work};
use tokio::task::JoinSet;

use super::Fresh;
use super::fixture::{cut, records};
use super::import::{LEASE, Planned, create, export_spec, import_spec, new_operation};

pub(super) async fn a_created_operation_reads_back_as_it_was_asked_for(fresh: Fresh) {
    let store = fresh.store();
    for spec in [import_spec(Duplicates::Overwrite), export_spec()] {
        let asked = new_operation(spec);
        let Created::New(operation) = store.create(&asked).await.unwrap() else {
            panic!("expected a new one")
        };
        assert_eq!((operation.id, &operation.owner, &operation.spec), (asked.id, &asked.owner, &asked.spec));
        assert_eq!((operation.state, operation.generation), (State::Running, 1));
        assert_eq!((operation.planned_at, operation.finished_at), (None, None));
        assert_eq!((operation.planned_records, operation.tally, &operation.failure), (None, None, &None));
        assert_eq!(store.get(asked.id).await.unwrap(), Some(operation.clone()));
        assert_eq!(fresh.reopened().await.get(asked.id).await.unwrap(), Some(operation));
    }
}

pub(super) async fn creating_makes_the_table_of_the_data_type_and_keeps_its_rows(fresh: Fresh) {
    let store = fresh.store();
    create(&store, import_spec(Duplicates::Skip)).await;
    let count = format!("SELECT count(*) FROM {}", fresh.table("contexts"));
    assert_eq!(fresh.integer(&count).await, 0);
    let held = store.claim_plan(uuid::Uuid::now_v7(), LEASE).await.unwrap();
    assert!(held.is_some());
    Planned::import(&store, Duplicates::Skip, cut(&records("a=1 b=2"), &[])).await.load_all().await;
    create(&fresh.reopened().await, import_spec(Duplicates::Skip)).await;
    assert_eq!(fresh.integer(&count).await, 2, "rows after another operation was created");
}

fn keyed(owner: &str, key: &str, request: u8) -> NewOperation {
    let idempotency = Some(Idempotency { key: key.into(), request: [request; 32] });
    NewOperation { owner: owner.into(), idempotency, ..new_operation(import_spec(Duplicates::Skip)) }
}

pub(super) async fn the_same_request_twice_is_one_operation(fresh: Fresh) {
    let store = fresh.store();
    let first = keyed("ada", "key", 1);
    assert!(matches!(store.create(&first).await.unwrap(), Created::New(_)));
    for store in [store.clone(), fresh.reopened().await] {
        match store.create(&keyed("ada", "key", 1)).await.unwrap() {
            Created::Before(operation) => assert_eq!(operation.id, first.id),
            other => panic!("expected the operation of before, found {other:?}"),
        }
    }
    assert!(matches!(store.create(&keyed("ada", "key 2", 1)).await.unwrap(), Created::New(_)));
    assert_eq!(store.list(Listing::Latest(10)).await.unwrap().len(), 2);
}

pub(super) async fn another_request_under_a_used_key_is_told_apart(fresh: Fresh) {
    let store = fresh.store();
    assert!(matches!(store.create(&keyed("ada", "key", 1)).await.unwrap(), Created::New(_)));
    let other = keyed("ada", "key", 2);
    assert!(matches!(store.create(&other).await.unwrap(), Created::OtherRequest));
    assert_eq!(store.get(other.id).await.unwrap(), None);
    let elsewhere = store.create(&keyed("grace", "key", 2)).await.unwrap();
    assert!(matches!(elsewhere, Created::New(_)), "a key belongs to its owner, found {elsewhere:?}");
}

pub(super) async fn twenty_creations_at_once_make_one_operation(fresh: Fresh) {
    let handles = [fresh.store(), fresh.reopened().await];
    let mut creating = JoinSet::new();
    for number in 0..20 {
        let store = Arc::clone(&handles[number % 2]);
        creating.spawn(async move { store.create(&keyed("ada", "key", 1)).await.unwrap() });
    }
    let (mut new, mut before) = (Vec::new(), Vec::new());
    for created in creating.join_all().await {
        match created {
            Created::New(operation) => new.push(operation.id),
            Created::Before(operation) => before.push(operation.id),
            other => panic!("found {other:?}, expected the same request"),
        }
    }
    assert_eq!((new.len(), before.len()), (1, 19));
    assert!(before.iter().all(|id| *id == new[0]), "{before:?} are not all {new:?}");
    assert_eq!(handles[0].list(Listing::Latest(50)).await.unwrap().len(), 1);
}

async fn ids(store: &Arc<dyn Store>, listing: Listing) -> Vec<OperationId> {
    let operations = store.list(listing).await.unwrap();
    operations.into_iter().map(|operation| operation.id).collect()
}

pub(super) async fn operations_are_listed_newest_first(fresh: Fresh) {
    let store = fresh.store();
    assert_eq!(store.list(Listing::Latest(5)).await.unwrap(), []);
    let ended = Planned::import(&store, Duplicates::Skip, Vec::new()).await;
    ended.close().await;
    let mut newest_first = vec![ended.operation.id];
    for _ in 0..3 {
        newest_first.insert(0, create(&store, import_spec(Duplicates::Skip)).await.id);
    }
    store.cancel(newest_first[1]).await.unwrap();
    assert_eq!(ids(&store, Listing::Latest(50)).await, newest_first);
    assert_eq!(ids(&store, Listing::Latest(2)).await, newest_first[..2]);
    assert_eq!(ids(&store, Listing::Active).await, newest_first[..3], "cancelling is not an end");
}

fn retry_of(parent: OperationId) -> Spec {
    let Spec::V1(Work::Import(import)) = import_spec(Duplicates::Skip) else { unreachable!("it is one") };
    Spec::import(ImportSpec { retry: Some(Retry { parent, records: Some(3) }), ..import })
}

pub(super) async fn an_operation_is_retried_once_at_a_time(fresh: Fresh) {
    let handles = [fresh.store(), fresh.reopened().await];
    let parent = create(&handles[0], import_spec(Duplicates::Skip)).await.id;
    let mut creating = JoinSet::new();
    for number in 0..20 {
        let store = Arc::clone(&handles[number % 2]);
        creating.spawn(async move { store.create(&new_operation(retry_of(parent))).await.unwrap() });
    }
    let (mut new, mut refused) = (Vec::new(), Vec::new());
    for created in creating.join_all().await {
        match created {
            Created::New(operation) => new.push(operation.id),
            Created::Retried(retry) => refused.push(retry),
            other => panic!("found {other:?}, expected one retry"),
        }
    }
    assert_eq!((new.len(), refused.len()), (1, 19));
    assert!(refused.iter().all(|id| *id == new[0]), "{refused:?} are not all {new:?}");
    assert_eq!(ids(&handles[0], Listing::RetriesOf(parent)).await, new);
    for state in ["failed", "cancelled", "succeeded"] {
        let operations = fresh.control("operations");
        fresh.execute(&format!("UPDATE {operations} SET state = '{state}'")).await.unwrap();
        let created = handles[0].create(&new_operation(retry_of(parent))).await.unwrap();
        assert_eq!(matches!(created, Created::New(_)), state != "succeeded", "{state}: {created:?}");
    }
}

pub(super) async fn retries_are_listed_by_their_parent(fresh: Fresh) {
    let store = fresh.store();
    let parent = create(&store, import_spec(Duplicates::Skip)).await.id;
    let other = create(&store, export_spec()).await.id;
    assert_eq!(ids(&store, Listing::RetriesOf(parent)).await, []);
    let first = create(&store, retry_of(parent)).await;
    let operations = fresh.control("operations");
    fresh.execute(&format!("UPDATE {operations} SET state = 'failed'")).await.unwrap();
    let second = create(&store, retry_of(parent)).await.id;
    create(&store, retry_of(second)).await;
    assert_eq!(store.get(first.id).await.unwrap().map(|found| found.spec), Some(retry_of(parent)));
    assert_eq!(ids(&store, Listing::RetriesOf(parent)).await, [second, first.id]);
    assert_eq!(ids(&store, Listing::RetriesOf(second)).await.len(), 1);
    assert_eq!(ids(&store, Listing::RetriesOf(other)).await, []);
}

pub(super) async fn an_unknown_operation_is_none(fresh: Fresh) {
    let store = fresh.store();
    let unknown = OperationId::from_u128(7);
    assert_eq!(store.get(unknown).await.unwrap(), None);
    assert_eq!(store.cancel(unknown).await.unwrap(), None);
}

pub(super) async fn cancelling_stops_a_running_operation_once(fresh: Fresh) {
    let store = fresh.store();
    let running = create(&store, import_spec(Duplicates::Skip)).await;
    let cancelled = store.cancel(running.id).await.unwrap().expect("the operation");
    assert_eq!((cancelled.state, cancelled.epoch), (State::Cancelling, running.epoch + 1));
    assert_eq!(store.cancel(running.id).await.unwrap(), Some(cancelled.clone()), "the second time");
    assert_eq!(fresh.reopened().await.get(running.id).await.unwrap(), Some(cancelled));
}

pub(super) async fn cancelling_an_ended_operation_changes_nothing(fresh: Fresh) {
    let store = fresh.store();
    let import = Planned::import(&store, Duplicates::Skip, cut(&records("a=1"), &[])).await;
    import.load_all().await;
    let ended = import.close().await;
    assert_eq!(ended.state, State::Succeeded);
    assert_eq!(store.cancel(ended.id).await.unwrap(), Some(ended));

    let import = Planned::import(&store, Duplicates::Skip, Vec::new()).await;
    store.cancel(import.operation.id).await.unwrap();
    let cancelled = import.close().await;
    assert_eq!(cancelled.state, State::Cancelled);
    assert_eq!(store.cancel(cancelled.id).await.unwrap(), Some(cancelled));
}

pub(super) async fn a_running_operation_is_stopped_with_its_reason(fresh: Fresh) {
    let store = fresh.store();
    let import = Planned::import(&store, Duplicates::Skip, cut(&records("a=1 b=2"), &[1])).await;
    let (id, reason) = (import.operation.id, failure("the ledger"));
    import.load(0).await;
    let late = import.claim(1, LEASE).await;
    let stopped = store.stop(id, &reason).await.unwrap().expect("it runs");
    assert_eq!((stopped.state, stopped.epoch), (State::Cancelling, import.operation.epoch + 1));
    assert_eq!(stopped.failure.as_ref(), Some(&reason), "why it was stopped");
    assert_eq!(import.commit(&late).await, Commit::Stopped(State::Cancelling));
    store.release(&import.operation, &[late], "stopped").await.unwrap();
    assert_eq!(store.stop(id, &failure("again")).await.unwrap(), None);
    let ended = import.close().await;
    assert_eq!((ended.state, ended.failure), (State::Failed, Some(reason)));
    assert_eq!(ended.tally.map(|tally| tally.created), Some(1), "what is loaded stays");
    assert_eq!(store.stop(id, &failure("the end")).await.unwrap(), None);
    assert_eq!(store.stop(OperationId::from_u128(7), &failure("nothing")).await.unwrap(), None);

    let import = Planned::import(&store, Duplicates::Skip, Vec::new()).await;
    store.cancel(import.operation.id).await.unwrap();
    assert_eq!(store.stop(import.operation.id, &failure("late")).await.unwrap(), None);
    assert_eq!(import.close().await.state, State::Cancelled, "a cancel stays a cancel");
}

pub(super) async fn totals_are_the_sum_of_the_ledger(fresh: Fresh) {
    let store = fresh.store();
    let pieces = cut(&records("a=1 b=2 a=3 !c=4 d=5 e=6"), &[2, 3]);
    let import = Planned::import(&store, Duplicates::Skip, pieces).await;
    let id = import.operation.id;
    assert_eq!(store.totals(id).await.unwrap(), Totals::default());
    let mut expected = Vec::new();
    for batch in [2, 0, 1] {
        let tally = import.load(batch).await;
        let bytes = &import.pieces[batch as usize].segment().bytes;
        let totals = Totals { tally, bytes: bytes.end - bytes.start, batches: 1 };
        expected.push(BatchTotals { batch, totals });
    }
    expected.sort_by_key(|row| row.batch);
    assert_eq!(store.ledger(id).await.unwrap(), expected);
    let totals = store.totals(id).await.unwrap();
    assert_eq!(totals.tally, super::import::tally([4, 0, 0, 1, 1]));
    assert_eq!((totals.batches, totals.bytes), (3, expected.iter().map(|row| row.totals.bytes).sum()));
}

/// A failure as a worker would report it.
pub(super) fn failure(what: &str) -> Failure {
    Failure::new("source.changed", format!("{what}: found \"e2\", expected \"e1\""))
}
