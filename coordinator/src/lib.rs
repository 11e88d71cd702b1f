//! The coordinator: plans operations, relays their tasks, rescues lost work, closes the books, and serves
//! the API. Any number may run; every decision is made in the database.

pub mod api;
mod auditor;
pub mod clock;
pub mod compare;
mod context;
pub mod corrections;
mod exporter;
mod file_types;
mod finaliser;
mod forgetter;
pub mod gauge;
pub mod infer;
mod janitor;
pub mod join;
mod lease;
mod look;
mod losers;
pub mod options;
mod parts;
mod planner;
pub mod reject_kinds;
pub mod reject_lines;
mod relay;
pub mod report;
pub mod retry;
mod roller;
mod round;
pub mod start;
pub mod templates;
pub mod token;
mod types;
mod undoer;
pub mod verify;

use carrack_shared::config;
use carrack_shared::error::Trouble;
use carrack_shared::port::Ports;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auditor::Auditor;
use crate::context::Context;
use crate::finaliser::Finaliser;
use crate::forgetter::Forgetter;
use crate::janitor::Janitor;
use crate::planner::Planner;
use crate::relay::Relay;
use crate::roller::Roller;

/// Runs the coordinator's loops until `shutdown`. The API is served apart, by [`api`]. `trouble` tells what
/// keeps it from working.
pub async fn run(
    settings: config::Coordinator,
    images: config::Images,
    ports: Ports,
    trouble: watch::Sender<Option<Trouble>>,
    shutdown: CancellationToken,
) {
    let context = Context::new(settings, ports, trouble, shutdown);
    let loops = TaskTracker::new();
    loops.spawn(round::go(context.clone(), Planner { planners: loops.clone() }));
    loops.spawn(round::go(context.clone(), Relay));
    loops.spawn(round::go(context.clone(), Janitor));
    loops.spawn(round::go(context.clone(), Roller));
    loops.spawn(round::go(context.clone(), Auditor));
    loops.spawn(round::go(context.clone(), Forgetter { keep: images.keep() }));
    loops.spawn(round::go(context, Finaliser));
    loops.close();
    loops.wait().await;
}
