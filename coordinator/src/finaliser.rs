//! Closes the books: once every batch is done, or a stopped operation has no live lease, adds everything up
//! and changes the state once. A mismatch ends in failed, never in success.

use std::sync::Arc;
use std::time::Duration;

use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::operation::{Failure, Operation, State};
use carrack_shared::port::finalising::{Ending, FinishClaim};
use carrack_shared::port::rejects::RejectPage;
use carrack_shared::port::staging::Publication;
use carrack_shared::reconcile::{self, Executed};
use carrack_shared::spec::ErrorHandling;
use carrack_shared::tally::Tally;

use crate::context::Context;
use crate::round::{Round, Turn};
use crate::{lease, losers, report};

pub(crate) struct Finaliser;

impl Round for Finaliser {
    const NAME: &'static str = "finaliser";

    /// A worker of this process has committed a batch, which may have been the last.
    async fn woken(&self, context: &Context) {
        context.ports.progress.recorded().await;
    }

    async fn turn(&self, context: &Arc<Context>) -> PortResult<Turn> {
        let (store, lease) = (&context.ports.store, context.settings.lease());
        let Some(claim) = store.claim_finish(context.owner, lease).await? else {
            return Ok(Turn::Idle);
        };
        let renew = |lease| store.renew_finish(&claim, lease);
        match lease::holding(context, claim.operation.id, renew, finish(context, &claim)).await {
            Some(Err(error)) if context.is_hopeless(claim.operation.id, &error) => {
                let ended = give_up(context, &claim, error).await?;
                tell(context, &claim, ended).await;
            }
            Some(ended) => {
                let ended = ended?;
                context.is_fine(claim.operation.id);
                tell(context, &claim, ended).await;
            }
            // Given back, where it still is ours, so that another coordinator need not wait for its end.
            None => drop(store.renew_finish(&claim, Duration::ZERO).await?),
        }
        Ok(Turn::Busy)
    }
}

/// Ends the operation; none if the lease was lost.
async fn finish(context: &Context, claim: &FinishClaim) -> PortResult<Option<Ending>> {
    let (store, operation) = (&context.ports.store, &claim.operation);
    let settled = match operation.spec.is_all_or_nothing() {
        true => all_or_nothing(context, claim).await?,
        false => settle(context, claim).await?,
    };
    let Some((mut tally, mut failure)) = settled else { return Ok(None) };
    let stopped = operation.state == State::Cancelling;
    if operation.spec.verifies().is_some() && !stopped && failure.is_none() {
        let Some(findings) = store.find(claim).await? else { return Ok(None) };
        failure = findings.check(&tally).err();
        let state = if failure.is_some() { State::Failed } else { findings.state(&tally) };
        let ending = Ending { state, tally, failure };
        return end(context, claim, ending).await;
    }
    // A dry run foretells what an import would do that is to load all or nothing.
    let strict = operation.spec.as_import().is_some_and(|spec| spec.error_handling == ErrorHandling::Strict);
    if strict && !stopped && failure.is_none() && tally.rejected > 0 {
        failure = Some(first_reject(context, claim, &tally).await?);
        tally = tally.left_out();
    }
    let state = reconcile::terminal_state(&tally, failure.as_ref(), stopped);
    end(context, claim, Ending { state, tally, failure }).await
}

/// Ends what can never be closed as it should, with the counts of its ledger. What is published stays open.
async fn give_up(context: &Context, claim: &FinishClaim, error: PortError) -> PortResult<Option<Ending>> {
    let (store, operation) = (&context.ports.store, &claim.operation);
    let failure = operation.failure.clone();
    let failure = failure.unwrap_or_else(|| Failure::new("internal.closing", error.chain()));
    // From here on nothing will be of what loads all or nothing, and why is said by whoever ends it.
    if operation.spec.is_all_or_nothing()
        && operation.state != State::Cancelling
        && store.stop(operation.id, &failure).await?.is_none()
    {
        return Err(error);
    }
    let mut tally = store.totals(operation.id).await?.tally;
    if operation.spec.is_staged() {
        tally = tally.left_out();
    }
    end(context, claim, Ending { state: State::Failed, tally, failure: Some(failure) }).await
}

/// Changes the state, once.
async fn end(context: &Context, claim: &FinishClaim, ending: Ending) -> PortResult<Option<Ending>> {
    let (store, operation) = (&context.ports.store, &claim.operation);
    // Nobody reads it any more, and who is told of the end may leave at once.
    if let Err(error) = clear_staged(context, claim).await {
        tracing::warn!(operation = %operation.id, error = error.chain(), "staged text was not removed");
    }
    Ok(store.end(claim, &ending).await?.then_some(ending))
}

/// The final counts, and why it failed.
type Settled = (Tally, Option<Failure>);

/// Adds everything up; none if the lease was lost.
async fn settle(context: &Context, claim: &FinishClaim) -> PortResult<Option<Settled>> {
    let (store, operation) = (&context.ports.store, &claim.operation);
    let duplicates = operation.spec.as_import().map(|import| import.duplicates);
    let stopped = operation.state == State::Cancelling;
    if operation.spec.is_staged() && !stopped && store.decide(claim).await?.is_none() {
        return Ok(None);
    }
    // Who has lost a key counts otherwise.
    if operation.spec.verifies().is_some() && !stopped && store.find(claim).await?.is_none() {
        return Ok(None);
    }
    let unread = match losers::turn_into_rejects(context, claim).await {
        Ok(true) => None,
        Ok(false) => return Ok(None),
        Err(error) => Some(never_readable(error)?),
    };
    let evidence = store.evidence(claim).await?;
    let executed = match stopped {
        true => Executed::Partly,
        false if operation.spec.leaves_out() => Executed::Filtered,
        false => Executed::Whole,
    };
    let settled = match unread {
        None => reconcile::settle(&evidence, duplicates, executed),
        Some(failure) => Err(operation.failure.clone().unwrap_or(failure)),
    };
    let settled = settled.and_then(|tally| retried(operation, stopped, tally));
    Ok(Some(match settled {
        Ok(tally) => (tally, operation.failure.clone().or_else(|| over_budget(operation, &tally))),
        Err(mismatch) => (evidence.ledger, Some(mismatch)),
    }))
}

