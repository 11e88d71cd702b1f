//! The port of undo: what imports leave behind of the rows that they overwrite.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::PortResult;

/// What is kept so that imports can be undone.
#[async_trait]
pub trait Undoing: Send + Sync {
    /// Forgets images of operations that ended longer ago than `keep`, some at a time; answers how many, and
    /// zero when none is left that is due. The operation cannot be undone from its first image on.
    async fn forget_images(&self, keep: Duration) -> PortResult<u64>;
}
