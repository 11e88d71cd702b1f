//! Seals and opens what flows: the content of sealed files, and the objects that Carrack makes of them on the
//! way, which must not lie about in the clear.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::try_unfold;

use super::cut::behind;
use super::sealed::{CONTENT_SALT, ChunkedKey, Opener, Sealer};
use super::secret::DataKey;
use super::{Opened, Trouble, chunks};
use crate::fault::Fault;

/// What an object of ours is bound to: none opens under the key of another.
fn context(object: &str) -> Vec<u8> {
    [b"carrack/v1/object\0", object.as_bytes()].concat()
}

/// The content of the object `object`, sealed. The salt must be random.
///
/// # Errors
/// When it is longer than anything can be sealed.
pub fn sealed(key: &DataKey, object: &str, salt: [u8; CONTENT_SALT], plain: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::with_capacity(plain.len() + plain.len() / 512 + 128);
    let mut sealer = Sealer::new(key, &context(object), salt);
    sealer.push(plain, &mut out)?;
    sealer.finish(&mut out)?;
    Ok(out)
}

/// As [`sealed`], as it comes.
pub fn seal_object(key: &DataKey, object: &str, salt: [u8; CONTENT_SALT], plain: Opened) -> Opened {
    seal(Sealer::new(key, &context(object), salt), plain)
}

/// What [`sealed`] has sealed.
///
/// # Errors
/// When it is not what was sealed.
pub fn opened(key: &DataKey, object: &str, stored: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::with_capacity(stored.len());
    let mut opener = Opener::new(key, &context(object));
    opener.push(stored, &mut out)?;
    opener.finish(&mut out)?;
    Ok(out)
}

/// As [`opened`], as it comes.
pub fn open_object(key: &DataKey, object: &str, stored: Opened) -> Opened {
    open(Opener::new(key, &context(object)), stored)
}

/// The key to the chunks of an object, which begins with `head`: for reading it from any byte on.
///
/// # Errors
/// When it is not sealed under `key`.
pub fn object_key(key: &DataKey, object: &str, head: &[u8; chunks::HEAD]) -> Result<ChunkedKey, Fault> {
    ChunkedKey::new(key, &context(object), head)
}

/// What a sealed content of `length` plain bytes holds from byte `from` on; `stored` begins with the chunk of
/// that byte, at [`chunks::start`].
pub fn open_from(key: Arc<ChunkedKey>, length: u64, stored: Opened, from: u64) -> Opened {
    let index = from / chunks::CHUNK as u64;
    let state = (key, stored, Vec::new(), index, None);
    let opened = try_unfold(state, move |(key, mut stored, mut pending, mut index, stuck)| async move {
        if let Some(fault) = stuck {
            return Err(Trouble::Fault(fault));
        }
        let last = length / chunks::CHUNK as u64;
        if index > last {
            return Ok(None);
        }
        let (mut out, mut stuck) = (Vec::new(), None);
        while let Some(piece) = stored.next().await.transpose()? {
            pending.extend_from_slice(&piece);
            // The last chunk is shorter than the others, so it is never taken here.
            let whole = pending.len() - pending.len() % chunks::SEALED_CHUNK;
            for chunk in pending[..whole].chunks_exact(chunks::SEALED_CHUNK) {
                stuck = key.open_chunk(index, false, chunk, &mut out).err();
                if stuck.is_some() {
                    break;
                }
                index += 1;
            }
            pending.drain(..whole);
            // What stands before an altered chunk is good, and comes first.
            if !out.is_empty() || stuck.is_some() {
                return Ok(Some((Bytes::from(out), (key, stored, pending, index, stuck))));
            }
        }
        key.open_chunk(index, true, &pending, &mut out)?;
        Ok(Some((Bytes::from(out), (key, stored, Vec::new(), last + 1, None))))
    });
    behind(opened.boxed(), from % chunks::CHUNK as u64)
}

/// What `sealer` makes of `plain`.
pub fn seal(sealer: Sealer, plain: Opened) -> Opened {
    through(Some(sealer), plain, Sealer::push, Sealer::finish)
}

/// What `opener` makes of `stored`.
fn open(opener: Opener, stored: Opened) -> Opened {
    through(Some(opener), stored, Opener::push, Opener::finish)
}

/// Takes a piece, and appends what comes of it.
type Push<M> = fn(&mut M, &[u8], &mut Vec<u8>) -> Result<(), Fault>;

/// Appends what comes at the end.
type Finish<M> = fn(M, &mut Vec<u8>) -> Result<(), Fault>;

/// Pushes a stream through a machine.
fn through<M: Send + 'static>(
    machine: Option<M>,
    pieces: Opened,
    push: Push<M>,
    finish: Finish<M>,
) -> Opened {
    try_unfold((machine, pieces), move |(machine, mut pieces)| async move {
        let Some(mut machine) = machine else { return Ok(None) };
        let mut out = Vec::new();
        while let Some(piece) = pieces.next().await.transpose()? {
            push(&mut machine, &piece, &mut out)?;
            if !out.is_empty() {
                return Ok(Some((Bytes::from(out), (Some(machine), pieces))));
            }
        }
        finish(machine, &mut out)?;
        Ok(Some((Bytes::from(out), (None, pieces))))
    })
    .boxed()
}
