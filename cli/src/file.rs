//! The user's files: checked before anything starts, and written whole or not at all.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use futures_util::TryStreamExt as _;
use tokio::io::{AsyncWriteExt as _, BufWriter};

use crate::access::ByteStream;

/// Bytes that are written to a file at a time.
const BUFFER_BYTES: usize = 256 * 1024;

/// A file to be imported: there, readable, and not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// What messages call it: the path without its folders.
    pub name: String,
    /// Its absolute path.
    pub path: PathBuf,
    /// Its bytes.
    pub length: u64,
    text: String,
}

impl Input {
    /// Looks at a file.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let absolute = path.canonicalize().with_context(|| shown.to_string())?;
        let meta = absolute.metadata().with_context(|| shown.to_string())?;
        if meta.is_dir() {
            bail!("{shown}: found a directory, expected a file");
        }
        if !meta.is_file() {
            bail!("{shown}: found a pipe or device, expected a file: its end and its changes must be known");
        }
        std::fs::File::open(&absolute).with_context(|| shown.to_string())?;
        if meta.len() == 0 {
            bail!("{shown}: the file is empty, expected records");
        }
        let Some(text) = absolute.to_str().map(ToOwned::to_owned) else {
            bail!("{shown}: the path is not UTF-8, expected a path that can be stored");
        };
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Self { name, path: absolute, length: meta.len(), text })
    }

    /// Looks at all files; tells everything that is wrong with them at once.
    pub fn open_all(paths: &[PathBuf]) -> anyhow::Result<Vec<Self>> {
        let (mut inputs, mut mistakes) = (Vec::new(), Vec::new());
        for path in paths {
            match Self::open(path) {
                Ok(input) => inputs.push(input),
                Err(error) => mistakes.push(crate::exit::chain(&error)),
            }
        }
        if !mistakes.is_empty() {
            bail!("{}", mistakes.join("; "));
        }
        Ok(inputs)
    }

    /// The key under which an embedded object store reads it in place.
    pub fn key(&self) -> String {
        format!("file:{}", self.text)
    }
}

/// A file that is being written beside its place and moved there when it is whole.
pub struct Output {
    target: PathBuf,
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
    /// Begins a file that will stand at `target`.
    pub async fn create(target: &Path) -> anyhow::Result<Self> {
        if target.is_dir() {
            bail!("{}: found a directory, expected the name of a file", target.display());
        }
        let Some(name) = target.file_name() else {
            bail!("{}: expected the name of a file", target.display());
        };
        let mut part_name = OsString::from(".");
        part_name.push(name);
        part_name.push(format!(".{}.part", std::process::id()));
        let path = target.with_file_name(part_name);
        let file = tokio::fs::File::create(&path).await.with_context(|| target.display().to_string())?;
        let file = BufWriter::with_capacity(BUFFER_BYTES, file);
        Ok(Self { target: target.to_path_buf(), part: Part(Some(path)), file })
    }

    /// The place where it will stand.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Appends bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.file.write_all(bytes).await.with_context(|| self.target.display().to_string())
    }

    /// Puts the file in its place, durably, over one that is there.
    pub async fn finish(mut self) -> anyhow::Result<()> {
        let place = || self.target.display().to_string();
        self.file.flush().await.with_context(place)?;
        self.file.get_ref().sync_all().await.with_context(place)?;
        if let Some(path) = &self.part.0 {
            tokio::fs::rename(path, &self.target).await.with_context(place)?;
        }
        self.part.0 = None;
        Ok(())
    }
}

/// Writes everything that `content` yields, and finishes.
pub async fn fill(mut output: Output, mut content: ByteStream) -> anyhow::Result<()> {
    while let Some(bytes) = content.try_next().await? {
        output.write(&bytes).await?;
    }
    output.finish().await
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests made these files, and they are small")]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::{StreamExt as _, stream};

    #[test]
    fn what_cannot_be_imported_is_told_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.csv");
        std::fs::write(&empty, "").unwrap();
        let paths = [folder.path().join("missing.json"), folder.path().to_path_buf(), empty];
        let error = Input::open_all(&paths).unwrap_err().to_string();
        for part in [
            "missing.json: No such file",
            "found a directory, expected a file",
            "empty.csv: the file is empty",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[tokio::test]
    async fn a_file_is_replaced_whole_or_stays() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.json");
        std::fs::write(&target, "old").unwrap();
        let broken = stream::iter([Ok(Bytes::from("ne")), Err(anyhow::anyhow!("cut"))]).boxed();
        assert!(fill(Output::create(&target).await.unwrap(), broken).await.is_err());
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "old");
        let whole = stream::iter([Ok(Bytes::from("ne")), Ok(Bytes::from("w"))]).boxed();
        fill(Output::create(&target).await.unwrap(), whole).await.unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
