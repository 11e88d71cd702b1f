//! Records by hand: from a compact notation to the segments, rows and rejects of an import.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use carrack_shared::duplicates::merge::Merging;
use carrack_shared::fault::{Fault, Reject, Stage};
use carrack_shared::format::{SourceFacts, csv};
use carrack_shared::port::batches::ImportEffect;
use carrack_shared::record::{Cell, Origin, Position, Rows, Value};
use carrack_shared::schema::{self, DataType};
use carrack_shared::segment::{Batch, Extent, Facts, Packing, Segment, Staged};
use sha2::{Digest, Sha256};

/// What stands before the first record of every source, so that no offset is zero by chance.
const HEAD: &str = "[\n";

/// The type of most records.
pub(super) const CONTEXTS: &str = "contexts";

/// The other type.
pub(super) const SESSIONS: &str = "sessions";

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given {
    Missing,
    Text(String),
    Instant(i64),
    Json(String),
}

pub(super) fn text(value: &str) -> Given {
    Given::Text(value.into())
}

pub(super) fn json(value: &str) -> Given {
    Given::Json(value.into())
}

/// The type of all records that are of no other.
pub(super) fn contexts() -> Arc<DataType> {
    schema::built_in("contexts").unwrap()
}

/// One record, of the type `contexts` unless it is said: the fields that it has, its bytes, and the fault for
/// which the pipeline refused it.
#[derive(Debug, Clone)]
pub(super) struct Record {
    data_type: Arc<DataType>,
    fields: HashMap<&'static str, Given>,
    frame: Vec<u8>,
    fault: Option<Fault>,
    filtered: bool,
    source: u32,
}

impl Record {
    /// A record with the required fields.
    pub(super) fn new(id: &str, title: &str) -> Self {
        let fields = [("id", text(id)), ("title", text(title)), ("content", text("some content"))];
        let frame = format!("{{\"id\":{id:?},\n \"title\":{title:?}}}");
        let data_type = contexts();
        Self {
            data_type,
            fields: fields.into(),
            frame: frame.into(),
            fault: None,
            filtered: false,
            source: 0,
        }
    }

    /// The same, left out by the filters.
    pub(super) fn left_out(self) -> Self {
        Self { filtered: true, ..self }
    }

    /// The same as one of another type.
    pub(super) fn of(self, data_type: &Arc<DataType>) -> Self {
        Self { data_type: Arc::clone(data_type), ..self }
    }

    /// The same with this value in the field, or in `extra`.
    pub(super) fn with(mut self, field: &'static str, value: Given) -> Self {
        self.fields.insert(field, value);
        self
    }

    /// The same without the field.
    pub(super) fn without(mut self, field: &str) -> Self {
        self.fields.remove(field);
        self
    }

    /// Whether it lacks required fields.
    pub(super) fn is_patch(&self) -> bool {
        self.data_type
            .fields
            .iter()
            .any(|field| field.required && !self.fields.contains_key(field.name.as_str()))
    }

    /// The same with a frame of this many bytes.
    pub(super) fn framed(mut self, bytes: usize) -> Self {
        self.frame = vec![b'x'; bytes];
        self
    }

    pub(super) fn id(&self) -> &str {
        self.plain("id")
    }

    pub(super) fn title(&self) -> &str {
        self.plain("title")
    }

    pub(super) fn source(&self) -> u32 {
        self.source
    }

    pub(super) fn data_type(&self) -> &str {
        self.data_type.name.as_str()
    }

    pub(super) fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    pub(super) fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// The values in the order of the schema, `extra` last.
    pub(super) fn values(&self) -> Vec<Given> {
        let names = self.data_type.fields.iter().map(|field| field.name.as_str()).chain(["extra"]);
        names.map(|name| self.fields.get(name).cloned().unwrap_or(Given::Missing)).collect()
    }

    fn plain(&self, field: &str) -> &str {
        match &self.fields[field] {
            Given::Text(value) => value,
            other => panic!("{field} is {other:?}"),
        }
    }
}

