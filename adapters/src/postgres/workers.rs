//! How the batches of an operation were shared among workers.

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::operation::OperationId;
use carrack_shared::port::Workers;
use carrack_shared::port::workers::WorkerShare;

use super::PostgresStore;
use super::sql::{get, get_u64, query};

#[async_trait]
impl Workers for PostgresStore {
    async fn workers(&self, id: OperationId) -> PortResult<Vec<WorkerShare>> {
        const SQL: &str = "SELECT l.worker, count(*) AS batches FROM carrack.operations AS o
             JOIN carrack.ledger AS l ON l.operation = o.id AND l.generation = o.generation
             WHERE o.id = $1 AND l.worker IS NOT NULL GROUP BY l.worker ORDER BY batches DESC, l.worker";
        let rows = query(&self.client().await?, "count the workers", SQL, &[&id.as_uuid()]).await?;
        let share = |row| Ok(WorkerShare { worker: get(row, "worker")?, batches: get_u64(row, "batches")? });
        rows.iter().map(share).collect()
    }
}
