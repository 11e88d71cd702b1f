//! The sealed content: the public construction <https://c2sp.org/chunked-encryption> with AES-256-GCM and
//! SHA-512, known as Cobblestone-256.
//!
//! A salt (24 bytes), a commitment (32), and the chunks ([`super::chunks`]). Key, base nonce and commitment
//! come from data key, salt and context by HKDF-Expand; the nonce of a chunk is the base nonce XOR its
//! number. So a chunk opens at its own place of its own part alone, a content under one key alone, and the
//! end is known for the end. No plain byte is given out before its chunk is authenticated.
//!
//! A last chunk that does not open was altered, or its file was cut off within a chunk: nothing can tell
//! which, so both are `seal.truncated`.

use std::mem;
use std::ops::Range;

use zeroize::Zeroizing;

use super::chunks::{self, CHUNK, HEAD, SEALED_CHUNK, cut_off, place, within};
use super::cipher::{Cipher, KEY, NONCE, TAG};
use super::secret::{DataKey, redacted};
use crate::fault::{Fault, Stage};

/// Bytes of the salt of a content.
pub const CONTENT_SALT: usize = 24;
const COMMITMENT: usize = HEAD - CONTENT_SALT;

/// The keys of one content: opens any of its chunks.
pub struct ChunkedKey {
    cipher: Cipher,
    base_nonce: [u8; NONCE],
}

/// Seals a content as it comes.
pub struct Sealer {
    key: ChunkedKey,
    /// Until it is written.
    head: Option<[u8; HEAD]>,
    /// The number of the next chunk.
    index: u64,
    /// What has come of it.
    pending: Vec<u8>,
}

/// Opens a content as it comes.
pub struct Opener {
    state: State,
    pending: Vec<u8>,
}

enum State {
    /// The head has not come whole.
    Head { data_key: DataKey, context: Vec<u8> },
    /// The next chunk is number `index`.
    Chunks { key: Box<ChunkedKey>, index: u64 },
    /// Nothing more is given out.
    Refused(Fault),
}

redacted!(ChunkedKey, Sealer, Opener);

