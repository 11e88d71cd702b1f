//! The contract of the progress port.

pub mod defects;

use std::sync::Arc;
use std::time::Duration;

use carrack_shared::error::PortResult;
use carrack_shared::operation::{OperationId, State, Totals};
use carrack_shared::port::Progress;
use carrack_shared::port::progress::{Attempt, BatchTotals};
use carrack_shared::tally::Tally;
use futures_util::future::join_all;
use uuid::Uuid;

/// The port's 250 ms, and what a busy machine adds.
pub const CALL: Duration = Duration::from_millis(400);

crate::checks! { Arc<dyn Progress>:
    a_cache_that_answers_is_ready
    an_unknown_operation_has_nothing
    a_rebuilt_operation_holds_exactly_its_batches
    recorded_batches_add_up
    a_batch_recorded_twice_counts_once
    batches_without_a_rebuild_are_not_the_whole
    rebuilding_adds_to_what_was_noted_since_the_loss
    batches_recorded_at_once_all_count
    counts_are_exact_up_to_the_last_unit
    thousands_of_batches_are_answered_in_time
    the_last_announcement_counts
    an_announcement_of_a_lower_epoch_is_ignored
    every_state_is_announced_as_it_is
    operations_are_apart
    an_attempt_starts_from_nothing
    what_is_forgotten_is_gone
    who_waits_is_told_of_a_recorded_batch
}

/// Waits for an answer as long as the port promises one.
async fn answer<T>(call: impl Future<Output = PortResult<T>>) -> T {
    let answer = tokio::time::timeout(CALL, call).await;
    answer.unwrap_or_else(|_| panic!("no answer within {CALL:?}")).expect("an answer")
}

fn attempt() -> Attempt {
    Attempt { operation: OperationId::from_uuid(Uuid::now_v7()), generation: 1 }
}

/// The counts of batch `batch`; no two batches have the same.
fn batch(batch: u32) -> BatchTotals {
    let unit = u64::from(batch) + 1;
    let tally = Tally {
        read: unit * 15,
        created: unit,
        updated: unit * 2,
        unchanged: unit * 3,
        skipped: unit * 4,
        rejected: unit * 5,
        filtered: unit,
    };
    BatchTotals { batch, totals: Totals { tally, bytes: unit * 100, batches: 1 } }
}

/// The sum over batches.
fn sum(batches: impl IntoIterator<Item = u32>) -> Totals {
    batches.into_iter().map(batch).fold(Totals::default(), |sum, batch| Totals {
        tally: sum.tally + batch.totals.tally,
        bytes: sum.bytes + batch.totals.bytes,
        batches: sum.batches + 1,
    })
}

async fn a_cache_that_answers_is_ready(progress: Arc<dyn Progress>) {
    answer(progress.ready()).await;
}

async fn an_unknown_operation_has_nothing(progress: Arc<dyn Progress>) {
    let unknown = attempt();
    assert_eq!(answer(progress.read(unknown)).await, None);
    assert_eq!(answer(progress.announced(unknown.operation)).await, None);
    answer(progress.forget(unknown.operation)).await;
}

async fn a_rebuilt_operation_holds_exactly_its_batches(progress: Arc<dyn Progress>) {
    let (empty, filled) = (attempt(), attempt());
    answer(progress.rebuild(empty, &[])).await;
    assert_eq!(answer(progress.read(empty)).await, Some(Totals::default()));
    answer(progress.rebuild(filled, &[batch(0), batch(7)])).await;
    assert_eq!(answer(progress.read(filled)).await, Some(sum([0, 7])));
}

async fn recorded_batches_add_up(progress: Arc<dyn Progress>) {
    let attempt = attempt();
    answer(progress.rebuild(attempt, &[])).await;
    for number in 0..10 {
        answer(progress.record(attempt, batch(number))).await;
        let found = answer(progress.read(attempt)).await;
        assert_eq!(
            found,
            Some(sum(0..=number)),
            "after batch {number}: too few are lost, too many are doubled"
        );
    }
}

async fn a_batch_recorded_twice_counts_once(progress: Arc<dyn Progress>) {
    let attempt = attempt();
    answer(progress.rebuild(attempt, &[batch(0)])).await;
    for number in [0, 1, 1, 2, 1] {
        answer(progress.record(attempt, batch(number))).await;
    }
    assert_eq!(answer(progress.read(attempt)).await, Some(sum(0..3)), "a batch was doubled");
}

async fn batches_without_a_rebuild_are_not_the_whole(progress: Arc<dyn Progress>) {
    let attempt = attempt();
    answer(progress.record(attempt, batch(1))).await;
    assert_eq!(answer(progress.read(attempt)).await, None, "a part was taken for the whole");
}

async fn rebuilding_adds_to_what_was_noted_since_the_loss(progress: Arc<dyn Progress>) {
    let attempt = attempt();
    answer(progress.record(attempt, batch(1))).await;
    answer(progress.rebuild(attempt, &[batch(2), batch(3)])).await;
    assert_eq!(answer(progress.read(attempt)).await, Some(sum([1, 2, 3])));
    answer(progress.rebuild(attempt, &[batch(3)])).await;
    assert_eq!(answer(progress.read(attempt)).await, Some(sum([1, 2, 3])));
}

