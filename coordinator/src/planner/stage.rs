//! Puts the text of a source that cannot be read in pieces where workers can: one object for each task,
//! compressed, and sealed where the source is. Whatever the source is like, some tens of megabytes of it are
//! in memory; a record that is larger than a record may be flows by.

use bytes::Bytes;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::layer::source::{Reader, STAGED};
use carrack_shared::layer::{Opened, Trouble, compress, sealing};
use carrack_shared::limits::{RECORD_BYTES, TASK_BYTES};
use carrack_shared::port::objects::{ByteStream, ObjectMeta};
use carrack_shared::segment::{Packing, Segment, Staged};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::draft::Draft;

/// Text that waits for the end of its record or task, at most. What is longer is one record that is larger
/// than a record may be.
const WAITING_BYTES: usize = (TASK_BYTES + RECORD_BYTES) as usize;

/// Pieces of a spilled record that wait for the object store.
const WAITING_PIECES: usize = 4;

/// Level of compression: the fastest, for it is read once.
const LEVEL: i32 = 1;

/// The text of one source that is not staged yet.
pub(super) struct Stager {
    reader: Reader,
    /// What the names of all objects of this planner begin with. None replaces what an earlier one has put.
    prefix: String,
    /// Offset of the first waiting byte.
    start: u64,
    waiting: Vec<u8>,
    spill: Option<Spill>,
    /// Bytes of the source that were read when it was staged last.
    consumed: u64,
}

/// A piece of text on its way into an object, from `start` to `end` so far.
struct Spill {
    start: u64,
    end: u64,
    key: String,
    sender: mpsc::Sender<Bytes>,
    storing: JoinHandle<PortResult<ObjectMeta>>,
    /// The piece that was taken last: where the record ends in it, the rest is still wanted.
    last: Bytes,
}

impl Stager {
    /// For the source at which the draft stands, from there on.
    pub fn new(draft: &Draft<'_>, reader: &Reader) -> Self {
        let (claim, cursor) = (draft.claim, &draft.cursor);
        let prefix = format!("staged/{}/{}/{}", claim.operation.id, cursor.source, claim.lease_epoch);
        Self {
            reader: reader.clone(),
            prefix,
            start: cursor.byte,
            waiting: Vec::new(),
            spill: None,
            consumed: 0,
        }
    }

    /// Takes the next piece of the text.
    pub async fn take(&mut self, piece: &Bytes) -> PortResult<()> {
        let Some(spill) = &mut self.spill else {
            self.waiting.extend_from_slice(piece);
            return Ok(());
        };
        spill.end += piece.len() as u64;
        spill.last = piece.clone();
        if spill.sender.send(piece.clone()).await.is_err() {
            // It ended early, and says why.
            return self.spilled().await.map(|_| ());
        }
        Ok(())
    }

    /// Keeps what waits within bounds: lets the open record flow by if it is too large.
    pub fn bound(&mut self, open: Option<u64>) -> PortResult<()> {
        let Some(open) = open.filter(|_| self.spill.is_none() && self.waiting.len() > WAITING_BYTES) else {
            return Ok(());
        };
        let begun = self.waiting.split_off(self.index(open));
        let key = self.key(open);
        let (sender, receiver) = mpsc::channel(WAITING_PIECES);
        let end = open + begun.len() as u64;
        let first = stream::iter([Bytes::from(begun)]);
        let rest = stream::unfold(receiver, |mut receiver: mpsc::Receiver<Bytes>| async move {
            receiver.recv().await.map(|piece| (piece, receiver))
        });
        let body = self.packed(&key, first.chain(rest).map(Ok).boxed());
        let (objects, name) = (self.reader.objects(), key.clone());
        let storing = tokio::spawn(async move { objects.put(&name, body).await });
        self.spill = Some(Spill { start: open, end, key, sender, storing, last: Bytes::new() });
        Ok(())
    }

    /// Whether a record is flowing by.
    pub fn is_spilling(&self) -> bool {
        self.spill.is_some()
    }

    /// Offset behind the last byte that was taken.
    pub fn end(&self) -> u64 {
        self.spill.as_ref().map_or(self.start + self.waiting.len() as u64, |spill| spill.end)
    }

