//! Claims: a batch has one holder at a time, a lost one is replaced, and nobody is disturbed by the past.

use carrack_shared::operation::{OperationId, State};
use carrack_shared::port::batches::Commit;
use carrack_shared::segment::Claim;
use carrack_shared::spec::Duplicates;
use carrack_shared::task::Task;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Fresh;
use super::fixture::{cut, many};
use super::import::{EXPIRED, LEASE, Planned, task};
use super::operations::failure;

/// An import of `batches` batches with one record each.
async fn import(fresh: &Fresh, batches: usize) -> Planned {
    let pieces = cut(&many("k", batches), &vec![1; batches]);
    Planned::import(&fresh.store(), Duplicates::Skip, pieces).await
}

fn numbers(claims: &[Claim]) -> Vec<u32> {
    claims.iter().map(|claim| claim.batch.number).collect()
}

pub(super) async fn a_free_batch_is_claimed_once(fresh: Fresh) {
    let import = import(&fresh, 3).await;
    let task = task(&import.operation, 0, 3);
    let run = import.store.claim(&task, false, Uuid::now_v7(), LEASE).await.unwrap().unwrap();
    assert_eq!(run.operation, import.now().await);
    assert_eq!(numbers(&run.claims), [0, 1, 2]);
    for (claim, piece) in run.claims.iter().zip(import.pieces.iter()) {
        assert_eq!((&claim.batch, claim.deaths), (&piece.batch, 0));
    }
    let reopened = import.through(&fresh.reopened().await);
    assert_eq!(reopened.try_claim(0, 3, LEASE).await, []);
}

pub(super) async fn two_claimers_never_share_a_batch(fresh: Fresh) {
    let import = import(&fresh, 24).await;
    let handles = [import.clone(), import.through(&fresh.reopened().await)];
    let mut claiming = JoinSet::new();
    for number in 0..16 {
        let import = handles[number % 2].clone();
        let first = u32::try_from(number).unwrap();
        claiming.spawn(async move { import.try_claim(first, 8, LEASE).await });
    }
    let mut found: Vec<u32> = claiming.join_all().await.iter().flat_map(|claims| numbers(claims)).collect();
    // A claimer that met another one may leave a batch; it is then free.
    found.extend(numbers(&import.try_claim(0, 24, LEASE).await));
    found.sort_unstable();
    assert_eq!(found, (0..24).collect::<Vec<_>>());
}

pub(super) async fn only_planned_batches_of_this_generation_are_claimed(fresh: Fresh) {
    let import = import(&fresh, 3).await;
    assert_eq!(import.try_claim(3, 5, LEASE).await, []);
    let unknown = Task { operation: OperationId::from_u128(7), ..task(&import.operation, 0, 3) };
    let later = Task { generation: 2, ..task(&import.operation, 0, 3) };
    for task in [unknown, later] {
        let run = import.store.claim(&task, true, Uuid::now_v7(), LEASE).await.unwrap();
        assert!(run.is_none(), "{run:?}");
    }
    assert_eq!(numbers(&import.try_claim(2, 7, LEASE).await), [2]);
    assert_eq!(numbers(&import.try_claim(1, 1, LEASE).await), [1]);
    assert_eq!(numbers(&import.try_claim(0, 3, LEASE).await), [0]);
}

pub(super) async fn a_done_batch_is_never_claimed(fresh: Fresh) {
    let import = import(&fresh, 3).await;
    import.load(1).await;
    let claim = import.claim(2, EXPIRED).await;
    assert!(matches!(import.commit(&claim).await, Commit::Done(_)));
    assert_eq!(numbers(&import.steal(0, 3).await), [0]);
    assert_eq!(import.try_claim(1, 2, LEASE).await, []);
}

pub(super) async fn an_expired_lease_is_taken_over_and_counts_a_death(fresh: Fresh) {
    let import = import(&fresh, 2).await;
    let mut last = import.claim(0, EXPIRED).await;
    for deaths in 1..=6 {
        let next = import.claim(0, EXPIRED).await;
        assert!(next.lease_epoch > last.lease_epoch);
        assert_eq!(next.deaths, deaths);
        last = next;
    }
    assert_eq!(import.claim(1, LEASE).await.deaths, 0, "the deaths are the batch's own");
}