impl ChunkedKey {
    fn derive(data_key: &DataKey, context: &[u8], salt: &[u8; CONTENT_SALT]) -> (Self, [u8; COMMITMENT]) {
        let mut derived = Zeroizing::new([0; KEY + NONCE + COMMITMENT]);
        let info = [b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0".as_slice(), salt, context];
        data_key.expand(&info, &mut *derived);
        let (mut key, mut base_nonce, mut commitment) =
            (Zeroizing::new([0; KEY]), [0; NONCE], [0; COMMITMENT]);
        key.copy_from_slice(&derived[..KEY]);
        base_nonce.copy_from_slice(&derived[KEY..KEY + NONCE]);
        commitment.copy_from_slice(&derived[KEY + NONCE..]);
        (Self { cipher: Cipher::new(&key), base_nonce }, commitment)
    }

    /// The keys of the content that begins with `head`.
    ///
    /// # Errors
    /// `seal.foreign`: it was sealed under another data key or context, or its head was altered.
    pub fn new(data_key: &DataKey, context: &[u8], head: &[u8; HEAD]) -> Result<Self, Fault> {
        let (mut salt, mut found) = ([0; CONTENT_SALT], [0; COMMITMENT]);
        salt.copy_from_slice(&head[..CONTENT_SALT]);
        found.copy_from_slice(&head[CONTENT_SALT..]);
        let (key, commitment) = Self::derive(data_key, context, &salt);
        // These compare in constant time.
        if blake3::Hash::from_bytes(found) != blake3::Hash::from_bytes(commitment) {
            let message = "found the content of another file or part, expected that of this header";
            return Err(Fault::new(Stage::Open, "seal.foreign", message));
        }
        Ok(key)
    }

    fn nonce(&self, index: u64) -> [u8; NONCE] {
        let mut nonce = self.base_nonce;
        for (byte, number) in nonce[NONCE - 8..].iter_mut().zip(index.to_be_bytes()) {
            *byte ^= number;
        }
        nonce
    }

    /// Appends the sealed chunk. Private: the same number twice would give both texts away.
    fn seal_chunk(&self, index: u64, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        chunks::check_index(index)?;
        let start = out.len();
        out.extend_from_slice(plain);
        let tag = self.cipher.seal(&self.nonce(index), &[], &mut out[start..]);
        out.extend_from_slice(&tag);
        Ok(())
    }

    /// Appends the plain bytes of chunk number `index` to `out`; nothing where it is refused.
    ///
    /// # Errors
    /// `seal.altered`, `seal.truncated`, `seal.too_long`.
    pub fn open_chunk(
        &self,
        index: u64,
        is_last: bool,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        chunks::check_index(index)?;
        let has_its_length = if is_last { bytes.len() < SEALED_CHUNK } else { bytes.len() == SEALED_CHUNK };
        let Some((plain, tag)) = bytes.split_last_chunk::<TAG>().filter(|_| has_its_length) else {
            return Err(cut_off((index * SEALED_CHUNK as u64).saturating_add((HEAD + bytes.len()) as u64)));
        };
        let start = out.len();
        out.extend_from_slice(plain);
        self.cipher.open(&self.nonce(index), &[], &mut out[start..], tag).map_err(|_| {
            out.truncate(start);
            refused(index, is_last, bytes.len())
        })
    }

    /// Whether the content ends where it was sealed to end: its length, and the bytes at
    /// [`chunks::last_chunk`]. To be asked before the first chunk is read.
    ///
    /// # Errors
    /// `seal.truncated`, `seal.too_long`.
    pub fn verify_end(&self, stored_length: u64, last_chunk: &[u8]) -> Result<(), Fault> {
        let (index, range) = chunks::last_chunk(stored_length)?;
        if last_chunk.len() as u64 != range.end - range.start {
            return Err(cut_off(range.start + last_chunk.len() as u64));
        }
        self.open_chunk(index, true, last_chunk, &mut Vec::with_capacity(CHUNK))
    }

    /// Appends the plain bytes of a range to `out`; nothing where one of its chunks is refused. `stored` are
    /// the bytes at [`chunks::stored`].
    ///
    /// # Errors
    /// As [`ChunkedKey::open_chunk`].
    pub fn open_range(
        &self,
        plain: Range<u64>,
        plain_length: u64,
        stored: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let expected = chunks::stored(plain.clone(), plain_length);
        if plain.end > plain_length || stored.len() as u64 != expected.end - expected.start {
            return Err(cut_off(expected.start + stored.len() as u64));
        }
        let (start, last) = (out.len(), plain_length / CHUNK as u64);
        out.reserve(stored.len());
        for (index, bytes) in (plain.start / CHUNK as u64..).zip(stored.chunks(SEALED_CHUNK)) {
            let chunk = out.len();
            if let Err(fault) = self.open_chunk(index, index == last, bytes, out) {
                out.truncate(start);
                return Err(fault);
            }
            let wanted = within(&plain, index);
            out.truncate(chunk + wanted.end);
            out.drain(chunk..chunk + wanted.start);
        }
        Ok(())
    }
}

fn refused(index: u64, is_last: bool, length: usize) -> Fault {
    let place = place(index, length);
    if is_last {
        let message =
            format!("{place} are not the end that was sealed: the file is cut off, longer, or altered there");
        return Fault::new(Stage::Open, "seal.truncated", message);
    }
    let message = format!("{place} are not those that were sealed: they are altered, or from another place");
    Fault::new(Stage::Open, "seal.altered", message)
}

impl Sealer {
    /// Seals one content. The salt must never be used again with the same data key, unless for the same
    /// context and content: random, or [`DataKey::file_salt`].
    pub fn new(data_key: &DataKey, context: &[u8], salt: [u8; CONTENT_SALT]) -> Self {
        let (key, commitment) = ChunkedKey::derive(data_key, context, &salt);
        let mut head = [0; HEAD];
        head[..CONTENT_SALT].copy_from_slice(&salt);
        head[CONTENT_SALT..].copy_from_slice(&commitment);
        Self { key, head: Some(head), index: 0, pending: Vec::new() }
    }

    /// Appends what can be sealed, now that `piece` has come.
    ///
    /// # Errors
    /// `seal.too_long`, above 4 PiB.
    pub fn push(&mut self, mut piece: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        out.extend(self.head.take().into_iter().flatten());
        if !self.pending.is_empty() {
            let (missing, rest) = piece.split_at(piece.len().min(CHUNK - self.pending.len()));
            self.pending.extend_from_slice(missing);
            piece = rest;
            if self.pending.len() < CHUNK {
                return Ok(());
            }
            self.key.seal_chunk(self.index, &self.pending, out)?;
            self.index += 1;
            self.pending.clear();
        }
        let (whole, rest) = piece.split_at(piece.len() - piece.len() % CHUNK);
        for chunk in whole.chunks_exact(CHUNK) {
            self.key.seal_chunk(self.index, chunk, out)?;
            self.index += 1;
        }
        self.pending.extend_from_slice(rest);
        Ok(())
    }

    /// Appends the end; without it the content counts as cut off.
    ///
    /// # Errors
    /// `seal.too_long`, above 4 PiB.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), Fault> {
        out.extend(self.head.into_iter().flatten());
        self.key.seal_chunk(self.index, &self.pending, out)
    }
}

