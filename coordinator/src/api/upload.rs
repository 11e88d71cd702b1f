//! Files of a request on their way into the object store: piece by piece, never held whole in memory, and
//! removed again unless an operation comes of them.

use std::time::Duration;

use axum::extract::multipart::Field;
use bytes::Bytes;
use carrack_shared::document::Mistake;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::limits::SOURCES;
use carrack_shared::port::Ports;
use carrack_shared::port::objects::ByteStream;
use futures_util::{StreamExt as _, stream};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::problem::{Answer, Kind, Problem};
use crate::clock;
use crate::start::Input;

/// Pieces that may wait for the object store.
const WAITING: usize = 4;

/// How long a client may be silent in the middle of a file.
const SILENCE: Duration = Duration::from_secs(60);

/// The files of one request.
pub(super) struct Uploads {
    ports: Ports,
    prefix: String,
    /// Bytes that may still come.
    room: u64,
    limit: u64,
    /// Whether contents have to be told apart, which costs time.
    hashed: bool,
    inputs: Vec<Input>,
    hashes: Vec<[u8; 32]>,
    kept: bool,
}

impl Uploads {
    pub(super) fn new(ports: Ports, limit: u64, hashed: bool) -> Self {
        let prefix = clock::new_source_prefix();
        let (inputs, hashes) = (Vec::new(), Vec::new());
        Self { ports, prefix, room: limit, limit, hashed, inputs, hashes, kept: false }
    }

    /// The files so far, in their order.
    pub(super) fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The SHA-256 of each file, if they were asked for.
    pub(super) fn hashes(&self) -> &[[u8; 32]] {
        &self.hashes
    }

    /// They belong to an operation now.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }

    /// Takes the next file.
    pub(super) async fn take(&mut self, mut field: Field<'_>) -> Answer<()> {
        if self.inputs.len() >= SOURCES {
            let found = format!("found more than {SOURCES}, expected at most that");
            return Err(Problem::wrong(vec![Mistake::new("file", found)]));
        }
        let name = field.file_name().map_or_else(|| "upload".to_owned(), base_name);
        let key = format!("{}/{}", self.prefix, self.inputs.len());
        self.inputs.push(Input { name, key: key.clone() });
        let objects = self.ports.objects.clone();
        let (sender, receiver) = mpsc::channel(WAITING);
        let put = objects.put(&key, pieces(receiver));
        let (stored, pumped) = tokio::join!(put, self.pump(&mut field, sender));
        let hash = pumped?;
        stored?;
        self.hashes.push(hash);
        Ok(())
    }

    /// Moves the pieces of a file into the channel. Ends early when the object store does not want more; it
    /// then says why.
    async fn pump(&mut self, field: &mut Field<'_>, sender: mpsc::Sender<Option<Bytes>>) -> Answer<[u8; 32]> {
        let mut hasher = Sha256::new();
        loop {
            let silent =
                || Problem::new(Kind::Timeout, format!("file: no byte came for {} s", SILENCE.as_secs()));
            let piece = tokio::time::timeout(SILENCE, field.chunk()).await.map_err(|_| silent())?;
            let piece = piece.map_err(|error| super::import::broken_form(&error))?;
            if let Some(bytes) = &piece {
                self.room = self.room.checked_sub(bytes.len() as u64).ok_or_else(|| self.too_large())?;
                if self.hashed {
                    hasher.update(bytes);
                }
            }
            let ended = piece.is_none();
            if sender.send(piece).await.is_err() || ended {
                return Ok(hasher.finalize().into());
            }
        }
    }

    fn too_large(&self) -> Problem {
        let detail =
            format!("file: found more than {} bytes, expected at most that (upload_limit_bytes)", self.limit);
        Problem::new(Kind::TooLarge, detail)
    }
}

impl Drop for Uploads {
    /// Also when the client hangs up, which drops the handler in the middle.
    fn drop(&mut self) {
        if self.kept || self.inputs.is_empty() {
            return;
        }
        let (objects, inputs) = (self.ports.objects.clone(), std::mem::take(&mut self.inputs));
        tokio::spawn(async move {
            for input in inputs {
                if let Err(error) = objects.delete(&input.key).await {
                    tracing::warn!(key = input.key, error = error.chain(), "upload not removed");
                }
            }
        });
    }
}

/// The pieces as a stream. The end must be said (`None`): a channel that closes without it is a request that
/// broke off, which must not pass for a shorter file.
fn pieces(receiver: mpsc::Receiver<Option<Bytes>>) -> ByteStream {
    stream::unfold(Some(receiver), |receiver| async move {
        let mut receiver = receiver?;
        let item: PortResult<Bytes> = match receiver.recv().await {
            Some(Some(bytes)) => return Some((Ok(bytes), Some(receiver))),
            Some(None) => return None,
            None => Err(PortError::new(ErrorKind::Refused, "upload", "the request broke off")),
        };
        Some((item, None))
    })
    // Readers may ask once more behind the end.
    .fuse()
    .boxed()
}

/// The name without folders, which some clients send along.
fn base_name(name: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    if base.is_empty() { "upload".into() } else { base.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_said_end_is_an_end() {
        for (said, expected) in [(true, true), (false, false)] {
            let (sender, receiver) = mpsc::channel(WAITING);
            sender.send(Some(Bytes::from("a"))).await.unwrap();
            if said {
                sender.send(None).await.unwrap();
            }
            drop(sender);
            let mut pieces = pieces(receiver);
            let items: Vec<_> = pieces.by_ref().collect().await;
            assert!(pieces.next().await.is_none(), "asking behind the end is harmless");
            assert_eq!(items.iter().all(Result::is_ok), expected, "{items:?}");
        }
    }

    #[test]
    fn names_lose_their_folders() {
        for (name, expected) in
            [("a.csv", "a.csv"), ("C:\\x\\a.csv", "a.csv"), ("../../a", "a"), ("x/", "upload")]
        {
            assert_eq!(base_name(name), expected);
        }
    }
}
