//! Batches as rows of `carrack.batches`: the columns of a segment or of a range of keys.

use carrack_shared::error::PortResult;
use carrack_shared::fault::Fault;
use carrack_shared::segment::{Batch, Extent, KeyRange, Packing, Segment};
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use super::error::internal;
use super::sql::{get, get_hash_opt, get_u32, get_u32_opt, get_u64, get_u64_opt, signed};

/// The columns of a batch, of which every statement names those that it answers: see [`super::sql`].
macro_rules! batch_columns {
    () => {
        "b.number, b.records, b.source, b.byte_start, b.byte_end, b.first_record, b.first_line, b.hash, b.fault, \
         b.packing, b.key_from, b.key_to, b.table_number"
    };
}
pub(super) use batch_columns;

/// One array per column, for one statement however many batches there are.
#[derive(Default)]
pub(super) struct Columns<'plan> {
    pub(super) number: Vec<i64>,
    pub(super) records: Vec<i64>,
    pub(super) source: Vec<Option<i64>>,
    pub(super) byte_start: Vec<Option<i64>>,
    pub(super) byte_end: Vec<Option<i64>>,
    pub(super) first_record: Vec<Option<i64>>,
    pub(super) first_line: Vec<Option<i64>>,
    pub(super) hash: Vec<Option<&'plan [u8]>>,
    pub(super) fault: Vec<Option<Json<&'plan Fault>>>,
    pub(super) packing: Vec<Option<Json<&'plan Packing>>>,
    pub(super) key_from: Vec<Option<&'plan str>>,
    pub(super) key_to: Vec<Option<&'plan str>>,
    pub(super) table_number: Vec<Option<i64>>,
}

impl<'plan> Columns<'plan> {
    pub(super) fn of(batches: &'plan [Batch]) -> Self {
        let mut columns = Self::default();
        for batch in batches {
            let (segment, keys) = match &batch.extent {
                Extent::Segment(segment) => (Some(segment), None),
                Extent::Keys(keys) => (None, Some(keys)),
            };
            columns.number.push(i64::from(batch.number));
            columns.records.push(i64::from(batch.extent.records()));
            columns.source.push(segment.map(|segment| i64::from(segment.source)));
            columns.byte_start.push(segment.map(|segment| signed(segment.bytes.start)));
            columns.byte_end.push(segment.map(|segment| signed(segment.bytes.end)));
            let first = segment.map(|segment| segment.first_record).or(keys.map(|keys| keys.first));
            columns.first_record.push(first.map(signed));
            columns.first_line.push(segment.map(|segment| signed(segment.first_line)));
            columns.hash.push(segment.and_then(|segment| segment.hash.as_ref()).map(|hash| &hash[..]));
            columns.fault.push(segment.and_then(|segment| segment.fault.as_ref()).map(Json));
            columns.packing.push(segment.and_then(|segment| segment.packing.as_ref()).map(Json));
            columns.key_from.push(keys.map(|keys| keys.from.as_str()));
            columns.key_to.push(keys.map(|keys| keys.to.as_str()));
            columns.table_number.push(keys.map(|keys| i64::from(keys.table)));
        }
        columns
    }
}

/// Reads a batch.
pub(super) fn read(row: &Row) -> PortResult<Batch> {
    let number = get_u32(row, "number")?;
    let extent = match get_u64_opt(row, "source")? {
        Some(_) => Extent::Segment(read_segment(row)?),
        None => Extent::Keys(KeyRange {
            table: get_u32_opt(row, "table_number")?.unwrap_or_default(),
            from: read_key(row, "key_from")?,
            to: read_key(row, "key_to")?,
            first: get_u64(row, "first_record")?,
            rows: get_u32(row, "records")?,
        }),
    };
    Ok(Batch { number, extent })
}

fn read_key(row: &Row, column: &str) -> PortResult<String> {
    get::<Option<String>>(row, column)?
        .ok_or_else(|| internal(format!("a batch without a source and without {column}")))
}

/// Reads the columns of a segment.
pub(super) fn read_segment(row: &Row) -> PortResult<Segment> {
    let fault: Option<Json<Fault>> = get(row, "fault")?;
    let packing: Option<Json<Packing>> = get(row, "packing")?;
    Ok(Segment {
        source: get_u32(row, "source")?,
        bytes: get_u64(row, "byte_start")?..get_u64(row, "byte_end")?,
        first_record: get_u64(row, "first_record")?,
        first_line: get_u64(row, "first_line")?,
        records: get_u32(row, "records")?,
        hash: get_hash_opt(row, "hash")?,
        fault: fault.map(|Json(fault)| fault),
        packing: packing.map(|Json(packing)| packing),
    })
}
