//! Which bytes of a sealed content hold which bytes of the plain one: arithmetic, without a key.
//!
//! A sealed content is a head of 56 bytes and chunks of 16 KiB, each with a tag of 16 bytes behind it. The
//! last chunk is always shorter than 16 KiB, and may be empty: so every length has one cutting, and a content
//! that ends with a whole chunk is known to be cut off. Offsets count from the head, which stands behind the
//! [`Envelope`]; messages count from the beginning of the file.

use std::ops::Range;

use super::cipher::TAG;
use super::envelope::Envelope;
use crate::fault::{Fault, Stage};
use crate::limits;

/// Bytes before the first chunk: salt and commitment.
pub const HEAD: usize = 56;
/// Plain bytes of every chunk but the last.
pub const CHUNK: usize = 16 * 1024;
/// The same, sealed.
pub const SEALED_CHUNK: usize = CHUNK + TAG;

/// Sealed bytes of a content of so many plain ones.
pub fn sealed_length(plain: u64) -> u64 {
    let chunks = (plain / CHUNK as u64).saturating_mul(SEALED_CHUNK as u64);
    chunks.saturating_add(HEAD as u64 + plain % CHUNK as u64 + TAG as u64)
}

/// Plain bytes of a content of so many sealed ones.
///
/// # Errors
/// `seal.truncated`: no content has that length. `seal.too_long`.
pub fn plain_length(sealed: u64) -> Result<u64, Fault> {
    let (index, last) = last_chunk(sealed)?;
    Ok(index * CHUNK as u64 + (last.end - last.start - TAG as u64))
}

/// The number of the last chunk, and where it stands: the chunk to open first.
///
/// # Errors
/// As [`plain_length`].
pub fn last_chunk(sealed: u64) -> Result<(u64, Range<u64>), Fault> {
    let body = sealed.checked_sub(HEAD as u64).ok_or_else(|| cut_off(sealed))?;
    let (index, length) = (body / SEALED_CHUNK as u64, body % SEALED_CHUNK as u64);
    if length < TAG as u64 {
        return Err(cut_off(sealed));
    }
    check_index(index)?;
    Ok((index, sealed - length..sealed))
}

/// The sealed bytes that hold these plain ones of `plain_length`: whole chunks.
pub fn stored(plain: Range<u64>, plain_length: u64) -> Range<u64> {
    let start = offset(plain.start / CHUNK as u64);
    if plain.is_empty() {
        return start..start;
    }
    start..offset(plain.end.div_ceil(CHUNK as u64)).min(sealed_length(plain_length))
}

/// Where the chunk of this plain byte begins.
pub fn start(plain: u64) -> u64 {
    offset(plain / CHUNK as u64)
}

/// Where chunk number `index` begins.
fn offset(index: u64) -> u64 {
    index.saturating_mul(SEALED_CHUNK as u64).saturating_add(HEAD as u64)
}

/// The part of chunk number `index` that belongs to the plain range.
pub(super) fn within(plain: &Range<u64>, index: u64) -> Range<usize> {
    let start = index * CHUNK as u64;
    let clip = |at: u64| usize::try_from(at.saturating_sub(start)).map_or(CHUNK, |at| at.min(CHUNK));
    clip(plain.start)..clip(plain.end)
}

/// Refuses chunks that the construction does not allow.
pub(super) fn check_index(index: u64) -> Result<(), Fault> {
    if index < limits::SEALED_CHUNKS {
        return Ok(());
    }
    let message =
        format!("found more than {} chunks of 16 KiB, expected at most so many", limits::SEALED_CHUNKS);
    Err(Fault::new(Stage::Open, "seal.too_long", message))
}

/// The content ends where none can end.
pub(super) fn cut_off(sealed: u64) -> Fault {
    let end = sealed.saturating_add(Envelope::LENGTH as u64);
    let message =
        format!("found the end of the file at byte {end}, where no sealed file ends: it is cut off");
    Fault::new(Stage::Open, "seal.truncated", message)
}

/// The bytes of a chunk in its file, for messages.
pub(super) fn place(index: u64, length: usize) -> String {
    let start = offset(index).saturating_add(Envelope::LENGTH as u64);
    format!("bytes {start} to {}", start.saturating_add(length as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_ranges() {
        for (plain, sealed) in
            [(0, 72), (1, 73), (16_383, 16_455), (16_384, 16_472), (16_385, 16_473), (32_768, 32_872)]
        {
            assert_eq!(sealed_length(plain), sealed);
            assert_eq!(plain_length(sealed).unwrap(), plain);
        }
        for sealed in [0, 55, 56, 71, 16_456, 16_471, 32_856] {
            assert_eq!(plain_length(sealed).unwrap_err().code, "seal.truncated", "{sealed}");
        }
        for (plain, expected) in [
            (0..0, 56..56),
            (0..1, 56..16_456),
            (16_383..16_384, 56..16_456),
            (16_383..16_385, 56..16_473),
            (16_384..16_385, 16_456..16_473),
            (16_385..16_385, 16_456..16_456),
        ] {
            assert_eq!(stored(plain.clone(), 16_385), expected, "{plain:?}");
        }
    }

    #[test]
    fn the_last_chunk_of_all() {
        let longest = limits::SEALED_CHUNKS * CHUNK as u64 - 1;
        assert_eq!(plain_length(sealed_length(longest)).unwrap(), longest);
        assert_eq!(plain_length(sealed_length(longest + 1)).unwrap_err().code, "seal.too_long");
        assert_eq!(plain_length(u64::MAX).unwrap_err().code, "seal.too_long");
        assert_eq!(sealed_length(u64::MAX), u64::MAX);
    }
}
