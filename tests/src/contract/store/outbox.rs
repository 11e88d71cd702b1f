//! The outbox and the rescue: what waits to be sent, in fair shares, and what must be sent again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use carrack_shared::port::Store;
use carrack_shared::port::outbox::Outgoing;
use carrack_shared::spec::Duplicates;
use carrack_shared::task::Lane;

use super::Fresh;
use super::fixture::{cut, many};
use super::import::{EXPIRED, LEASE, Planned, task};

/// More than any operation here has.
const WIDE: u32 = 1_000;

const HOUR: Duration = Duration::from_secs(3_600);

/// An import of `batches` batches, each with a task of its own.
async fn import(fresh: &Fresh, batches: usize) -> Planned {
    let pieces = cut(&many("k", batches), &vec![1; batches]);
    Planned::import(&fresh.store(), Duplicates::Skip, pieces).await
}

/// The batches of these tasks.
fn batches(tasks: &[Outgoing]) -> Vec<u32> {
    let mut batches: Vec<u32> = tasks.iter().flat_map(|out| out.task.batches()).collect();
    batches.sort_unstable();
    batches
}

/// Sends everything, as a relay does.
async fn send_all(store: &Arc<dyn Store>) {
    let due = store.due(WIDE, WIDE, LEASE).await.unwrap();
    store.sent(&due).await.unwrap();
}

/// Rescues until `batches` are in the outbox again. *More than nothing ago* begins with the next tick of the
/// database's clock.
async fn rescue(store: &Arc<dyn Store>, batches: u64) {
    let (start, mut rescued) = (Instant::now(), 0);
    while rescued < batches {
        rescued += store.rescue(Duration::ZERO).await.unwrap();
        let waited = start.elapsed();
        assert!(waited < Duration::from_secs(10), "rescued {rescued} batches, expected {batches}");
    }
    assert_eq!(rescued, batches, "rescued batches");
}

pub(super) async fn tasks_are_due_in_order_and_gone_when_sent(fresh: Fresh) {
    let store = fresh.store();
    assert_eq!(store.due(WIDE, WIDE, LEASE).await.unwrap(), []);
    let import = import(&fresh, 3).await;
    let due = store.due(WIDE, WIDE, LEASE).await.unwrap();
    let tasks: Vec<_> = due.iter().map(|out| (out.lane, out.task.clone())).collect();
    assert_eq!(tasks, [0, 1, 2].map(|number| (Lane::Import, task(&import.operation, number, 1))));
    store.sent(&due).await.unwrap();
    store.sent(&due).await.unwrap();
    for store in [store, fresh.reopened().await] {
        assert_eq!(store.due(WIDE, WIDE, LEASE).await.unwrap(), []);
    }
}

pub(super) async fn held_tasks_are_not_given_to_a_second_relay(fresh: Fresh) {
    let (store, other) = (fresh.store(), fresh.reopened().await);
    import(&fresh, 20).await;
    let (one, two) = tokio::join!(store.due(WIDE, 12, LEASE), other.due(WIDE, 12, LEASE));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(one.len() <= 12 && two.len() <= 12);
    let mut all = [batches(&one), batches(&two)].concat();
    all.extend(batches(&store.due(WIDE, WIDE, LEASE).await.unwrap()));
    all.sort_unstable();
    assert_eq!(all, (0..20).collect::<Vec<_>>(), "each task to one relay");
    assert_eq!(other.due(WIDE, WIDE, LEASE).await.unwrap(), []);
}

pub(super) async fn unsent_tasks_come_again_after_their_hold(fresh: Fresh) {
    let store = fresh.store();
    import(&fresh, 3).await;
    let first = store.due(WIDE, WIDE, EXPIRED).await.unwrap();
    assert_eq!(first.len(), 3);
    store.sent(&first[1..2]).await.unwrap();
    let again = store.due(WIDE, WIDE, LEASE).await.unwrap();
    assert_eq!(again, [first[0].clone(), first[2].clone()]);
}

pub(super) async fn an_operation_has_no_more_out_than_its_window(fresh: Fresh) {
    let store = fresh.store();
    let import = import(&fresh, 10).await;
    let due = async || store.due(3, WIDE, LEASE).await.unwrap();
    let first = due().await;
    assert_eq!(batches(&first), [0, 1, 2]);
    assert_eq!(due().await, [], "held tasks are out");
    store.sent(&first).await.unwrap();
    assert_eq!(due().await, [], "sent tasks are out");
    let claims = import.try_claim(0, 3, LEASE).await;
    assert_eq!(due().await, [], "claimed batches are out");
    import.commit(&claims[1]).await;
    let next = due().await;
    assert_eq!(batches(&next), [3], "one is done, so one more");
    store.sent(&next).await.unwrap();
    for claim in [&claims[0], &claims[2]] {
        import.commit(claim).await;
    }
    assert_eq!(batches(&due().await), [4, 5]);
    let other = Planned::import(&store, Duplicates::Skip, cut(&many("z", 2), &[1, 1])).await;
    let fresh_window = due().await;
    assert!(fresh_window.iter().all(|out| out.task.operation == other.operation.id));
    assert_eq!(batches(&fresh_window), [0, 1], "each operation has a window of its own");
}

