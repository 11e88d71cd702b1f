//! What every task of a worker has at hand.

use std::sync::Arc;
use std::time::Duration;

use carrack_shared::backoff::Backoff;
use carrack_shared::config;
use carrack_shared::error::{PortError, Trouble};
use carrack_shared::port::Ports;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long a task waits after a failure before its batches are given back.
const RETRY: Backoff = Backoff { first: Duration::from_millis(200), most: Duration::from_secs(10) };

/// Shared by all tasks of one worker.
pub(crate) struct Context {
    pub settings: config::Worker,
    pub ports: Ports,
    /// Names this worker's leases. Random per process, never the host's name: two processes on one host
    /// must not take each other's.
    pub owner: Uuid,
    pub abort: CancellationToken,
    trouble: watch::Sender<Option<Trouble>>,
}

impl Context {
    pub fn new(
        settings: config::Worker,
        ports: Ports,
        trouble: watch::Sender<Option<Trouble>>,
        abort: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self { settings, ports, owner: random_owner(), abort, trouble })
    }

    /// Tells the operator's side what keeps this worker from working.
    pub fn report_trouble(&self, error: &PortError) {
        self.trouble.send_replace(Some(error.into()));
    }

    /// Tells that work goes on.
    pub fn report_progress(&self) {
        self.trouble.send_if_modified(|trouble| trouble.take().is_some());
    }

    /// Waits before try number `attempt` (from 0), or until the worker has to stop.
    pub async fn wait_before_retry(&self, attempt: u32) {
        let wait = RETRY.wait(attempt, rand::random());
        let _ = tokio::time::timeout(wait, self.abort.cancelled()).await;
    }
}

fn random_owner() -> Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}
