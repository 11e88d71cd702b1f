//! Closes the books: once every batch is done, or a stopped operation has no live lease, adds everything up
//! and changes the state once. A mismatch ends in failed, never in success.

use std::sync::Arc;

use carrack_shared::error::PortResult;
use carrack_shared::operation::State;
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
    if !losers::turn_into_rejects(context, claim).await? {
        return Ok(());
    }
    let evidence = store.evidence(claim).await?;
    let stopped = operation.state == State::Cancelling;
    let settled = reconcile::settle(&evidence, duplicates, !stopped);
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
