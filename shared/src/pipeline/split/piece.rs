//! A piece of the source, addressed by the source's offsets.

use std::ops::Range;

/// The piece at hand: its first byte's offset and its bytes.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub start: u64,
    pub bytes: &'a [u8],
}

impl<'a> Piece<'a> {
    /// Behind its last byte.
    pub fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// The part of the source's bytes `range` that lies in this piece.
    pub fn part(&self, range: Range<u64>) -> &'a [u8] {
        let index = |offset: u64| {
            usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX).min(self.bytes.len())
        };
        &self.bytes[index(range.start)..index(range.end).max(index(range.start))]
    }
}
