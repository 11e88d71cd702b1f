//! How the batches of an operation were shared among workers, and what became of each source.

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::operation::OperationId;
use carrack_shared::port::Workers;
use carrack_shared::port::workers::{SourceShare, WorkerShare};

use super::sql::{get, get_u32, get_u64, query};
use super::{PostgresStore, finalise, operation_row};

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

    async fn sources(&self, id: OperationId) -> PortResult<Vec<SourceShare>> {
        let rows = query(&self.client().await?, "count by source", SOURCES, &[&id.as_uuid()]).await?;
        let share = |row| {
            Ok(SourceShare {
                source: get_u32(row, "source")?,
                ledger: operation_row::read_tally(row)?,
                displaced: finalise::read_displacements(row)?,
            })
        };
        rows.iter().map(share).collect()
    }
}

/// A position is a source and, in 40 bits, a record.
const SOURCES: &str = "SELECT l.*, coalesce(d.created, 0) AS displaced_created,
            coalesce(d.updated, 0) AS displaced_updated, coalesce(d.unchanged, 0) AS displaced_unchanged
     FROM (SELECT coalesce(b.source, b.table_number, 0) AS source, sum(l.read)::bigint AS read,
                  sum(l.created)::bigint AS created, sum(l.updated)::bigint AS updated,
                  sum(l.unchanged)::bigint AS unchanged, sum(l.skipped)::bigint AS skipped,
                  sum(l.rejected)::bigint AS rejected, sum(l.filtered)::bigint AS filtered
           FROM carrack.operations o
           JOIN carrack.ledger l ON l.operation = o.id AND l.generation = o.generation
           JOIN carrack.batches b ON b.operation = l.operation AND b.generation = l.generation
               AND b.number = l.batch
           WHERE o.id = $1 GROUP BY 1) l
     LEFT JOIN (SELECT position >> 40 AS source, count(*) FILTER (WHERE counted = 'created') AS created,
                       count(*) FILTER (WHERE counted = 'updated') AS updated,
                       count(*) FILTER (WHERE counted = 'unchanged') AS unchanged
                FROM carrack.displaced WHERE operation = $1 GROUP BY 1) d USING (source)
     ORDER BY source";
