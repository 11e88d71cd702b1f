//! How an index stands at the end of a file, so that every standard tool skips it and Carrack finds it.
//!
//! *gzip*: members without text, whose extra field (RFC 1952, section 2.3.1.1) holds one subfield `CK` with
//! the next part of the index. A field is at most 65,535 bytes long, so a large index takes several members.
//!
//! | bytes | what |
//! |---|---|
//! | 10 | `1f 8b 08 04`, no time, no level, system unknown |
//! | 2 | length of the extra field |
//! | 4 | `CK`, length of the part |
//! | … | the part |
//! | 10 | an empty deflate block, and checksum and length of no text |
//!
//! *zstd*: one skippable frame (RFC 8878, section 3.1.2) with the magic 0x184d2a5c.
//!
//! The last 16 bytes of the last part are the footer: the length of the whole trailer (8 bytes, the lowest
//! first) and `CKINDEX` with the version of this form, 1. It stands in a fixed place, so the end of a file
//! tells whether there is a trailer and how long it is.

use super::Index;
use crate::layer::compression::Compression;
use crate::limits::INDEX_BYTES;

/// What the end of a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// There is no index, or none of this file: it is to be opened from its first byte on.
    None,
    /// There may be one: ask again with so many of the last bytes.
    Needs(u64),
    /// The index of this file.
    Index(Index),
}

const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 0x08, 0x04, 0, 0, 0, 0, 0, 0xff];
const GZIP_END: [u8; 10] = [0x03, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const SUBFIELD: [u8; 2] = *b"CK";
/// Bytes of a subfield before its part.
const SUBFIELD_BYTES: u16 = 4;
const ZSTD_MAGIC: [u8; 4] = [0x5c, 0x2a, 0x4d, 0x18];
const FOOTER_MAGIC: [u8; 8] = *b"CKINDEX\x01";
const FOOTER_BYTES: usize = 16;
/// Bytes of the index in one gzip member: with a footer, the extra field is as long as it can be.
const PART_BYTES: usize = u16::MAX as usize - SUBFIELD_BYTES as usize - FOOTER_BYTES;
/// Bytes of a gzip member around its part.
const GZIP_BYTES: usize = GZIP_HEAD.len() + 2 + SUBFIELD_BYTES as usize + GZIP_END.len();
/// Bytes of a skippable frame before its content.
const ZSTD_BYTES: usize = 8;

impl Index {
    /// What stands behind the last frame of a file. Nothing where there can be none: with a compression that
    /// has no frames, or with frames that [`Index::decode`] refuses. The file is an ordinary one then.
    pub fn trailer(&self, compression: Compression) -> Vec<u8> {
        let body = self.encode();
        let parts = body.chunks(PART_BYTES);
        let length = FOOTER_BYTES
            + match compression {
                Compression::Gzip => body.len() + parts.len() * GZIP_BYTES,
                Compression::Zstd => body.len() + ZSTD_BYTES,
                Compression::None | Compression::Brotli => return Vec::new(),
            };
        if length as u64 > INDEX_BYTES || !self.is_sound() {
            return Vec::new();
        }
        let footer = [(length as u64).to_le_bytes(), FOOTER_MAGIC].concat();
        let mut trailer = Vec::with_capacity(length);
        match compression {
            Compression::Gzip => {
                let last = parts.len() - 1;
                for (number, part) in parts.enumerate() {
                    gzip_member(&[part, if number == last { &footer } else { &[] }].concat(), &mut trailer);
                }
            }
            _ => {
                trailer.extend_from_slice(&ZSTD_MAGIC);
                // The low half: the limit above is far below 4 GiB.
                let content = (length - ZSTD_BYTES) as u64;
                trailer.extend_from_slice(&content.to_le_bytes()[..4]);
                trailer.extend_from_slice(&body);
                trailer.extend_from_slice(&footer);
            }
        }
        trailer
    }

    /// Looks for the index at the end of a file of `file_length` bytes, of which `tail` is the end:
    /// [`INDEX_TAIL_BYTES`](crate::limits::INDEX_TAIL_BYTES), or the whole file where it is shorter. A file
    /// that says nothing, something damaged, or something about another file has none, which is no error.
    pub fn find(compression: Compression, tail: &[u8], file_length: u64) -> Found {
        let Some(length) = trailer_length(compression, tail) else { return Found::None };
        if length > INDEX_BYTES || length > file_length {
            return Found::None;
        }
        let Some(trailer) = usize::try_from(length).ok().and_then(|length| last(tail, length)) else {
            return Found::Needs(length);
        };
        let body = match compression {
            Compression::Gzip => gzip_body(trailer),
            _ => zstd_body(trailer),
        };
        match body.as_deref().and_then(Self::decode) {
            Some(index) if index.stored().checked_add(length) == Some(file_length) => Found::Index(index),
            _ => Found::None,
        }
    }
}

fn last(bytes: &[u8], length: usize) -> Option<&[u8]> {
    bytes.len().checked_sub(length).map(|from| &bytes[from..])
}

/// What the footer says, if the bytes end with one.
fn trailer_length(compression: Compression, tail: &[u8]) -> Option<u64> {
    let before = match compression {
        Compression::Gzip => tail.strip_suffix(&GZIP_END)?,
        Compression::Zstd => tail,
        Compression::None | Compression::Brotli => return None,
    };
    let (_, length) = before.strip_suffix(&FOOTER_MAGIC)?.split_last_chunk::<8>()?;
    Some(u64::from_le_bytes(*length))
}

fn gzip_member(part: &[u8], trailer: &mut Vec<u8>) {
    // The lower two bytes: a part is at most PART_BYTES and a footer long.
    let length = |bytes: usize| -> [u8; 2] { std::array::from_fn(|at| bytes.to_le_bytes()[at]) };
    trailer.extend_from_slice(&GZIP_HEAD);
    trailer.extend_from_slice(&length(part.len() + usize::from(SUBFIELD_BYTES)));
    trailer.extend_from_slice(&SUBFIELD);
    trailer.extend_from_slice(&length(part.len()));
    trailer.extend_from_slice(part);
    trailer.extend_from_slice(&GZIP_END);
}

/// The parts of the members that make up the trailer, without the footer.
fn gzip_body(mut trailer: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::with_capacity(trailer.len());
    while !trailer.is_empty() {
        let (field, rest) = trailer.strip_prefix(&GZIP_HEAD)?.split_first_chunk::<2>()?;
        let (part, rest) = rest.strip_prefix(&SUBFIELD)?.split_first_chunk::<2>()?;
        let (field, part) = (u16::from_le_bytes(*field), u16::from_le_bytes(*part));
        if field.checked_sub(SUBFIELD_BYTES) != Some(part) {
            return None;
        }
        let (part, rest) = rest.split_at_checked(part.into())?;
        body.extend_from_slice(part);
        trailer = rest.strip_prefix(&GZIP_END)?;
    }
    body.truncate(body.len().checked_sub(FOOTER_BYTES)?);
    Some(body)
}

/// The content of the skippable frame, without the footer.
fn zstd_body(trailer: &[u8]) -> Option<Vec<u8>> {
    let (length, content) = trailer.strip_prefix(&ZSTD_MAGIC)?.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*length) as usize != content.len() {
        return None;
    }
    content.len().checked_sub(FOOTER_BYTES).map(|end| content[..end].to_vec())
}