/// How often a stage is decided on anew because others have taken its keys meanwhile, before others have their turn.
const RACES: u32 = 8;

/// Publishes what is staged if nothing of it was rejected.
async fn all_or_nothing(context: &Context, claim: &FinishClaim) -> PortResult<Option<Settled>> {
    let (store, operation) = (&context.ports.store, &claim.operation);
    let stopped = operation.state == State::Cancelling;
    for _ in 0..RACES {
        let Some((tally, failure)) = settle(context, claim).await? else { return Ok(None) };
        let failure = match failure {
            None if tally.rejected > 0 && !stopped => Some(first_reject(context, claim, &tally).await?),
            failure => failure,
        };
        if stopped || failure.is_some() {
            return Ok(Some((tally.left_out(), failure)));
        }
        match store.publish(claim).await? {
            Publication::Done => return settle(context, claim).await,
            Publication::Changed => {}
            Publication::NotOurs => return Ok(None),
        }
    }
    let message =
        format!("operation {}: others took keys of it {RACES} times while it was published", operation.id);
    Err(PortError::new(ErrorKind::Contended, "coordinator", message))
}

/// The failure of an import that is to load all or nothing: its first reject, as a sequential run would meet it.
async fn first_reject(context: &Context, claim: &FinishClaim, tally: &Tally) -> PortResult<Failure> {
    let operation = &claim.operation;
    let rejects = context.ports.store.rejects(operation.id, &RejectPage::first(1)).await?;
    let told = rejects.first().map_or_else(String::new, |reject| {
        let file = report::source_name(operation, reject.position.source());
        let (record, line, byte) = (reject.position.record(), reject.line, reject.byte_start);
        let fault = reject.faults.first();
        let field = fault.and_then(|fault| fault.field.as_ref());
        let field = field.map(|field| format!("field {field:?}: ")).unwrap_or_default();
        let message = fault.map(|fault| fault.message.as_str()).unwrap_or_default();
        format!("{file}: record {record} (line {line}, byte {byte}): {field}{message}; ")
    });
    let is = if operation.spec.as_import().is_some_and(|spec| spec.dry_run) { "would be" } else { "was" };
    let (rejected, read) = (tally.rejected, tally.read);
    let message = format!("{told}{rejected} of {read} records are refused, so none {is} imported");
    Ok(Failure::new("strict.rejected", message))
}

/// A retry reads every record that it was made of.
fn retried(operation: &Operation, stopped: bool, tally: Tally) -> Result<Tally, Failure> {
    let retry = operation.spec.as_import().and_then(|import| import.retry);
    let retry = retry.filter(|_| !stopped && operation.failure.is_none());
    match retry.and_then(|retry| retry.records).filter(|records| *records != tally.read) {
        Some(expected) => {
            let message = format!("records of the retry: found {}, expected {expected}", tally.read);
            Err(Failure::new("internal.reconcile", message))
        }
        None => Ok(tally),
    }
}

/// What the auditor may have come too late for; a cancel stays one.
fn over_budget(operation: &Operation, tally: &Tally) -> Option<Failure> {
    let import = operation.spec.as_import().filter(|_| operation.state != State::Cancelling)?;
    import.budget.passed(tally, true)
}

/// Tells of an end. Not covered by the lease, which went with the operation.
async fn tell(context: &Context, claim: &FinishClaim, ending: Option<Ending>) {
    let (operation, Some(ending)) = (claim.operation.id, ending) else { return };
    match &ending.failure {
        None => {
            tracing::info!(%operation, state = ending.state.as_str(), tally = ?ending.tally, "ended");
        }
        Some(failure) if is_ours(failure) => {
            tracing::error!(%operation, code = failure.code, reason = failure.message, "failed");
        }
        // The user's report says it; nothing is wrong here.
        Some(failure) => {
            tracing::info!(%operation, code = failure.code, reason = failure.message, "failed");
        }
    }
    // Nobody works on it any more; answers come from the operation itself from here on.
    let _ = context.ports.progress.forget(operation).await;
}

/// Removes the text that planners have put where workers could read it.
async fn clear_staged(context: &Context, claim: &FinishClaim) -> PortResult<()> {
    let Some(import) = claim.operation.spec.as_import() else { return Ok(()) };
    if import.sources.iter().all(|source| source.layers.has_offsets()) {
        return Ok(());
    }
    let objects = &context.ports.objects;
    for key in objects.list(&format!("staged/{}/", claim.operation.id)).await? {
        objects.delete(&key).await?;
    }
    Ok(())
}

/// Whether whoever runs Carrack has to look after it, rather than whoever has sent the source.
fn is_ours(failure: &Failure) -> bool {
    ["internal.", "batch."].iter().any(|ours| failure.code.starts_with(ours))
}

/// Only what may pass or be mended is tried again. A source that is gone or another one can never be read again, and the
/// same goes for what is wrong inside: an operation that cannot be closed says so and ends.
fn never_readable(error: PortError) -> PortResult<Failure> {
    match error.kind {
        ErrorKind::Changed => Ok(Failure::new("source.changed", error.chain())),
        ErrorKind::NotFound => Ok(Failure::new("source.gone", error.chain())),
        _ if error.is_permanent() => Ok(Failure::new("internal.closing", error.chain())),
        _ => Err(error),
    }
}
