//! The port of undo; what is undone how stands in [`undo`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::operation::{Operation, OperationId};
use carrack_shared::port::Undoing;
use carrack_shared::port::batches::Commit;
use carrack_shared::schema::DataType;
use carrack_shared::segment::{Claim, Extent, KeyRange};
use carrack_shared::undo::Most;
use uuid::Uuid;

use super::commit::Effect;
use super::error::{failed, internal};
use super::sql::{execute, get, query_opt, seconds};
use super::{PostgresStore, undo};

/// Images that are removed in one transaction.
const FORGOTTEN_TOGETHER: i64 = 10_000;

#[async_trait]
impl Undoing for PostgresStore {
    async fn next_touched(
        &self,
        parent: OperationId,
        data_type: &Arc<DataType>,
        behind: Option<&str>,
        most: Most,
    ) -> PortResult<Option<KeyRange>> {
        undo::next_touched(&self.client().await?, parent, data_type, behind, most).await
    }

    async fn commit_undo(&self, operation: &Operation, claim: &Claim) -> PortResult<Commit> {
        let (Some(spec), Extent::Keys(keys)) = (operation.spec.as_undo(), &claim.batch.extent) else {
            return Err(internal(format!("found a batch of {}, expected one of an undo", operation.id)));
        };
        let data_type = spec.type_of(keys.table)?;
        self.commit(operation, claim, &Effect::Undo(spec, keys, &data_type)).await
    }

    async fn forget_images(&self, keep: Duration) -> PortResult<u64> {
        const DUE: &str = "UPDATE carrack.operations SET images = 'forgetting'
             WHERE images = 'kept' AND finished_at <= clock_timestamp() - make_interval(secs => $1)";
        const FORGOTTEN: &str = "UPDATE carrack.operations o SET images = 'forgotten'
             WHERE images = 'forgetting'
               AND NOT EXISTS (SELECT FROM carrack.images i WHERE i.operation = o.id)";
        const NEXT: &str = "SELECT id FROM carrack.operations WHERE images = 'forgetting'
             ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED";
        const FORGET: &str = "DELETE FROM carrack.images WHERE (operation, id) IN (
                 SELECT operation, id FROM carrack.images WHERE operation = $1 LIMIT $2)";
        let what = "forget images";
        let mut client = self.client().await?;
        execute(&client, what, DUE, &[&seconds(keep)]).await?;
        execute(&client, what, FORGOTTEN, &[]).await?;
        let tx = client.transaction().await.map_err(failed(what))?;
        let Some(next) = query_opt(&tx, what, NEXT, &[]).await? else { return Ok(0) };
        let operation: Uuid = get(&next, "id")?;
        let removed = execute(&tx, what, FORGET, &[&operation, &FORGOTTEN_TOGETHER]).await?;
        tx.commit().await.map_err(failed(what))?;
        Ok(removed)
    }
}
