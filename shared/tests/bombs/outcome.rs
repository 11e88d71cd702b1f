//! Runs an input through splitter and plan as an import does, and tells how its records end.

use std::collections::BTreeMap;

use bytes::Bytes;
use carrack_shared::fault::Fault;
use carrack_shared::format::Format;
use carrack_shared::format::reading::Reading;
use carrack_shared::limits;
use carrack_shared::pipeline::Plan;
use carrack_shared::pipeline::split::{Rules, Splitter};
use jiff::Timestamp;

use crate::support::{contexts, spec};

/// Bytes of one read.
const PIECE: usize = 256 * 1024;

/// As the planner cuts.
const RULES: Rules = Rules {
    batch_records: limits::BATCH_RECORDS,
    batch_bytes: limits::BATCH_BYTES,
    record_bytes: limits::RECORD_BYTES,
};

/// How many records came to each end: `good`, or the codes of their faults.
pub fn ends(format: Format, input: &Bytes) -> BTreeMap<String, u64> {
    let mut ends = BTreeMap::new();
    let mut splitter = Splitter::new(0, format, &Reading::default(), input.len() as u64, RULES);
    let (mut segments, mut plan) = (Vec::new(), None);
    let mut pieces = input.chunks(PIECE);
    loop {
        let piece = pieces.next();
        let cut = match piece {
            Some(piece) => splitter.push(piece, &mut segments),
            None => splitter.finish(&mut segments),
        };
        for segment in segments.drain(..) {
            if let Some(fault) = &segment.fault {
                *ends.entry(fault.code.to_string()).or_default() += 1;
                continue;
            }
            let facts = splitter.facts().unwrap();
            let plan = plan.get_or_insert_with(|| {
                Plan::compile(&spec(format), &contexts(), &facts, Timestamp::UNIX_EPOCH)
            });
            let bytes = input.slice(segment.bytes.start as usize..segment.bytes.end as usize);
            let decoded = plan.run(&segment, &bytes).unwrap();
            if !decoded.rows.is_empty() {
                *ends.entry("good".into()).or_default() += decoded.rows.len() as u64;
            }
            for reject in &decoded.rejects {
                *ends.entry(codes(&reject.faults)).or_default() += 1;
            }
        }
        if cut.is_err() || piece.is_none() {
            break;
        }
    }
    ends
}

/// The codes, each once, in the order in which they first stand.
fn codes(faults: &[Fault]) -> String {
    let mut codes: Vec<&str> = Vec::new();
    for fault in faults {
        if !codes.contains(&fault.code.as_ref()) {
            codes.push(&fault.code);
        }
    }
    codes.join(" ")
}
