//! Cuts a source into segments, in one pass, in memory that does not depend on the source.

use crate::fault::Fault;
use crate::format::{Format, SourceFacts};
use crate::port::planning::Cursor;
use crate::segment::Segment;

/// Where segments end.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Records of a segment, at most.
    pub batch_records: u32,
    /// Bytes of a segment, at most, unless one record is longer.
    pub batch_bytes: u64,
    /// Bytes of a record, at most; a longer one becomes a segment of its own, refused.
    pub record_bytes: u64,
}

/// Why and where the source cannot be cut any further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// What is wrong.
    pub fault: Fault,
    /// Number of the record in which it was found, from 1.
    pub record: u64,
    /// Line on which that record begins, from 1.
    pub line: u64,
    /// First byte of that record.
    pub byte: u64,
}

/// Cuts one source.
#[derive(Debug)]
pub struct Splitter {}

#[allow(unused)]
impl Splitter {
    /// At the first byte of source number `source`, which is `length` bytes long.
    pub fn new(source: u32, format: Format, length: u64, rules: Rules) -> Self {
        todo!()
    }

    /// Where an earlier splitter of the same source stood at `cursor`; the next byte pushed is
    /// `cursor.byte`.
    pub fn resume(source: u32, facts: &SourceFacts, cursor: &Cursor, length: u64, rules: Rules) -> Self {
        todo!()
    }

    /// Takes the next piece and appends the segments that end in it.
    ///
    /// # Errors
    /// When framing breaks off. What stood before is in `segments`, and the remainder of the source as one
    /// last segment with a fault. The splitter must not be used further.
    pub fn push(&mut self, piece: &[u8], segments: &mut Vec<Segment>) -> Result<(), Broken> {
        todo!()
    }

    /// The source is over: appends what is left as a last segment.
    ///
    /// # Errors
    /// As [`Splitter::push`].
    pub fn finish(&mut self, segments: &mut Vec<Segment>) -> Result<(), Broken> {
        todo!()
    }

    /// What is known of the source; none while its head has not been read. Known before the first segment
    /// is handed out.
    pub fn facts(&self) -> Option<SourceFacts> {
        todo!()
    }

    /// Moves `cursor` behind the last segment that was handed out: its byte, records and line. Batch
    /// numbers and totals are the caller's.
    pub fn mark(&self, cursor: &mut Cursor) {
        todo!()
    }
}
