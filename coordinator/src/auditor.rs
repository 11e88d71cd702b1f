//! Stops imports whose bad records are more than their users allow. It looks at the ledger now and then, which
//! costs no worker anything; the finaliser looks for good.

use std::sync::Arc;
use std::time::Duration;

use carrack_shared::error::PortResult;
use carrack_shared::operation::{Failure, Operation, OperationId, State};
use carrack_shared::port::operations::Listing;

use crate::context::Context;
use crate::round::{Round, Turn};

/// The pause between two looks: each sums up the ledger of every import that has a budget.
const PAUSE: Duration = Duration::from_millis(500);

pub(crate) struct Auditor;

impl Round for Auditor {
    const NAME: &'static str = "auditor";

    fn pause(&self, _context: &Context) -> Duration {
        PAUSE
    }

    async fn turn(&self, context: &Arc<Context>) -> PortResult<Turn> {
        for operation in context.ports.store.list(Listing::Active).await? {
            if operation.state == State::Running {
                audit(context, &operation).await?;
            }
        }
        Ok(Turn::Idle)
    }
}

async fn audit(context: &Context, operation: &Operation) -> PortResult<()> {
    let (store, id) = (&context.ports.store, operation.id);
    let budget = operation.spec.as_import().map(|import| import.budget).unwrap_or_default();
    if budget.is_unlimited() {
        return Ok(());
    }
    let Some(failure) = budget.passed(&store.totals(id).await?.tally, false) else { return Ok(()) };
    stop(context, id, &failure).await
}

/// Stops an operation because of a failure, if it can be cancelled.
pub(crate) async fn stop(context: &Context, id: OperationId, failure: &Failure) -> PortResult<()> {
    let Some(stopped) = context.ports.store.stop(id, failure).await? else { return Ok(()) };
    tracing::info!(operation = %id, code = failure.code, reason = failure.message, "stopped");
    if let Err(error) = context.ports.progress.announce(id, stopped.epoch, stopped.state).await {
        tracing::debug!(operation = %id, error = error.chain(), "progress cache not told of the stop");
    }
    Ok(())
}
