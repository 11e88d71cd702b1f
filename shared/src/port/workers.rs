//! The port to what an operation is made of: how its batches were shared among workers, and what became of
//! the records of each source.

use async_trait::async_trait;
use serde::Serialize;
use uuid::Uuid;

use crate::error::PortResult;
use crate::operation::OperationId;
use crate::reconcile::Displacements;
use crate::tally::Tally;

/// What one worker has done of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WorkerShare {
    /// The owner of the leases under which it was done: one for each start of a worker.
    pub worker: Uuid,
    /// Batches committed.
    pub batches: u64,
}

/// What became of the records of one source of an import, or of one table of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceShare {
    /// Its number.
    pub source: u32,
    /// The sum over the ledger rows of its batches.
    pub ledger: Tally,
    /// Its records that won a key and lost it to a later batch, by what the ledger counts them as.
    pub displaced: Displacements,
}

/// The workers of operations.
#[async_trait]
pub trait Workers: Send + Sync {
    /// The shares of an operation's current generation, the largest first, equal ones by worker. Batches of
    /// which it was not noted, by an earlier release, are in none.
    async fn workers(&self, id: OperationId) -> PortResult<Vec<WorkerShare>>;

    /// The shares of the sources that have committed batches, of the current generation, by number.
    async fn sources(&self, id: OperationId) -> PortResult<Vec<SourceShare>>;
}
