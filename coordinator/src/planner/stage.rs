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
use tokio_util::task::AbortOnDropHandle;

use super::draft::Draft;

/// Text that waits for the end of its record or task, before it is staged as it is.
const WAITING_BYTES: u64 = TASK_BYTES + RECORD_BYTES;

/// Blanks between two batches above which they are staged apart, without them.
const GAP_BYTES: u64 = 1024 * 1024;

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
    /// Bytes of the source that were read when it was staged last; none before the first piece has come, for
    /// what stands before it may have been read again.
    consumed: Option<u64>,
}

/// A record that is longer than one may be, on its way into an object, from `start` to `end` so far. Its first
/// bytes wait all the same: blanks at its end may turn out not to belong to it.
struct Spill {
    start: u64,
    end: u64,
    key: String,
    sender: mpsc::Sender<Bytes>,
    storing: AbortOnDropHandle<PortResult<ObjectMeta>>,
    /// The piece that was taken last: where the record ends in it, the rest is still wanted.
    last: Bytes,
}

impl Stager {
    /// For the source at which the draft stands, from there on.
    pub fn new(draft: &Draft<'_>, reader: &Reader) -> Self {
        let (claim, cursor) = (draft.claim, &draft.cursor);
        let prefix = format!("staged/{}/{}/{}", claim.operation.id, cursor.source, claim.lease_epoch);
        let (start, waiting) = (cursor.byte, Vec::new());
        Self { reader: reader.clone(), prefix, start, waiting, spill: None, consumed: None }
    }

    /// Takes the next piece of the text.
    pub async fn take(&mut self, piece: &Bytes) -> PortResult<()> {
        if self.consumed.is_none() {
            self.consumed = Some(if self.start == 0 { 0 } else { self.reader.consumed() });
        }
        let Some(spill) = &mut self.spill else {
            self.waiting.extend_from_slice(piece);
            return Ok(());
        };
        spill.end += piece.len() as u64;
        spill.last = piece.clone();
        if spill.sender.send(piece.clone()).await.is_err() {
            // It ended early, and says why.
            return self.spilled().await.map(drop);
        }
        Ok(())
    }

    /// Lets the open record flow by once it is longer than a record may be.
    pub fn bound(&mut self, open: Option<u64>) {
        let Some(open) = open.filter(|open| self.spill.is_none() && self.end() - open > RECORD_BYTES) else {
            return;
        };
        let begun = Bytes::copy_from_slice(&self.waiting[self.index(open)..]);
        let (key, end) = (self.key(open), self.end());
        let (sender, receiver) = mpsc::channel(WAITING_PIECES);
        let rest = stream::unfold(receiver, |mut receiver: mpsc::Receiver<Bytes>| async move {
            receiver.recv().await.map(|piece| (piece, receiver))
        });
        let body = self.packed(&key, stream::iter([begun.clone()]).chain(rest).map(Ok).boxed());
        let (objects, name) = (self.reader.objects(), key.clone());
        let storing = AbortOnDropHandle::new(tokio::spawn(async move { objects.put(&name, body).await }));
        self.spill = Some(Spill { start: open, end, key, sender, storing, last: begun });
    }

    /// Whether what waits has to be staged now.
    pub fn is_full(&self) -> bool {
        self.spill.is_some() || self.waiting.len() as u64 > WAITING_BYTES
    }

    /// Offset behind the last byte that was taken.
    pub fn end(&self) -> u64 {
        self.spill.as_ref().map_or(self.start + self.waiting.len() as u64, |spill| spill.end)
    }

    /// Stores the text of the draft's segments and says in them where it is. What stands before `wanted` is
    /// forgotten then.
    pub async fn stage(&mut self, draft: &mut Draft<'_>, wanted: Option<u64>) -> PortResult<()> {
        let consumed = self.reader.consumed();
        let read = consumed - self.consumed.replace(consumed).unwrap_or(consumed);
        let mut groups = draft.homeless(GAP_BYTES);
        let text: u64 = groups.iter().flatten().map(|segment| length(segment)).sum();
        for group in &mut groups {
            let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
            let (bytes, refused) = (first.bytes.start..last.bytes.end, first.fault.is_some());
            let spilled = self.spill.as_ref().is_some_and(|spill| refused && spill.start == bytes.start);
            let packing = if spilled { self.end_spill(bytes.end).await? } else { self.store(bytes).await? };
            for segment in group {
                let share = u128::from(read) * u128::from(length(segment)) / u128::from(text.max(1));
                let share = u64::try_from(share).unwrap_or(u64::MAX);
                segment.packing = Some(Packing { share, ..packing.clone() });
            }
        }
        self.forget(wanted.unwrap_or(self.end()));
        Ok(())
    }

    /// Drops what waits before `wanted`.
    fn forget(&mut self, wanted: u64) {
        if self.spill.as_ref().is_some_and(|spill| wanted > spill.start) {
            // It was no record that is too long: it ended before the blanks that made it so.
            self.wait_from_last_piece();
        }
        if wanted > self.start && self.spill.is_none() {
            let known = self.index(wanted).min(self.waiting.len());
            self.waiting.drain(..known);
            self.start = wanted;
        }
    }

    /// Gives the spill up; its last piece waits again.
    fn wait_from_last_piece(&mut self) {
        if let Some(Spill { end, last, .. }) = self.spill.take() {
            (self.start, self.waiting) = (end - last.len() as u64, last.to_vec());
        }
    }

    /// Stores a piece of what waits.
    async fn store(&mut self, text: std::ops::Range<u64>) -> PortResult<Packing> {
        let waiting = self.start + self.waiting.len() as u64;
        if text.end > waiting {
            self.wait_from_last_piece();
        }
        if text.start < self.start || text.end > self.start + self.waiting.len() as u64 {
            let (from, to) = (self.start, self.start + self.waiting.len() as u64);
            return Err(internal(format!("the text {text:?} is to be staged, and {from}..{to} is waiting")));
        }
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
        let (packing, last) = self.spilled().await?;
        let behind = usize::try_from(packing.text.end - end).unwrap_or(usize::MAX);
        let Some(rest) = last.len().checked_sub(behind) else {
            return Err(internal(format!("a record ended at {end}, and {behind} bytes more were let by")));
        };
        (self.start, self.waiting) = (end, last[rest..].to_vec());
        Ok(packing)
    }

    /// Closes the spill; also answers its last piece.
    async fn spilled(&mut self) -> PortResult<(Packing, Bytes)> {
        let Some(Spill { start, end, key, sender, storing, last }) = self.spill.take() else {
            return Err(internal("nothing was spilled".into()));
        };
        drop(sender);
        let meta = storing.await.map_err(|error| internal(error.to_string()))??;
        Ok((packing(key, meta, start..end), last))
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