pub(super) async fn a_small_operation_does_not_wait_behind_a_large_one(fresh: Fresh) {
    let store = fresh.store();
    let large = import(&fresh, 60).await;
    let small = [import(&fresh, 2).await, import(&fresh, 1).await];
    let due = store.due(40, 6, LEASE).await.unwrap();
    assert_eq!(due.len(), 6);
    let share = |import: &Planned| {
        batches(
            &due.iter().filter(|out| out.task.operation == import.operation.id).cloned().collect::<Vec<_>>(),
        )
    };
    assert_eq!(share(&small[0]), [0, 1]);
    assert_eq!(share(&small[1]), [0]);
    assert_eq!(share(&large), [0, 1, 2]);
}

pub(super) async fn exports_go_to_their_own_lane(fresh: Fresh) {
    let export = Planned::export(&fresh.store(), 2).await;
    let due = fresh.store().due(WIDE, WIDE, LEASE).await.unwrap();
    let tasks: Vec<_> = due.iter().map(|out| (out.lane, out.task.clone())).collect();
    assert_eq!(tasks, [0, 1].map(|number| (Lane::Export, task(&export.operation, number, 1))));
}

pub(super) async fn a_batch_whose_lease_ran_out_is_sent_again(fresh: Fresh) {
    let store = fresh.store();
    let import = import(&fresh, 4).await;
    send_all(&store).await;
    import.try_claim(0, 4, LEASE).await;
    let lost = import.steal(1, 2).await;
    store.renew(&import.operation, &lost, EXPIRED).await.unwrap();
    assert_eq!(store.rescue(HOUR).await.unwrap(), 2);
    let due = store.due(WIDE, WIDE, LEASE).await.unwrap();
    assert_eq!(batches(&due), [1, 2]);
    for out in &due {
        assert!(out.task.sequence > 1 && out.lane == Lane::Import, "{out:?}");
        assert_eq!((out.task.operation, out.task.generation), (import.operation.id, 1));
        let run = store.claim(&out.task, false, uuid::Uuid::now_v7(), LEASE).await.unwrap();
        assert_eq!(run.expect("a free batch").claims.len(), out.task.count as usize);
    }
}

pub(super) async fn a_batch_that_was_sent_and_never_claimed_is_sent_again(fresh: Fresh) {
    let store = fresh.store();
    let import = import(&fresh, 3).await;
    send_all(&store).await;
    let mut sequence = 1;
    for _ in 0..2 {
        assert_eq!(store.rescue(HOUR).await.unwrap(), 0, "it was sent just now");
        rescue(&store, 3).await;
        let due = store.due(WIDE, WIDE, LEASE).await.unwrap();
        assert_eq!(batches(&due), [0, 1, 2]);
        assert!(due.iter().all(|out| out.task.sequence > sequence), "{due:?}");
        sequence = due.iter().map(|out| out.task.sequence).max().unwrap();
        store.sent(&due).await.unwrap();
    }
    // A batch that was given back waits for its message as one that nobody claimed yet.
    let claims = import.try_claim(0, 3, LEASE).await;
    import.commit(&claims[1]).await;
    store.release(&import.operation, &claims, "shutting down").await.unwrap();
    rescue(&store, 2).await;
    assert_eq!(batches(&store.due(WIDE, WIDE, LEASE).await.unwrap()), [0, 2]);
}

pub(super) async fn rescuing_twice_does_not_double(fresh: Fresh) {
    let store = fresh.store();
    let import = import(&fresh, 5).await;
    send_all(&store).await;
    import.try_claim(0, 2, EXPIRED).await;
    rescue(&store, 5).await;
    for _ in 0..3 {
        let other = fresh.reopened().await;
        let (one, two) = tokio::join!(store.rescue(Duration::ZERO), other.rescue(Duration::ZERO));
        assert_eq!((one.unwrap(), two.unwrap()), (0, 0), "they wait in the outbox already");
    }
    let held = store.due(WIDE, WIDE, LEASE).await.unwrap();
    assert_eq!(batches(&held), [0, 1, 2, 3, 4]);
    assert_eq!(store.rescue(Duration::ZERO).await.unwrap(), 0, "a relay has them in hand");
    assert_eq!(store.due(WIDE, WIDE, LEASE).await.unwrap(), []);
}

pub(super) async fn work_that_is_in_hand_is_not_rescued(fresh: Fresh) {
    let store = fresh.store();
    let done = import(&fresh, 2).await;
    assert_eq!(store.rescue(Duration::ZERO).await.unwrap(), 0, "nothing was sent yet");
    send_all(&store).await;
    done.load_all().await;
    let leased = import(&fresh, 2).await;
    send_all(&store).await;
    leased.try_claim(0, 2, LEASE).await;
    let cancelled = import(&fresh, 3).await;
    send_all(&store).await;
    cancelled.claim(0, EXPIRED).await;
    store.cancel(cancelled.operation.id).await.unwrap();
    let lost = import(&fresh, 1).await;
    send_all(&store).await;
    rescue(&store, 1).await;
    let due = store.due(WIDE, WIDE, LEASE).await.unwrap();
    let operations: Vec<_> = due.iter().map(|out| out.task.operation).collect();
    assert_eq!(operations, [lost.operation.id]);
}
