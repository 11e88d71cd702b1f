//! The port to operations: starting, finding and stopping them, and what they have to show.

use async_trait::async_trait;

use crate::error::PortResult;
use crate::operation::{Failure, Operation, OperationId, Totals};
use crate::port::progress::BatchTotals;
use crate::spec::Spec;
use crate::undo::NotUndoable;

/// An operation to be created.
#[derive(Debug, Clone)]
pub struct NewOperation {
    /// Its id.
    pub id: OperationId,
    /// Who starts it.
    pub owner: String,
    /// What is to be done.
    pub spec: Spec,
    /// The client's `Idempotency-Key`, with the SHA-256 of what it asked for.
    pub idempotency: Option<Idempotency>,
}

/// A request that must create one operation however often it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The client's key; unique per owner for 72 hours.
    pub key: String,
    /// SHA-256 of what identifies the request.
    pub request: [u8; 32],
}

/// The answer to a creation.
#[derive(Debug, Clone)]
pub enum Created {
    /// The operation is new and running.
    New(Operation),
    /// The same request has created it before.
    Before(Operation),
    /// The key was used for another request.
    OtherRequest,
    /// This data type of the operation has other columns by now: nothing was created.
    TypeChanged(String),
    /// It would be the undo of an operation that cannot be undone now.
    NotUndoable(NotUndoable),
    /// It would retry an operation that this one retries already, which neither failed nor was cancelled.
    Retried(OperationId),
}

/// Which operations to list; always the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// Those that have not ended.
    Active,
    /// The last so many.
    Latest(u32),
    /// Those that retry this one.
    RetriesOf(OperationId),
}

/// Operations.
#[async_trait]
pub trait Operations: Send + Sync {
    /// Creates an operation in state running and, where it is missing, the table of its data type; but no such
    /// table for a dry run. Where it stages, its stage comes with it. Its types must
    /// have the columns that [`super::Templates`] knows, until it is created. One that
    /// undoes another takes that one's images, as [`crate::undo::check`] allows, until it ends. Of those that retry
    /// one operation, one alone is created that neither fails nor is cancelled.
    async fn create(&self, new: &NewOperation) -> PortResult<Created>;

    /// The operation; none if there is none, which is not an error.
    async fn get(&self, id: OperationId) -> PortResult<Option<Operation>>;

    /// Operations, newest first.
    async fn list(&self, listing: Listing) -> PortResult<Vec<Operation>>;

    /// Stops an operation. When this answers, no batch of it will commit any more: it takes the exclusive
    /// side of the barrier whose shared side every commit holds.
    ///
    /// Running becomes cancelling, and so does finalising where all is to be loaded or nothing and nothing is yet; any
    /// other state stays. Answers the operation as it is then; none if
    /// there is none.
    async fn cancel(&self, id: OperationId) -> PortResult<Option<Operation>>;

    /// Stops an operation as [`Operations::cancel`] does, because of a failure, with which it will end unless it has
    /// another one. None, and nothing changes, where a cancel would change nothing.
    async fn stop(&self, id: OperationId, failure: &Failure) -> PortResult<Option<Operation>>;

    /// The sum over the ledger, of the current generation. Not corrected by displaced records: that is
    /// done when the operation ends.
    async fn totals(&self, id: OperationId) -> PortResult<Totals>;

    /// The ledger, row by row, in the order of the batches.
    async fn ledger(&self, id: OperationId) -> PortResult<Vec<BatchTotals>>;
}
