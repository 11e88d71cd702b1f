//! Keeps the cache of progress and states true for every active operation: announces each state, and
//! rebuilds the counts from the ledger whenever the cache was lost.

use std::sync::Arc;
use std::time::Duration;

use carrack_shared::error::PortResult;
use carrack_shared::operation::Operation;
use carrack_shared::port::operations::Listing;

use crate::context::Context;
use crate::round::{Round, Turn};

/// The pause between two rounds: with it, a flushed cache is whole again within two seconds.
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) struct Roller;

impl Round for Roller {
    const NAME: &'static str = "roller";

    fn pause(&self, _context: &Context) -> Duration {
        PAUSE
    }

    async fn turn(&self, context: &Arc<Context>) -> PortResult<Turn> {
        for operation in context.ports.store.list(Listing::Active).await? {
            // Without the cache everything goes on; answers then come from the database.
            if let Err(error) = refresh(context, &operation).await {
                tracing::debug!(operation = %operation.id, error = error.chain(), "the progress cache is away");
                break;
            }
        }
        Ok(Turn::Idle)
    }
}

async fn refresh(context: &Context, operation: &Operation) -> PortResult<()> {
    let (store, progress) = (&context.ports.store, &context.ports.progress);
    progress.announce(operation.id, operation.epoch, operation.state).await?;
    if progress.read(operation.into()).await?.is_none() {
        progress.rebuild(operation.into(), &store.ledger(operation.id).await?).await?;
    }
    Ok(())
}
