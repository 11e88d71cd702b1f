//! How the batches of an operation were shared among workers.

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::operation::OperationId;
use carrack_shared::port::Workers;
use carrack_shared::port::workers::WorkerShare;

use super::SqliteStore;
use super::stored::{all, count, id, parsed};

#[async_trait]
impl Workers for SqliteStore {
    async fn workers(&self, operation: OperationId) -> PortResult<Vec<WorkerShare>> {
        let sql = "SELECT l.worker, count(*) AS batches FROM carrack_operations AS o
                   JOIN carrack_ledger AS l ON l.operation = o.id AND l.generation = o.generation
                   WHERE o.id = ?1 AND l.worker IS NOT NULL GROUP BY l.worker ORDER BY batches DESC, l.worker";
        let share = |row: &rusqlite::Row<'_>| {
            Ok(WorkerShare { worker: parsed(row, "worker")?, batches: count(row, "batches")? })
        };
        self.reader.run(move |connection| all(connection, sql, [id(operation)], share)).await
    }
}
