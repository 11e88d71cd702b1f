//! The coordinator: plans operations, relays their tasks, rescues lost work, closes the books, and serves
//! the API. Any number may run; every decision is made in the database.

pub mod api;
pub mod clock;
pub mod gauge;
pub mod join;
pub mod options;
pub mod reject_lines;
pub mod report;
pub mod start;
pub mod token;

use carrack_shared::config;
use carrack_shared::port::Ports;
use tokio_util::sync::CancellationToken;

/// Runs the coordinator's loops until `shutdown`. The API is served apart, by [`api`].
pub async fn run(_settings: config::Coordinator, _ports: Ports, shutdown: CancellationToken) {
    shutdown.cancelled().await;
}
