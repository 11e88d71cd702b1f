//! The port of undo: what imports leave behind of the rows that they overwrite, and how that is used.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::PortResult;
use crate::operation::{Operation, OperationId};
use crate::port::batches::Commit;
use crate::schema::DataType;
use crate::segment::{Claim, KeyRange};
use crate::undo::Most;

/// What is kept so that imports can be undone.
#[async_trait]
pub trait Undoing: Send + Sync {
    /// The next keys of a table behind `behind`, or from its first one on, that the import `parent` has
    /// touched and that have a row of its, an image, or a row that another import has written over one of its.
    /// As many as `most` allows, fewer only at the end; none when there is none. No key leaves or joins them, whatever imports and undos
    /// do meanwhile, once the import has ended.
    ///
    /// The range counts as one of table 0, beginning with row 1.
    async fn next_touched(
        &self,
        parent: OperationId,
        data_type: &Arc<DataType>,
        behind: Option<&str>,
        most: Most,
    ) -> PortResult<Option<KeyRange>>;

    /// Undoes the keys of a batch as [`crate::undo`] decides, and writes conflicts, ledger row and state, all in
    /// one transaction, behind the shared side of the operation's barrier.
    async fn commit_undo(&self, operation: &Operation, claim: &Claim) -> PortResult<Commit>;

    /// Forgets images of operations that ended longer ago than `keep`, some at a time; answers how many, and
    /// zero when none is left that is due. The operation cannot be undone from its first image on.
    async fn forget_images(&self, keep: Duration) -> PortResult<u64>;
}
