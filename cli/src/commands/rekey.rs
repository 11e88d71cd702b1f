//! `carrack rekey`: another key for sealed files. Only their headers are written anew, for the content is under
//! a key of its own, which the header holds.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use carrack_coordinator::join::manifest::{Manifest, hex};
use carrack_shared::fault::Fault;
use carrack_shared::layer::envelope::Envelope;
use carrack_shared::layer::secret::{DataKey, UserKey};
use carrack_shared::layer::wrapping::{KdfParameters, WrappingKey, derive};
use clap::Args;
use sha2::{Digest as _, Sha256};

use crate::exit::{self, Exit, Usage};
use crate::{console, file, key};

/// The arguments of `rekey`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Encrypted files, or the manifest of a split export, which stands for its files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The key that opens them: in env:NAME or file:PATH.
    #[arg(long, value_name = "REF")]
    key: String,
    /// The key that is to open them from now on.
    #[arg(long, value_name = "REF")]
    new_key: String,
}

/// Where a header is kept while it is written anew: behind the name of its file.
const KEPT: &str = ".old-header";

/// A file with its new header.
struct Change {
    path: PathBuf,
    /// The first bytes of the file.
    stands: Vec<u8>,
    old: Envelope,
    new: Envelope,
    data_key: DataKey,
}

/// The keys, and those that were made of them: making one takes time on purpose.
struct Keys {
    old: UserKey,
    new: UserKey,
    opening: HashMap<KdfParameters, WrappingKey>,
    /// By the salt of the old one: files that shared one share one again.
    closing: HashMap<KdfParameters, WrappingKey>,
}

/// Gives the files a new key, all or, where one of them does not open, none.
pub fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let user_key = |option: &str, reference: &str| {
        let text = key::read(option, reference)?;
        UserKey::parse(&text).map_err(|error| Usage(format!("{option}: {error}")))
    };
    let (old, new) = (user_key("--key", &arguments.key), user_key("--new-key", &arguments.new_key));
    let mistakes = [old.as_ref().err(), new.as_ref().err()].into_iter().flatten().map(ToString::to_string);
    let mistakes: Vec<String> = mistakes.collect();
    let (Ok(old), Ok(new)) = (old, new) else { return Err(Usage::listing(mistakes).into()) };
    let mut keys = Keys { old, new, opening: HashMap::new(), closing: HashMap::new() };
    let (mut manifests, mut changes, mut mistakes) = (Vec::new(), Vec::new(), Vec::new());
    for path in &arguments.files {
        let files = match manifest(path) {
            Ok(None) => vec![path.clone()],
            Ok(Some(manifest)) => {
                let files = manifest.files.iter().map(|file| path.with_file_name(&file.name)).collect();
                manifests.push((path.clone(), manifest));
                files
            }
            Err(error) => {
                mistakes.push(exit::chain(&error));
                continue;
            }
        };
        for file in files {
            match keys.change(&file) {
                Ok(change) => changes.push(change),
                Err(error) => mistakes.push(exit::chain(&error)),
            }
        }
    }
    for (path, manifest) in &manifests {
        mistakes.extend(altered(path, manifest, &changes));
    }
    if !mistakes.is_empty() {
        return Err(Usage::listing(mistakes).into());
    }
    for change in &changes {
        change.make().with_context(|| change.path.display().to_string())?;
    }
    for (path, manifest) in manifests {
        renew(&path, manifest, &changes).with_context(|| path.display().to_string())?;
    }
    let files =
        if changes.len() == 1 { "1 file has".into() } else { format!("{} files have", changes.len()) };
    console::result(&format!(
        "{files} the new key; copies that were made before still open with the old one"
    ))?;
    Ok(Exit::Good)
}

/// The manifest of an encrypted export that the file is; none if it is something else.
fn manifest(path: &Path) -> anyhow::Result<Option<Manifest>> {
    let found = file::manifest(path)?;
    if found.as_ref().is_some_and(|manifest| !manifest.encrypted) {
        bail!("{}: found an export that is not encrypted, expected one that is", path.display());
    }
    Ok(found)
}

/// What a manifest says that is not so: it must not become authentic by being written anew.
fn altered(path: &Path, manifest: &Manifest, changes: &[Change]) -> Option<String> {
    let name = path.display();
    for (index, file) in manifest.files.iter().enumerate() {
        // One that does not open was told already.
        let change = changes.iter().find(|change| change.path == path.with_file_name(&file.name))?;
        let part = change.old.part();
        let place = (part.number() as usize, part.count() as usize);
        if place != (index + 1, manifest.files.len()) {
            let (number, count) = place;
            return Some(format!(
                "{name}: {} is part {number} of {count}, expected part {}",
                file.name,
                index + 1
            ));
        }
        if !manifest.is_authentic(&change.data_key) {
            return Some(format!("{name}: the manifest was altered, or is not that of {}", file.name));
        }
    }
    None
}