impl Opener {
    /// Opens one content.
    pub fn new(data_key: &DataKey, context: &[u8]) -> Self {
        let state = State::Head { data_key: data_key.clone(), context: context.to_vec() };
        Self { state, pending: Vec::new() }
    }

    /// Appends the plain bytes of the chunks that are whole, now that `piece` has come. After an error every
    /// further call answers the same one.
    ///
    /// # Errors
    /// `seal.foreign`, `seal.altered`, `seal.too_long`.
    pub fn push(&mut self, mut piece: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        loop {
            let wanted = match &self.state {
                State::Head { .. } => HEAD,
                State::Chunks { .. } => SEALED_CHUNK,
                State::Refused(fault) => return Err(fault.clone()),
            };
            let missing = wanted - self.pending.len();
            let Some((unit, rest)) = piece.split_at_checked(missing) else {
                self.pending.extend_from_slice(piece);
                return Ok(());
            };
            piece = rest;
            if missing == wanted {
                self.take(unit, out)?;
            } else {
                let mut pending = mem::take(&mut self.pending);
                pending.extend_from_slice(unit);
                self.take(&pending, out)?;
                pending.clear();
                self.pending = pending;
            }
        }
    }

    /// Takes the head, or a chunk that is not the last.
    fn take(&mut self, unit: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let taken = match &mut self.state {
            State::Head { data_key, context } => match unit.try_into() {
                Ok(head) => ChunkedKey::new(data_key, context, head)
                    .map(|key| self.state = State::Chunks { key: Box::new(key), index: 0 }),
                Err(_) => unreachable!("the head has {HEAD} bytes, expected not {}", unit.len()),
            },
            State::Chunks { key, index } => key.open_chunk(*index, false, unit, out).map(|()| *index += 1),
            State::Refused(fault) => Err(fault.clone()),
        };
        taken.inspect_err(|fault| self.state = State::Refused(fault.clone()))
    }

    /// Appends the last chunk, now that nothing more comes.
    ///
    /// # Errors
    /// `seal.truncated`
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), Fault> {
        match self.state {
            State::Head { .. } => Err(cut_off(self.pending.len() as u64)),
            State::Chunks { key, index } => key.open_chunk(index, true, &self.pending, out),
            State::Refused(fault) => Err(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SEALED_CHUNKS;

    #[test]
    fn chunks_end_with_the_counter() {
        let mut sealer = Sealer::new(&DataKey::new([1; KEY]), b"", [2; CONTENT_SALT]);
        sealer.index = SEALED_CHUNKS - 2;
        let mut out = Vec::new();
        sealer.push(&[0; 2 * CHUNK], &mut out).unwrap();
        assert_eq!(sealer.push(&[0; CHUNK], &mut out).unwrap_err().code, "seal.too_long");
        assert_eq!(out.len(), HEAD + 2 * SEALED_CHUNK);
        assert_eq!(sealer.finish(&mut out).unwrap_err().code, "seal.too_long");
    }

    #[test]
    fn a_chunk_opens_at_its_place_and_in_its_length_only() {
        let (key, mut content) = (DataKey::new([1; KEY]), Vec::new());
        let mut sealer = Sealer::new(&key, b"", [2; CONTENT_SALT]);
        sealer.push(&[7; CHUNK + 3], &mut content).unwrap();
        sealer.finish(&mut content).unwrap();
        let keys = ChunkedKey::new(&key, b"", content.first_chunk().unwrap()).unwrap();
        let (first, last) = content[HEAD..].split_at(SEALED_CHUNK);
        for (index, is_last, bytes, expected) in [
            (0, false, first, Ok(CHUNK)),
            (1, true, last, Ok(3)),
            (0, true, first, Err("seal.truncated")),
            (1, false, last, Err("seal.truncated")),
            (0, false, &first[1..], Err("seal.truncated")),
            (1, true, &last[1..], Err("seal.truncated")),
            (1, true, &last[..TAG - 1], Err("seal.truncated")),
            (1, true, &[], Err("seal.truncated")),
            (1, false, first, Err("seal.altered")),
            (0, true, last, Err("seal.truncated")),
            (SEALED_CHUNKS, false, first, Err("seal.too_long")),
        ] {
            let mut out = Vec::new();
            let opened = keys.open_chunk(index, is_last, bytes, &mut out);
            let found = opened.as_ref().map(|()| out.len()).map_err(|fault| &*fault.code);
            assert_eq!(found, expected, "{index} {is_last} {} bytes: {opened:?}", bytes.len());
            assert!(expected.is_ok() || out.is_empty());
        }
    }
}
