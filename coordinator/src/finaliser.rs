//! Closes the books: once every batch is done, or a stopped operation has no live lease, adds everything up
//! and changes the state once. A mismatch ends in failed, never in success.

use std::sync::Arc;

use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::operation::{Failure, State};
use carrack_shared::port::finalising::{Ending, FinishClaim};
use carrack_shared::reconcile;

use crate::context::Context;
use crate::losers;
use crate::round::{Round, Turn};

pub(crate) struct Finaliser;

impl Round for Finaliser {
    const NAME: &'static str = "finaliser";

    async fn turn(&self, context: &Arc<Context>) -> PortResult<Turn> {
        let lease = context.settings.lease();
        let Some(claim) = context.ports.store.claim_finish(context.owner, lease).await? else {
            return Ok(Turn::Idle);
        };
        finish(context, &claim).await?;
        Ok(Turn::Busy)
    }
}

async fn finish(context: &Context, claim: &FinishClaim) -> PortResult<()> {
    let store = &context.ports.store;
    let operation = &claim.operation;
    let duplicates = operation.spec.as_import().map(|import| import.duplicates);
    let unread = match losers::turn_into_rejects(context, claim).await {
        Ok(true) => None,
        Ok(false) => return Ok(()),
        Err(error) => Some(never_readable(error)?),
    };
    let evidence = store.evidence(claim).await?;
    let stopped = operation.state == State::Cancelling;
    let settled = match unread {
        None => reconcile::settle(&evidence, duplicates, !stopped),
        Some(failure) => Err(operation.failure.clone().unwrap_or(failure)),
    };
    let (tally, failure) = match settled {
        Ok(tally) => (tally, operation.failure.clone()),
        Err(mismatch) => (evidence.ledger, Some(mismatch)),
    };
    let state = reconcile::terminal_state(&tally, failure.as_ref(), stopped);
    let ending = Ending { state, tally, failure };
    if !store.end(claim, &ending).await? {
        return Ok(());
    }
    match &ending.failure {
        None => tracing::info!(operation = %operation.id, state = state.as_str(), ?tally, "ended"),
        Some(failure) => {
            tracing::error!(operation = %operation.id, code = failure.code, reason = failure.message, "failed");
        }
    }
    // Nobody works on it any more; answers come from the operation itself from here on.
    let _ = context.ports.progress.forget(operation.id).await;
    Ok(())
}

/// A source that is gone or another one can never be read again, so the books cannot be closed; any other
/// error is tried again.
fn never_readable(error: PortError) -> PortResult<Failure> {
    match error.kind {
        ErrorKind::Changed => Ok(Failure::new("source.changed", error.chain())),
        ErrorKind::NotFound => Ok(Failure::new("source.gone", error.chain())),
        _ => Err(error),
    }
}
