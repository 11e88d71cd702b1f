//! The barrier: once a stop has answered, not one more record becomes visible.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use carrack_shared::operation::State;
use carrack_shared::port::batches::Commit;
use carrack_shared::segment::Claim;
use carrack_shared::spec::Duplicates;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Fresh;
use super::fixture::{cut, many};
use super::import::{LEASE, Planned};
use super::operations::failure;

const WORKERS: usize = 4;
const BATCHES: usize = 100;
const BATCH_RECORDS: usize = 100;

/// Commits to be seen before the stop, so that it comes in the middle.
const BEFORE_STOP: usize = 10;

/// A stop that waits for nobody is noticed in about every other round.
const ROUNDS: usize = 6;

/// What stops the operation.
enum Stop {
    /// A user.
    Cancel,
    /// A batch that can never be processed.
    FailedBatch,
}

pub(super) async fn after_a_cancel_no_record_becomes_visible(fresh: Fresh) {
    for round in 0..ROUNDS {
        stop_in_the_middle(&fresh, round, &Stop::Cancel).await;
    }
}

pub(super) async fn after_a_failed_batch_no_record_becomes_visible(fresh: Fresh) {
    for round in 0..ROUNDS {
        stop_in_the_middle(&fresh, round, &Stop::FailedBatch).await;
    }
}

async fn stop_in_the_middle(fresh: &Fresh, round: usize, stop: &Stop) {
    let records = many(&format!("round{round}/"), BATCHES * BATCH_RECORDS);
    let pieces = cut(&records, &[BATCH_RECORDS; BATCHES]);
    let import = Planned::import(&fresh.store(), Duplicates::Skip, pieces).await;
    // Claimed beforehand, so that what stops the workers is the commit itself.
    let mut claims = import.try_claim(0, u32::try_from(BATCHES).unwrap(), LEASE).await;
    let last = claims.pop().expect("the last batch");
    let handles = [import.clone(), import.through(&fresh.reopened().await)];
    let stopped = Arc::new(AtomicBool::new(false));
    let (committed, mut commits) = mpsc::channel(BATCHES);
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let (import, stopped) = (handles[worker % 2].clone(), Arc::clone(&stopped));
        let mine: Vec<Claim> = claims.iter().skip(worker).step_by(WORKERS).cloned().collect();
        let committed = committed.clone();
        workers.spawn(async move { work(&import, &mine, &stopped, &committed).await });
    }
    for _ in 0..BEFORE_STOP {
        commits.recv().await.expect("a commit");
    }
    match stop {
        Stop::Cancel => {
            let elsewhere = &handles[1].store;
            let cancelled = elsewhere.cancel(import.operation.id).await.unwrap().expect("the operation");
            assert_eq!(cancelled.state, State::Cancelling);
        }
        Stop::FailedBatch => {
            let reason = failure("the last batch");
            import.store.fail(&import.operation, &last, &reason).await.unwrap();
        }
    }
    stopped.store(true, Ordering::SeqCst);
    let count =
        format!("SELECT count(*) FROM {} WHERE \"id\" LIKE 'round{round}/%'", fresh.table("contexts"));
    let at_answer = fresh.integer(&count).await;
    let refused: usize = workers.join_all().await.into_iter().sum();
    assert!(refused > 0, "the workers were done before the stop");
    assert_eq!(fresh.integer(&count).await, at_answer, "rows after the stop has answered");
    let tally = import.store.totals(import.operation.id).await.unwrap().tally;
    assert_eq!(i64::try_from(tally.created).unwrap(), at_answer);
}

/// Commits one batch after the other and answers how many were refused.
async fn work(
    import: &Planned,
    claims: &[Claim],
    stopped: &AtomicBool,
    committed: &mpsc::Sender<()>,
) -> usize {
    let mut refused = 0;
    for claim in claims {
        let begun_after = stopped.load(Ordering::SeqCst);
        match import.commit(claim).await {
            Commit::Done(_) if !begun_after => committed.send(()).await.unwrap_or_default(),
            Commit::Stopped(State::Cancelling) => refused += 1,
            other => panic!("batch {}, begun after the stop: {begun_after}: {other:?}", claim.batch.number),
        }
    }
    refused
}
