//! Records as the pipeline carries them: rows of cells over two byte buffers, without a map or a `String`
//! per field, and the canonical form by which two records are equal.
//!
//! # Canonical form
//! A cell is either missing, a text (UTF-8, no NUL), an instant (microseconds since 1970 in UTC) or JSON.
//! JSON is kept canonical: no white space, members sorted by length of name and then by bytes (the order of
//! PostgreSQL's `jsonb`), strings with the shortest escapes, numbers in plain decimal without an exponent
//! and without trailing zeros. So two cells are equal by value exactly when they are equal by bytes.
//!
//! # Hash
//! [`Rows::hash`] is the first 128 bits of BLAKE3 over the cells that are not missing, in the order of the
//! schema, each as a tag byte, the number of its field (u16), its length (u32, both little-endian) and its
//! bytes; the extra fields come last, under the number 65535. It decides *unchanged*, undo conflicts and
//! verification, so it must not be possible to craft two records with one hash. A type only ever gains fields
//! behind those that it has, so a new field changes no hash of a record without it.

mod position;
mod refused;

use std::borrow::Cow;
use std::iter::repeat_n;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

use crate::fault::Fault;
use crate::format::{Format, lines};
use crate::limits::INLINE_FRAME_BYTES;
use crate::mapping::Rules;
use crate::schema::DataType;

pub use position::Position;

/// The text of a cell. Cells hold whole characters only; the way round is for those that do not.
pub fn utf8(bytes: &[u8]) -> Cow<'_, str> {
    // Twice as fast as looking for what to replace.
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// The first 128 bits of BLAKE3 over a canonical record.
pub type RecordHash = [u8; 16];

/// XXH3 over a canonical record: tells accidents apart, a tenth of the time of a [`RecordHash`]. Nothing is decided by
/// it.
pub type Checksum = [u8; 16];

/// Room for the bytes of most records, so that hashing one asks for memory once.
const HASHED_BYTES: usize = 1024;

/// A run of bytes in one of the two buffers of [`Rows`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    start: u32,
    length: u32,
    scratch: bool,
}

/// The value of one field of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// The record does not have the field, or has it as null (then `extra` says so).
    Missing,
    /// UTF-8 without NUL.
    Text(Span),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Instant(i64),
    /// Canonical JSON.
    Json(Span),
}

/// The same, with its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'rows> {
    /// See [`Cell::Missing`].
    Missing,
    /// See [`Cell::Text`].
    Text(&'rows [u8]),
    /// See [`Cell::Instant`].
    Instant(i64),
    /// See [`Cell::Json`].
    Json(&'rows [u8]),
}

/// Where a row came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Source and record number.
    pub position: Position,
    /// The record's bytes, as a range of [`Rows::source`].
    pub frame: Range<u32>,
}

/// Accepted records of one data type: one cell per field of the schema and one for the extra fields.
///
/// Self-contained, so that it can go to a database's own thread.
#[derive(Debug, Clone)]
pub struct Rows {
    data_type: Arc<DataType>,
    source: Bytes,
    source_start: u64,
    first_line: u64,
    format: Format,
    scratch: Vec<u8>,
    cells: Vec<Cell>,
    origins: Vec<Origin>,
    /// The mapping that the rows have come through.
    rules: Option<Arc<Rules>>,
}

impl Rows {
    /// No rows yet, over the bytes of a segment which starts at `source_start` on line `first_line` of its
    /// source. Rows that come from a database have an empty `source`.
    pub fn new(data_type: Arc<DataType>, source: Bytes, source_start: u64, first_line: u64) -> Self {
        Self {
            data_type,
            source,
            source_start,
            first_line,
            format: Format::Json,
            scratch: Vec::new(),
            cells: Vec::new(),
            origins: Vec::new(),
            rules: None,
        }
    }

    /// The same, with lines that end as in this format; unless it is said, as in JSON.
    pub fn in_format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// The same, made by this mapping; unless it is said, by none.
    pub(crate) fn mapped_by(mut self, rules: Option<Arc<Rules>>) -> Self {
        self.rules = rules;
        self
    }

