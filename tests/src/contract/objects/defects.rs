//! Stores with a deliberate defect each, to show that the checks of the contract can fail.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use carrack_shared::error::PortResult;
use carrack_shared::port::Objects;
use carrack_shared::port::objects::{ByteStream, ObjectMeta};
use futures_util::{StreamExt, TryStreamExt, stream};

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Streams end before their last piece.
    Drops,
    /// Ranges are a byte short.
    DropsAByte,
    /// Streams yield their first piece twice.
    Doubles,
    /// Streams yield their first two pieces in the wrong order.
    Reorders,
    /// Streams never end.
    HangsReading,
    /// Puts never answer.
    HangsWriting,
    /// Whatever version is there is handed out.
    IgnoresVersions,
    /// A body that fails is stored as far as it came.
    KeepsParts,
    /// The last key of a list is left out.
    ListsTooFew,
}

/// Which check finds a defect, and what it says.
pub const FOUND: [(Defect, &str, &str); 9] = [
    (Defect::Drops, "what_is_put_comes_back", "bytes were lost"),
    (Defect::DropsAByte, "any_range_comes_back", "bytes were lost"),
    (Defect::Doubles, "what_is_put_comes_back", "bytes were doubled"),
    (Defect::Reorders, "what_is_put_comes_back", "out of order"),
    (Defect::HangsReading, "what_is_put_comes_back", "it hangs"),
    (Defect::HangsWriting, "what_is_put_comes_back", "it hangs"),
    (Defect::IgnoresVersions, "a_replaced_object_has_changed", "expected Changed, found an answer"),
    (Defect::KeepsParts, "a_body_that_fails_leaves_nothing", "is seen"),
    (Defect::ListsTooFew, "keys_are_listed_by_prefix_and_sorted", "left == right"),
];

/// A good store, made bad.
pub struct Defective {
    objects: Arc<dyn Objects>,
    defect: Defect,
}

impl Defective {
    /// Puts a defect into a store.
    pub fn new(objects: Arc<dyn Objects>, defect: Defect) -> Self {
        Self { objects, defect }
    }

    /// The etag that is asked for.
    async fn etag(&self, key: &str, asked: &str) -> PortResult<String> {
        if self.defect != Defect::IgnoresVersions {
            return Ok(asked.to_owned());
        }
        Ok(self.objects.head(key).await?.map_or_else(|| asked.to_owned(), |meta| meta.etag))
    }
}

#[async_trait]
impl Objects for Defective {
    async fn put(&self, key: &str, body: ByteStream) -> PortResult<ObjectMeta> {
        match self.defect {
            Defect::HangsWriting => std::future::pending().await,
            Defect::KeepsParts => {
                let pieces: Vec<PortResult<Bytes>> = body.collect().await;
                let (kept, failed): (Vec<_>, Vec<_>) = pieces.into_iter().partition(Result::is_ok);
                let stored = self.objects.put(key, stream::iter(kept).boxed()).await?;
                failed.into_iter().next().map_or(Ok(stored), |error| error.map(|_| unreachable!()))
            }
            _ => self.objects.put(key, body).await,
        }
    }

    async fn get(&self, key: &str, range: Range<u64>, etag: &str) -> PortResult<Bytes> {
        let mut bytes = self.objects.get(key, range, &self.etag(key, etag).await?).await?;
        if self.defect == Defect::DropsAByte {
            bytes.truncate(bytes.len().saturating_sub(1));
        }
        Ok(bytes)
    }

    async fn stream(&self, key: &str, from: u64, etag: &str) -> PortResult<ByteStream> {
        let stream = self.objects.stream(key, from, &self.etag(key, etag).await?).await?;
        let mut pieces: Vec<Bytes> = match self.defect {
            Defect::HangsReading => return Ok(stream.chain(stream::pending()).boxed()),
            Defect::Drops | Defect::Doubles | Defect::Reorders => stream.try_collect().await?,
            _ => return Ok(stream),
        };
        match self.defect {
            Defect::Drops => drop(pieces.pop()),
            Defect::Doubles => pieces.extend(pieces.first().cloned()),
            Defect::Reorders if pieces.len() > 1 => pieces.swap(0, 1),
            _ => {}
        }
        Ok(stream::iter(pieces.into_iter().map(Ok)).boxed())
    }

    async fn head(&self, key: &str) -> PortResult<Option<ObjectMeta>> {
        self.objects.head(key).await
    }

    async fn delete(&self, key: &str) -> PortResult<()> {
        self.objects.delete(key).await
    }

    async fn list(&self, prefix: &str) -> PortResult<Vec<String>> {
        let mut keys = self.objects.list(prefix).await?;
        if self.defect == Defect::ListsTooFew {
            keys.pop();
        }
        Ok(keys)
    }

    async fn ready(&self) -> PortResult<()> {
        self.objects.ready().await
    }
}
