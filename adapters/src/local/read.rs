//! How a file is read so that nothing but one version of it comes out: its etag is taken from the open file
//! before the first byte, and again after every piece.

use std::fs::{self, File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::port::objects::ObjectMeta;

use super::fault::{SERVICE, failed, refused};

/// An open file that is still the version that was asked for.
pub struct Version {
    path: PathBuf,
    file: File,
    meta: ObjectMeta,
}

/// What the file system says of a regular file; none if there is none.
///
/// # Errors
/// `Refused` when there is something else, such as a directory.
pub fn meta(path: &Path) -> PortResult<Option<ObjectMeta>> {
    match fs::metadata(path) {
        Ok(found) => regular(path, &found).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("look up", path, error)),
    }
}

impl Version {
    /// Opens the file for reading.
    ///
    /// # Errors
    /// `Changed` when its etag is not `etag`.
    pub fn open(path: &Path, etag: &str) -> PortResult<Self> {
        // Opening a pipe would wait for its writer, so the kind is looked up before and not only after.
        let Some(_) = meta(path)? else {
            return Err(PortError::new(ErrorKind::NotFound, SERVICE, format!("no file {}", path.display())));
        };
        let file = File::open(path).map_err(|error| failed("open", path, error))?;
        let meta = described(path, &file)?;
        if meta.etag != etag {
            return Err(changed(path, etag, &meta.etag));
        }
        Ok(Self { path: path.to_owned(), file, meta })
    }

    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        self.meta.length
    }

    /// Refuses a range that is not inside the file.
    pub fn check(&self, range: &Range<u64>) -> PortResult<()> {
        if range.start <= range.end && range.end <= self.meta.length {
            return Ok(());
        }
        Err(refused(format!(
            "{}: bytes {}..{} asked for, the file has {}",
            self.path.display(),
            range.start,
            range.end,
            self.meta.length
        )))
    }

    /// The bytes of a range that was checked.
    ///
    /// # Errors
    /// `Changed` when the file is another since it was opened.
    pub fn read(&self, range: Range<u64>) -> PortResult<Bytes> {
        let length = usize::try_from(range.end - range.start)
            .map_err(|error| refused("the range does not fit into memory").because(error))?;
        let mut bytes = vec![0; length];
        let read = self.file.read_exact_at(&mut bytes, range.start);
        let now = described(&self.path, &self.file)?;
        if now.etag != self.meta.etag {
            return Err(changed(&self.path, &self.meta.etag, &now.etag));
        }
        read.map_err(|error| failed("read", &self.path, error))?;
        Ok(bytes.into())
    }
}

/// What the file system says of an open regular file.
pub fn described(path: &Path, file: &File) -> PortResult<ObjectMeta> {
    regular(path, &file.metadata().map_err(|error| failed("look up", path, error))?)
}

fn regular(path: &Path, found: &Metadata) -> PortResult<ObjectMeta> {
    if !found.is_file() {
        let what = if found.is_dir() { "a directory" } else { "a device or pipe" };
        return Err(refused(format!("{} is {what}, expected a regular file", path.display())));
    }
    let mtime_ns = i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
    let etag = format!("{:x}-{mtime_ns:x}-{:x}", found.len(), found.ino());
    Ok(ObjectMeta { etag, length: found.len() })
}

fn changed(path: &Path, expected: &str, found: &str) -> PortError {
    let message = format!(
        "{} has changed: expected version {expected}, found {found} (length-mtime-inode)",
        path.display()
    );
    PortError::new(ErrorKind::Changed, SERVICE, message)
}
