//! Parts that an earlier split export has left beside the new ones: their names count another number of parts, so
//! they are not replaced. Nothing is deleted, for nobody asked for it.

use std::collections::HashSet;
use std::path::Path;

use carrack_coordinator::join::name;

/// Names that are told; of more only their number.
const SHOWN: usize = 5;

/// Says which files beside `named` are parts of that name and not among those that were `written`; none where there
/// are none, or where the folder cannot be read.
pub fn beside(named: &Path, written: &HashSet<String>) -> Option<String> {
    let base = named.file_name()?.to_str()?;
    let folder = named.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names =
        std::fs::read_dir(folder).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let is_part = |file: &String| {
        name::number(file).is_some_and(|(number, count)| name::part(base, number, count) == *file)
    };
    let mut left: Vec<String> = names.filter(|file| is_part(file) && !written.contains(file)).collect();
    left.sort();
    (!left.is_empty()).then(|| told(&left, &name::manifest(base)))
}

fn told(left: &[String], manifest: &str) -> String {
    let mut names = left[..left.len().min(SHOWN)].join(", ");
    if left.len() > SHOWN {
        names = format!("{names} and {} more", left.len() - SHOWN);
    }
    format!(
        "found parts of an earlier export beside the new ones: {names}; {manifest} does not name them, and they stay"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_another_count_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let present = |files: &[&str]| {
            for file in files {
                std::fs::write(folder.path().join(file), "").unwrap();
            }
        };
        let found = |written: &[&str]| {
            beside(&folder.path().join("x.json.gz"), &written.iter().map(|file| (*file).to_owned()).collect())
        };
        let new = ["x.0001-of-0002.json.gz", "x.0002-of-0002.json.gz", "x.manifest.json"];
        present(&new);
        // Others' files, also of the same stem.
        present(&[
            "x.json.gz",
            "y.0001-of-0003.json.gz",
            "x.0001-of-0003.csv",
            "x.0001-of-0003.json",
            "x.1-of-3.json.gz",
        ]);
        assert_eq!(found(&new), None);
        present(&["x.0003-of-0003.json.gz"]);
        let expected = "found parts of an earlier export beside the new ones: x.0003-of-0003.json.gz; x.manifest.json does not name them, and they stay";
        assert_eq!(found(&new).as_deref(), Some(expected));
        assert!(found(&new[1..]).unwrap().contains(": x.0001-of-0002.json.gz, x.0003-of-0003.json.gz;"));
        (1..=7).for_each(|number| present(&[name::part("x.json.gz", number, 7).as_str()]));
        assert!(found(&new).unwrap().contains("x.0004-of-0007.json.gz and 3 more; "), "{:?}", found(&new));
    }
}
