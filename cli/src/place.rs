//! Where a file that we write for the user may stand: settled and tried before anything starts, so that no
//! input, nothing of Carrack's own, no device and no folder is ever replaced, and a place that cannot be
//! written to is not found out after the work.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use carrack_shared::config::Config;

use crate::exit::Usage;
use crate::file::Input;
use crate::output;

/// Symbolic links that are followed to a file that is not there yet. Linux follows as many.
const LINKS: usize = 40;

/// What may not be written over.
#[derive(Debug, Clone, Default)]
pub struct Fence {
    folders: Vec<PathBuf>,
    files: Vec<(PathBuf, &'static str)>,
}

/// A place that may be written to.
#[derive(Debug, Clone)]
pub struct Place {
    named: PathBuf,
    real: PathBuf,
}

impl Fence {
    /// Around what the settings say is Carrack's own: the data folder, the folder of objects, the database.
    pub fn around(config: &Config) -> Self {
        let mut fence = Self { folders: vec![resolved(&config.data_dir)], files: Vec::new() };
        if let Some(path) = config.database_url.strip_prefix("sqlite:") {
            for ending in ["", "-wal", "-shm", "-journal"] {
                let path = resolved(Path::new(&format!("{path}{ending}")));
                fence.files.push((path, "part of Carrack's database"));
            }
        }
        let objects = url::Url::parse(&config.objects_url).ok().filter(|url| url.scheme() == "file");
        fence.folders.extend(objects.and_then(|url| url.to_file_path().ok()).map(|path| resolved(&path)));
        fence
    }

    /// The same, and around the files that are imported.
    pub fn and_inputs<'a>(mut self, inputs: impl IntoIterator<Item = &'a Input>) -> Self {
        inputs.into_iter().filter_map(|input| input.path.as_ref()).for_each(|path| self.add_source(path));
        self
    }

    /// Around a file from which records come.
    pub fn add_source(&mut self, path: &Path) {
        self.files.push((resolved(path), "one of the files to import"));
    }

    /// Why `place` must not be written to.
    fn forbids(&self, place: &Place) -> Option<String> {
        let inside = self.folders.iter().find(|folder| place.real.starts_with(folder));
        let inside = inside.map(|folder| format!("lies in Carrack's own folder {}", folder.display()));
        let over = || self.files.iter().find(|(file, _)| is_same(file, &place.real));
        inside.or_else(|| over().map(|(_, what)| format!("is {what}")))
    }
}

impl Place {
    /// The place that the user has named with `option`, if it may and can be written to. Leaves it as it is.
    ///
    /// # Errors
    /// What is wrong with it, beginning with the option.
    pub fn settle(option: &str, named: &Path, fence: &Fence) -> Result<Self, Usage> {
        let refused = |reason: String| Usage(format!("{option}: {reason}"));
        if named.as_os_str() == "-" {
            return Err(refused("found - (standard output), expected the name of a file".into()));
        }
        let shown = named.display();
        let place = Self::find(named).map_err(|reason| refused(format!("{shown}: {reason}")))?;
        if let Some(reason) = fence.forbids(&place) {
            return Err(refused(format!("{shown} {reason}, expected another place")));
        }
        place.try_writing().map_err(|error| refused(format!("{shown}: {error}")))?;
        Ok(place)
    }

    /// A place of our own naming.
    pub fn named_by_us(path: PathBuf) -> Self {
        Self { real: path.clone(), named: path }
    }

    /// As the user says it.
    pub fn named(&self) -> &Path {
        &self.named
    }

    /// The file itself: where it is a link, what it leads to.
    pub fn real(&self) -> &Path {
        &self.real
    }

