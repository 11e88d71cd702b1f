//! Counts the lines of a source on the way, only where a number is needed.

use super::piece::Piece;

/// The line at some byte of the source, from 1. Lines end with `\n`.
#[derive(Debug)]
pub(super) struct Lines {
    at: u64,
    line: u64,
}

impl Lines {
    /// Byte `at` stands on line `line`.
    pub fn from(at: u64, line: u64) -> Self {
        Self { at, line }
    }

    /// Goes on to byte `to`, which lies in `piece` or at its end. A place that was passed already is taken
    /// to be on the line of the last one: nothing but blanks is ever asked for twice.
    pub fn count_to(&mut self, to: u64, piece: Piece<'_>) -> u64 {
        if to > self.at {
            self.line += memchr::memchr_iter(b'\n', piece.part(self.at..to)).count() as u64;
            self.at = to;
        }
        self.line
    }
}
