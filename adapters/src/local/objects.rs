//! Objects as files of a directory, one per key, and the user's own files, read in place.

use std::ops::Range;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::port::Objects;
use carrack_shared::port::objects::{ByteStream, ObjectMeta};
use futures_util::StreamExt;
use futures_util::stream;

use super::directory;
use super::fault::{SERVICE, refused};
use super::read::{self, Version};
use crate::object_key;

/// What stands before the absolute path of a user's own file.
const IN_PLACE: &str = "file:";

/// Bytes of one piece of a stream.
const PIECE_BYTES: u64 = 1024 * 1024;

/// A directory of objects.
pub struct LocalObjects {
    root: PathBuf,
    in_place: bool,
}

impl LocalObjects {
    /// Opens the directory, making it where it is missing. `in_place` allows reading the user's own files
    /// under keys that start with `file:`.
    ///
    /// # Errors
    /// When the directory cannot be made or written.
    pub fn open(dir: &Path, in_place: bool) -> PortResult<Self> {
        let root = std::path::absolute(dir).map_err(|error| super::fault::failed("resolve", dir, error))?;
        directory::open(&root)?;
        Ok(Self { root, in_place })
    }

    /// The file that a key names, for reading.
    fn readable(&self, key: &str) -> PortResult<PathBuf> {
        let Some(path) = key.strip_prefix(IN_PLACE) else { return self.writable(key) };
        if !self.in_place {
            return Err(refused(format!("{key:?}: files outside the store are not read here")));
        }
        if !Path::new(path).is_absolute() {
            return Err(refused(format!("{key:?}: expected an absolute path after \"{IN_PLACE}\"")));
        }
        Ok(PathBuf::from(path))
    }

    /// The file that a key names, for writing.
    fn writable(&self, key: &str) -> PortResult<PathBuf> {
        object_key::check(SERVICE, key)?;
        Ok(self.root.join(key))
    }
}

#[async_trait]
impl Objects for LocalObjects {
    async fn put(&self, key: &str, body: ByteStream) -> PortResult<ObjectMeta> {
        let path = self.writable(key)?;
        directory::write(&self.root, &path, body).await
    }

    async fn get(&self, key: &str, range: Range<u64>, etag: &str) -> PortResult<Bytes> {
        let (path, etag) = (self.readable(key)?, etag.to_owned());
        blocking(move || {
            let version = Version::open(&path, &etag)?;
            version.check(&range)?;
            version.read(range)
        })
        .await
    }

    async fn stream(&self, key: &str, from: u64, etag: &str) -> PortResult<ByteStream> {
        let (path, etag) = (self.readable(key)?, etag.to_owned());
        let version = blocking(move || {
            let version = Version::open(&path, &etag)?;
            version.check(&(from..version.length()))?;
            Ok(version)
        })
        .await?;
        Ok(stream::try_unfold((version, from), next_piece).boxed())
    }

    async fn head(&self, key: &str) -> PortResult<Option<ObjectMeta>> {
        let path = self.readable(key)?;
        blocking(move || read::meta(&path)).await
    }

    async fn delete(&self, key: &str) -> PortResult<()> {
        let path = self.writable(key)?;
        blocking(move || directory::remove(&path)).await
    }

    async fn list(&self, prefix: &str) -> PortResult<Vec<String>> {
        object_key::check_prefix(SERVICE, prefix)?;
        let (root, prefix) = (self.root.clone(), prefix.to_owned());
        blocking(move || {
            let folder =
                prefix.rsplit_once('/').map_or_else(|| root.clone(), |(folders, _)| root.join(folders));
            let mut keys = Vec::new();
            directory::collect_keys(&root, &folder, &mut keys)?;
            keys.retain(|key| key.starts_with(&prefix));
            keys.sort_unstable();
            Ok(keys)
        })
        .await
    }

    async fn ready(&self) -> PortResult<()> {
        let root = self.root.clone();
        blocking(move || directory::open(&root)).await
    }
}

/// The next piece of a stream, with what is needed for the one after it.
async fn next_piece((version, at): (Version, u64)) -> PortResult<Option<(Bytes, (Version, u64))>> {
    let until = version.length().min(at + PIECE_BYTES);
    if at == until {
        return Ok(None);
    }
    blocking(move || Ok(Some((version.read(at..until)?, (version, until))))).await
}

/// Runs file work off the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> PortResult<T> + Send + 'static,
) -> PortResult<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(PortError::new(ErrorKind::Internal, SERVICE, "file work ended without an answer").because(error))
    })
}
