//! The index of the frames of one compressed file: with it an ordinary `.gz` or `.zst` can be opened in the
//! middle.
//!
//! Its stored form, in which every number but the first is a LEB128 varint:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version: 1 |
//! | 1 to 10 | number of frames |
//! | 4 to 30 for each frame | stored bytes, bytes of text, records, line ends |
//! | 8 | the first bytes of the BLAKE3 hash of everything before |
//!
//! How it stands in a file is told in `trailer.rs`. An index is a hint: whoever uses it opens each frame as
//! a file of its own and compares what comes out with what the index says. Since the frames cover the whole
//! file, their texts one behind the other are then the text of the file, whoever wrote the index.

mod trailer;

pub use trailer::Found;

use crate::limits::{INDEX_FRAME_BYTES, INDEX_FRAMES};
use crate::varint;

/// One frame of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Bytes in the file.
    pub stored: u64,
    /// Bytes of its text.
    pub text: u64,
    /// Records in it.
    pub records: u32,
    /// Line ends in its text.
    pub lines: u32,
}

/// The frames of a file, in order and without gaps, from its first byte to the trailer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    /// The frames.
    pub frames: Vec<Frame>,
}

/// The first byte of the stored form.
const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 8;
/// The fewest bytes that a frame takes.
const FRAME_BYTES: usize = 4;

impl Index {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        varint::write(self.frames.len() as u64, &mut bytes);
        for frame in &self.frames {
            for number in [frame.stored, frame.text, frame.records.into(), frame.lines.into()] {
                varint::write(number, &mut bytes);
            }
        }
        let checksum = checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    /// Reads back [`Index::encode`]. None for everything else, and for an index that no file can have:
    /// frames without bytes, above [`INDEX_FRAME_BYTES`], or with more records or lines than bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
        if checksum(body) != *sum {
            return None;
        }
        let mut rest = body.strip_prefix(&[VERSION])?;
        let count = usize::try_from(varint::read(&mut rest)?).ok()?;
        if count > INDEX_FRAMES || count > rest.len() / FRAME_BYTES {
            return None;
        }
        let frames: Option<Vec<Frame>> = (0..count).map(|_| Frame::read(&mut rest)).collect();
        let index = Self { frames: frames? };
        (rest.is_empty() && index.is_sound()).then_some(index)
    }

    /// Whether a file can have these frames, and a reader take them.
    fn is_sound(&self) -> bool {
        self.frames.len() <= INDEX_FRAMES && self.frames.iter().all(Frame::is_sound)
    }

    /// Bytes of all frames in the file. Below 2^46: [`INDEX_FRAMES`] of [`INDEX_FRAME_BYTES`].
    pub fn stored(&self) -> u64 {
        self.frames.iter().fold(0, |sum, frame| sum.saturating_add(frame.stored))
    }

    /// Bytes of all texts.
    pub fn text(&self) -> u64 {
        self.frames.iter().fold(0, |sum, frame| sum.saturating_add(frame.text))
    }
}

impl Frame {
    fn read(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self {
            stored: varint::read(bytes)?,
            text: varint::read(bytes)?,
            records: varint::read(bytes)?.try_into().ok()?,
            lines: varint::read(bytes)?.try_into().ok()?,
        })
    }

    fn is_sound(&self) -> bool {
        (1..=INDEX_FRAME_BYTES).contains(&self.stored)
            && self.text <= INDEX_FRAME_BYTES
            && u64::from(self.records.max(self.lines)) <= self.text
    }
}

/// Keeps damage and chance from passing for an index; it keeps nobody from writing one.
fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let hash = blake3::hash(bytes);
    std::array::from_fn(|at| hash.as_bytes()[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_stays() {
        let frame = |stored, text, records, lines| Frame { stored, text, records, lines };
        let index = Index { frames: vec![frame(300, 1000, 2, 3), frame(1, 0, 0, 0)] };
        let golden = [1, 2, 172, 2, 232, 7, 2, 3, 1, 0, 0, 0];
        let encoded = index.encode();
        assert_eq!(encoded[..golden.len()], golden);
        assert_eq!(encoded.len(), golden.len() + CHECKSUM_BYTES);
        assert_eq!(Index::decode(&encoded), Some(index));
    }

    #[test]
    fn what_no_file_can_have_is_none() {
        let most = INDEX_FRAME_BYTES;
        for (stored, text, records, lines, sound) in [
            (1, 0, 0, 0, true),
            (0, 0, 0, 0, false),
            (most, most, 5, 5, true),
            (most + 1, 5, 5, 5, false),
            (5, most + 1, 5, 5, false),
            (u64::MAX, u64::MAX, 5, 5, false),
            (5, 5, 6, 5, false),
            (5, 5, 5, 6, false),
        ] {
            let index = Index { frames: vec![Frame { stored, text, records, lines }] };
            assert_eq!(Index::decode(&index.encode()).is_some(), sound, "{index:?}");
        }
        let sealed = |body: &[u8]| [body, &checksum(body)[..]].concat();
        for body in [
            &[][..],
            &[1],
            &[2, 0],
            &[1, 1],
            &[1, 1, 5, 5, 0],
            &[1, 1, 5, 5, 0, 0, 0],
            &[1, 0, 0],
            &[1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
            &[1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
            // A number of 65 bits.
            &[1, 128, 128, 128, 128, 128, 128, 128, 128, 128, 2],
            // 5 in one byte too many.
            &[1, 1, 0x85, 0x00, 5, 0, 0],
        ] {
            assert_eq!(Index::decode(&sealed(body)), None, "{body:?}");
        }
        assert!(Index::decode(&sealed(&[1, 0])).is_some());
    }
}