    /// Faults of the rows as whoever has written the source knows the fields.
    pub(crate) fn told(&self, faults: Vec<Fault>) -> Vec<Fault> {
        match &self.rules {
            Some(rules) => rules.told(faults),
            None => faults,
        }
    }

    /// The schema that the cells follow.
    pub fn data_type(&self) -> &Arc<DataType> {
        &self.data_type
    }

    /// Cells per row: one per field, and the extra fields last.
    pub fn width(&self) -> usize {
        self.data_type.fields.len() + 1
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.origins.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }

    /// The line on which the segment begins.
    pub fn first_line(&self) -> u64 {
        self.first_line
    }

    /// How many lines end in these bytes of the segment.
    pub fn lines_ended(&self, bytes: Range<usize>) -> u64 {
        lines::ended(self.format, &self.source[bytes])
    }

    /// The bytes of the segment.
    pub fn source(&self) -> &Bytes {
        &self.source
    }

    /// Where row `row` came from.
    pub fn origin(&self, row: usize) -> &Origin {
        &self.origins[row]
    }

    /// The value of field `slot` of row `row`; slot `width() - 1` is the extra fields, a JSON object.
    pub fn value(&self, row: usize, slot: usize) -> Value<'_> {
        self.of_cell(self.cells[row * self.width() + slot])
    }

    /// A cell over these buffers, with its bytes.
    pub fn of_cell(&self, cell: Cell) -> Value<'_> {
        match cell {
            Cell::Missing => Value::Missing,
            Cell::Text(span) => Value::Text(self.bytes(span)),
            Cell::Instant(micros) => Value::Instant(micros),
            Cell::Json(span) => Value::Json(self.bytes(span)),
        }
    }

    /// The key of row `row`: the bytes of its key field.
    pub fn key(&self, row: usize) -> &[u8] {
        match self.value(row, self.data_type.key) {
            Value::Text(bytes) => bytes,
            _ => b"",
        }
    }

    /// Bytes of the values of row `row`.
    pub fn bytes_of(&self, row: usize) -> u64 {
        let length = |slot| match self.value(row, slot) {
            Value::Text(bytes) | Value::Json(bytes) => bytes.len() as u64,
            Value::Instant(_) | Value::Missing => 0,
        };
        (0..self.width()).map(length).sum()
    }

    /// The hash of the canonical record.
    pub fn hash(&self, row: usize) -> RecordHash {
        let mut hash = RecordHash::default();
        hash.copy_from_slice(&blake3::hash(&self.canonical(row)).as_bytes()[..16]);
        hash
    }

    /// The checksum of the canonical record.
    pub fn checksum(&self, row: usize) -> Checksum {
        xxh3_128(&self.canonical(row)).to_be_bytes()
    }

    /// The values of a record, each behind its slot and its length; in one piece, for hashes are slow on many short
    /// ones.
    fn canonical(&self, row: usize) -> Vec<u8> {
        let extra = self.width() - 1;
        let mut record = Vec::with_capacity(HASHED_BYTES);
        for slot in 0..self.width() {
            let (tag, bytes, instant): (u8, &[u8], [u8; 8]) = match self.value(row, slot) {
                Value::Missing => continue,
                Value::Text(bytes) => (1, bytes, [0; 8]),
                Value::Json(bytes) => (2, bytes, [0; 8]),
                Value::Instant(micros) => (3, b"", micros.to_le_bytes()),
            };
            let bytes = if tag == 3 { &instant[..] } else { bytes };
            let number = if slot == extra { u16::MAX } else { u16::try_from(slot).unwrap_or(u16::MAX) };
            let [low, high] = number.to_le_bytes();
            let [a, b, c, d] = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
            record.extend_from_slice(&[tag, low, high, a, b, c, d]);
            record.extend_from_slice(bytes);
        }
        record
    }

    /// Bytes held in memory, for budgets.
    pub fn memory(&self) -> usize {
        self.source.len() + self.scratch.capacity() + self.cells.capacity() * size_of::<Cell>()
    }

    /// Bytes of the values that are no run of the source's.
    pub fn copied(&self) -> usize {
        self.scratch.len()
    }

    /// The bytes of row `row` as they stood in the source.
    pub fn frame(&self, row: usize) -> Bytes {
        let frame = &self.origins[row].frame;
        self.source.slice(frame.start as usize..frame.end as usize)
    }

    /// Takes the rows out for which this is false.
    pub fn keep(&mut self, keep: &[bool]) {
        let width = self.width();
        let (mut cells, mut origins) = (keep.iter().flat_map(|keep| repeat_n(*keep, width)), keep.iter());
        self.cells.retain(|_| cells.next().unwrap_or(true));
        self.origins.retain(|_| *origins.next().unwrap_or(&true));
    }

    /// Whether the frame of row `row` is too long to stand in a reject.
    pub fn is_long(&self, row: usize) -> bool {
        self.origins[row].frame.len() > INLINE_FRAME_BYTES
    }

    // --- building -------------------------------------------------------------------------------------

    /// The bytes `range` of the segment, without copying them.
    pub fn span_of_source(range: Range<u32>) -> Span {
        Span { start: range.start, length: range.end - range.start, scratch: false }
    }

    /// A copy of `bytes`.
    pub fn span_of_copy(&mut self, bytes: &[u8]) -> Span {
        let start = self.scratch_start();
        self.scratch.extend_from_slice(bytes);
        self.span_of_scratch(start)
    }

    /// Where the next byte of scratch will stand; write to [`Rows::scratch`] and close the span with
    /// [`Rows::span_of_scratch`].
    ///
    /// # Panics
    /// At 4 GiB: spans could not tell their values any more. No limit lets a batch come so far.
    pub fn scratch_start(&self) -> u32 {
        let start = u32::try_from(self.scratch.len());
        assert!(
            start.is_ok(),
            "found {} bytes of values in one batch, expected at most 4 GiB",
            self.scratch.len()
        );
        start.unwrap_or_default()
    }

    /// The buffer for values that are not a run of the segment's bytes.
    pub fn scratch(&mut self) -> &mut Vec<u8> {
        &mut self.scratch
    }

    /// Everything written to scratch since `start`.
    pub fn span_of_scratch(&self, start: u32) -> Span {
        Span { start, length: self.scratch_start() - start, scratch: true }
    }

    /// Drops what was written to scratch since `start`: the record was refused.
    pub fn truncate_scratch(&mut self, start: u32) {
        self.scratch.truncate(start as usize);
    }

    /// Which bytes of the segment a span is; none if it is a copy.
    pub(crate) fn range_in_source(span: Span) -> Option<Range<usize>> {
        (!span.scratch).then(|| span.start as usize..(span.start + span.length) as usize)
    }

    /// The bytes of a span.
    pub fn bytes(&self, span: Span) -> &[u8] {
        let buffer: &[u8] = if span.scratch { &self.scratch } else { &self.source };
        &buffer[span.start as usize..(span.start + span.length) as usize]
    }

    /// Adds a row of `width()` cells.
    pub fn push(&mut self, origin: Origin, cells: &[Cell]) {
        debug_assert_eq!(cells.len(), self.width());
        self.cells.extend_from_slice(cells);
        self.origins.push(origin);
    }

    /// Takes the row that was added last out again, with what was written to scratch since `start`.
    pub fn take_back(&mut self, start: u32) {
        let kept = self.cells.len().saturating_sub(self.width());
        self.cells.truncate(kept);
        self.origins.pop();
        self.truncate_scratch(start);
    }

    /// Makes room for `rows` more rows.
    pub fn reserve(&mut self, rows: usize) {
        self.cells.reserve(rows * self.width());
        self.origins.reserve(rows);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::fault::Stage;
    use crate::schema;

    #[test]
    fn positions_order_by_source_then_record() {
        let mut positions = [Position::new(1, 1), Position::new(0, 9), Position::new(0, 1 << 39)];
        positions.sort();
        assert_eq!(positions.map(|p| (p.source(), p.record())), [(0, 9), (0, 1 << 39), (1, 1)]);
        assert_eq!(Position::from_stored(positions[2].stored()), positions[2]);
    }

    #[test]
    fn a_hash_tells_missing_from_empty_and_text_from_json() {
        let data_type = schema::built_in("sessions").unwrap();
        let mut rows = Rows::new(data_type, Bytes::from_static(b"s1"), 0, 1);
        let id = Cell::Text(Rows::span_of_source(0..2));
        let empty = rows.span_of_copy(b"");
        let width = rows.width();
        for second in [Cell::Missing, Cell::Text(empty), Cell::Json(empty), Cell::Instant(0)] {
            let mut cells = vec![Cell::Missing; width];
            cells[0] = id;
            cells[1] = second;
            rows.push(Origin { position: Position::new(0, 1), frame: 0..2 }, &cells);
        }
        let hashes: std::collections::HashSet<_> = (0..4).map(|row| rows.hash(row)).collect();
        assert_eq!(hashes.len(), 4);
        let checksums: std::collections::HashSet<_> = (0..4).map(|row| rows.checksum(row)).collect();
        assert_eq!(checksums.len(), 4);
        assert_eq!(rows.key(0), b"s1");
    }

    #[test]
    fn a_new_field_changes_no_hash_of_a_record_without_it() {
        let hash = |data_type: DataType| {
            let mut rows = Rows::new(Arc::new(data_type), Bytes::from_static(b"s1{}"), 0, 1);
            let mut cells = vec![Cell::Missing; rows.width()];
            cells[0] = Cell::Text(Rows::span_of_source(0..2));
            cells[rows.width() - 1] = Cell::Json(Rows::span_of_source(2..4));
            rows.push(Origin { position: Position::new(0, 1), frame: 0..2 }, &cells);
            rows.hash(0)
        };
        let known = (*schema::built_in("sessions").unwrap()).clone();
        let mut grown = known.clone();
        grown.fields.push(known.fields[1].clone());
        assert_eq!(hash(known), hash(grown));
    }

    #[test]
    fn refused_rows_go_and_the_others_stay_as_they_were() {
        let source = Bytes::from_static(b"a\nb\nc\nd");
        let mut rows = Rows::new(schema::built_in("sessions").unwrap(), source, 100, 7);
        let mut cells = vec![Cell::Missing; rows.width()];
        for (frame, record) in [0..1, 2..3, 4..5, 6..7].into_iter().zip(1..) {
            cells[0] = Cell::Text(Rows::span_of_source(frame.clone()));
            rows.push(Origin { position: Position::new(0, record), frame }, &cells);
        }
        let fault = |code| vec![Fault::new(Stage::Validate, code, "x")];
        let rejects = rows.refuse(BTreeMap::from([(1, fault("b")), (3, fault("d"))]));
        let shown: Vec<_> =
            rejects.iter().map(|reject| (&*reject.faults[0].code, reject.line, reject.byte_start)).collect();
        assert_eq!(shown, [("b", 8, 102), ("d", 10, 106)]);
        let kept = |row| (rows.key(row).to_vec(), rows.origin(row).position.record());
        assert_eq!((rows.len(), kept(0), kept(1)), (2, (b"a".to_vec(), 1), (b"c".to_vec(), 3)));
    }

    #[test]
    fn a_reject_stands_on_the_line_that_its_format_counts() {
        for (format, line) in [(Format::Json, 8), (Format::Csv, 9)] {
            let source = Bytes::from_static(b"a\rb\r\nc");
            let rows = Rows::new(schema::built_in("sessions").unwrap(), source, 0, 7).in_format(format);
            assert_eq!(rows.reject_frame(Position::new(0, 3), 5..6, Vec::new()).line, line);
        }
    }
}
