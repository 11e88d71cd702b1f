//! What is learned from the first bytes of a source, before its first record.

use super::piece::Piece;
use crate::fault::Fault;
use crate::format::{Format, FrameRange, Framer, SourceFacts, csv, json};
use crate::limits::HEADER_BYTES;

/// What is known of the source.
#[derive(Debug)]
pub(super) enum Head {
    /// Nothing: it is JSON before its first value.
    Unknown,
    /// The part of a CSV header that has been read, and where the header seems to begin: what looks like
    /// its first bytes can turn out to be a byte order mark.
    Header { start: u64, row: Vec<u8> },
    /// All there is to know.
    Known(SourceFacts),
}

impl Head {
    /// Before the first byte.
    pub fn of(format: Format) -> Self {
        match format {
            Format::Json => Self::Unknown,
            Format::Csv => Self::Header { start: 0, row: Vec::new() },
        }
    }

    /// What is known; none while the head has not been read.
    pub fn facts(&self) -> Option<&SourceFacts> {
        match self {
            Self::Known(facts) => Some(facts),
            Self::Unknown | Self::Header { .. } => None,
        }
    }

    /// Learns from a piece, which `framer` has taken. Answers how many of the frames belong to the head.
    ///
    /// # Errors
    /// When the head is such that no record can be read, and where it begins.
    pub fn read(
        &mut self,
        framer: &Framer,
        piece: Piece<'_>,
        frames: &[FrameRange],
    ) -> Result<usize, (Fault, u64)> {
        match self {
            Self::Known(_) => Ok(0),
            Self::Unknown => {
                if let Framer::Json(framer) = framer
                    && let Some(facts) = framer.facts()
                {
                    *self = Self::Known(SourceFacts::Json(facts));
                }
                Ok(0)
            }
            Self::Header { start, row } => {
                let found = frames.first().cloned().or(framer.open().map(|start| start..piece.end()));
                let Some(found) = found else { return Ok(0) };
                if *start != found.start {
                    *start = found.start;
                    row.clear();
                }
                // One byte over the limit is enough to see that the limit is passed.
                let room = (HEADER_BYTES + 1).saturating_sub(row.len());
                let part = piece.part(found);
                row.extend_from_slice(&part[..part.len().min(room)]);
                if row.len() > HEADER_BYTES {
                    return Err((csv::header_too_long(), *start));
                }
                if frames.is_empty() {
                    return Ok(0);
                }
                let facts = csv::read_header(row).map_err(|fault| (fault, *start))?;
                *self = Self::Known(SourceFacts::Csv(facts));
                Ok(1)
            }
        }
    }

    /// The head cannot be read: a segment needs facts, even one that is never decoded.
    pub fn give_up(&mut self) {
        *self = match self {
            Self::Known(_) => return,
            Self::Unknown => Self::Known(SourceFacts::Json(json::Facts { shape: json::Shape::Values })),
            Self::Header { .. } => Self::Known(SourceFacts::Csv(csv::Facts { columns: Vec::new() })),
        };
    }
}
