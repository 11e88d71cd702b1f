//! The port of the finaliser to the stage: the rows that an operation has put aside, until it is decided on all of
//! them at once. The stage comes with its operation and goes with its end, in the same transactions.

use async_trait::async_trait;

use crate::error::PortResult;
use crate::operation::Operation;
use crate::port::finalising::FinishClaim;
use crate::staging::Decision;

/// What came of publishing a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publication {
    /// All of it is in the data tables, and what was decided says so; by this call or by an earlier one.
    Done,
    /// Nothing is: since it was decided a key was taken, or the table refuses records. It has to be decided again.
    Changed,
    /// Nothing is: the lease is lost, or the operation is to be stopped.
    NotOurs,
}

/// Stages.
#[async_trait]
pub trait Staging: Send + Sync {
    /// Decides on every staged record against the data tables, as of one moment, exactly as loading them in the
    /// order of the input would; a table that does not exist is empty. Nothing in the data tables changes.
    ///
    /// What was decided is stored with the operation, and with it, where duplicates are rejects, the records that
    /// lost their key, as [`crate::port::Finalising::losers`] answers them. Decided once: asked again, it answers
    /// what was decided. None if the lease is lost.
    async fn decide(&self, claim: &FinishClaim) -> PortResult<Option<Decision>>;

    /// Puts the staged records that have won their keys into the data tables, all in one transaction, once. For an
    /// operation of all or nothing on which it was decided.
    ///
    /// A record that only its table refuses is among [`crate::port::Finalising::losers`] then, with the reason.
    async fn publish(&self, claim: &FinishClaim) -> PortResult<Publication>;

    /// The newest dry run of what this operation does that ended before it was created; none if there is none.
    async fn predicted(&self, operation: &Operation) -> PortResult<Option<Operation>>;
}
