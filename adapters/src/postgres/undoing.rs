//! What is kept so that imports can be undone.

use std::time::Duration;

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::port::Undoing;
use uuid::Uuid;

use super::PostgresStore;
use super::error::failed;
use super::sql::{execute, get, query_opt, seconds};

/// Images that are removed in one transaction.
const FORGOTTEN_TOGETHER: i64 = 10_000;

#[async_trait]
impl Undoing for PostgresStore {
    async fn forget_images(&self, keep: Duration) -> PortResult<u64> {
        const DUE: &str = "UPDATE carrack.operations SET images = 'forgetting'
             WHERE images = 'kept' AND finished_at <= clock_timestamp() - make_interval(secs => $1)";
        const FORGOTTEN: &str = "UPDATE carrack.operations o SET images = 'forgotten'
             WHERE images = 'forgetting'
               AND NOT EXISTS (SELECT FROM carrack.images i WHERE i.operation = o.id)";
        const NEXT: &str = "SELECT id FROM carrack.operations WHERE images = 'forgetting'
             ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED";
        const FORGET: &str = "DELETE FROM carrack.images WHERE (operation, data_type, key) IN (
                 SELECT operation, data_type, key FROM carrack.images WHERE operation = $1 LIMIT $2)";
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
