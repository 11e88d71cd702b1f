//! The worker: executes batches. Stateless; any number may run, and any may die at any moment.
//!
//! A worker receives tasks (hints), claims their batches in the database, and commits each batch's effect
//! together with its ledger row. [`task`] holds all control flow; [`import`] and [`export`] do the work
//! of one run of batches. A batch that keeps ending workers is worked on [`alone`] and [`careful`]ly, until
//! the record is found that does it.

mod alone;
mod careful;
mod chosen;
mod consume;
mod contents;
mod context;
mod counted;
mod export;
mod filled;
mod frames;
mod import;
mod lease;
mod rejects;
mod reshaped;
mod source;
mod task;
mod templates;
mod trial;
mod undo;
mod verify;

use carrack_shared::config;
use carrack_shared::error::Trouble;
use carrack_shared::port::Ports;
use carrack_shared::task::Lane;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::context::Context;

/// Runs a worker until `shutdown`; then takes no more tasks, finishes what it has begun or, after
/// [`config::Worker::drain`], gives it back, and returns. `trouble` tells what keeps it from working, none
/// while all is well.
pub async fn run(
    settings: config::Worker,
    ports: Ports,
    trouble: watch::Sender<Option<Trouble>>,
    shutdown: CancellationToken,
) {
    let abort = CancellationToken::new();
    let context = Context::new(settings, ports, trouble, abort.clone());
    let slots = std::sync::Arc::new(Semaphore::new(context.settings.concurrency.into()));
    let running = TaskTracker::new();
    let consumers = TaskTracker::new();
    for lane in Lane::ALL {
        let consumer = consume::run(lane, context.clone(), slots.clone(), running.clone(), shutdown.clone());
        consumers.spawn(consumer);
    }
    consumers.close();
    consumers.wait().await;
    running.close();
    if tokio::time::timeout(context.settings.drain(), running.wait()).await.is_err() {
        tracing::warn!(tasks = running.len(), "tasks did not finish in time, giving their batches back");
        abort.cancel();
        running.wait().await;
    }
}