    fn find(named: &Path) -> Result<Self, String> {
        let real = target(named).map_err(|error| error.to_string())?;
        if named.as_os_str().as_encoded_bytes().ends_with(b"/") || real.file_name().is_none() {
            return Err("found the name of a folder, expected that of a file".into());
        }
        output::regular(&real)?;
        let parent = real.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        match parent.metadata() {
            Ok(folder) if folder.is_dir() => {}
            Ok(_) => return Err(format!("found a file at {}, expected a folder", parent.display())),
            Err(error) => return Err(format!("the folder {}: {error}", parent.display())),
        }
        Ok(Self { named: named.to_path_buf(), real: resolved(&real) })
    }

    /// Whether the file, if there is one, and its folder take writing.
    fn try_writing(&self) -> io::Result<()> {
        match OpenOptions::new().write(true).open(&self.real) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let part = output::part_name(&self.real);
        File::create_new(&part)?;
        std::fs::remove_file(&part)
    }
}

/// What a path leads to over symbolic links, also where that is not there yet.
fn target(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS {
        match path.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
        match path.read_link() {
            Ok(link) => path = path.parent().unwrap_or(Path::new("")).join(link),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other(format!("found more than {LINKS} links, expected a file")))
}

/// The path without links, as far as it is there.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let there = path.ancestors().find_map(|part| Some((part, part.canonicalize().ok()?)));
    match there {
        Some((part, real)) if part != path => real.join(path.strip_prefix(part).unwrap_or(&path)),
        Some((_, real)) => real,
        None => path,
    }
}

/// Whether two paths are one file, also by two names.
fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id = |path: &Path| path.metadata().ok().map(|meta| (meta.dev(), meta.ino()));
    one == other || id(one).is_some_and(|one| Some(one) == id(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn only_a_place_for_a_file_is_settled() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("old"), "old").unwrap();
        std::fs::write(at("source"), "s").unwrap();
        std::fs::create_dir_all(at("data/below")).unwrap();
        std::fs::hard_link(at("source"), at("second name")).unwrap();
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, at(name)).unwrap();
        link("old", "link");
        link("not/there", "dangling");
        link("new", "to new");
        link("source", "to source");
        link("data", "to data");
        link("round", "round");
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        let mut fence = Fence { folders: vec![resolved(&at("data"))], files: Vec::new() };
        fence.add_source(&at("source"));
        let before = names(folder.path());
        for (name, real) in [("old", "old"), ("link", "old"), ("fresh", "fresh"), ("to new", "new")] {
            let place = Place::settle("-o", &at(name), &fence).unwrap();
            assert_eq!((place.real(), place.named()), (resolved(&at(real)).as_path(), at(name).as_path()));
        }
        for (name, reason) in [
            ("source", "is one of the files to import"),
            ("to source", "is one of the files to import"),
            ("second name", "is one of the files to import"),
            ("data", "found a directory"),
            ("data/x", "lies in Carrack's own folder"),
            ("data/below/x", "lies in Carrack's own folder"),
            ("to data/x", "lies in Carrack's own folder"),
            ("data/below/../x", "lies in Carrack's own folder"),
            ("socket", "found a device, pipe or socket"),
            ("fresh/", "found the name of a folder"),
            ("no/such/file", "No such file or directory"),
            ("dangling", "No such file or directory"),
            ("old/file", "Not a directory"),
            ("round", "Too many levels"),
        ] {
            let refused = Place::settle("-o", &at(name), &fence).unwrap_err().to_string();
            assert!(refused.starts_with("-o: ") && refused.contains(reason), "{name}: {refused}");
        }
        let refused = Place::settle("--rejects", Path::new("-"), &fence).unwrap_err().to_string();
        assert_eq!(refused, "--rejects: found - (standard output), expected the name of a file");
        assert_eq!(names(folder.path()), before, "nothing is left");
    }

    #[test]
    fn what_is_not_there_yet_is_inside_too() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let fence = Fence { folders: vec![resolved(&data)], files: Vec::new() };
        let refused = Place::settle("-o", &data, &fence).unwrap_err().to_string();
        assert!(refused.contains("lies in Carrack's own folder"), "{refused}");
    }
}