impl Keys {
    fn change(&mut self, path: &Path) -> anyhow::Result<Change> {
        let stands = header(path)?;
        // One that was half written when an earlier run was ended stands beside the file as it was.
        let opened = self.opened(path, &stands).or_else(|error| {
            let kept = header(&kept(path)).map_err(|_| error)?;
            self.opened(path, &kept)
        });
        let (old, new, data_key) = opened?;
        Ok(Change { path: path.to_path_buf(), stands, old, new, data_key })
    }

    /// A header, what it is to become, and the data key in it.
    fn opened(&mut self, path: &Path, head: &[u8]) -> anyhow::Result<(Envelope, Envelope, DataKey)> {
        if !Envelope::recognises(head) {
            bail!("{}: found a file that is not encrypted, expected one that is", path.display());
        }
        let told = |fault: Fault| anyhow!("{}: {}", path.display(), fault.message);
        let old = Envelope::decode(head).map_err(told)?;
        let parameters = old.parameters();
        if !self.opening.contains_key(&parameters) {
            let opening = derive(&self.old, &parameters);
            // A key of the other kind may still be the new one already.
            let opening = opening.or_else(|fault| derive(&self.new, &parameters).map_err(|_| fault));
            self.opening.insert(parameters, opening.map_err(told)?);
            let fresh = KdfParameters::new(&self.new, rand::random());
            self.closing.insert(parameters, derive(&self.new, &fresh).map_err(told)?);
        }
        let (opening, closing) = (&self.opening[&parameters], &self.closing[&parameters]);
        match old.open_with(opening) {
            Ok(data_key) => {
                let new = old.rewrap(opening, closing, rand::random()).map_err(told)?;
                Ok((old, new, data_key))
            }
            // Left from a run that was not finished.
            Err(fault) => {
                let changed = derive(&self.new, &parameters).and_then(|key| old.open_with(&key));
                let data_key = changed.map_err(|_| told(fault))?;
                Ok((old.clone(), old, data_key))
            }
        }
    }
}

/// The first bytes of a file, as many as a header has.
fn header(path: &Path) -> anyhow::Result<Vec<u8>> {
    let place = || path.display().to_string();
    let mut head = Vec::new();
    let file = File::open(path).with_context(place)?;
    file.take(Envelope::LENGTH as u64).read_to_end(&mut head).with_context(place)?;
    Ok(head)
}

impl Change {
    /// Writes the new header. The old one stands beside the file meanwhile: without a header the file is lost.
    fn make(&self) -> anyhow::Result<()> {
        let (kept, old, new) = (kept(&self.path), self.old.encode(), self.new.encode());
        if kept.metadata().is_ok_and(|meta| meta.len() > Envelope::LENGTH as u64) {
            bail!("found {} beside it, which is no header that was kept: move it away", kept.display());
        }
        if self.stands != new {
            // It may be the only one that opens.
            if !header(&kept).is_ok_and(|kept| kept == old) {
                let mut backup = File::create(&kept)?;
                backup.write_all(&old)?;
                backup.sync_all()?;
            }
            let mut file = OpenOptions::new().write(true).open(&self.path)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&new)?;
            file.sync_all()?;
        }
        match std::fs::remove_file(&kept) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

fn kept(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(KEPT);
    name.into()
}

/// Writes the manifest anew: the hashes of its files are others now.
fn renew(path: &Path, mut manifest: Manifest, changes: &[Change]) -> anyhow::Result<()> {
    for file in &mut manifest.files {
        file.sha256 = hash(&path.with_file_name(&file.name))?;
    }
    let first = manifest.files.first().map(|file| path.with_file_name(&file.name));
    let change = changes.iter().find(|change| Some(&change.path) == first.as_ref());
    let manifest = manifest.sealed(&change.context("none of its files was changed")?.data_key);
    let part = crate::output::part_name(path);
    let mut file = File::create_new(&part)?;
    file.write_all(&manifest.text())?;
    file.sync_all()?;
    std::fs::rename(&part, path)?;
    Ok(())
}

fn hash(path: &Path) -> anyhow::Result<String> {
    let place = || path.display().to_string();
    let mut hasher = Sha256::new();
    let mut file = File::open(path).with_context(place)?;
    let mut piece = vec![0; 256 * 1024];
    loop {
        match file.read(&mut piece).with_context(place)? {
            0 => return Ok(hex(&hasher.finalize())),
            length => hasher.update(&piece[..length]),
        }
    }
}
