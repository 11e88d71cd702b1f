//! Records on their way into a file and back.

use std::sync::Arc;

use bytes::Bytes;
use carrack_shared::format::Format;
use carrack_shared::format::encode::{Encoder, Shape};
use carrack_shared::pipeline::{Decoded, Plan};
use carrack_shared::record::Rows;
use carrack_shared::schema::DataType;

use super::{WHOLE, Way, spec, split};

pub const EVERYTHING: Shape = Shape { metadata: true, extra: true };

/// What comes of the records of a file, all of which are good.
pub fn decoded(data_type: &Arc<DataType>, way: impl Into<Way>, input: &[u8]) -> Decoded {
    let way = way.into();
    let (segments, facts, broken) = split(way.clone(), input, WHOLE, 1 << 16);
    assert_eq!(broken, None, "{}", String::from_utf8_lossy(input));
    let Some(segment) = segments.first() else {
        let rows = Rows::new(Arc::clone(data_type), Bytes::new(), 0, 1);
        return Decoded { rows, rejects: Vec::new(), filtered: 0, contents: Vec::new() };
    };
    let bytes = &input[segment.bytes.start as usize..segment.bytes.end as usize];
    let plan = Plan::compile(&spec(way.format), data_type, &facts.unwrap(), jiff::Timestamp::UNIX_EPOCH);
    let decoded = plan.run(segment, &Bytes::copy_from_slice(bytes)).unwrap();
    assert!(
        decoded.rejects.is_empty(),
        "{:?} in {}",
        decoded.rejects[0].faults,
        String::from_utf8_lossy(input)
    );
    decoded
}

/// The records of a file, all of which are good.
pub fn rows(data_type: &Arc<DataType>, way: impl Into<Way>, input: &[u8]) -> Rows {
    decoded(data_type, way, input).rows
}

/// A file of `parts` equal parts, none of them empty.
pub fn encoded(format: Format, rows: &Rows, shape: Shape, parts: usize) -> Vec<u8> {
    let encoder = Encoder::new(format, rows.data_type(), shape);
    let mut file = encoder.head();
    for number in 0..parts {
        let mut part = Vec::new();
        encoder.rows(rows, 1 + (number * rows.len()) as u64, &mut part);
        if number > 0 && !part.is_empty() {
            file.extend_from_slice(encoder.between());
        }
        file.extend_from_slice(&part);
    }
    file.extend_from_slice(encoder.tail(rows.is_empty()));
    file
}

pub fn hashes(rows: &Rows) -> Vec<[u8; 16]> {
    (0..rows.len()).map(|row| rows.hash(row)).collect()
}
