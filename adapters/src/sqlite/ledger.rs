//! The ledger: one row per committed batch, in the batch's own transaction, never edited.

use carrack_shared::operation::{OperationId, Totals};
use carrack_shared::port::batches::{ExportEffect, Part};
use carrack_shared::port::progress::BatchTotals;
use carrack_shared::tally::Tally;
use rusqlite::{Connection, Row, named_params};

use super::error::SqlResult;
use super::stored::{all, count, execute, first, id, integer, number};

/// A row to be written.
pub(super) struct Entry<'effect> {
    /// The operation.
    pub operation: OperationId,
    /// Which attempt at an export.
    pub generation: u32,
    /// The batch.
    pub batch: u32,
    /// The lease under which it is committed.
    pub lease_epoch: i64,
    /// The counts.
    pub tally: Tally,
    /// Bytes read or written.
    pub bytes: u64,
    /// The part of an export.
    pub part: Option<&'effect ExportEffect>,
}

/// Writes a row. Fails if the batch has one, or if its counts do not add up.
pub(super) fn insert(connection: &Connection, entry: &Entry<'_>, committed_at: &str) -> SqlResult<()> {
    let sql = "INSERT INTO carrack_ledger (operation, generation, batch, lease_epoch, read, created, updated,
                   unchanged, skipped, rejected, filtered, bytes, part_key, part_etag, part_frames,
                   committed_at, worker)
               VALUES (:operation, :generation, :batch, :lease_epoch, :read, :created, :updated,
                   :unchanged, :skipped, :rejected, :filtered, :bytes, :part_key, :part_etag,
                   :part_frames, :committed_at,
                   (SELECT lease_owner FROM carrack_batches
                    WHERE operation = :operation AND generation = :generation AND number = :batch))";
    execute(
        connection,
        sql,
        named_params! {
            ":operation": id(entry.operation),
            ":generation": entry.generation,
            ":batch": entry.batch,
            ":lease_epoch": entry.lease_epoch,
            ":read": integer(entry.tally.read),
            ":created": integer(entry.tally.created),
            ":updated": integer(entry.tally.updated),
            ":unchanged": integer(entry.tally.unchanged),
            ":skipped": integer(entry.tally.skipped),
            ":rejected": integer(entry.tally.rejected),
            ":filtered": integer(entry.tally.filtered),
            ":bytes": integer(entry.bytes),
            ":part_key": entry.part.map(|part| &part.key),
            ":part_etag": entry.part.map(|part| &part.etag),
            ":part_frames": entry.part.map(|part| &part.frames),
            ":committed_at": committed_at,
        },
    )?;
    Ok(())
}

/// The sum over the current generation.
pub(super) fn totals(connection: &Connection, operation: OperationId) -> SqlResult<Totals> {
    let sql = "SELECT count(*) AS batches, sum(l.bytes) AS bytes, sum(read) AS read,
                   sum(created) AS created, sum(updated) AS updated, sum(unchanged) AS unchanged,
                   sum(skipped) AS skipped, sum(rejected) AS rejected, sum(filtered) AS filtered
               FROM carrack_operations AS o
               JOIN carrack_ledger AS l ON l.operation = o.id AND l.generation = o.generation
               WHERE o.id = ?1";
    let found = first(connection, sql, [id(operation)], |row| {
        // A sum over no rows is null.
        Ok(if count(row, "batches")? == 0 { Totals::default() } else { entry(row)? })
    })?;
    Ok(found.unwrap_or_default())
}

/// The rows of the current generation, in the order of the batches.
pub(super) fn rows(connection: &Connection, operation: OperationId) -> SqlResult<Vec<BatchTotals>> {
    let sql = "SELECT l.*, 1 AS batches FROM carrack_operations AS o
               JOIN carrack_ledger AS l ON l.operation = o.id AND l.generation = o.generation
               WHERE o.id = ?1 ORDER BY l.batch";
    all(connection, sql, [id(operation)], |row| {
        Ok(BatchTotals { batch: number(row, "batch")?, totals: entry(row)? })
    })
}

/// The parts of an export, of the current generation, in the order of the batches.
pub(super) fn parts(connection: &Connection, operation: OperationId) -> SqlResult<Vec<Part>> {
    let sql = "SELECT l.*, coalesce(b.table_number, 0) AS table_number FROM carrack_operations AS o
               JOIN carrack_ledger AS l ON l.operation = o.id AND l.generation = o.generation
               JOIN carrack_batches AS b ON b.operation = l.operation AND b.generation = l.generation
                   AND b.number = l.batch
               WHERE o.id = ?1 AND l.part_key IS NOT NULL ORDER BY l.batch";
    all(connection, sql, [id(operation)], |row| {
        let effect = ExportEffect {
            key: row.get("part_key")?,
            etag: row.get("part_etag")?,
            bytes: count(row, "bytes")?,
            rows: count(row, "read")?,
            frames: row.get::<_, Option<_>>("part_frames")?.unwrap_or_default(),
        };
        Ok(Part { batch: number(row, "batch")?, table: number(row, "table_number")?, effect })
    })
}

/// The columns of a row, or of a sum of rows.
pub(super) fn entry(row: &Row<'_>) -> SqlResult<Totals> {
    let tally = Tally {
        read: count(row, "read")?,
        created: count(row, "created")?,
        updated: count(row, "updated")?,
        unchanged: count(row, "unchanged")?,
        skipped: count(row, "skipped")?,
        rejected: count(row, "rejected")?,
        filtered: count(row, "filtered")?,
    };
    Ok(Totals { tally, bytes: count(row, "bytes")?, batches: count(row, "batches")? })
}
