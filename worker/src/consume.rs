//! Receives tasks of one lane and hands each to a slot; comes back by itself when the broker goes away.

use std::sync::Arc;

use carrack_shared::error::PortResult;
use carrack_shared::port::queue::{Deliveries, Delivery};
use carrack_shared::task::Lane;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::context::Context;
use crate::task;

/// Consumes until `shutdown`.
pub(crate) async fn run(
    lane: Lane,
    context: Arc<Context>,
    slots: Arc<Semaphore>,
    running: TaskTracker,
    shutdown: CancellationToken,
) {
    let mut failures = 0;
    while !shutdown.is_cancelled() {
        let consumed = context.ports.queue.consume(lane, context.settings.concurrency);
        let ended = match or_shutdown(consumed, &shutdown).await {
            None => return,
            Some(Ok(mut deliveries)) => {
                failures = 0;
                receive(&mut *deliveries, &context, &slots, &running, &shutdown).await
            }
            Some(Err(error)) => Err(error),
        };
        let Err(error) = ended else { return };
        tracing::warn!(lane = lane.as_str(), error = error.chain(), "the queue is away, trying again");
        context.report_trouble(&error);
        or_shutdown(context.wait_before_retry(failures), &shutdown).await;
        failures += 1;
    }
}

/// Ends well at shutdown, with an error when the consumer is over.
async fn receive(
    deliveries: &mut dyn Deliveries,
    context: &Arc<Context>,
    slots: &Arc<Semaphore>,
    running: &TaskTracker,
    shutdown: &CancellationToken,
) -> PortResult<()> {
    loop {
        let Some(delivery) = or_shutdown(deliveries.next(), shutdown).await else { return Ok(()) };
        let delivery: Delivery = delivery?;
        // Only now: a lane that held a slot while it waits for a task would keep it from the other lane.
        let Some(Ok(slot)) = or_shutdown(slots.clone().acquire_owned(), shutdown).await else {
            return Ok(());
        };
        let context = context.clone();
        running.spawn(async move {
            task::handle(&context, delivery).await;
            drop(slot);
        });
    }
}

async fn or_shutdown<T>(work: impl Future<Output = T>, shutdown: &CancellationToken) -> Option<T> {
    shutdown.run_until_cancelled(work).await
}
