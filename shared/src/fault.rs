//! What is wrong with one record, and where: the fault, and the reject that is stored for the user.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::record::Position;

/// The step of the pipeline that refused a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The layers around the text could not be opened.
    Open,
    /// The boundaries of the record could not be found, or it is larger than a record may be.
    Frame,
    /// The bytes of the record are not what the format allows.
    Decode,
    /// The values cannot be transformed as the mapping says.
    Transform,
    /// The values do not fit the schema.
    Validate,
    /// The key is already taken.
    Duplicate,
    /// The table refused the row.
    Load,
}

/// One thing that is wrong with one record. A fault is a value, never an `Err`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The step that found it.
    pub stage: Stage,
    /// The stable code, such as `date.invalid`; `docs/faults.md` lists them all.
    pub code: Cow<'static, str>,
    /// The field, where the fault belongs to one; null otherwise, as everywhere in documents.
    #[serde(default)]
    pub field: Option<String>,
    /// What was found and what was expected: lowercase, without a final period.
    pub message: String,
}

impl Fault {
    /// A fault of the whole record.
    pub fn new(stage: Stage, code: &'static str, message: impl Into<String>) -> Self {
        Self { stage, code: Cow::Borrowed(code), field: None, message: message.into() }
    }

    /// The same fault, named as belonging to `field`.
    pub fn in_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

/// Where the bytes of a rejected record are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// In the reject itself, whole ([`crate::limits::INLINE_FRAME_BYTES`] at most).
    Inline(Bytes),
    /// In an object, whole, under this key.
    Object(String),
}

/// A refused record: its faults, its place in the input, and its bytes as they stood there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Source and record number.
    pub position: Position,
    /// Line of the record's first byte in its source, from 1.
    pub line: u64,
    /// First byte of the record in its source.
    pub byte_start: u64,
    /// Bytes of the record.
    pub byte_length: u64,
    /// SHA-256 of the record's bytes.
    pub sha256: [u8; 32],
    /// What is wrong, in the order of the fields; never empty.
    pub faults: Vec<Fault>,
    /// The record's key, kept for duplicates so that the finaliser can name the winner.
    pub key: Option<String>,
    /// For a duplicate inside the import: the record that won the key.
    pub winner: Option<Position>,
    /// The record's bytes.
    pub frame: Frame,
}