async fn batches_recorded_at_once_all_count(progress: Arc<dyn Progress>) {
    let attempt = attempt();
    answer(progress.rebuild(attempt, &[])).await;
    join_all((0..100).map(|number| answer(progress.record(attempt, batch(number))))).await;
    assert_eq!(answer(progress.read(attempt)).await, Some(sum(0..100)));
}

async fn counts_are_exact_up_to_the_last_unit(progress: Arc<dyn Progress>) {
    // Doubles, as Lua and JSON have them, lose units from 2^53 on.
    let attempt = attempt();
    let large = (1 << 53) + 1;
    let tally = Tally { read: large, created: large, ..Tally::default() };
    let totals = Totals { tally, bytes: large, batches: 1 };
    answer(progress.rebuild(attempt, &[])).await;
    answer(progress.record(attempt, BatchTotals { batch: u32::MAX, totals })).await;
    assert_eq!(answer(progress.read(attempt)).await, Some(totals));
}

async fn thousands_of_batches_are_answered_in_time(progress: Arc<dyn Progress>) {
    let attempt = attempt();
    let batches: Vec<BatchTotals> = (0..5_000).map(batch).collect();
    answer(progress.rebuild(attempt, &batches)).await;
    assert_eq!(answer(progress.read(attempt)).await, Some(sum(0..5_000)));
}

async fn the_last_announcement_counts(progress: Arc<dyn Progress>) {
    let attempt = attempt();
    for (epoch, state) in
        [(1, State::Running), (2, State::Cancelling), (2, State::Cancelling), (10, State::Cancelled)]
    {
        answer(progress.announce(attempt.operation, epoch, state)).await;
        assert_eq!(answer(progress.announced(attempt.operation)).await, Some(state), "after epoch {epoch}");
    }
}

async fn an_announcement_of_a_lower_epoch_is_ignored(progress: Arc<dyn Progress>) {
    let attempt = attempt();
    // 9 sorts behind 10 as a text.
    for (epoch, state) in [(10, State::Cancelling), (9, State::Running), (-1, State::Finalising)] {
        answer(progress.announce(attempt.operation, epoch, state)).await;
        let found = answer(progress.announced(attempt.operation)).await;
        assert_eq!(found, Some(State::Cancelling), "an announcement out of order was taken");
    }
}

async fn every_state_is_announced_as_it_is(progress: Arc<dyn Progress>) {
    for state in State::ALL {
        let attempt = attempt();
        answer(progress.announce(attempt.operation, 1, state)).await;
        assert_eq!(answer(progress.announced(attempt.operation)).await, Some(state));
    }
}

async fn operations_are_apart(progress: Arc<dyn Progress>) {
    let (one, other) = (attempt(), attempt());
    answer(progress.rebuild(one, &[batch(1)])).await;
    answer(progress.rebuild(other, &[batch(2)])).await;
    answer(progress.announce(one.operation, 5, State::Running)).await;
    answer(progress.announce(other.operation, 1, State::Cancelling)).await;
    answer(progress.forget(other.operation)).await;
    assert_eq!(answer(progress.read(one)).await, Some(sum([1])));
    assert_eq!(answer(progress.announced(one.operation)).await, Some(State::Running));
}

async fn an_attempt_starts_from_nothing(progress: Arc<dyn Progress>) {
    let first = attempt();
    // 1 begins 11.
    let next = Attempt { generation: 11, ..first };
    answer(progress.rebuild(first, &[batch(0), batch(1), batch(2)])).await;
    let found = answer(progress.read(next)).await;
    assert_eq!(found, None, "the counts of an earlier attempt were taken for those of the next");
    answer(progress.record(next, batch(0))).await;
    answer(progress.record(first, batch(3))).await;
    answer(progress.rebuild(next, &[batch(1)])).await;
    assert_eq!(answer(progress.read(next)).await, Some(sum([0, 1])));
    assert_eq!(answer(progress.read(first)).await, Some(sum(0..4)));
}

async fn what_is_forgotten_is_gone(progress: Arc<dyn Progress>) {
    let attempt = attempt();
    let next = Attempt { generation: 2, ..attempt };
    answer(progress.rebuild(attempt, &[batch(1)])).await;
    answer(progress.rebuild(next, &[batch(1)])).await;
    answer(progress.announce(attempt.operation, 5, State::Running)).await;
    answer(progress.forget(attempt.operation)).await;
    assert_eq!(answer(progress.read(attempt)).await, None);
    assert_eq!(answer(progress.announced(attempt.operation)).await, None);
    assert_eq!(answer(progress.read(next)).await, None);
}

async fn who_waits_is_told_of_a_recorded_batch(progress: Arc<dyn Progress>) {
    let told = |progress: Arc<dyn Progress>| async move {
        tokio::time::timeout(CALL, progress.recorded()).await.is_ok()
    };
    assert!(!told(progress.clone()).await, "nothing was recorded");
    let (told_now, ()) =
        tokio::join!(told(progress.clone()), async { answer(progress.record(attempt(), batch(1))).await });
    assert!(told_now, "a batch that was recorded meanwhile");
    answer(progress.record(attempt(), batch(1))).await;
    answer(progress.record(attempt(), batch(2))).await;
    assert!(told(progress.clone()).await, "batches that were recorded before");
    assert!(!told(progress.clone()).await, "each is told once");
}
