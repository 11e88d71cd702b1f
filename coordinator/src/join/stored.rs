//! A part of an export as its worker has stored it: the frames of which it is made, and any bytes of it.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use carrack_shared::error::PortResult;
use carrack_shared::layer::cut::first;
use carrack_shared::layer::index::{Frame, Index};
use carrack_shared::layer::packaging::Packaging;
use carrack_shared::layer::sealed::ChunkedKey;
use carrack_shared::layer::secret::DataKey;
use carrack_shared::layer::{Opened, Trouble, chunks, sealing};
use carrack_shared::port::Objects;
use carrack_shared::port::batches::{ExportEffect, Part};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::OnceCell;

use super::internal;
use super::layout::PartFrames;

/// Bytes that are read with one request, at most: a stream would read far behind a range that is small.
const AT_ONCE: u64 = 1024 * 1024;

/// A stored part.
pub(super) struct Stored {
    effect: ExportEffect,
    /// What opens its chunks, once one of them was read.
    chunks: OnceCell<Arc<ChunkedKey>>,
}

impl Stored {
    pub fn new(effect: ExportEffect) -> Self {
        Self { effect, chunks: OnceCell::new() }
    }

    /// Bytes of what the part holds. A sealed one is opened from the chunk on in which the range begins.
    pub async fn read(
        &self,
        objects: &dyn Objects,
        data_key: Option<DataKey>,
        range: Range<u64>,
    ) -> Result<Opened, Trouble> {
        let ExportEffect { key, etag, bytes, .. } = &self.effect;
        let length = range.end - range.start;
        let Some(data_key) = data_key else {
            if length <= AT_ONCE {
                let bytes = objects.get(key, range, etag).await?;
                return Ok(stream::iter([Ok(bytes)]).boxed());
            }
            let stored = objects.stream(key, range.start, etag).await?.map_err(Trouble::Port);
            return Ok(first(stored.boxed(), length));
        };
        let chunks = self.chunks.get_or_try_init(|| async {
            let head = objects.get(key, 0..chunks::HEAD as u64, etag).await?;
            let head = head.first_chunk().ok_or_else(|| internal(format!("{key} is cut off")))?;
            Ok::<_, Trouble>(Arc::new(sealing::object_key(&data_key, key, head)?))
        });
        let (chunks, whole) = (Arc::clone(chunks.await?), chunks::plain_length(*bytes)?);
        if length <= AT_ONCE {
            let stored = objects.get(key, chunks::stored(range.clone(), whole), etag).await?;
            let mut plain = Vec::new();
            chunks.open_range(range, whole, &stored, &mut plain)?;
            return Ok(stream::iter([Ok(Bytes::from(plain))]).boxed());
        }
        let stored = objects.stream(key, chunks::start(range.start), etag).await?.map_err(Trouble::Port);
        Ok(first(sealing::open_from(chunks, whole, stored.boxed(), range.start), length))
    }
}

/// The frames of a part. One that was written in one go is one frame.
pub(super) fn frames(packaging: &Packaging, (number, part): (usize, &Part)) -> PortResult<PartFrames> {
    let effect = &part.effect;
    let wrong = || internal(format!("the frames of part {} of an export cannot be read", part.batch));
    if packaging.frame_limits().is_some() {
        let index = Index::decode(&effect.frames).ok_or_else(wrong)?;
        return Ok(PartFrames { number, frames: index.frames });
    }
    let stored = match packaging.seal {
        Some(_) => chunks::plain_length(effect.bytes).map_err(|_| wrong())?,
        None => effect.bytes,
    };
    let records = u32::try_from(effect.rows).unwrap_or(u32::MAX);
    Ok(PartFrames { number, frames: vec![Frame { stored, text: stored, records, lines: 0 }] })
}
