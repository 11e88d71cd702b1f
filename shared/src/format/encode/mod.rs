//! Writes rows in a format, in parts that give one file when they are joined.

pub(super) mod csv;
pub(super) mod json;
pub(super) mod markdown;
pub(super) mod xml;
pub(super) mod yaml;

use std::sync::Arc;

use crate::format::Format;
use crate::format::instant;
use crate::format::json::members;
use crate::format::members::string;
use crate::record::{Rows, Value};
use crate::schema::{DataType, METADATA};

/// What an export holds beside the schema's fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Whether the field `metadata` is written.
    pub metadata: bool,
    /// Whether any record of the export has fields outside the schema (CSV then has the column `extra`).
    pub extra: bool,
}

/// Whether the value of a field is a number or a boolean. The type of the field says so, too: formats that
/// know only texts write it as one.
fn is_scalar(json: &[u8]) -> bool {
    matches!(json.first(), Some(b'-' | b'0'..=b'9' | b't' | b'f'))
}

/// How a format writes.
pub(super) trait Writer: Sync {
    /// The name of a field, as it stands with its value or in a header.
    fn name(&self, name: &str) -> Vec<u8>;

    /// See [`Encoder::head`].
    fn head(&self, encoder: &Encoder) -> Vec<u8>;

    /// See [`Encoder::between`].
    fn between(&self) -> &'static [u8];

    /// See [`Encoder::tail`].
    fn tail(&self, empty: bool) -> &'static [u8];

    /// Appends one row to a part; it is the `number`th of the file, from 1.
    fn row(&self, encoder: &Encoder, rows: &Rows, row: usize, number: u64, part: &mut Vec<u8>);
}

/// Writes rows. A file is [`Encoder::head`], the parts with [`Encoder::between`] them, and
/// [`Encoder::tail`]; a part is what [`Encoder::rows`] appended to one buffer that began empty.
#[derive(Clone)]
pub struct Encoder {
    writer: &'static dyn Writer,
    shape: Shape,
    /// The fields that are written: their slots, and their names as the format writes them.
    fields: Vec<(usize, Vec<u8>)>,
}

impl Encoder {
    /// For rows of this type.
    pub fn new(format: Format, data_type: &Arc<DataType>, shape: Shape) -> Self {
        let writer = format.syntax().writer;
        let fields = data_type.fields.iter().map(|field| field.name.as_str()).enumerate();
        let written = fields.filter(|(_, name)| shape.metadata || *name != METADATA);
        Self { writer, shape, fields: written.map(|(slot, field)| (slot, writer.name(field))).collect() }
    }

    /// What stands before the first record.
    pub fn head(&self) -> Vec<u8> {
        self.writer.head(self)
    }

    /// What stands between two parts, neither of which is empty.
    pub fn between(&self) -> &'static [u8] {
        self.writer.between()
    }

    /// What stands behind the last record; `empty` if there was none.
    pub fn tail(&self, empty: bool) -> &'static [u8] {
        self.writer.tail(empty)
    }

    /// Appends rows to a part; the first is the `first`th of the file, from 1.
    pub fn rows(&self, rows: &Rows, first: u64, part: &mut Vec<u8>) {
        for (row, number) in (0..rows.len()).zip(first..) {
            self.writer.row(self, rows, row, number, part);
        }
    }

    /// Appends one row to a part; it is the `number`th of the file, from 1.
    pub fn row(&self, rows: &Rows, row: usize, number: u64, part: &mut Vec<u8>) {
        self.writer.row(self, rows, row, number, part);
    }

    /// The extra fields of a row, as the text of a JSON object without its braces; empty if there are none.
    fn extra(&self, rows: &Rows, row: usize, out: &mut Vec<u8>) {
        let Value::Json(object) = rows.value(row, rows.width() - 1) else { return };
        let hidden = !self.shape.metadata && memchr::memmem::find(object, b"\"metadata\"").is_some();
        if !hidden {
            let inside = object.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}"));
            json::compact(inside.unwrap_or_default(), out);
            return;
        }
        // The field is left out everywhere, also where it was there and null.
        let start = out.len();
        for (name, value) in members(&String::from_utf8_lossy(object)).filter(|(name, _)| *name != METADATA) {
            if out.len() > start {
                out.push(b',');
            }
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            json::compact(value.as_bytes(), out);
        }
    }
}

/// Appends a field to the members of an object, unless it is missing.
fn add_member(name: &[u8], value: &Value<'_>, members: &mut Vec<u8>) {
    if *value == Value::Missing {
        return;
    }
    if !members.is_empty() {
        members.push(b',');
    }
    string(name, members);
    members.push(b':');
    match value {
        Value::Missing => {}
        Value::Text(plain) => string(plain, members),
        Value::Json(json) => members.extend_from_slice(json),
        Value::Instant(instant) => {
            members.push(b'"');
            instant::write(*instant, members);
            members.push(b'"');
        }
    }
}
