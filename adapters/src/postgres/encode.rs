//! Cells in PostgreSQL's binary form, written straight from the buffers of the rows: for the arrays of a
//! statement and for `COPY … (FORMAT binary)`.
//!
//! `jsonb` is a version byte and the text; `timestamptz` is microseconds since 2000-01-01 in UTC; numbers and
//! booleans are told in [`super::scalar`].

use std::error::Error;

use bytes::{BufMut, BytesMut};
use carrack_shared::operation::OperationId;
use carrack_shared::record::{RecordHash, Rows, Value};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::scalar::{self, Unfit};

/// 2000-01-01T00:00:00Z in microseconds since 1970.
pub(super) const EPOCH_2000: i64 = 946_684_800_000_000;
/// The only version of `jsonb`'s binary form.
pub(super) const JSONB_VERSION: u8 = 1;
/// What stands before the rows of a binary COPY: the signature, no flags, no further header.
const COPY_HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// A cell as a parameter, or as an element of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct SqlValue<'rows>(pub(super) Value<'rows>);

impl ToSql for SqlValue<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self.0 {
            Value::Missing => return Ok(IsNull::Yes),
            Value::Text(bytes) => out.put_slice(bytes),
            Value::Instant(micros) => out.put_i64(micros - EPOCH_2000),
            Value::Json(bytes) if *ty != Type::JSONB => scalar::put(bytes, ty, out)?,
            Value::Json(bytes) => {
                out.put_u8(JSONB_VERSION);
                out.put_slice(bytes);
            }
        }
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        is_of_column(ty)
    }

    to_sql_checked!();
}

/// Whether a field may have a column of this type.
pub(super) fn is_of_column(ty: &Type) -> bool {
    matches!(*ty, Type::TEXT | Type::TIMESTAMPTZ | Type::JSONB) || scalar::is_scalar(ty)
}

/// Begins a binary COPY.
pub(super) fn begin_copy(out: &mut BytesMut) {
    out.put_slice(COPY_HEADER);
}

/// Ends a binary COPY.
pub(super) fn end_copy(out: &mut BytesMut) {
    out.put_i16(-1);
}

/// One row of a binary COPY: the cells, whose columns have these types, operation, position, hash.
pub(super) fn copy_row(
    rows: &Rows,
    row: usize,
    types: &[Type],
    operation: OperationId,
    hash: &RecordHash,
    out: &mut BytesMut,
) -> Result<(), Unfit> {
    let fields = i16::try_from(rows.width() + 3).unwrap_or(i16::MAX);
    out.put_i16(fields);
    for (slot, ty) in types.iter().enumerate() {
        match rows.value(row, slot) {
            Value::Missing => out.put_i32(-1),
            Value::Text(bytes) => put_sized(bytes, out),
            Value::Instant(micros) => put_sized(&(micros - EPOCH_2000).to_be_bytes(), out),
            Value::Json(bytes) if *ty != Type::JSONB => {
                let start = out.len();
                put_length(0, out);
                scalar::put(bytes, ty, out)?;
                let length = out.len() - start - size_of::<i32>();
                out[start..][..size_of::<i32>()].copy_from_slice(&sized(length).to_be_bytes());
            }
            Value::Json(bytes) => {
                put_length(bytes.len() + 1, out);
                out.put_u8(JSONB_VERSION);
                out.put_slice(bytes);
            }
        }
    }
    put_sized(operation.as_uuid().as_bytes(), out);
    put_sized(&rows.origin(row).position.stored().to_be_bytes(), out);
    put_sized(hash, out);
    Ok(())
}

fn put_sized(bytes: &[u8], out: &mut BytesMut) {
    put_length(bytes.len(), out);
    out.put_slice(bytes);
}

fn put_length(length: usize, out: &mut BytesMut) {
    out.put_i32(sized(length));
}

/// A record is limited to a few MiB, so a cell is far from 2 GiB.
fn sized(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}
