//! The port of the finaliser: closing the books of an operation, once.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::error::PortResult;
use crate::fault::Reject;
use crate::operation::{Failure, Operation, OperationId, State};
use crate::port::batches::Part;
use crate::reconcile::Evidence;
use crate::record::Position;
use crate::segment::Segment;
use crate::tally::Tally;

/// The right to close one operation.
#[derive(Debug, Clone)]
pub struct FinishClaim {
    /// The operation: finalising if its plan was executed whole, cancelling if it was stopped.
    pub operation: Operation,
    /// Fences the closing.
    pub lease_epoch: i64,
}

/// Why an accepted record must become a reject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loss {
    /// This record of the operation holds its key.
    InFile(Position),
    /// Its key was in the table before the operation.
    Existing,
    /// Its table refuses it, and says why.
    Refused(String),
    /// It lacks required fields, and there is no row that it could change.
    Lacking,
}

/// A record that must become a reject: it won its key and lost it to a later batch, or was staged and is not to be
/// loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loser {
    /// The record.
    pub position: Position,
    /// Its key.
    pub key: String,
    /// Why.
    pub loss: Loss,
    /// The segment in which its bytes are to be found.
    pub segment: Segment,
}

/// How an operation ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// A terminal state.
    pub state: State,
    /// The final counts.
    pub tally: Tally,
    /// Why it failed.
    pub failure: Option<Failure>,
}

impl Loss {
    /// As it is stored: whether the record lacks fields, what the table said, who holds the key.
    pub fn of(lacks: bool, refused: Option<String>, winner: Option<Position>) -> Self {
        match (lacks, refused, winner) {
            (true, ..) => Self::Lacking,
            (_, Some(reason), _) => Self::Refused(reason),
            (_, _, Some(winner)) => Self::InFile(winner),
            _ => Self::Existing,
        }
    }

    /// The record that holds the key, where one of the operation does.
    pub fn winner(&self) -> Option<Position> {
        match self {
            Self::InFile(winner) => Some(*winner),
            Self::Existing | Self::Refused(_) | Self::Lacking => None,
        }
    }
}

/// Closing operations.
#[async_trait]
pub trait Finalising: Send + Sync {
    /// Takes an operation that is ready to be closed and that no other finaliser holds: running, planned
    /// and every batch done (it becomes finalising), or cancelling with no live lease.
    async fn claim_finish(&self, owner: Uuid, lease: Duration) -> PortResult<Option<FinishClaim>>;

    /// Prolongs the lease; one of no length gives it back. Also false when the operation has ended.
    async fn renew_finish(&self, claim: &FinishClaim, lease: Duration) -> PortResult<bool>;

    /// Displaced records that are not rejects yet, in the order of the input, at most `limit`. Each comes
    /// with the winner of its key among all that are known.
    async fn losers(&self, claim: &FinishClaim, limit: u32) -> PortResult<Vec<Loser>>;

    /// Stores rejects for displaced records. One that is stored already is left as it is. False if the
    /// lease is lost.
    async fn add_rejects(&self, claim: &FinishClaim, rejects: &[Reject]) -> PortResult<bool>;

    /// Everything that has to add up. Before answering, names the final winner in every reject of the code
    /// `duplicate.in_file`.
    async fn evidence(&self, claim: &FinishClaim) -> PortResult<Evidence>;

    /// Ends the operation, and with it its stage; where it is an undo, the state of its parent changes with it, as
    /// [`crate::undo::state_of_parent`] says, and the parent's images are free again. False if the lease is lost or
    /// the operation has ended.
    async fn end(&self, claim: &FinishClaim, ending: &Ending) -> PortResult<bool>;

    /// The parts of an export, in the order of the batches, of the current generation.
    async fn parts(&self, operation: OperationId) -> PortResult<Vec<Part>>;
}
