//! The life of one task: claim, work under a lease, answer. All control flow of a worker is here.

use carrack_shared::error::{ErrorKind, PortError};
use carrack_shared::limits;
use carrack_shared::operation::{Failure, Operation};
use carrack_shared::port::batches::Commit;
use carrack_shared::port::queue::Delivery;
use carrack_shared::segment::{Claim, ClaimedRun, Facts};
use carrack_shared::spec::Work;

use crate::context::Context;
use crate::lease;
use crate::{export, import};

/// Why a run of batches could not be brought to its end.
#[derive(Debug)]
pub(crate) enum Interrupted {
    /// Somebody else has the batches, or the operation does not run any more: nothing is left to do.
    NotOurs,
    /// A service failed; the batches are given back.
    Failed(PortError),
    /// This batch can never be processed: the operation has to stop.
    Hopeless(Box<Claim>, Failure),
}

impl From<PortError> for Interrupted {
    fn from(error: PortError) -> Self {
        Self::Failed(error)
    }
}

/// Tries at a service before the batches are given back. The queue then paces further tries.
const TRIES: u32 = 5;

/// Executes one task and answers its delivery. Never fails: what cannot be done now is given back.
pub(crate) async fn handle(context: &Context, delivery: Delivery) {
    let task = delivery.task.clone();
    let (owner, lease) = (context.owner, context.settings.lease());
    let claimed = context.ports.store.claim(&task, delivery.redelivered, owner, lease).await;
    let answer = match claimed {
        Ok(None) => delivery.ack().await,
        Ok(Some(run)) => match execute(context, &run).await {
            Ok(()) => delivery.ack().await,
            Err(Interrupted::NotOurs) => {
                let_go(context, &run, "the operation was stopped, or another worker took over").await;
                delivery.ack().await
            }
            Err(Interrupted::Hopeless(claim, failure)) => {
                stop_operation(context, &run.operation, &claim, &failure).await;
                delivery.ack().await
            }
            Err(Interrupted::Failed(error)) => {
                give_back(context, &run, &error).await;
                delivery.release().await
            }
        },
        Err(error) => {
            tracing::warn!(operation = %task.operation, error = error.chain(), "cannot claim, giving the task back");
            context.report_trouble(&error);
            context.wait_before_retry(TRIES).await;
            delivery.release().await
        }
    };
    if let Err(error) = answer {
        // Harmless: the task comes again and is found done.
        tracing::debug!(operation = %task.operation, error = error.chain(), "the answer to a task was lost");
    }
}

/// Works on the run until it is done, the lease is lost, or the worker has to stop.
async fn execute(context: &Context, run: &ClaimedRun) -> Result<(), Interrupted> {
    if let Some(claim) = run.claims.iter().find(|claim| claim.deaths >= limits::BATCH_DEATHS) {
        let message = format!(
            "batch {} ended {} workers without an answer, expected at most {}",
            claim.batch.number,
            claim.deaths,
            limits::BATCH_DEATHS - 1
        );
        return Err(Interrupted::Hopeless(Box::new(claim.clone()), Failure::new("batch.deadly", message)));
    }
    let mut failures = 0;
    loop {
        let attempt = async {
            match run.operation.spec.work() {
                Work::Import(spec) => import::run(context, run, spec).await,
                Work::Export(spec) => export::run(context, run, spec).await,
            }
        };
        let ended = tokio::select! {
            ended = attempt => ended,
            () = lease::watch(context, run) => Err(Interrupted::NotOurs),
            () = context.abort.cancelled() => {
                Err(PortError::new(ErrorKind::Unavailable, "worker", "the worker is stopping").into())
            }
        };
        match ended {
            Err(Interrupted::Failed(error))
                if error.try_again() && failures < TRIES && !context.abort.is_cancelled() =>
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
        Commit::LeaseLost | Commit::Stopped(_) | Commit::StoreFrames(_) => Err(Interrupted::NotOurs),
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

async fn stop_operation(context: &Context, operation: &Operation, claim: &Claim, failure: &Failure) {
    tracing::error!(operation = %operation.id, batch = claim.batch.number, failure = failure.message, "stopping the operation");
    for attempt in 0..TRIES {
        let Err(error) = context.ports.store.fail(operation, claim, failure).await else { return };
        // If this never succeeds the lease runs out and another worker comes to the same end.
        tracing::warn!(operation = %operation.id, error = error.chain(), "cannot stop the operation yet");
        context.wait_before_retry(attempt).await;
    }
}
