//! Runs an input through splitter and plan, cut in any way, and shows what came of every record.
#![allow(dead_code, reason = "every test file uses its own part")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "inputs of tests are small; a failure is a failed test"
)]

pub mod inputs;
mod tokens;
pub mod written;

use std::sync::Arc;

use bytes::Bytes;
use carrack_shared::fault::Fault;
use carrack_shared::format::reading::{Reading, RecordsAt};
use carrack_shared::format::{Format, SourceFacts};
use carrack_shared::mapping::Mapping;
use carrack_shared::pipeline::Plan;
use carrack_shared::pipeline::split::{Broken, Rules, Splitter};
use carrack_shared::port::planning::Cursor;
use carrack_shared::record::{Rows, Value};
use carrack_shared::schema::{self, DataType, Field, FieldType, Identifier};
use carrack_shared::segment::Segment;
use carrack_shared::spec::ImportSpec;
use jiff::Timestamp;

/// Everything in one segment.
pub const WHOLE: Rules = Rules { batch_records: u32::MAX, batch_bytes: u64::MAX, record_bytes: u64::MAX };

/// What came of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub record: u64,
    pub bytes: std::ops::Range<u64>,
    pub result: Result<Accepted, Refused>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    pub values: Vec<String>,
    pub hash: [u8; 16],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub line: u64,
    pub faults: Vec<Fault>,
    pub raw: Option<Bytes>,
}

pub fn contexts() -> Arc<DataType> {
    schema::built_in("contexts").unwrap()
}

/// A type with a field of every type.
pub fn things() -> Arc<DataType> {
    use FieldType::{Array, Binary, Boolean, Date, Decimal, Integer, Number, Object, String};
    let fields = [
        ("id", String),
        ("text", String),
        ("integer", Integer),
        ("number", Number),
        ("decimal", Decimal),
        ("boolean", Boolean),
        ("date", Date),
        ("array", Array),
        ("object", Object),
        ("binary", Binary),
    ];
    let field = |(name, field_type)| {
        Field::new(Identifier::new(name).unwrap(), field_type, field_type == String && name == "id")
    };
    let fields = fields.into_iter().map(field).collect();
    Arc::new(DataType { name: Identifier::new("things").unwrap(), fields, key: 0 })
}

pub fn spec(format: Format) -> ImportSpec {
    ImportSpec { batch_size: 10, ..ImportSpec::new("contexts", format) }
}

/// A format, and how it is to be read: a way to read an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    pub format: Format,
    pub reading: Reading,
}

impl From<Format> for Way {
    fn from(format: Format) -> Self {
        Self { format, reading: Reading::default() }
    }
}

impl Way {
    /// CSV with other bytes between and around its cells.
    pub fn table(delimiter: u8, quote: u8) -> Self {
        let reading = Reading { delimiter: Some(delimiter), quote: Some(quote), ..Reading::default() };
        Self { format: Format::Csv, reading }
    }

    /// CSV without a header row.
    pub fn headless(header: &[&str]) -> Self {
        let header = Some(header.iter().map(|&name| name.to_owned()).collect());
        Self { format: Format::Csv, reading: Reading { header, ..Reading::default() } }
    }

    /// A document with its records at a place.
    pub fn at(format: Format, path: &str) -> Self {
        let records_at = Some(RecordsAt::parse(path).unwrap());
        Self { format, reading: Reading { records_at, ..Reading::default() } }
    }
}

/// The segments of an input that is pushed in pieces of `size` bytes.
pub fn split(
    way: impl Into<Way>,
    input: &[u8],
    rules: Rules,
    size: usize,
) -> (Vec<Segment>, Option<SourceFacts>, Option<Broken>) {
    let Way { format, reading } = way.into();
    let mut splitter = Splitter::new(0, format, &reading, input.len() as u64, rules);
    let mut segments = Vec::new();
    let mut pieces = input.chunks(size.max(1));
    let pushed = pieces.try_for_each(|piece| splitter.push(piece, &mut segments));
    let broken = pushed.and_then(|()| splitter.finish(&mut segments)).err();
    (segments, splitter.facts(), broken)
}

/// The rows of every segment, and the segment itself.
pub fn decode(input: &[u8], segments: &[Segment], plan: &Plan) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for segment in segments {
        if let Some(fault) = &segment.fault {
            let result = Err(Refused { line: segment.first_line, faults: vec![fault.clone()], raw: None });
            outcomes.push(Outcome { record: segment.first_record, bytes: segment.bytes.clone(), result });
            continue;
        }
        let bytes = &input[segment.bytes.start as usize..segment.bytes.end as usize];
        let decoded = plan.run(segment, &Bytes::copy_from_slice(bytes)).unwrap();
        outcomes.extend((0..decoded.rows.len()).map(|row| accepted(&decoded.rows, row, segment)));
        outcomes.extend(decoded.rejects.into_iter().map(|reject| {
            let raw = match reject.frame {
                carrack_shared::fault::Frame::Inline(raw) => Some(raw),
                carrack_shared::fault::Frame::Object(_) => None,
            };
            let result = Err(Refused { line: reject.line, faults: reject.faults, raw });
            let bytes = reject.byte_start..reject.byte_start + reject.byte_length;
            Outcome { record: reject.position.record(), bytes, result }
        }));
    }
    outcomes.sort_by_key(|outcome| outcome.record);
    outcomes
}

