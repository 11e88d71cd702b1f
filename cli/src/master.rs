//! The master key: the one of the settings, or in embedded mode a random one that is kept in the data folder,
//! readable for its owner only.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use carrack_shared::config::Config;
use carrack_shared::layer::secret::MasterKey;

const KEY_FILE: &str = "master.key";

/// More than a key file has.
const KEY_FILE_BYTES: u64 = 1024;

/// The key, if there is one. In embedded mode there always is.
pub fn key(config: &Config) -> anyhow::Result<Option<Arc<MasterKey>>> {
    let text = config.master_key.reveal();
    if !text.is_empty() {
        let key = MasterKey::parse(text).map_err(|error| anyhow!("master_key: {error}"))?;
        return Ok(Some(Arc::new(key)));
    }
    if !config.is_embedded() {
        return Ok(None);
    }
    let path = config.data_dir.join(KEY_FILE);
    let kept = kept(&path).with_context(|| path.display().to_string())?;
    let key = MasterKey::parse(&kept).map_err(|error| anyhow!("{}: {error}", path.display()))?;
    Ok(Some(Arc::new(key)))
}

/// What the file holds; makes it if it is not there. Of several processes that make it, one wins.
fn kept(path: &Path) -> std::io::Result<String> {
    match read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        found => return found,
    }
    let draft = path.with_extension(format!("key.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    let bytes: [u8; 32] = rand::random();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(file, "{hex}")?;
    // What is wrapped under a key that is lost cannot be read any more.
    file.sync_all()?;
    match std::fs::hard_link(&draft, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    std::fs::remove_file(&draft)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    read(path)
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(KEY_FILE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(KEY_FILE);
        let made = kept(&path).unwrap();
        assert_eq!(kept(&path).unwrap(), made);
        assert!(MasterKey::parse(&made).is_ok());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "only the key");
        std::fs::write(&path, "not a key").unwrap();
        assert!(MasterKey::parse(&kept(&path).unwrap()).is_err(), "a broken one is not replaced");
    }
}
