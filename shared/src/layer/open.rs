//! Opening a compressed file: as a stream, in memory, or only its head.
//!
//! Every opened byte counts: a file may open to [`Caps::bytes`] bytes, and to [`Caps::ratio`] of them for
//! each stored one. Both are judged on what comes out of the decoder, while it comes, and never on what a
//! header promises. Of a file that cannot be opened to its end, the text before the fault comes first,
//! except for what the decoder gave in its last step, of at most
//! [`LAYER_PIECE_BYTES`](crate::limits::LAYER_PIECE_BYTES).

use super::compression::Compression;
use super::member::Members;
use super::{Opened, codec};
use crate::fault::Fault;
use crate::limits::{OPENED_BYTES, OPENED_RATIO, OPENED_RATIO_FROM};

/// How much may come of a compressed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Bytes of text; more are `compression.too_large`.
    pub bytes: u64,
    /// Bytes of text for each stored byte; more are `compression.bomb`.
    pub ratio: u64,
    /// Bytes of text up to which the ratio is not judged.
    pub ratio_from: u64,
}

impl Default for Caps {
    fn default() -> Self {
        Self { bytes: OPENED_BYTES, ratio: OPENED_RATIO, ratio_from: OPENED_RATIO_FROM }
    }
}

/// The text of a whole file of any number of members, in pieces of at most
/// [`LAYER_PIECE_BYTES`](crate::limits::LAYER_PIECE_BYTES). Errors of `body` pass as they are. What is not
/// compressed passes too, uncapped.
///
/// A file that ends where a member ends is whole: gzip and zstd do not say how many there are.
pub fn open(compression: Compression, body: Opened, caps: Caps) -> Opened {
    match Members::new(compression, caps) {
        Some(members) => codec::around(members, body),
        None => body,
    }
}

/// The same for a file, or a part of one that begins and ends with members, which is in memory. Takes about
/// a millisecond for each MiB of text: not for an async thread.
pub fn open_whole(compression: Compression, bytes: &[u8], caps: Caps) -> Result<Vec<u8>, Fault> {
    match Members::new(compression, caps) {
        Some(members) => codec::through(members, bytes, None),
        None => Ok(bytes.to_vec()),
    }
}

/// The first bytes of the text, at most `at_most`, of a file of which only the head is there. That it is
/// cut off is no fault.
pub fn open_head(compression: Compression, head: &[u8], at_most: usize) -> Result<Vec<u8>, Fault> {
    match Members::new(compression, Caps { bytes: u64::MAX, ratio: u64::MAX, ratio_from: u64::MAX }) {
        Some(members) => codec::through(members, head, Some(at_most)),
        None => Ok(head[..head.len().min(at_most)].to_vec()),
    }
}
