//! What every loop of a coordinator has at hand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use carrack_shared::config;
use carrack_shared::doubt::Doubt;
use carrack_shared::error::{PortError, Trouble};
use carrack_shared::operation::OperationId;
use carrack_shared::port::Ports;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
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
    /// Of the operations that cannot be planned or closed.
    doubts: Mutex<HashMap<OperationId, Doubt>>,
}

impl Context {
    pub fn new(
        settings: config::Coordinator,
        ports: Ports,
        trouble: watch::Sender<Option<Trouble>>,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        let owner = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
        let (tasks_waiting, doubts) = (Notify::new(), Mutex::default());
        Arc::new(Self { settings, ports, owner, shutdown, tasks_waiting, trouble, doubts })
    }

    /// Whether the work on an operation has failed for good: now, and when it was tried before, too. It is tried again
    /// when the lease has run out.
    pub fn is_hopeless(&self, id: OperationId, error: &PortError) -> bool {
        let mut doubts = self.doubts();
        let doubt = doubts.entry(id).or_default();
        let hopeless = doubt.is_over(error, Instant::now().into_std(), self.settings.lease() / 2);
        if hopeless || !error.is_permanent() {
            doubts.remove(&id);
        }
        hopeless
    }

    /// Forgets what was doubted of an operation: it works.
    pub fn is_fine(&self, id: OperationId) {
        self.doubts().remove(&id);
    }

    fn doubts(&self) -> MutexGuard<'_, HashMap<OperationId, Doubt>> {
        self.doubts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