/// The words of a notation with `prefix` before every id.
pub(super) fn prefixed(notation: &str, prefix: &str) -> Vec<Record> {
    let word = |word: &str| match word.strip_prefix(['!', '?']) {
        Some(rest) => format!("{}{prefix}{rest} ", &word[..1]),
        None if word.starts_with('|') => format!("{word} "),
        None => format!("{prefix}{word} "),
    };
    records(&notation.split_whitespace().map(word).collect::<String>())
}

/// Records from `id=title` words. A word that begins with `!` was refused by the pipeline, one that begins with `?`
/// has no content; behind the word `|` the next source begins, and behind `|sessions` one of that type.
pub(super) fn records(notation: &str) -> Vec<Record> {
    let (mut records, mut source, mut data_type) = (Vec::new(), 0, CONTEXTS);
    for word in notation.split_whitespace() {
        let Some((id, title)) = word.split_once('=') else {
            assert!(["|", "|sessions"].contains(&word), "{word}");
            data_type = if word == "|" { CONTEXTS } else { SESSIONS };
            source += 1;
            continue;
        };
        let fault = id
            .starts_with('!')
            .then(|| Fault::new(Stage::Validate, "date.invalid", "expected a date").in_field("createdAt"));
        let record = Record::new(id.trim_start_matches(['!', '?']), title);
        let record = record.of(&schema::built_in(data_type).unwrap());
        let record = if id.starts_with('?') { record.without("content") } else { record };
        records.push(Record { fault, source, ..record });
    }
    records
}

/// Where the records of an import stand.
pub(super) fn positions(records: &[Record]) -> Vec<Position> {
    let runs = records.chunk_by(|one, next| one.source == next.source);
    let positions =
        runs.flat_map(|run| (1..).zip(run).map(|(number, record)| Position::new(record.source, number)));
    positions.collect()
}

/// `count` records `{prefix}0001`… that differ in their keys.
pub(super) fn many(prefix: &str, count: usize) -> Vec<Record> {
    (1..=count).map(|number| Record::new(&format!("{prefix}{number:06}"), "one of many")).collect()
}

/// A batch with what a worker makes of it.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) batch: Batch,
    pub(super) rows: Arc<Rows>,
    pub(super) rejects: Vec<Reject>,
    pub(super) filtered: u64,
}

impl Piece {
    pub(super) fn segment(&self) -> &Segment {
        match &self.batch.extent {
            Extent::Segment(segment) => segment,
            Extent::Keys(_) => panic!("a batch of an import"),
        }
    }

    pub(super) fn data_type(&self) -> &Arc<DataType> {
        self.rows.data_type()
    }

    pub(super) fn effect<'a>(&'a self, stored_frames: &'a HashMap<usize, String>) -> ImportEffect<'a> {
        let bytes = &self.segment().bytes;
        let bytes = bytes.end - bytes.start;
        let (rows, rejects, filtered) = (&self.rows, &self.rejects[..], self.filtered);
        ImportEffect { rows, rejects, stored_frames, filtered, bytes }
    }

    /// The record at `position`, refused with these faults.
    pub(super) fn reject(&self, position: Position, faults: Vec<Fault>) -> Reject {
        self.rows.reject(self.row(position), faults, None)
    }

    /// What the record at `position` lacks.
    pub(super) fn lacking(&self, position: Position) -> Vec<Fault> {
        Merging::new(self.rows.data_type(), true).lacks(&self.rows, self.row(position))
    }

    fn row(&self, position: Position) -> usize {
        let row = (0..self.rows.len()).find(|&row| self.rows.origin(row).position == position);
        row.expect("a row of this segment")
    }
}

