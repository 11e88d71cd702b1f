//! How the batches of an operation were shared among workers, and what became of each source.

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::operation::OperationId;
use carrack_shared::port::Workers;
use carrack_shared::port::workers::{SourceShare, WorkerShare};
use carrack_shared::reconcile::Displacements;
use rusqlite::Connection;

use super::error::SqlResult;
use super::finalise::displacements;
use super::stored::{all, count, id, number, parsed};
use super::{SqliteStore, ledger};

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

    async fn sources(&self, operation: OperationId) -> PortResult<Vec<SourceShare>> {
        self.reader.run(move |connection| sources(connection, operation)).await
    }
}

fn sources(connection: &Connection, operation: OperationId) -> SqlResult<Vec<SourceShare>> {
    let sql = "SELECT coalesce(b.source, b.table_number, 0) AS source, count(*) AS batches,
                   sum(l.bytes) AS bytes, sum(l.read) AS read, sum(l.created) AS created,
                   sum(l.updated) AS updated, sum(l.unchanged) AS unchanged, sum(l.skipped) AS skipped,
                   sum(l.rejected) AS rejected, sum(l.filtered) AS filtered
               FROM carrack_operations AS o
               JOIN carrack_ledger AS l ON l.operation = o.id AND l.generation = o.generation
               JOIN carrack_batches AS b ON b.operation = l.operation AND b.generation = l.generation
                   AND b.number = l.batch
               WHERE o.id = ?1 GROUP BY 1 ORDER BY 1";
    let mut shares = all(connection, sql, [id(operation)], |row| {
        let ledger = ledger::entry(row)?.tally;
        Ok(SourceShare { source: number(row, "source")?, ledger, displaced: Displacements::default() })
    })?;
    // A position is a source and, in 40 bits, a record.
    let sql = "SELECT position >> 40 AS source, sum(counted = 'created') AS created,
                   sum(counted = 'updated') AS updated, sum(counted = 'unchanged') AS unchanged
               FROM carrack_displaced WHERE operation = ?1 GROUP BY 1";
    let displaced =
        all(connection, sql, [id(operation)], |row| Ok((number(row, "source")?, displacements(row)?)))?;
    for (source, displaced) in displaced {
        let mine = shares.iter_mut().filter(|share| share.source == source);
        mine.for_each(|share| share.displaced = displaced);
    }
    Ok(shares)
}
