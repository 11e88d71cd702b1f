//! Seals and opens what flows: the content of sealed files, and the objects that Carrack makes of them on the
//! way, which must not lie about in the clear.

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::try_unfold;

use super::Opened;
use super::sealed::{CONTENT_SALT, Opener, Sealer};
use super::secret::DataKey;
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
