//! What is put into objects: bytes that differ everywhere, whole or in pieces.

use bytes::Bytes;
use carrack_shared::port::objects::ByteStream;
use futures_util::{StreamExt, stream};
use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};

/// Bytes without a pattern, the same for the same seed.
pub fn content(seed: u64, length: usize) -> Bytes {
    let mut bytes = vec![0; length];
    SmallRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes.into()
}

/// The bytes as a body, in pieces.
pub fn body(bytes: &Bytes, piece: usize) -> ByteStream {
    let mut rest = bytes.clone();
    let pieces = std::iter::from_fn(move || {
        let taken = rest.split_to(rest.len().min(piece));
        (!taken.is_empty()).then_some(Ok(taken))
    });
    stream::iter(pieces).boxed()
}

/// A short name of some bytes, for messages.
pub fn hex(bytes: &Bytes) -> String {
    Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
