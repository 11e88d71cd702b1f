//! Writes rows in a format, in parts that give one file when they are joined.

use std::sync::Arc;

use crate::format::Format;
use crate::record::Rows;
use crate::schema::DataType;

/// What an export holds beside the schema's fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Whether the field `metadata` is written.
    pub metadata: bool,
    /// Whether any record of the export has fields outside the schema (CSV then has the column `extra`).
    pub extra: bool,
}

/// Writes rows. A file is [`Encoder::head`], the parts with [`Encoder::between`] them, and
/// [`Encoder::tail`]; a part is what [`Encoder::rows`] appended to one buffer that began empty.
#[derive(Debug, Clone)]
pub struct Encoder {}

#[allow(unused, missing_docs)]
impl Encoder {
    pub fn new(format: Format, data_type: &Arc<DataType>, shape: Shape) -> Self {
        todo!()
    }
    /// What stands before the first record.
    pub fn head(&self) -> Vec<u8> {
        todo!()
    }
    /// What stands between two parts, neither of which is empty.
    pub fn between(&self) -> &'static [u8] {
        todo!()
    }
    /// What stands behind the last record; `empty` if there was none.
    pub fn tail(&self, empty: bool) -> &'static [u8] {
        todo!()
    }
    /// Appends rows to a part.
    pub fn rows(&self, rows: &Rows, part: &mut Vec<u8>) {
        todo!()
    }
}
