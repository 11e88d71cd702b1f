//! The only process starts again: whatever its predecessor held is free at once, and nothing is lost.

use carrack_shared::operation::State;
use carrack_shared::port::batches::Commit;
use carrack_shared::spec::Duplicates;
use uuid::Uuid;

use super::Fresh;
use super::fixture::{cut, many, records};
use super::import::{LEASE, Planned, claim_plan, create, export_spec, import_spec, key_batches, plan_step};

/// An import of `batches` batches, of which the first `sent` are sent.
async fn import(fresh: &Fresh, batches: usize, sent: u32) -> Planned {
    let store = fresh.store();
    let import = Planned::import(&store, Duplicates::Skip, cut(&many("k", batches), &vec![1; batches])).await;
    let due = store.due(sent, sent, LEASE).await.unwrap();
    assert_eq!(due.len(), sent as usize);
    store.sent(&due).await.unwrap();
    import
}

pub(super) async fn a_restart_frees_every_batch_and_counts_a_death_of_what_was_held(fresh: Fresh) {
    let import = import(&fresh, 4, 4).await;
    let held = import.try_claim(0, 2, LEASE).await;
    let back = import.try_claim(3, 1, LEASE).await;
    import.store.release(&import.operation, &back, "shutting down").await.unwrap();
    fresh.reopened().await.restart().await.unwrap();
    assert_eq!(import.commit(&held[0]).await, Commit::LeaseLost, "every lease is void");
    let again = import.try_claim(0, 4, LEASE).await;
    let found: Vec<_> = again.iter().map(|claim| (claim.batch.number, claim.deaths)).collect();
    assert_eq!(found, [(0, 1), (1, 1), (2, 0), (3, 0)], "batches and their deaths");
    assert!(again[0].lease_epoch > held[0].lease_epoch);
    assert_eq!(import.commit(&held[1]).await, Commit::LeaseLost);
    assert!(matches!(import.commit(&again[1]).await, Commit::Done(_)));
}

pub(super) async fn a_restart_sends_again_what_was_sent_and_only_that(fresh: Fresh) {
    let store = fresh.store();
    assert_eq!(store.restart().await.unwrap(), 0, "there is nothing");
    let running = import(&fresh, 5, 4).await;
    running.load(1).await;
    running.try_claim(2, 1, LEASE).await;
    let cancelled = create(&store, import_spec(Duplicates::Skip)).await;
    let planner = claim_plan(&store, &cancelled, LEASE).await;
    let pieces = cut(&records("a=1 b=2"), &[1]);
    let batches: Vec<_> = pieces.into_iter().map(|piece| piece.batch).collect();
    assert!(store.append_plan(&planner, &plan_step(&cancelled, &batches)).await.unwrap());
    store.cancel(cancelled.id).await.unwrap();

    assert_eq!(store.restart().await.unwrap(), 3, "the batches 0, 2 and 3");
    assert_eq!(store.restart().await.unwrap(), 0, "they wait in the outbox already");
    let due = store.due(9, 9, LEASE).await.unwrap();
    assert!(due.iter().all(|out| out.task.operation == running.operation.id), "{due:?}");
    let mut found: Vec<u32> = due.iter().flat_map(|out| out.task.batches()).collect();
    found.sort_unstable();
    assert_eq!(found, [0, 2, 3, 4]);
    for out in due.iter().filter(|out| out.task.first < 4) {
        assert!(out.task.sequence > 1, "{out:?}");
    }
}

pub(super) async fn a_restart_frees_plans_and_closings(fresh: Fresh) {
    let store = fresh.store();
    let closing = Planned::import(&store, Duplicates::Skip, cut(&records("a=1"), &[])).await;
    closing.load_all().await;
    let closer = closing.claim_finish(LEASE).await;
    store.restart().await.unwrap();
    assert!(closing.claim_finish(LEASE).await.lease_epoch > closer.lease_epoch);
    store.restart().await.unwrap();
    assert_eq!(closing.close().await.state, State::Succeeded);

    let stopped = import(&fresh, 1, 1).await;
    stopped.claim(0, LEASE).await;
    store.cancel(stopped.operation.id).await.unwrap();
    assert!(store.claim_finish(Uuid::now_v7(), LEASE).await.unwrap().is_none(), "a lease is live");
    store.restart().await.unwrap();
    assert_eq!(stopped.close().await.state, State::Cancelled);

    let planning = create(&store, import_spec(Duplicates::Skip)).await;
    claim_plan(&store, &planning, LEASE).await;
    store.restart().await.unwrap();
    let planner = claim_plan(&store, &planning, LEASE).await;
    assert!(store.append_plan(&planner, &plan_step(&planning, &[])).await.unwrap());

    let export = create(&store, export_spec()).await;
    let planner = claim_plan(&store, &export, LEASE).await;
    assert!(store.append_plan(&planner, &plan_step(&export, &key_batches(1))).await.unwrap());
    store.cancel(planning.id).await.unwrap();
    store.restart().await.unwrap();
    assert_eq!(claim_plan(&store, &export, LEASE).await.operation.generation, 2, "its snapshot is gone");
}
