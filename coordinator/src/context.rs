//! What every loop of a coordinator has at hand.

use std::sync::Arc;

use carrack_shared::config;
use carrack_shared::error::Trouble;
use carrack_shared::port::Ports;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Shared by all loops of one coordinator.
pub(crate) struct Context {
    pub settings: config::Coordinator,
    pub ports: Ports,
    /// Names this coordinator's leases. Random per process, never the host's name.
    pub owner: Uuid,
    pub shutdown: CancellationToken,
    /// Rung when there are new tasks in the outbox, so that they need not wait for the next look.
    pub tasks_waiting: Notify,
    /// What keeps the loops from working.
    pub trouble: watch::Sender<Option<Trouble>>,
}

impl Context {
    pub fn new(
        settings: config::Coordinator,
        ports: Ports,
        trouble: watch::Sender<Option<Trouble>>,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        let owner = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
        Arc::new(Self { settings, ports, owner, shutdown, tasks_waiting: Notify::new(), trouble })
    }
}
