//! The user's files that are imported: looked at before anything starts.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use carrack_coordinator::join::manifest::{MANIFEST_BYTES, Manifest};

use crate::exit::{self, Usage};

/// Begins the key of a file that is read in place.
const IN_PLACE: &str = "file:";

/// Standard input, as an argument.
const STANDARD_INPUT: &str = "-";

/// And in messages.
const STDIN: &str = "stdin";

/// A file to be imported, there and readable; or standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// What messages call it: the path without its folders.
    pub name: String,
    /// Its absolute path; none of standard input.
    pub path: Option<PathBuf>,
    /// Its bytes; none of standard input.
    pub length: Option<u64>,
    text: String,
}

impl Input {
    /// Looks at a file.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        if path.as_os_str() == STANDARD_INPUT {
            return Ok(Self { name: STDIN.into(), path: None, length: None, text: String::new() });
        }
        let absolute = path.canonicalize().with_context(|| shown.to_string())?;
        let meta = absolute.metadata().with_context(|| shown.to_string())?;
        if meta.is_dir() {
            bail!("{shown}: found a directory, expected a file");
        }
        if !meta.is_file() {
            bail!("{shown}: found a pipe or device, expected a file: its end and its changes must be known");
        }
        std::fs::File::open(&absolute).with_context(|| shown.to_string())?;
        let Some(text) = absolute.to_str().map(ToOwned::to_owned) else {
            bail!("{shown}: the path is not UTF-8, expected a path that can be stored");
        };
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Self { name, path: Some(absolute), length: Some(meta.len()), text })
    }

    /// The same under another name.
    pub fn called(self, name: String) -> Self {
        Self { name, ..self }
    }

    /// Looks at all files; tells everything that is wrong with them at once.
    pub fn open_all(paths: &[PathBuf]) -> Result<Vec<Self>, Usage> {
        let (mut inputs, mut mistakes) = (Vec::new(), Vec::new());
        // A manifest may be named together with its files, as by a pattern of the shell.
        let named: Vec<PathBuf> = paths.iter().filter_map(|path| path.canonicalize().ok()).collect();
        for path in paths {
            match Self::open(path).and_then(|input| Ok((input.parts()?, input))) {
                Ok((parts, input)) => {
                    inputs.push(input);
                    for part in parts.iter().filter(|part| !named.contains(part)) {
                        match Self::open(part).with_context(|| "one of the files of the manifest") {
                            Ok(input) => inputs.push(input),
                            Err(error) => mistakes.push(exit::chain(&error)),
                        }
                    }
                }
                Err(error) => mistakes.push(exit::chain(&error)),
            }
        }
        if inputs.iter().filter(|input| input.path.is_none()).count() > 1 {
            mistakes.push("found - (standard input) twice, expected it once".into());
        }
        if mistakes.is_empty() { Ok(inputs) } else { Err(Usage::listing(mistakes)) }
    }

    /// The key under which an embedded object store reads it in place.
    pub fn key(&self) -> Option<String> {
        self.path.is_some().then(|| format!("{IN_PLACE}{}", self.text))
    }

    /// The files beside it of which it is the manifest; none of any other file.
    fn parts(&self) -> anyhow::Result<Vec<PathBuf>> {
        let Some(path) = &self.path else { return Ok(Vec::new()) };
        let manifest = manifest(path)?;
        let files = manifest.map(|manifest| manifest.files).unwrap_or_default();
        Ok(files.iter().map(|file| path.with_file_name(&file.name)).collect())
    }
}

/// The manifest that a file is; none if it is something else.
pub fn manifest(path: &Path) -> anyhow::Result<Option<Manifest>> {
    let read = |bytes: u64| {
        let mut text = Vec::new();
        std::fs::File::open(path)?.take(bytes).read_to_end(&mut text).map(|_| text)
    };
    let place = || path.display().to_string();
    if !Manifest::recognises(&read(64).with_context(place)?) {
        return Ok(None);
    }
    let manifest = Manifest::read(&read(MANIFEST_BYTES).with_context(place)?);
    manifest.map(Some).map_err(|what| anyhow!("{}: {what}", path.display()))
}

/// The path of a file that is read in place under this key; none of any other object.
pub fn path_of(key: &str) -> Option<PathBuf> {
    key.strip_prefix(IN_PLACE).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_imported_is_told_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let dash = PathBuf::from("-");
        let paths = [folder.path().join("missing.json"), folder.path().to_path_buf(), dash.clone(), dash];
        let error = Input::open_all(&paths).unwrap_err().to_string();
        for part in [
            "missing.json: No such file",
            "found a directory, expected a file",
            "found - (standard input) twice",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }
}
