//! The port to progress and signals: a cache that may be empty, late or gone at any moment.

use async_trait::async_trait;

use crate::error::PortResult;
use crate::operation::{Operation, OperationId, State, Totals};

/// One attempt at an operation. An export that starts again counts from nothing, and what is noted late of
/// its earlier attempts does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// The operation.
    pub operation: OperationId,
    /// Its [`Operation::generation`].
    pub generation: u32,
}

impl From<&Operation> for Attempt {
    fn from(operation: &Operation) -> Self {
        Self { operation: operation.id, generation: operation.generation }
    }
}

/// What one batch has committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchTotals {
    /// The batch's number.
    pub batch: u32,
    /// Its ledger row, with `batches` = 1.
    pub totals: Totals,
}

/// Progress per batch and the operation's state, outside the database so that reading them is cheap.
///
/// Calls but [`Progress::recorded`] return within 250 ms, with an error if need be; callers go on without the answer.
#[async_trait]
pub trait Progress: Send + Sync {
    /// Makes the cache trustworthy: adds these batches, every one that was committed before the call, to
    /// whatever has been noted since the cache was lost. Called when [`Progress::read`] answered none.
    async fn rebuild(&self, attempt: Attempt, batches: &[BatchTotals]) -> PortResult<()>;

    /// Notes a committed batch. The same batch a second time changes nothing.
    async fn record(&self, attempt: Attempt, batch: BatchTotals) -> PortResult<()>;

    /// Waits until this process notes a batch, or has done so since the last wait. For one who waits, and who has to
    /// look from time to time, too: what other processes note is not told.
    async fn recorded(&self);

    /// The sum over the noted batches of this attempt; none if the cache was lost since its last rebuild, or
    /// it has had none, so that only a part may be here.
    async fn read(&self, attempt: Attempt) -> PortResult<Option<Totals>>;

    /// Announces the operation's state. An announcement with a lower epoch than the last is ignored.
    async fn announce(&self, operation: OperationId, epoch: i64, state: State) -> PortResult<()>;

    /// The last state announced; none if there is none.
    async fn announced(&self, operation: OperationId) -> PortResult<Option<State>>;

    /// Forgets the operation with all its attempts. Not an error: there is nothing to forget.
    async fn forget(&self, operation: OperationId) -> PortResult<()>;

    /// Whether the cache answers.
    async fn ready(&self) -> PortResult<()>;
}
