//! Sealed files: the public vectors, whatever is done to a file, every byte of its header, and any range of
//! its content.
#![allow(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "inputs of tests are small; a failure is a failed test"
)]

mod headers;
mod mutations;
mod ranges;
mod vectors;

use carrack_shared::fault::Fault;
use carrack_shared::layer::chunks::{self, HEAD, SEALED_CHUNK};
use carrack_shared::layer::sealed::{ChunkedKey, Opener, Sealer};
use carrack_shared::layer::secret::DataKey;

/// What came of opening a content.
#[derive(Debug, PartialEq, Eq)]
struct Opened {
    /// What was said of its end: by random access before the first chunk, else behind the last.
    end: Result<(), Fault>,
    /// What was given out.
    plain: Vec<u8>,
    /// Why no more.
    result: Result<(), Fault>,
}

fn sealed(key: &DataKey, context: &[u8], salt: [u8; 24], plain: &[u8], piece: usize) -> Vec<u8> {
    let (mut sealer, mut out) = (Sealer::new(key, context, salt), Vec::new());
    for piece in plain.chunks(piece) {
        sealer.push(piece, &mut out).unwrap();
    }
    sealer.finish(&mut out).unwrap();
    out
}

/// Opens as it comes, in pieces of so many bytes.
fn streamed(key: &DataKey, context: &[u8], content: &[u8], piece: usize) -> Opened {
    let (mut opener, mut plain) = (Opener::new(key, context), Vec::new());
    for piece in content.chunks(piece) {
        if let Err(fault) = opener.push(piece, &mut plain) {
            let given = plain.len();
            assert_eq!(opener.push(content, &mut plain), Err(fault.clone()), "a refusal is for ever");
            assert_eq!(opener.finish(&mut plain), Err(fault.clone()));
            assert_eq!(plain.len(), given);
            return Opened { end: Err(fault.clone()), plain, result: Err(fault) };
        }
    }
    let end = opener.finish(&mut plain);
    Opened { end: end.clone(), plain, result: end }
}

/// Opens by random access: the end, then every chunk in its order, whatever was said of the end.
fn accessed(key: &DataKey, context: &[u8], content: &[u8]) -> Opened {
    let mut plain = Vec::new();
    let keys = match keys(key, context, content) {
        Ok(keys) => keys,
        Err(fault) => return Opened { end: Err(fault.clone()), plain, result: Err(fault) },
    };
    let chunks = content[HEAD..].chunks(SEALED_CHUNK);
    let (last, length) = (chunks::last_chunk(content.len() as u64), content.len() as u64);
    let opened = chunks.zip(0..).try_for_each(|(bytes, index)| {
        let is_last = last.as_ref().is_ok_and(|(last, _)| *last == index);
        keys.open_chunk(index, is_last, bytes, &mut plain)
    });
    let result = opened.and_then(|()| chunks::plain_length(length).map(drop));
    Opened { end: end(&keys, content), plain, result }
}

fn keys(key: &DataKey, context: &[u8], content: &[u8]) -> Result<ChunkedKey, Fault> {
    match content.first_chunk() {
        Some(head) => ChunkedKey::new(key, context, head),
        None => Err(chunks::plain_length(content.len() as u64).unwrap_err()),
    }
}

fn end(keys: &ChunkedKey, content: &[u8]) -> Result<(), Fault> {
    let (_, last) = chunks::last_chunk(content.len() as u64)?;
    keys.verify_end(content.len() as u64, &content[last.start as usize..last.end as usize])
}