fn accepted(rows: &Rows, row: usize, segment: &Segment) -> Outcome {
    let origin = rows.origin(row);
    let offset = |place: u32| segment.bytes.start + u64::from(place);
    let result = Ok(Accepted { values: values(rows, row), hash: rows.hash(row) });
    let bytes = offset(origin.frame.start)..offset(origin.frame.end);
    Outcome { record: origin.position.record(), bytes, result }
}

pub fn values(rows: &Rows, row: usize) -> Vec<String> {
    let shown = |slot| match rows.value(row, slot) {
        Value::Missing => "-".into(),
        Value::Instant(instant) => instant.to_string(),
        Value::Text(bytes) => format!("'{}'", std::str::from_utf8(bytes).unwrap()),
        Value::Json(bytes) => std::str::from_utf8(bytes).unwrap().into(),
    };
    (0..rows.width()).map(shown).collect()
}

/// What comes of every record of an input, and how it broke off.
pub fn run(way: impl Into<Way>, input: &[u8], rules: Rules, size: usize) -> (Vec<Outcome>, Option<Broken>) {
    run_as(&contexts(), way, input, rules, size)
}

/// The same for records of another type.
pub fn run_as(
    data_type: &Arc<DataType>,
    way: impl Into<Way>,
    input: &[u8],
    rules: Rules,
    size: usize,
) -> (Vec<Outcome>, Option<Broken>) {
    planned(data_type, &way.into(), None, input, rules, size)
}

/// The same through a mapping.
pub fn run_mapped(
    way: impl Into<Way>,
    mapping: Option<&Mapping>,
    input: &[u8],
    rules: Rules,
    size: usize,
) -> (Vec<Outcome>, Option<Broken>) {
    planned(&contexts(), &way.into(), mapping, input, rules, size)
}

fn planned(
    data_type: &Arc<DataType>,
    way: &Way,
    mapping: Option<&Mapping>,
    input: &[u8],
    rules: Rules,
    size: usize,
) -> (Vec<Outcome>, Option<Broken>) {
    let (segments, facts, broken) = split(way.clone(), input, rules, size);
    let Some(facts) = facts else {
        assert!(segments.is_empty(), "facts are known before the first segment");
        return (Vec::new(), broken);
    };
    let spec = ImportSpec { mapping: mapping.cloned(), ..spec(way.format) };
    let plan = Plan::compile(&spec, data_type, &facts, Timestamp::UNIX_EPOCH);
    (decode(input, &segments, &plan), broken)
}

/// The segments behind every cursor, from a splitter that was resumed there.
pub fn resumed(
    way: impl Into<Way>,
    input: &[u8],
    rules: Rules,
    size: usize,
) -> Vec<(Cursor, Vec<Segment>, Option<Broken>)> {
    let Way { format, reading } = way.into();
    let begin = || Splitter::new(0, format, &reading, input.len() as u64, rules);
    let mut splitter = begin();
    let mut cursors = vec![Cursor::default()];
    let mut segments = Vec::new();
    let _ = input.chunks(size.max(1)).try_for_each(|piece| {
        let pushed = splitter.push(piece, &mut segments);
        let mut cursor = Cursor::default();
        splitter.mark(&mut cursor);
        cursors.push(cursor);
        pushed
    });
    cursors.dedup();
    let Some(facts) = splitter.facts() else { return Vec::new() };
    let go_on = |cursor: Cursor| {
        let mut segments = Vec::new();
        let mut splitter = begin().resume(&facts, &cursor);
        let pushed = splitter.push(&input[cursor.byte as usize..], &mut segments);
        let broken = pushed.and_then(|()| splitter.finish(&mut segments)).err();
        (cursor, segments, broken)
    };
    cursors.into_iter().map(go_on).collect()
}

/// Faults as text.
pub fn shown(faults: &[Fault]) -> Vec<String> {
    let one = |fault: &Fault| {
        let field = fault.field.as_ref().map_or(String::new(), |field| format!(" {field}"));
        format!("{}{field}: {}", fault.code, fault.message)
    };
    faults.iter().map(one).collect()
}

/// The faults of the only record, or its values.
pub fn only(way: impl Into<Way>, input: &[u8]) -> Vec<String> {
    only_as(&contexts(), way, input)
}

/// The same for a record of another type.
pub fn only_as(data_type: &Arc<DataType>, way: impl Into<Way>, input: &[u8]) -> Vec<String> {
    let (outcomes, broken) = run_as(data_type, way, input, WHOLE, input.len());
    assert_eq!(broken, None);
    let [outcome] = &outcomes[..] else { panic!("found {} records", outcomes.len()) };
    match &outcome.result {
        Ok(accepted) => vec![accepted.values.join(" ")],
        Err(refused) => shown(&refused.faults),
    }
}
