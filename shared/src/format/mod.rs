//! Formats: where records begin and end (framing), and what they mean (decoding and encoding), apart.
//!
//! A format has one file here; adding one touches that file, the matches of this one and a folder of
//! fixtures.

pub mod csv;
pub(crate) mod draft;
pub mod encode;
pub mod instant;
pub mod json;
pub mod lines;
pub(crate) mod shown;
pub mod sniff;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// The formats that can be read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A JSON array of objects, one object per line (NDJSON), or objects one after another.
    Json,
    /// RFC 4180 with a header row.
    Csv,
}

impl Format {
    /// The name that users write and read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }

    /// Reads back [`Format::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Json, Self::Csv].into_iter().find(|format| format.as_str() == name)
    }

    /// The media type of a file in this format.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }
}

/// What has to be known of a source to decode a segment from its middle. Found once by the planner, stored
/// with the operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "lowercase")]
pub enum SourceFacts {
    /// See [`Format::Json`].
    Json(json::Facts),
    /// See [`Format::Csv`].
    Csv(csv::Facts),
}

impl SourceFacts {
    /// The format of the source.
    pub fn format(&self) -> Format {
        match self {
            Self::Json(_) => Format::Json,
            Self::Csv(_) => Format::Csv,
        }
    }
}

/// What may stand before the first byte of a UTF-8 text, and is skipped.
pub(crate) const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// The bytes of one record: offsets from the first byte that was ever pushed into the framer.
pub type FrameRange = Range<u64>;

/// Finds where records begin and end. Fed bytes in pieces of any size; keeps no bytes itself, so its memory
/// does not depend on the size of a record.
///
/// The planner runs one over the whole source, a worker runs one over its segment: the same state machine,
/// so that they cannot disagree.
#[derive(Debug, Clone)]
pub enum Framer {
    /// See [`Format::Json`].
    Json(json::Framer),
    /// See [`Format::Csv`].
    Csv(csv::Framer),
}

impl Framer {
    /// A framer at the first byte of a source.
    pub fn new(format: Format) -> Self {
        match format {
            Format::Json => Self::Json(json::Framer::new()),
            Format::Csv => Self::Csv(csv::Framer::new()),
        }
    }

    /// A framer at the boundary between two records of a source with these facts: the first byte of a
    /// segment, or the place where planning was interrupted.
    pub fn resume(facts: &SourceFacts) -> Self {
        match facts {
            SourceFacts::Json(facts) => Self::Json(json::Framer::resume(facts)),
            SourceFacts::Csv(facts) => Self::Csv(csv::Framer::resume(facts)),
        }
    }

    /// Takes the next piece of the input and appends the records that end in it to `frames`.
    ///
    /// # Errors
    /// When what follows can no longer be framed. The frames found before that are in `frames`;
    /// [`Framer::open`] tells where the broken part begins. The framer must not be used further.
    pub fn push(&mut self, piece: &[u8], frames: &mut Vec<FrameRange>) -> Result<(), Fault> {
        match self {
            Self::Json(framer) => framer.push(piece, frames),
            Self::Csv(framer) => framer.push(piece, frames),
        }
    }

    /// The input is over: appends the record that ends with it, if there is one.
    ///
    /// # Errors
    /// As [`Framer::push`]: the input ends inside a record, or where another one was announced.
    pub fn finish(&mut self, frames: &mut Vec<FrameRange>) -> Result<(), Fault> {
        match self {
            Self::Json(framer) => framer.finish(frames),
            Self::Csv(framer) => framer.finish(frames),
        }
    }

    /// Where the record that has begun and not ended begins; none between records.
    pub fn open(&self) -> Option<u64> {
        match self {
            Self::Json(framer) => framer.open(),
            Self::Csv(framer) => framer.open(),
        }
    }

    /// A framer at offset `at` of a source with these facts, directly behind a record: offsets go on from
    /// there, and a separator that is missing is found as if nothing had been interrupted.
    pub(crate) fn behind_record(facts: &SourceFacts, at: u64) -> Self {
        match facts {
            SourceFacts::Json(facts) => Self::Json(json::Framer::behind_record(facts, at)),
            SourceFacts::Csv(_) => Self::Csv(csv::Framer::behind_record(at)),
        }
    }

    /// How far the open record reaches for sure: behind it there may be bytes that turn out not to belong
    /// to it. The bytes that were pushed, where no record is open.
    pub(crate) fn certain(&self) -> u64 {
        match self {
            Self::Json(framer) => framer.certain(),
            Self::Csv(framer) => framer.position(),
        }
    }

    /// Offset of the next byte; after an error, the place of the error.
    pub(crate) fn position(&self) -> u64 {
        match self {
            Self::Json(framer) => framer.position(),
            Self::Csv(framer) => framer.position(),
        }
    }
}
