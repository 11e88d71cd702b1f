//! A file that we write for the user: beside its place until it is whole, then moved there. One that is there
//! stays as it was until then, and its owner and mode stay for good.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use futures_util::TryStreamExt as _;
use tokio::fs::OpenOptions;
use tokio::io::{AsyncWriteExt as _, BufWriter};

use crate::access::ByteStream;
use crate::place::Place;

/// Bytes that are written to a file at a time.
const BUFFER_BYTES: usize = 256 * 1024;

/// The mode of a file that nobody else may read while it is written, for the one in its place may be secret.
const PRIVATE: u32 = 0o600;

/// The mode of a new file, before the mask of the process.
const PUBLIC: u32 = 0o666;

/// The bits of a mode that are permissions.
const PERMISSIONS: u32 = 0o7777;

/// A file that is being written.
pub struct Output {
    place: Place,
    part: Part,
    file: BufWriter<tokio::fs::File>,
}

/// The unfinished file; removed when it is dropped unfinished.
struct Part(Option<PathBuf>);

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Output {
    /// Begins a file that will stand at `place`.
    pub async fn create(place: &Place) -> anyhow::Result<Self> {
        let path = part_name(place.real());
        let mode = if place.real().exists() { PRIVATE } else { PUBLIC };
        let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path).await;
        let file = opened.with_context(|| place.named().display().to_string())?;
        let file = BufWriter::with_capacity(BUFFER_BYTES, file);
        Ok(Self { place: place.clone(), part: Part(Some(path)), file })
    }

    /// Appends bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.file.write_all(bytes).await.with_context(|| self.shown())
    }

    /// Puts the file in its place, durably, over one that is there.
    pub async fn finish(mut self) -> anyhow::Result<()> {
        let shown = self.shown();
        let place = || shown.clone();
        self.file.flush().await.with_context(place)?;
        self.file.get_ref().sync_all().await.with_context(place)?;
        if let Some(path) = &self.part.0 {
            // It may have become something else while this was written.
            if let Err(reason) = regular(self.place.real()) {
                bail!("{shown}: {reason}");
            }
            take_over(self.place.real(), path).with_context(place)?;
            tokio::fs::rename(path, self.place.real()).await.with_context(place)?;
        }
        self.part.0 = None;
        Ok(())
    }

    fn shown(&self) -> String {
        self.place.named().display().to_string()
    }
}

/// Writes everything that `content` yields, and finishes; answers how many bytes that were.
pub async fn fill(mut output: Output, mut content: ByteStream) -> anyhow::Result<u64> {
    let mut written = 0;
    while let Some(bytes) = content.try_next().await? {
        output.write(&bytes).await?;
        written += bytes.len() as u64;
    }
    output.finish().await?;
    Ok(written)
}

/// A name beside `target` that no other file has.
pub fn part_name(target: &Path) -> PathBuf {
    target.with_file_name(format!(".carrack-{:016x}.part", rand::random::<u64>()))
}

/// Whether a file may be put here: nothing is there, or a file like any other.
///
/// # Errors
/// What is there instead.
pub fn regular(target: &Path) -> Result<(), String> {
    match target.symlink_metadata() {
        Ok(meta) if meta.is_dir() => Err("found a directory, expected the name of a file".into()),
        Ok(meta) if meta.is_symlink() => Err("found a link that leads nowhere, expected a file".into()),
        Ok(meta) if !meta.is_file() => Err("found a device, pipe or socket, expected a file".into()),
        // Whether it can be made is found out by making it.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Gives the new file what the old one's owner has settled.
fn take_over(old: &Path, new: &Path) -> std::io::Result<()> {
    let Ok(meta) = old.metadata() else { return Ok(()) };
    // Only the superuser may give a file away; for anybody else it stays their own.
    let _ = std::os::unix::fs::chown(new, Some(meta.uid()), Some(meta.gid()));
    std::fs::set_permissions(new, std::fs::Permissions::from_mode(meta.mode() & PERMISSIONS))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests made these files, and they are small")]
mod tests {
    use super::*;
    use crate::place::Fence;
    use bytes::Bytes;
    use futures_util::{StreamExt as _, stream};

    async fn written(target: &Path, pieces: Vec<anyhow::Result<Bytes>>) -> anyhow::Result<()> {
        let place = Place::settle("-o", target, &Fence::default())?;
        fill(Output::create(&place).await?, stream::iter(pieces).boxed()).await.map(drop)
    }

    #[tokio::test]
    async fn a_file_is_replaced_whole_or_stays() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.json");
        std::fs::write(&target, "old").unwrap();
        let broken = vec![Ok(Bytes::from("ne")), Err(anyhow::anyhow!("cut"))];
        assert!(written(&target, broken).await.is_err());
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "old");
        let whole = || vec![Ok(Bytes::from("ne")), Ok(Bytes::from("w"))];
        written(&target, whole()).await.unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[tokio::test]
    async fn a_link_and_a_mode_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("out.json"), folder.path().join("link"));
        std::os::unix::fs::symlink("out.json", &link).unwrap();
        for mode in [0o600, 0o640, 0o666] {
            std::fs::write(&target, "old").unwrap();
            std::fs::set_permissions(&target, std::fs::Permissions::from_mode(mode)).unwrap();
            written(&link, vec![Ok(Bytes::from("new"))]).await.unwrap();
            assert_eq!(std::fs::read_to_string(&target).unwrap(), "new");
            assert_eq!(target.metadata().unwrap().mode() & PERMISSIONS, mode);
            assert!(link.is_symlink());
        }
    }

    #[tokio::test]
    async fn what_has_become_something_else_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.json");
        let place = Place::settle("-o", &target, &Fence::default()).unwrap();
        let output = Output::create(&place).await.unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(&target).unwrap();
        let error = output.finish().await.unwrap_err().to_string();
        assert!(error.contains("found a device, pipe or socket"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "only the socket");
    }
}
