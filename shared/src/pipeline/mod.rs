//! From bytes to rows: the compiled plan of an import, run on one segment at a time.
//!
//! Pure and deterministic: a batch that is executed a second time gives the same rows and the same faults.

pub mod split;
pub mod validate;

use std::sync::Arc;

use bytes::Bytes;

use crate::fault::Reject;
use crate::format::SourceFacts;
use crate::record::Rows;
use crate::schema::DataType;
use crate::segment::Segment;
use crate::spec::ImportSpec;

/// What a segment came to.
#[derive(Debug)]
pub struct Decoded {
    /// The records that passed.
    pub rows: Rows,
    /// The records that did not.
    pub rejects: Vec<Reject>,
}

/// The bytes of a segment are not what the planner saw. Never the fault of a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bytes {start}..{end} of source {source_number}: {what}")]
pub struct Mismatch {
    /// Number of the source.
    pub source_number: u32,
    /// First byte of the segment.
    pub start: u64,
    /// Behind its last byte.
    pub end: u64,
    /// What was found and expected.
    pub what: String,
}

/// An import, compiled for one source: names are resolved to slots once, not per record.
#[derive(Debug)]
pub struct Plan {}

#[allow(unused)]
impl Plan {
    /// Compiles.
    pub fn compile(spec: &ImportSpec, data_type: &Arc<DataType>, facts: &SourceFacts) -> Self {
        todo!()
    }

    /// Frames, decodes and validates one segment without a fault of its own; `bytes` are exactly its bytes.
    ///
    /// # Errors
    /// When length, hash or boundaries are not those of the plan.
    pub fn run(&self, segment: &Segment, bytes: &Bytes) -> Result<Decoded, Mismatch> {
        todo!()
    }
}
