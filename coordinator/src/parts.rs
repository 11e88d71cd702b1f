//! The parts of a split export, on their way back: that all of them are there, each once, each in its place
//! and each what it was. Told before the first record is read.

use std::collections::BTreeMap;

use carrack_shared::document::Mistake;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::layer::envelope::Part;
use carrack_shared::layer::secret::DataKey;
use carrack_shared::port::Ports;
use carrack_shared::spec::Source;
use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};

use crate::join::manifest::{Entry, MANIFEST_BYTES, Manifest, hex};
use crate::join::name;
use crate::start::{Input, StartError};

/// A source that was looked at, and which part it says it is, if it is sealed.
pub(crate) struct Seen {
    pub source: Source,
    pub sealed: Option<(Part, DataKey)>,
}

/// Takes the manifest out of the inputs, if one of them is one, and puts the others in its order.
pub(crate) async fn by_manifest(
    ports: &Ports,
    inputs: &[Input],
) -> Result<(Option<Manifest>, Vec<Input>), StartError> {
    let mut manifest = None;
    let mut files = Vec::new();
    for input in inputs {
        match read(ports, input).await? {
            None => files.push(input.clone()),
            Some(_) if manifest.is_some() => {
                return Err(wrong(format!("{}: found a second manifest, expected one", input.name)));
            }
            Some(found) => manifest = Some((input.name.clone(), found)),
        }
    }
    let Some((name, manifest)) = manifest else { return Ok((None, files)) };
    let mut mistakes = Vec::new();
    let mut ordered = Vec::new();
    for entry in &manifest.files {
        let mut named = files.extract_if(.., |file| file.name == entry.name);
        match (named.next(), named.next()) {
            (Some(file), None) => ordered.push(file),
            (Some(_), Some(_)) => mistakes.push(format!("{}: found it twice, expected it once", entry.name)),
            (None, _) => {
                mistakes.push(format!("{}: found no such file, expected it as {name} says", entry.name));
            }
        }
    }
    mistakes
        .extend(files.iter().map(|file| format!("{}: found a file that {name} does not know", file.name)));
    if !mistakes.is_empty() {
        return Err(StartError::Wrong(mistakes.into_iter().map(|one| Mistake::new("file", one)).collect()));
    }
    Ok((Some(manifest), ordered))
}

/// The manifest that this input is; none if it is something else.
async fn read(ports: &Ports, input: &Input) -> Result<Option<Manifest>, StartError> {
    let Some(meta) = ports.objects.head(&input.key).await? else {
        return Err(wrong(format!("{}: found nothing, expected a file", input.name)));
    };
    let head = ports.objects.get(&input.key, 0..meta.length.min(64), &meta.etag).await?;
    if !Manifest::recognises(&head) {
        return Ok(None);
    }
    if meta.length > MANIFEST_BYTES {
        let found = meta.length;
        let detail =
            format!("{}: found a manifest of {found} bytes, expected at most {MANIFEST_BYTES}", input.name);
        return Err(wrong(detail));
    }
    let text = ports.objects.get(&input.key, 0..meta.length, &meta.etag).await?;
    Manifest::read(&text).map(Some).map_err(|what| wrong(format!("{}: {what}", input.name)))
}

/// Whether the sources are the parts of whole exports.
pub(crate) async fn check(
    ports: &Ports,
    manifest: Option<&Manifest>,
    seen: &[Seen],
) -> Result<(), StartError> {
    let mut mistakes = match manifest {
        None => Vec::new(),
        Some(manifest) => as_listed(ports, manifest, seen).await?,
    };
    mistakes.extend(as_sealed(seen));
    if manifest.is_none() {
        let open = seen.iter().filter(|one| one.sealed.is_none());
        mistakes.extend(as_named(open.map(|one| one.source.name.as_str())));
    }
    match mistakes.is_empty() {
        true => Ok(()),
        false => Err(StartError::Wrong(mistakes.into_iter().map(|one| Mistake::new("file", one)).collect())),
    }
}

/// What differs from the manifest.
async fn as_listed(ports: &Ports, manifest: &Manifest, seen: &[Seen]) -> PortResult<Vec<String>> {
    let mut mistakes = Vec::new();
    for (entry, Seen { source, sealed }) in manifest.files.iter().zip(seen) {
        let Entry { name, bytes, sha256, .. } = entry;
        if source.length != *bytes {
            mistakes.push(format!(
                "{name}: found {} bytes, expected {bytes} as the manifest says",
                source.length
            ));
            continue;
        }
        match sealed {
            // Its chunks are authenticated one by one, when they are read.
            Some((_, key)) if !manifest.is_authentic(key) => {
                let detail = "the manifest was altered, or is not that of the file";
                mistakes.push(format!("{name}: {detail}: its code does not open with the file's key"));
                break;
            }
            Some(_) => {}
            None if manifest.encrypted => {
                mistakes.push(format!("{name}: found a file that is not encrypted, expected the manifest's"));
            }
            None => {
                let found = hash(ports, source).await?;
                if found != *sha256 {
                    mistakes.push(format!(
                        "{name}: found content with the SHA-256 {found}, expected {sha256} as the manifest says"
                    ));
                }
            }
        }
    }
    Ok(mistakes)
}

