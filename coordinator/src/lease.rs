//! Does a piece of work while its lease is kept alive beside it.

use std::time::Duration;

use carrack_shared::error::PortResult;
use carrack_shared::operation::OperationId;

use crate::context::Context;

/// Runs `work` to its end; none if the lease was lost, or the coordinator has to stop, before that. `renew`
/// prolongs the lease, and answers false when it is lost.
pub(crate) async fn holding<T, R: Future<Output = PortResult<bool>>>(
    context: &Context,
    operation: OperationId,
    renew: impl Fn(Duration) -> R,
    work: impl Future<Output = PortResult<T>>,
) -> Option<PortResult<T>> {
    tokio::select! {
        ended = work => Some(ended),
        () = keep(context.settings.lease(), operation, renew) => None,
        () = context.shutdown.cancelled() => None,
    }
}

/// Ends when the lease is lost.
async fn keep<R: Future<Output = PortResult<bool>>>(
    lease: Duration,
    operation: OperationId,
    renew: impl Fn(Duration) -> R,
) {
    loop {
        tokio::time::sleep(lease / 3).await;
        match renew(lease).await {
            Ok(true) => {}
            Ok(false) => return,
            // Should the lease run out meanwhile, the next write that it covers is refused.
            Err(error) => tracing::debug!(%operation, error = error.chain(), "heartbeat failed"),
        }
    }
}
