//! The worker: executes batches. Stateless; any number may run.

use carrack_shared::config;
use carrack_shared::port::Ports;
use tokio_util::sync::CancellationToken;

/// Runs a worker until `shutdown`; then finishes or gives back what it has begun and returns.
pub async fn run(_settings: config::Worker, _ports: Ports, shutdown: CancellationToken) {
    shutdown.cancelled().await;
}
