//! Counts the lines of a source on the way, only where a number is needed.

use super::piece::Piece;
use crate::format::{Format, lines};

/// The line at some byte of the source, from 1.
#[derive(Debug)]
pub(super) struct Lines {
    format: Format,
    at: u64,
    line: u64,
    /// Whether a `\r` stands before `at`, which was counted, and a `\n` behind it would be its other half.
    halved: bool,
}

impl Lines {
    /// Byte `at` stands on line `line`.
    pub fn from(format: Format, at: u64, line: u64) -> Self {
        Self { format, at, line, halved: false }
    }

    /// Goes on to byte `to`, which lies in `piece` or at its end. A place that was passed already is taken
    /// to be on the line of the last one.
    pub fn count_to(&mut self, to: u64, piece: Piece<'_>) -> u64 {
        if to > self.at {
            let part = piece.part(self.at..to);
            self.line += lines::ended(self.format, part);
            if self.halved && part.starts_with(b"\n") {
                self.line -= 1;
            }
            self.halved = self.format == Format::Csv && part.ends_with(b"\r");
            self.at = to;
        }
        self.line
    }
}
