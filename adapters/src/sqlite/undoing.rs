//! What is kept so that imports can be undone.

use std::time::Duration;

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::port::Undoing;

use super::{SqliteStore, images};

#[async_trait]
impl Undoing for SqliteStore {
    async fn forget_images(&self, keep: Duration) -> PortResult<u64> {
        self.writer.transact(move |tx| images::forget(tx, keep)).await
    }
}
