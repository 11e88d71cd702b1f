//! The port to who has done what: how the batches of an operation were shared among workers.

use async_trait::async_trait;
use serde::Serialize;
use uuid::Uuid;

use crate::error::PortResult;
use crate::operation::OperationId;

/// What one worker has done of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WorkerShare {
    /// The owner of the leases under which it was done: one for each start of a worker.
    pub worker: Uuid,
    /// Batches committed.
    pub batches: u64,
}

/// The workers of operations.
#[async_trait]
pub trait Workers: Send + Sync {
    /// The shares of an operation's current generation, the largest first, equal ones by worker. Batches of
    /// which it was not noted, by an earlier release, are in none.
    async fn workers(&self, id: OperationId) -> PortResult<Vec<WorkerShare>>;
}