/// Cuts the records into batches of these sizes and what is left over. A batch ends with its source at the
/// latest.
pub(super) fn cut(records: &[Record], sizes: &[usize]) -> Vec<Piece> {
    let (mut pieces, mut rest, mut sizes) = (Vec::new(), records, sizes.iter());
    let mut place = Place::default();
    while let Some(first) = rest.first() {
        if pieces.is_empty() || first.source != place.source {
            place = Place::start(first.source, place.batch);
        }
        let of_source = rest.iter().take_while(|record| record.source == first.source).count();
        let size = sizes.next().map_or(of_source, |&size| size.min(of_source));
        let (now, later) = rest.split_at(size);
        rest = later;
        if !now.is_empty() {
            pieces.push(piece(&mut place, now));
        }
    }
    pieces
}

/// Where the next segment begins.
#[derive(Default)]
struct Place {
    batch: u32,
    source: u32,
    record: u64,
    byte: u64,
    line: u64,
}

impl Place {
    fn start(source: u32, batch: u32) -> Self {
        Self { batch, source, record: 1, byte: HEAD.len() as u64, line: 1 + newlines(HEAD.as_bytes()) }
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|&byte| u64::from(byte == b'\n')).sum()
}

fn piece(place: &mut Place, records: &[Record]) -> Piece {
    let source = records.iter().map(|record| &record.frame[..]).collect::<Vec<_>>().join(&b'\n');
    let source = Bytes::from(source);
    let bytes = place.byte..place.byte + source.len() as u64;
    // Stores keep hash and packing and never look into them. Every other batch is of a packed source.
    let packed = place.batch % 2 == 1;
    let staged = Staged { key: format!("staged/{}", place.batch), etag: "\"1\"".into() };
    let segment = Segment {
        source: place.source,
        first_record: place.record,
        first_line: place.line,
        records: u32::try_from(records.len()).unwrap(),
        hash: (!packed).then(|| Sha256::digest(&source).into()),
        fault: None,
        packing: packed.then(|| Packing {
            staged: Some(staged),
            bytes: 0..90,
            text: bytes.clone(),
            share: 9,
        }),
        bytes,
    };
    let data_type = Arc::clone(&records[0].data_type);
    let mut rows = Rows::new(data_type, source.clone(), segment.bytes.start, segment.first_line);
    let (mut rejects, mut filtered, mut end) = (Vec::new(), 0, 0);
    for record in records {
        let frame = end..end + u32::try_from(record.frame.len()).unwrap();
        end = frame.end + 1;
        let position = Position::new(place.source, place.record);
        place.record += 1;
        match &record.fault {
            Some(fault) => rejects.push(rows.reject_frame(position, frame, vec![fault.clone()])),
            None if record.filtered => filtered += 1,
            None => push(&mut rows, Origin { position, frame }, record),
        }
    }
    let batch = Batch { number: place.batch, extent: Extent::Segment(segment) };
    place.batch += 1;
    place.byte += source.len() as u64 + 1;
    place.line += newlines(&source) + 1;
    Piece { batch, rows: Arc::new(rows), rejects, filtered }
}

fn push(rows: &mut Rows, origin: Origin, record: &Record) {
    let mut cells = Vec::new();
    for value in record.values() {
        cells.push(match value {
            Given::Missing => Cell::Missing,
            Given::Text(value) => Cell::Text(rows.span_of_copy(value.as_bytes())),
            Given::Instant(micros) => Cell::Instant(micros),
            Given::Json(value) => Cell::Json(rows.span_of_copy(value.as_bytes())),
        });
    }
    rows.push(origin, &cells);
}

/// The values of a row, to be compared with [`Record::values`].
pub(super) fn values(rows: &Rows, row: usize) -> Vec<Given> {
    let owned = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let values = (0..rows.width()).map(|slot| match rows.value(row, slot) {
        Value::Missing => Given::Missing,
        Value::Text(bytes) => Given::Text(owned(bytes)),
        Value::Instant(micros) => Given::Instant(micros),
        Value::Json(bytes) => Given::Json(owned(bytes)),
    });
    values.collect()
}

/// What a planner learns of every source.
pub(super) fn facts() -> Facts {
    Facts::File(SourceFacts::Csv(csv::Facts {
        columns: vec!["id".into(), "Größe \"m²\"".into()],
        dialect: csv::Dialect::default(),
    }))
}
