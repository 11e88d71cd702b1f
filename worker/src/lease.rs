//! Keeps the leases of a run alive while it is worked on, and ends the work when they are lost or the
//! operation is stopped.

use std::time::Duration;

use carrack_shared::operation::State;
use carrack_shared::segment::ClaimedRun;
use tokio::time::{Instant, MissedTickBehavior};

use crate::context::Context;

/// How often the announced state is looked at: a cancelled operation costs no worker more than this.
const LOOK: Duration = Duration::from_millis(250);

/// Ends when the run is no longer ours or its operation does not run any more.
pub(crate) async fn watch(context: &Context, run: &ClaimedRun) {
    let lease = context.settings.lease();
    let mut look = tokio::time::interval(LOOK.min(lease / 3));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look.tick().await;
    let mut renewed = Instant::now();
    loop {
        look.tick().await;
        // The cache is only the fast way: without it the heartbeat learns the same.
        if let Ok(Some(state)) = context.ports.progress.announced(run.operation.id).await
            && state != State::Running
        {
            return;
        }
        if renewed.elapsed() < lease / 3 {
            continue;
        }
        match context.ports.store.renew(&run.operation, &run.claims, lease).await {
            Ok(renewal) if renewal.state != State::Running || renewal.held == 0 => return,
            Ok(_) => renewed = Instant::now(),
            Err(error) => {
                // Not ours to decide: should the lease run out, the commit is refused.
                tracing::debug!(operation = %run.operation.id, error = error.chain(), "heartbeat failed");
            }
        }
    }
}
