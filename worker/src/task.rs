//! The life of one task: claim, work under a lease, answer. All control flow of a worker is here.
//!
//! The batches of a task are worked on together, beside other tasks. If one of them is suspected of ending
//! workers, all are given back first, and then claimed one by one, with no other beside them: whatever kills
//! this process then is counted against one batch only.

use carrack_shared::doubt::Doubt;
use carrack_shared::error::{ErrorKind, PortError};
use carrack_shared::operation::{Failure, Operation};
use carrack_shared::port::batches::Commit;
use carrack_shared::port::queue::Delivery;
use carrack_shared::segment::{Claim, ClaimedRun, Extent, Facts};
use carrack_shared::spec::{ImportSpec, Work};
use carrack_shared::task::Task;

use tokio::time::Instant;

use crate::context::Context;
use crate::{alone, careful, export, import, lease, undo};

/// Why a run of batches could not be brought to its end.
#[derive(Debug)]
pub(crate) enum Interrupted {
    /// Somebody else has the batches, or the operation does not run any more: nothing is left to do.
    NotOurs,
    /// A service failed, for this batch where it is known; the batches are given back, unless it can never work.
    Failed(PortError, Option<Box<Claim>>),
    /// This batch can never be processed: the operation has to stop.
    Hopeless(Box<Claim>, Failure),
}

impl From<PortError> for Interrupted {
    fn from(error: PortError) -> Self {
        Self::Failed(error, None)
    }
}

impl Interrupted {
    /// The same, in the work on this batch where no other is known.
    pub fn of(self, claim: &Claim) -> Self {
        match self {
            Self::Failed(error, None) => failed(claim)(error),
            other => other,
        }
    }
}

/// A failure of the work on a batch.
pub(crate) fn failed(claim: &Claim) -> impl Fn(PortError) -> Interrupted {
    |error| Interrupted::Failed(error, Some(Box::new(claim.clone())))
}

/// Tries at a service before the batches are given back. The queue then paces further tries.
const TRIES: u32 = 5;

/// What the queue is told of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// It is settled in the database.
    Settled,
    /// It should be handed out again.
    Again,
}

/// Executes one task and answers its delivery. Never fails: what cannot be done now is given back.
pub(crate) async fn handle(context: &Context, delivery: Delivery) {
    let operation = delivery.task.operation;
    let answered = match work_on(context, &delivery.task, delivery.redelivered).await {
        Answer::Settled => delivery.ack().await,
        Answer::Again => delivery.release().await,
    };
    if let Err(error) = answered {
        // Harmless: the task comes again and is found done.
        tracing::debug!(%operation, error = error.chain(), "the answer to a task was lost");
    }
}

async fn work_on(context: &Context, task: &Task, redelivered: bool) -> Answer {
    let beside_others = alone::among_others().await;
    let run = match claim(context, task, redelivered).await {
        Ok(Some(run)) => run,
        Ok(None) => return Answer::Settled,
        Err(again) => return again,
    };
    if !careful::is_called_for(&run) {
        return settle(context, &run).await;
    }
    let_go(context, &run, "a batch of the task is to be worked on alone").await;
    drop(beside_others);
    let Some(_alone) = context.abort.run_until_cancelled(alone::alone()).await else { return Answer::Again };
    for batch in &run.claims {
        let only = Task { first: batch.batch.number, count: 1, ..task.clone() };
        let answer = match claim(context, &only, false).await {
            Ok(Some(run)) => settle(context, &run).await,
            Ok(None) => Answer::Settled,
            Err(again) => again,
        };
        if answer == Answer::Again {
            return Answer::Again;
        }
    }
    Answer::Settled
}

/// Takes what is free of the task. Holders of leases need company or solitude: see [`alone`].
async fn claim(context: &Context, task: &Task, redelivered: bool) -> Result<Option<ClaimedRun>, Answer> {
    let (owner, lease) = (context.owner, context.settings.lease());
    match context.ports.store.claim(task, redelivered, owner, lease).await {
        Ok(claimed) => Ok(claimed),
        Err(error) => {
            tracing::warn!(operation = %task.operation, error = error.chain(), "cannot claim, giving the task back");
            context.report_trouble(&error);
            context.wait_before_retry(TRIES).await;
            Err(Answer::Again)
        }
    }
}

/// Brings a claimed run to its end, or gives it back.
async fn settle(context: &Context, run: &ClaimedRun) -> Answer {
    match execute(context, run).await {
        Ok(()) => Answer::Settled,
        Err(Interrupted::NotOurs) => {
            let_go(context, run, "the operation was stopped, or another worker took over").await;
            Answer::Settled
        }
        Err(Interrupted::Hopeless(claim, failure)) => give_up(context, run, &claim, &failure).await,
        Err(Interrupted::Failed(error, batch)) => match batch.as_deref().or(run.claims.first()) {
            Some(claim) if error.is_permanent() && !context.abort.is_cancelled() => {
                give_up(context, run, claim, &batch_failed(run, batch.as_deref(), &error)).await
            }
            _ => {
                give_back(context, run, &error).await;
                Answer::Again
            }
        },
    }
}

