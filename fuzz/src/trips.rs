//! What was accepted and is written in any format reads back as the same records.

use std::sync::Arc;

use bytes::Bytes;
use carrack_shared::format::Format;
use carrack_shared::format::encode::{Encoder, Shape};
use carrack_shared::pipeline::Plan;
use carrack_shared::record::Rows;
use carrack_shared::schema::DataType;
use jiff::Timestamp;

use crate::support::{WHOLE, contexts, spec, split, things};

/// Formats in which an input may be something. NDJSON is one of JSON's shapes.
const READ: [Format; 5] = [Format::Json, Format::Yaml, Format::Xml, Format::Markdown, Format::Csv];

/// Reads `input`, writes the accepted records in every format, and reads them again.
pub fn end_where_they_began(input: &[u8]) {
    for (data_type, read) in [contexts(), things()].iter().flat_map(|it| READ.map(|read| (it, read))) {
        for rows in accepted(data_type, read, input).0 {
            for written in Format::ALL {
                let file = written_in(written, &rows);
                let (again, refused) = accepted(data_type, written, &file);
                let shown = || format!("{read:?} as {written:?}: {:?}", String::from_utf8_lossy(&file));
                assert_eq!(refused, 0, "{}", shown());
                assert_eq!(again.iter().flat_map(hashes).collect::<Vec<_>>(), hashes(&rows), "{}", shown());
            }
        }
    }
}

/// The rows of every segment, and how many records were refused.
fn accepted(data_type: &Arc<DataType>, format: Format, input: &[u8]) -> (Vec<Rows>, usize) {
    let (segments, facts, broken) = split(format, input, WHOLE, input.len());
    let Some(facts) = facts else { return (Vec::new(), 0) };
    let plan = Plan::compile(&spec(format), data_type, &facts, Timestamp::UNIX_EPOCH);
    let (mut rows, mut refused) = (Vec::new(), usize::from(broken.is_some()));
    for segment in segments.iter().filter(|segment| segment.fault.is_none()) {
        let [start, end] = [segment.bytes.start, segment.bytes.end].map(|at| at as usize);
        let decoded = plan.run(segment, &Bytes::copy_from_slice(&input[start..end]));
        let decoded = decoded.expect("a segment is what the splitter saw");
        refused += decoded.rejects.len();
        rows.extend((!decoded.rows.is_empty()).then_some(decoded.rows));
    }
    (rows, refused)
}

fn written_in(format: Format, rows: &Rows) -> Vec<u8> {
    let encoder = Encoder::new(format, rows.data_type(), Shape { metadata: true, extra: true });
    let (mut file, mut part) = (encoder.head(), Vec::new());
    encoder.rows(rows, 1, &mut part);
    file.extend_from_slice(&part);
    file.extend_from_slice(encoder.tail(false));
    file
}

fn hashes(rows: &Rows) -> Vec<[u8; 16]> {
    (0..rows.len()).map(|row| rows.hash(row)).collect()
}
