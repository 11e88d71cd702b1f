//! Brings back work that nobody does: batches of dead workers, tasks that the queue lost.

use std::sync::Arc;
use std::time::Duration;

use carrack_shared::error::PortResult;

use crate::context::Context;
use crate::round::{Round, Turn};

/// The pause between two rounds, at most; shorter where leases are.
const PAUSE: Duration = Duration::from_secs(5);

pub(crate) struct Janitor;

impl Round for Janitor {
    const NAME: &'static str = "janitor";

    fn pause(&self, context: &Context) -> Duration {
        PAUSE.min(context.settings.lease() / 3).min(context.settings.lost_after() / 2)
    }

    async fn turn(&self, context: &Arc<Context>) -> PortResult<Turn> {
        let rescued = context.ports.store.rescue(context.settings.lost_after()).await?;
        if rescued > 0 {
            tracing::info!(batches = rescued, "brought back batches that nobody worked on");
            context.tasks_waiting.notify_one();
        }
        Ok(Turn::Idle)
    }
}
