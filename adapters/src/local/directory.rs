//! How a file comes into the directory whole or not at all: written under a temporary name, synced, renamed,
//! and the folder synced. A crash leaves at most a temporary file, which a later start removes.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use carrack_shared::error::PortResult;
use carrack_shared::port::objects::{ByteStream, ObjectMeta};
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use super::fault::{failed, refused};
use super::read;

/// The folder of temporary files. `~` cannot stand in a key, so no key leads into it.
const INCOMING: &str = "~incoming";

/// Age at which a temporary file belongs to nobody: no upload writes for a day without ending.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// A temporary file that is removed unless it was renamed.
struct Incoming {
    path: PathBuf,
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // After the rename there is nothing under this name; otherwise the next start tries again.
        let _gone = fs::remove_file(&self.path);
    }
}

/// Makes the root and removes what killed processes left behind.
pub fn open(root: &Path) -> PortResult<()> {
    let incoming = root.join(INCOMING);
    make_folders(&incoming)?;
    for entry in fs::read_dir(&incoming).map_err(|error| failed("list", &incoming, error))? {
        let path = entry.map_err(|error| failed("list", &incoming, error))?.path();
        if is_abandoned(&path) {
            tracing::debug!(path = %path.display(), "removing an abandoned temporary file");
            remove(&path)?;
        }
    }
    Ok(())
}

/// Stores everything that `body` yields as `target`.
pub async fn write(root: &Path, target: &Path, mut body: ByteStream) -> PortResult<ObjectMeta> {
    let incoming = Incoming { path: root.join(INCOMING).join(Uuid::now_v7().to_string()) };
    let path = &incoming.path;
    let mut file = tokio::fs::File::create_new(path).await.map_err(|error| failed("create", path, error))?;
    while let Some(piece) = body.next().await {
        file.write_all(&piece?).await.map_err(|error| failed("write", path, error))?;
    }
    file.flush().await.map_err(|error| failed("write", path, error))?;
    let file = file.into_std().await;
    let target = target.to_owned();
    super::objects::blocking(move || publish(&file, &incoming, &target)).await
}

fn publish(file: &File, incoming: &Incoming, target: &Path) -> PortResult<ObjectMeta> {
    file.sync_all().map_err(|error| failed("sync", &incoming.path, error))?;
    let folder = target.parent().ok_or_else(|| refused("an object needs a folder"))?;
    make_folders(folder)?;
    fs::rename(&incoming.path, target).map_err(|error| failed("store", target, error))?;
    sync_folder(folder)?;
    read::described(target, file)
}

/// Removes a file. Not an error: there is none.
pub fn remove(path: &Path) -> PortResult<()> {
    match fs::remove_file(path) {
        Ok(()) => path.parent().map_or(Ok(()), sync_folder),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("remove", path, error)),
    }
}

/// Adds the keys of all files under `folder`, a folder inside `root`, to `keys`.
pub fn collect_keys(root: &Path, folder: &Path, keys: &mut Vec<String>) -> PortResult<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(());
        }
        Err(error) => return Err(failed("list", folder, error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| failed("list", folder, error))?;
        let path = entry.path();
        if path == root.join(INCOMING) {
            continue;
        }
        if entry.file_type().map_err(|error| failed("look up", &path, error))?.is_dir() {
            collect_keys(root, &path, keys)?;
        } else if let Some(key) = path.strip_prefix(root).ok().and_then(Path::to_str) {
            keys.push(key.to_owned());
        }
    }
    Ok(())
}

/// Makes a folder and its parents, each of them durable.
fn make_folders(folder: &Path) -> PortResult<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folders(parent)?;
    }
    match fs::create_dir(folder) {
        Ok(()) => folder.parent().map_or(Ok(()), sync_folder),
        Err(_) if folder.is_dir() => Ok(()),
        Err(error) => Err(failed("create", folder, error)),
    }
}

/// Makes the folder's entries durable.
fn sync_folder(folder: &Path) -> PortResult<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed("sync", folder, error))
}

fn is_abandoned(path: &Path) -> bool {
    // Both times are this machine's, and a wrong clock costs at most a temporary file.
    let written = fs::metadata(path).and_then(|meta| meta.modified());
    written.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > ABANDONED))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn a_start_removes_only_what_is_abandoned() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).unwrap();
        let [old, young] = ["old", "young"].map(|name| dir.path().join(INCOMING).join(name));
        File::create(&young).unwrap();
        File::create(&old).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        open(dir.path()).unwrap();
        assert_eq!((old.exists(), young.exists()), (false, true));
    }
}