/// Ends the operation, in the name of this batch, or of another one of the run that is still ours.
async fn give_up(context: &Context, run: &ClaimedRun, claim: &Claim, failure: &Failure) -> Answer {
    let others = run.claims.iter().filter(|other| other.batch.number != claim.batch.number);
    for claim in std::iter::once(claim).chain(others) {
        if stop_operation(context, &run.operation, claim, failure).await {
            break;
        }
    }
    // The operation is closed when nobody holds a batch of it.
    let_go(context, run, &failure.message).await;
    Answer::Settled
}

/// Says of which batch the work can never be done, where it is known, and why.
fn batch_failed(run: &ClaimedRun, claim: Option<&Claim>, error: &PortError) -> Failure {
    let Some(claim) = claim else { return Failure::new("batch.failed", error.chain()) };
    let number = claim.batch.number;
    let place = match &claim.batch.extent {
        Extent::Segment(segment) => {
            let source = |spec: &ImportSpec| Some(spec.sources.get(segment.source as usize)?.name.clone());
            let file = run.operation.spec.as_import().and_then(source).unwrap_or_default();
            let (first, records) = (segment.first_record, u64::from(segment.records));
            format!("{file}: records {first} to {} (batch {number})", (first + records).saturating_sub(1))
        }
        Extent::Keys(keys) => format!("keys {:?} to {:?} (batch {number})", keys.from, keys.to),
    };
    Failure::new("batch.failed", format!("{place}: {}", error.chain()))
}

/// Works on the run until it is done, the lease is lost, or the worker has to stop. The lease is kept while the work
/// waits for another try, too.
async fn execute(context: &Context, run: &ClaimedRun) -> Result<(), Interrupted> {
    tokio::select! {
        ended = insist(context, run) => ended,
        () = lease::watch(context, run) => Err(Interrupted::NotOurs),
        () = context.abort.cancelled() => {
            Err(PortError::new(ErrorKind::Unavailable, "worker", "the worker is stopping").into())
        }
    }
}

/// Tries until the run is done, or it can be tried better later, or never.
async fn insist(context: &Context, run: &ClaimedRun) -> Result<(), Interrupted> {
    let (mut failures, mut doubt) = (0, Doubt::default());
    loop {
        let attempt = async {
            match run.operation.spec.work() {
                Work::Import(spec) => {
                    let run = careful::clear(context, run, spec).await?;
                    import::run(context, &run, spec).await
                }
                Work::Export(spec) => export::run(context, run, spec).await,
                Work::Undo(_) => undo::run(context, run).await,
            }
        };
        match attempt.await {
            Err(Interrupted::Failed(error, _))
                if match error.is_permanent() {
                    true => !doubt.is_over(&error, Instant::now().into_std(), context.settings.lease() / 2),
                    false => error.try_again() && failures < TRIES,
                } =>
            {
                tracing::debug!(operation = %run.operation.id, error = error.chain(), "trying a run again");
                context.report_trouble(&error);
                context.wait_before_retry(failures).await;
                failures += 1;
            }
            Ok(()) => {
                context.report_progress();
                return Ok(());
            }
            ended => return ended,
        }
    }
}

/// What to do next after a commit: nothing more, or to stop working on the run.
pub(crate) fn after_commit(commit: &Commit) -> Result<(), Interrupted> {
    match commit {
        Commit::Done(_) | Commit::Before => Ok(()),
        Commit::LeaseLost | Commit::Stopped(_) | Commit::StoreFrames(_) | Commit::NotAdded(_) => {
            Err(Interrupted::NotOurs)
        }
    }
}

/// The facts of source number `source`.
pub(crate) async fn facts_of(context: &Context, run: &ClaimedRun, source: u32) -> Result<Facts, PortError> {
    context.ports.store.facts(run.operation.id, source).await?.ok_or_else(|| {
        let message = format!("no facts are stored of source {source} of operation {}", run.operation.id);
        PortError::new(ErrorKind::Internal, "worker", message)
    })
}

async fn give_back(context: &Context, run: &ClaimedRun, error: &PortError) {
    tracing::warn!(operation = %run.operation.id, error = error.chain(), "giving batches back");
    context.report_trouble(error);
    let_go(context, run, &error.chain()).await;
    context.wait_before_retry(TRIES).await;
}

/// Gives back what is still ours of the run, so that a stopped operation can be closed at once, and shows
/// that we live where another worker took us for dead.
async fn let_go(context: &Context, run: &ClaimedRun, reason: &str) {
    if let Err(error) = context.ports.store.release(&run.operation, &run.claims, reason).await {
        // Harmless: the leases run out.
        tracing::debug!(operation = %run.operation.id, error = error.chain(), "batches could not be given back");
    }
}

/// False if the batch is not ours.
async fn stop_operation(context: &Context, operation: &Operation, claim: &Claim, failure: &Failure) -> bool {
    tracing::error!(operation = %operation.id, batch = claim.batch.number, code = failure.code, "stopping the operation");
    for attempt in 0..TRIES {
        match context.ports.store.fail(operation, claim, failure).await {
            Ok(is_ours) => return is_ours,
            // If this never succeeds the lease runs out and another worker comes to the same end.
            Err(error) => {
                tracing::warn!(operation = %operation.id, error = error.chain(), "cannot stop the operation yet");
                context.wait_before_retry(attempt).await;
            }
        }
    }
    false
}
