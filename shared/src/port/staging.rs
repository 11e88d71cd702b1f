//! The port of the finaliser to the stage: the rows that an operation has put aside, until it is decided on all of
//! them at once. The stage comes with its operation and goes with its end, in the same transactions.

use async_trait::async_trait;

use crate::error::PortResult;
use crate::operation::Operation;
use crate::port::finalising::FinishClaim;
use crate::staging::Decision;

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

    /// The newest dry run of what this operation does that ended before it was created; none if there is none.
    async fn predicted(&self, operation: &Operation) -> PortResult<Option<Operation>>;
}