async fn hash(ports: &Ports, source: &Source) -> PortResult<String> {
    let mut pieces = ports.objects.stream(&source.key, 0, &source.etag).await?;
    let mut hasher = Sha256::new();
    while let Some(piece) = pieces.try_next().await? {
        // Of the speed of a disk: on a thread of its own it does not hold up others.
        let hashed = tokio::task::spawn_blocking(move || {
            hasher.update(&piece);
            hasher
        });
        hasher = hashed
            .await
            .map_err(|error| PortError::new(ErrorKind::Internal, "carrack", error.to_string()))?;
    }
    Ok(hex(&hasher.finalize()))
}

/// What the sealed parts say of themselves that does not fit.
fn as_sealed(seen: &[Seen]) -> Vec<String> {
    let mut files: BTreeMap<[u8; 16], Vec<(&str, usize, usize)>> = BTreeMap::new();
    for Seen { source, sealed } in seen {
        let Some((part, _)) = sealed else { continue };
        let place = (source.name.as_str(), part.number() as usize, part.count() as usize);
        files.entry(part.file()).or_default().push(place);
    }
    files.values().flat_map(|parts| out_of_place(parts)).collect()
}

/// What the names say that does not fit.
fn as_named<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut files: BTreeMap<String, Vec<(&str, usize, usize)>> = BTreeMap::new();
    for file in names {
        let Some((number, count)) = name::number(file) else { continue };
        // Parts of one file have the same name but for their number.
        let family = file.replacen(&format!("{number:04}-of-"), "-of-", 1);
        files.entry(family).or_default().push((file, number, count));
    }
    files.values().flat_map(|parts| out_of_place(parts)).collect()
}

/// Which of the parts of one file (name, number, count) are not in their place, and which are not there.
fn out_of_place(parts: &[(&str, usize, usize)]) -> Vec<String> {
    let Some((first, _, count)) = parts.first() else { return Vec::new() };
    let mut mistakes = Vec::new();
    let mut found: BTreeMap<usize, &str> = BTreeMap::new();
    let mut last = 0;
    for (name, number, of) in parts {
        if of != count {
            mistakes.push(format!("{name}: found a part of {of}, expected one of {count} as {first} is"));
        } else if let Some(before) = found.insert(*number, name) {
            mistakes.push(format!("{name}: found part {number} again, expected it once: it is {before} too"));
        } else if *number < last {
            mistakes.push(format!("{name}: found part {number} behind part {last}, expected it before"));
        }
        last = last.max(*number);
    }
    let missing: Vec<String> = (1..=*count)
        .filter(|number| !found.contains_key(number))
        .take(SHOWN_PARTS)
        .map(|one| one.to_string())
        .collect();
    if !missing.is_empty() {
        mistakes
            .push(format!("{first}: found no part {} of {count}, expected all of them", missing.join(", ")));
    }
    mistakes
}

/// Missing parts that are named.
const SHOWN_PARTS: usize = 10;

fn wrong(detail: String) -> StartError {
    Mistake::new("file", detail).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_are_missing_doubled_foreign_or_reordered_are_named() {
        for (parts, expected) in [
            (vec![("a", 1, 1)], vec![]),
            (vec![("a", 1, 2), ("b", 2, 2)], vec![]),
            (vec![("a", 1, 3)], vec!["a: found no part 2, 3 of 3, expected all of them"]),
            (
                vec![("a", 1, 2), ("b", 2, 2), ("c", 2, 2)],
                vec!["c: found part 2 again, expected it once: it is b too"],
            ),
            (vec![("b", 2, 2), ("a", 1, 2)], vec!["a: found part 1 behind part 2, expected it before"]),
            (
                vec![("a", 1, 2), ("b", 2, 2), ("c", 3, 4)],
                vec!["c: found a part of 4, expected one of 2 as a is"],
            ),
        ] {
            assert_eq!(out_of_place(&parts), expected);
        }
    }

    #[test]
    fn names_tell_the_family() {
        let names = ["a.0001-of-0002.json", "b.0001-of-0001.json", "c.json", "a.0002-of-0002.json"];
        assert!(as_named(names.into_iter()).is_empty());
        let mistakes = as_named(["a.0001-of-0002.json", "b.0002-of-0002.json"].into_iter());
        assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    }
}