    /// Stores the text of the draft's segments and says in them where it is.
    pub async fn stage(&mut self, draft: &mut Draft<'_>, reader: &Reader) -> PortResult<()> {
        let consumed = reader.consumed();
        let read = consumed - std::mem::replace(&mut self.consumed, consumed);
        let mut groups = draft.homeless();
        let text: u64 = groups.iter().flatten().map(|segment| length(segment)).sum();
        for group in &mut groups {
            let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
            let bytes = first.bytes.start..last.bytes.end;
            let packing = match &self.spill {
                Some(spill) if spill.start == bytes.start => self.end_spill(bytes.end).await?,
                _ => self.store(bytes).await?,
            };
            for segment in group {
                let share = u128::from(read) * u128::from(length(segment)) / u128::from(text.max(1));
                let share = u64::try_from(share).unwrap_or(u64::MAX);
                segment.packing = Some(Packing { share, ..packing.clone() });
            }
        }
        if draft.cursor.byte > self.start {
            let staged = self.index(draft.cursor.byte).min(self.waiting.len());
            self.waiting.drain(..staged);
            self.start += staged as u64;
        }
        Ok(())
    }

    /// Stores a piece of what waits.
    async fn store(&self, text: std::ops::Range<u64>) -> PortResult<Packing> {
        let key = self.key(text.start);
        let plain = self.waiting[self.index(text.start)..self.index(text.end)].to_vec();
        let (data_key, object) = (self.reader.data_key().cloned(), key.clone());
        let packed = tokio::task::spawn_blocking(move || {
            let frame = compress::frame(STAGED, LEVEL, &plain);
            match data_key {
                None => Ok(frame),
                Some(data_key) => sealing::sealed(&data_key, &object, rand::random(), &frame),
            }
        });
        let packed = packed.await.map_err(|error| internal(error.to_string()))?;
        let packed = Bytes::from(packed.map_err(|fault| internal(fault.message))?);
        let meta = self.reader.objects().put(&key, stream::iter([Ok(packed)]).boxed()).await?;
        Ok(packing(key, meta, text))
    }

    /// The record that flows by ends at `end`.
    async fn end_spill(&mut self, end: u64) -> PortResult<Packing> {
        let packing = self.spilled().await?;
        let Some((last, spilled)) = packing.1 else {
            return Err(internal("a record that was not spilled".into()));
        };
        let behind = usize::try_from(spilled - end).unwrap_or(usize::MAX).min(last.len());
        self.waiting = last[last.len() - behind..].to_vec();
        self.start = end;
        Ok(packing.0)
    }

    /// Closes the spill; also answers its last piece and where that ends.
    async fn spilled(&mut self) -> PortResult<(Packing, Option<(Bytes, u64)>)> {
        let Some(Spill { start, end, key, sender, storing, last }) = self.spill.take() else {
            return Err(internal("nothing was spilled".into()));
        };
        drop(sender);
        let meta = storing.await.map_err(|error| internal(error.to_string()))??;
        Ok((packing(key, meta, start..end), Some((last, end))))
    }

    /// A text as it is stored.
    fn packed(&self, key: &str, text: Opened) -> ByteStream {
        let frames = compress::compress(STAGED, LEVEL, text);
        let stored = match self.reader.data_key() {
            None => frames,
            Some(data_key) => sealing::seal_object(data_key, key, rand::random(), frames),
        };
        stored.map_err(Trouble::into_port).boxed()
    }

    fn key(&self, start: u64) -> String {
        format!("{}-{start}", self.prefix)
    }

    fn index(&self, byte: u64) -> usize {
        usize::try_from(byte.saturating_sub(self.start)).unwrap_or(usize::MAX)
    }
}

fn packing(key: String, meta: ObjectMeta, text: std::ops::Range<u64>) -> Packing {
    Packing { staged: Some(Staged { key, etag: meta.etag }), bytes: 0..meta.length, text, share: 0 }
}

fn length(segment: &Segment) -> u64 {
    segment.bytes.end - segment.bytes.start
}

fn internal(message: String) -> PortError {
    PortError::new(ErrorKind::Internal, "planner", message)
}
