//! Who works beside whom in one process. A process dies as a whole, so its death counts against every batch
//! that it holds: leases are taken only while one of these guards is held, and whoever works on a batch that
//! is suspected of ending workers holds none beside it.

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Of the whole process, not of one worker: several may run in it. Who waits to be alone is waited for by
/// those who come later, so it comes to its turn.
static COMPANY: RwLock<()> = RwLock::const_new(());

/// The right to hold batches beside others. Must not be asked for twice by one task.
pub(crate) async fn among_others() -> RwLockReadGuard<'static, ()> {
    COMPANY.read().await
}

/// The right to hold batches while nobody else in this process does.
pub(crate) async fn alone() -> RwLockWriteGuard<'static, ()> {
    COMPANY.write().await
}
