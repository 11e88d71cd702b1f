//! Batches: the unit of work, retry and ledger, and the bytes or keys that one is made of.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::format::SourceFacts;
use crate::operation::Operation;
use crate::suspicion::Suspicion;

/// The bytes of one import batch, found once by the planner and stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Number of the source.
    pub source: u32,
    /// From the first byte of the first record to the last byte of the last one.
    pub bytes: Range<u64>,
    /// Number of the first record in its source, from 1.
    pub first_record: u64,
    /// Line of the first byte in its source, from 1.
    pub first_line: u64,
    /// Records.
    pub records: u32,
    /// BLAKE3 of the bytes. None when `fault` is there, for the bytes are then not read as one, and where the
    /// planner has not seen them: the frames of a source that is split by its index vouch for themselves.
    pub hash: Option<[u8; 32]>,
    /// A segment that cannot be decoded is one record, refused with this fault: an oversized record, or
    /// all that follows the place where framing broke off.
    pub fault: Option<Fault>,
    /// Where the bytes are to be had, if they are not those of the source as they stand there.
    pub packing: Option<Packing>,
}

impl Segment {
    /// Bytes of the source for which it stands, as they lie there.
    pub fn share(&self) -> u64 {
        self.packing.as_ref().map_or(self.bytes.end - self.bytes.start, |packing| packing.share)
    }
}

/// Where the text of a segment lies whose source is compressed or in another encoding. `Segment::bytes` then
/// counts the bytes of the text, as if the source had been opened as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packing {
    /// The object into which the planner has put it; none where it is whole frames of the source itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<Staged>,
    /// What to read of that object, or of the source behind its encryption.
    pub bytes: Range<u64>,
    /// The text to which this opens.
    pub text: Range<u64>,
    /// Bytes of the source for which the segment stands, as it lies there: for telling how much is done.
    pub share: u64,
}

/// An object with a piece of a source's text, made by a planner for workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staged {
    /// Its key.
    pub key: String,
    /// Its version.
    pub etag: String,
}

/// Rows of one export batch: keys `from..=to`, by bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRange {
    /// Number of the table among those of the export, from 0.
    pub table: u32,
    /// The first key.
    pub from: String,
    /// The last key.
    pub to: String,
    /// Number of the first row among all rows of the table, from 1.
    pub first: u64,
    /// Rows between them, in the snapshot.
    pub rows: u32,
}

impl KeyRange {
    /// Number of the first row behind this range.
    pub fn next(&self) -> u64 {
        self.first + u64::from(self.rows)
    }
}

/// What a batch consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// Of an import.
    Segment(Segment),
    /// Of an export.
    Keys(KeyRange),
}

impl Extent {
    /// Records of the batch.
    pub fn records(&self) -> u32 {
        match self {
            Self::Segment(segment) => segment.records,
            Self::Keys(keys) => keys.rows,
        }
    }
}

/// A planned batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its number in the operation, from 0, in the order of the input.
    pub number: u32,
    /// What it consists of.
    pub extent: Extent,
}

/// A batch that this worker holds until its lease ends or somebody takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The batch.
    pub batch: Batch,
    /// Fences every write: a commit with an older epoch is refused.
    pub lease_epoch: i64,
    /// Earlier executions that ended without an answer.
    pub deaths: u32,
    /// What earlier holders noted of what ended them.
    pub suspicion: Suspicion,
}

/// What the planner learned of one source, for the workers: of a file how it is to be read, of a table how
/// all workers see it in the same state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Facts {
    /// Of an import's source.
    File(SourceFacts),
    /// Of an export's table.
    Table(TableFacts),
}

/// What the workers of an export have to know of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFacts {
    /// The snapshot under which to read.
    pub snapshot: String,
    /// Whether any record has fields outside the schema.
    pub has_extra: bool,
}

/// What a worker gets when it claims the batches of a task.
#[derive(Debug, Clone)]
pub struct ClaimedRun {
    /// The operation, running.
    pub operation: Operation,
    /// The batches that were free, by number.
    pub claims: Vec<Claim>,
}
