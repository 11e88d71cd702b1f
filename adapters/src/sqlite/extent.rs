//! What a batch consists of, as columns of `carrack_batches`.

use carrack_shared::operation::OperationId;
use carrack_shared::segment::{Batch, Extent, KeyRange, Segment};
use rusqlite::{Connection, Row, named_params};

use super::error::SqlResult;
use super::stored::{count, document, execute, id, integer, json, number, optional};

/// Writes a planned batch.
pub(super) fn insert(
    connection: &Connection,
    operation: OperationId,
    generation: u32,
    batch: &Batch,
) -> SqlResult<()> {
    match &batch.extent {
        Extent::Segment(segment) => insert_segment(connection, operation, generation, batch.number, segment),
        Extent::Keys(keys) => insert_keys(connection, operation, generation, batch.number, keys),
    }
}

fn insert_segment(
    connection: &Connection,
    operation: OperationId,
    generation: u32,
    batch: u32,
    segment: &Segment,
) -> SqlResult<()> {
    let sql = "INSERT INTO carrack_batches (operation, generation, number, records, source, byte_start,
                   byte_end, first_record, first_line, hash, fault, packing)
               VALUES (:operation, :generation, :number, :records, :source, :byte_start,
                   :byte_end, :first_record, :first_line, :hash, :fault, :packing)";
    let fault = segment.fault.as_ref().map(json).transpose()?;
    let packing = segment.packing.as_ref().map(json).transpose()?;
    execute(
        connection,
        sql,
        named_params! {
            ":operation": id(operation),
            ":generation": generation,
            ":number": batch,
            ":records": segment.records,
            ":source": segment.source,
            ":byte_start": integer(segment.bytes.start),
            ":byte_end": integer(segment.bytes.end),
            ":first_record": integer(segment.first_record),
            ":first_line": integer(segment.first_line),
            ":hash": segment.hash,
            ":fault": fault,
            ":packing": packing,
        },
    )?;
    Ok(())
}

fn insert_keys(
    connection: &Connection,
    operation: OperationId,
    generation: u32,
    batch: u32,
    keys: &KeyRange,
) -> SqlResult<()> {
    let sql =
        "INSERT INTO carrack_batches (operation, generation, number, records, first_record, key_from, key_to,
                   table_number)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let (operation, first) = (id(operation), integer(keys.first));
    let values = (operation, generation, batch, keys.rows, first, &keys.from, &keys.to, keys.table);
    execute(connection, sql, values)?;
    Ok(())
}

/// A whole row of `carrack_batches`.
pub(super) fn batch(row: &Row<'_>) -> SqlResult<Batch> {
    let extent = match optional(row, "key_from", |row, column| Ok(row.get::<_, String>(column)?))? {
        Some(from) => Extent::Keys(KeyRange {
            table: optional(row, "table_number", number)?.unwrap_or_default(),
            from,
            to: row.get("key_to")?,
            first: count(row, "first_record")?,
            rows: number(row, "records")?,
        }),
        None => Extent::Segment(segment(row)?),
    };
    Ok(Batch { number: number(row, "number")?, extent })
}

/// A whole row of `carrack_batches` of an import.
pub(super) fn segment(row: &Row<'_>) -> SqlResult<Segment> {
    Ok(Segment {
        source: number(row, "source")?,
        bytes: count(row, "byte_start")?..count(row, "byte_end")?,
        first_record: count(row, "first_record")?,
        first_line: count(row, "first_line")?,
        records: number(row, "records")?,
        hash: row.get("hash")?,
        fault: optional(row, "fault", document)?,
        packing: optional(row, "packing", document)?,
    })
}
