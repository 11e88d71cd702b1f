//! The port of undo; what it does stands in [`images`] and [`undo`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::operation::{Operation, OperationId};
use carrack_shared::port::Undoing;
use carrack_shared::port::batches::Commit;
use carrack_shared::schema::DataType;
use carrack_shared::segment::{Claim, Extent, KeyRange};
use carrack_shared::undo::Most;

use super::claim::Lease;
use super::error::SERVICE;
use super::undo::UndoBatch;
use super::{SqliteStore, images, undo};

#[async_trait]
impl Undoing for SqliteStore {
    async fn next_touched(
        &self,
        parent: OperationId,
        data_type: &Arc<DataType>,
        behind: Option<&str>,
        most: Most,
    ) -> PortResult<Option<KeyRange>> {
        let (data_type, behind) = (Arc::clone(data_type), behind.map(str::to_owned));
        let look = move |connection: &rusqlite::Connection| {
            undo::next_touched(connection, parent, &data_type, behind.as_deref(), most)
        };
        self.reader.run(move |connection| look(connection)).await
    }

    async fn commit_undo(&self, operation: &Operation, claim: &Claim) -> PortResult<Commit> {
        let (Some(spec), Extent::Keys(keys)) = (operation.spec.as_undo(), &claim.batch.extent) else {
            let message = format!("found a batch of {}, expected one of an undo", operation.id);
            return Err(PortError::new(ErrorKind::Refused, SERVICE, message));
        };
        let batch = UndoBatch {
            lease: Lease::of(operation, claim),
            spec: spec.clone(),
            data_type: spec.type_of(keys.table)?,
            keys: keys.clone(),
        };
        self.writer.transact(move |tx| undo::commit(tx, &batch)).await
    }

    async fn forget_images(&self, keep: Duration) -> PortResult<u64> {
        self.writer.transact(move |tx| images::forget(tx, keep)).await
    }
}