pub(super) async fn a_redelivered_task_takes_live_leases(fresh: Fresh) {
    let import = import(&fresh, 2).await;
    let first = import.claim(0, LEASE).await;
    assert_eq!(numbers(&import.try_claim(0, 2, LEASE).await), [1]);
    let stolen = import.steal(0, 2).await;
    assert_eq!(numbers(&stolen), [0, 1]);
    assert!(stolen[0].lease_epoch > first.lease_epoch);
    assert_eq!(stolen.iter().map(|claim| claim.deaths).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(import.commit(&first).await, Commit::LeaseLost);
}

pub(super) async fn released_batches_are_free_at_once_and_count_no_death(fresh: Fresh) {
    let import = import(&fresh, 3).await;
    let first = import.try_claim(0, 3, LEASE).await;
    import.commit(&first[1]).await;
    import.store.release(&import.operation, &first, "source: unavailable").await.unwrap();
    let second = import.try_claim(0, 3, LEASE).await;
    assert_eq!(numbers(&second), [0, 2], "the batch 1 was finished");
    for (claim, before) in second.iter().zip([&first[0], &first[2]]) {
        assert!(claim.lease_epoch > before.lease_epoch);
        assert_eq!(claim.deaths, 0);
    }
    assert_eq!(import.commit(&first[0]).await, Commit::LeaseLost);
}

pub(super) async fn a_stale_release_disturbs_nobody(fresh: Fresh) {
    let import = import(&fresh, 1).await;
    let first = import.claim(0, EXPIRED).await;
    let second = import.claim(0, LEASE).await;
    import.store.release(&import.operation, &[first], "late").await.unwrap();
    assert_eq!(import.try_claim(0, 1, LEASE).await, []);
    assert!(matches!(import.commit(&second).await, Commit::Done(_)));
}

pub(super) async fn a_slow_holder_commits_unless_it_was_replaced(fresh: Fresh) {
    let import = import(&fresh, 2).await;
    let due = import.store.due(9, 9, LEASE).await.unwrap();
    import.store.sent(&due).await.unwrap();
    let slow = import.try_claim(0, 2, EXPIRED).await;
    assert_eq!(import.store.rescue(LEASE).await.unwrap(), 2);
    let quick = import.claim(1, LEASE).await;
    assert!(matches!(import.commit(&slow[0]).await, Commit::Done(_)), "announced again, and not taken");
    assert_eq!(import.commit(&slow[1]).await, Commit::LeaseLost);
    assert!(matches!(import.commit(&quick).await, Commit::Done(_)));
    assert_eq!(import.try_claim(0, 2, LEASE).await, []);
}

pub(super) async fn who_answers_late_was_not_dead(fresh: Fresh) {
    let import = import(&fresh, 1).await;
    let slow = import.claim(0, EXPIRED).await;
    let next = import.claim(0, LEASE).await;
    assert_eq!(next.deaths, 1);
    for _ in 0..2 {
        import.store.release(&import.operation, std::slice::from_ref(&slow), "late").await.unwrap();
    }
    assert_eq!(import.try_claim(0, 1, LEASE).await, [], "the next holder is not disturbed");
    import.store.release(&import.operation, &[next], "shutting down").await.unwrap();
    assert_eq!(import.claim(0, LEASE).await.deaths, 0);
}

pub(super) async fn renewing_counts_the_leases_still_held(fresh: Fresh) {
    let import = import(&fresh, 4).await;
    let claims = import.try_claim(0, 4, LEASE).await;
    let renew = async || {
        let renewal = import.store.renew(&import.operation, &claims, LEASE).await.unwrap();
        (renewal.state, renewal.held)
    };
    assert_eq!(renew().await, (State::Running, 4));
    import.steal(1, 2).await;
    assert_eq!(renew().await, (State::Running, 2));
    import.store.cancel(import.operation.id).await.unwrap();
    assert_eq!(renew().await.0, State::Cancelling);
}

pub(super) async fn renewing_sets_the_end_of_the_lease(fresh: Fresh) {
    let import = import(&fresh, 2).await;
    let claims = import.try_claim(0, 2, LEASE).await;
    import.store.renew(&import.operation, &claims[..1], EXPIRED).await.unwrap();
    assert_eq!(numbers(&import.try_claim(0, 2, LEASE).await), [0], "it was shortened to nothing");

    let late = import.claim_expired(1).await;
    let held = import.store.renew(&import.operation, &[late], LEASE).await.unwrap().held;
    let free = import.try_claim(1, 1, LEASE).await.len();
    assert_eq!(held + free, 1, "a lease is either still ours or free");
}

pub(super) async fn a_stopped_operation_has_nothing_to_claim(fresh: Fresh) {
    let cancelled = import(&fresh, 2).await;
    cancelled.claim(0, EXPIRED).await;
    cancelled.store.cancel(cancelled.operation.id).await.unwrap();
    assert_eq!(cancelled.try_claim(0, 2, LEASE).await, []);
    assert_eq!(cancelled.steal(0, 2).await, []);
    assert_eq!(cancelled.close().await.state, State::Cancelled);
    assert_eq!(cancelled.steal(0, 2).await, []);
}

pub(super) async fn a_batch_that_is_done_or_lost_stops_nothing(fresh: Fresh) {
    let import = import(&fresh, 2).await;
    let claims = import.try_claim(0, 2, LEASE).await;
    assert!(matches!(import.commit(&claims[0]).await, Commit::Done(_)));
    let fail = async |claim| {
        let answer = fresh.store().fail(&import.operation, claim, &failure("no")).await;
        (answer.unwrap(), import.now().await.state)
    };
    assert_eq!(fail(&claims[0]).await, (false, State::Running), "it is done");
    let stolen = import.steal(1, 1).await;
    assert_eq!(fail(&claims[1]).await, (false, State::Running), "it is another worker's");
    assert_eq!(fail(&stolen[0]).await, (true, State::Cancelling));
}

pub(super) async fn a_batch_that_fails_stops_the_operation_and_the_lowest_is_blamed(fresh: Fresh) {
    for order in [[1, 2], [2, 1]] {
        let store = fresh.store();
        let import = import(&fresh, 4).await;
        let claims = import.try_claim(0, 4, LEASE).await;
        for batch in order {
            let reason = failure(&format!("batch {batch}"));
            assert!(store.fail(&import.operation, &claims[batch], &reason).await.unwrap());
        }
        let now = import.now().await;
        assert_eq!((now.state, now.failure), (State::Cancelling, Some(failure("batch 1"))), "{order:?}");
        assert_eq!(import.commit(&claims[3]).await, Commit::Stopped(State::Cancelling));
        store.release(&import.operation, &claims, "stopped").await.unwrap();
        let ended = import.close().await;
        assert_eq!((ended.state, ended.failure), (State::Failed, Some(failure("batch 1"))));
    }
}

impl Planned {
    /// A lease on a batch that somebody holds, which has run out.
    async fn claim_expired(&self, batch: u32) -> Claim {
        let claims = self.steal(batch, 1).await;
        self.store.renew(&self.operation, &claims, EXPIRED).await.unwrap();
        claims.into_iter().next().expect("a stolen claim")
    }
}
