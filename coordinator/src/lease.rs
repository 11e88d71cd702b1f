//! Does a planner's work while its lease is kept alive beside it.

use carrack_shared::error::PortResult;
use carrack_shared::port::planning::PlanClaim;

use crate::context::Context;

/// Runs `work` to its end; none if the lease was lost, or the coordinator has to stop, before that.
pub(crate) async fn holding<T>(
    context: &Context,
    claim: &PlanClaim,
    work: impl Future<Output = PortResult<T>>,
) -> Option<PortResult<T>> {
    tokio::select! {
        ended = work => Some(ended),
        () = renew(context, claim) => None,
        () = context.shutdown.cancelled() => None,
    }
}

/// Ends when the lease is lost.
async fn renew(context: &Context, claim: &PlanClaim) {
    let lease = context.settings.lease();
    loop {
        tokio::time::sleep(lease / 3).await;
        match context.ports.store.renew_plan(claim, lease).await {
            Ok(true) => {}
            Ok(false) => return,
            // Should the lease run out meanwhile, the next write of the plan is refused.
            Err(error) => {
                tracing::debug!(operation = %claim.operation.id, error = error.chain(), "heartbeat failed");
            }
        }
    }
}
