//! Reads a file as an import does, into records that are all fields outside the schema: whatever members
//! they have, their values can be compared.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use carrack_shared::fault::Fault;
use carrack_shared::format::Format;
use carrack_shared::format::reading::Reading;
use carrack_shared::limits;
use carrack_shared::pipeline::Plan;
use carrack_shared::pipeline::split::{Rules, Splitter};
use carrack_shared::record;
use carrack_shared::schema::{DataType, Identifier};
use carrack_shared::spec::ImportSpec;
use jiff::Timestamp;
use serde_json::Value;

use crate::taken;

const MOST_TIME: Duration = Duration::from_secs(1);
const MOST_MEMORY: usize = 256 * 1024 * 1024;

/// What became of a file: its records in order, each as the JSON that is stored or with the code of its first
/// fault. What broke off the reading is the last one.
pub type Read = Vec<Result<String, String>>;

/// Reads `input` within the time and the memory that are promised.
pub fn read(format: Format, input: &str) -> Read {
    let input = Bytes::copy_from_slice(input.as_bytes());
    let (read, taken) = taken::by(|| records(format, &input));
    assert!(taken.time < MOST_TIME && taken.memory < MOST_MEMORY, "{taken:?} for {input:?}");
    read
}

fn records(format: Format, input: &Bytes) -> Read {
    let rules = Rules {
        batch_records: limits::BATCH_RECORDS,
        batch_bytes: limits::BATCH_BYTES,
        record_bytes: limits::RECORD_BYTES,
    };
    let mut splitter = Splitter::new(0, format, &Reading::default(), input.len() as u64, rules);
    let mut segments = Vec::new();
    let broken = splitter.push(input, &mut segments).and_then(|()| splitter.finish(&mut segments)).err();
    let mut found = Vec::new();
    for segment in &segments {
        let place = |at: u64| usize::try_from(at).unwrap();
        let bytes = place(segment.bytes.start)..place(segment.bytes.end);
        if let Some(fault) = &segment.fault {
            found.push((segment.first_record, Err(refusal(fault, &bytes, segment.first_line, input))));
            continue;
        }
        let plan =
            Plan::compile(&spec(format), &anything(), &splitter.facts().unwrap(), Timestamp::UNIX_EPOCH);
        let decoded = plan.run(segment, &input.slice(bytes)).unwrap();
        let rows = &decoded.rows;
        found.extend((0..rows.len()).map(|row| (rows.origin(row).position.record(), Ok(value(rows, row)))));
        found.extend(decoded.rejects.iter().map(|reject| {
            let bytes = place(reject.byte_start)..place(reject.byte_start + reject.byte_length);
            (reject.position.record(), Err(refusal(&reject.faults[0], &bytes, reject.line, input)))
        }));
    }
    // A break without a byte behind it has no segment.
    if let Some(broken) = broken.filter(|broken| broken.byte >= input.len() as u64 || segments.is_empty()) {
        let place = usize::try_from(broken.byte).unwrap();
        found.push((broken.record, Err(refusal(&broken.fault, &(place..input.len()), broken.line, input))));
    }
    found.sort_by_key(|(record, _)| *record);
    found.into_iter().map(|(_, end)| end).collect()
}

/// The code of a fault, once its place has been seen to lie in the input.
fn refusal(fault: &Fault, bytes: &Range<usize>, line: u64, input: &Bytes) -> String {
    let lines = 1 + input.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() as u64;
    assert!(bytes.start <= bytes.end && bytes.end <= input.len(), "{fault:?} at {bytes:?}");
    assert!((1..=lines).contains(&line), "{fault:?} on line {line} of {lines}");
    assert!(!fault.message.is_empty());
    fault.code.to_string()
}

fn value(rows: &record::Rows, row: usize) -> String {
    match rows.value(row, 0) {
        record::Value::Json(members) => String::from_utf8(members.to_vec()).unwrap(),
        _ => "{}".into(),
    }
}

/// A type without a field.
fn anything() -> Arc<DataType> {
    Arc::new(DataType { name: Identifier::new("anything").unwrap(), fields: Vec::new(), key: 0 })
}

fn spec(format: Format) -> ImportSpec {
    ImportSpec::new("anything", format)
}

/// Whether a record is equal to a value; numbers are by their value, however they are written.
pub fn same(record: &str, value: &Value) -> bool {
    same_value(&serde_json::from_str(record).unwrap(), value)
}

fn same_value(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same_value(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let has = |(name, value): (&String, &Value)| {
                other.get(name).is_some_and(|other| same_value(value, other))
            };
            one.len() == other.len() && one.iter().all(has)
        }
        _ => one == other,
    }
}
