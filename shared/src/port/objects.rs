//! The port to whole objects: sources, export parts, long frames.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::error::PortResult;

/// Bytes as they arrive, in pieces of at most a few MiB.
pub type ByteStream = BoxStream<'static, PortResult<Bytes>>;

/// What a store says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Changes whenever the content does.
    pub etag: String,
    /// Bytes.
    pub length: u64,
}

/// Immutable objects under `/`-separated keys.
///
/// Keys are made by Carrack, never by users: each segment is `[A-Za-z0-9._-]+` and not `.` or `..`. Every
/// other key is refused. An embedded directory also reads the user's own files, in place and never
/// written, under the key `file:` followed by the absolute path.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Stores everything that `body` yields under `key`, whole or not at all: after an error or a crash no
    /// reader sees a part of it. Holds at most a few MiB in memory.
    ///
    /// Not an error: the key exists; it is replaced. An error of `body` is answered as it is.
    async fn put(&self, key: &str, body: ByteStream) -> PortResult<ObjectMeta>;

    /// The bytes `range` of the object, all of them: a short answer is an error that can be tried again.
    ///
    /// `Changed` when the object's etag is not `etag`, `NotFound` when it is gone, `Refused` when the range
    /// ends behind the object.
    async fn get(&self, key: &str, range: Range<u64>, etag: &str) -> PortResult<Bytes>;

    /// The bytes from `from` to the end, as they come. Ends with an error, never silently, when the
    /// object is cut short, changes, or stalls.
    async fn stream(&self, key: &str, from: u64, etag: &str) -> PortResult<ByteStream>;

    /// What the store says of the object; none if there is no such object, which is not an error.
    async fn head(&self, key: &str) -> PortResult<Option<ObjectMeta>>;

    /// Removes the object. Not an error: there is none.
    async fn delete(&self, key: &str) -> PortResult<()>;

    /// All keys that start with `prefix`, sorted.
    async fn list(&self, prefix: &str) -> PortResult<Vec<String>>;

    /// Whether the store answers.
    async fn ready(&self) -> PortResult<()>;
}
