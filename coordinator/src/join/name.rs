//! The names of the files of an export, and what a name says of a file.

use carrack_shared::format::Format;
use carrack_shared::layer::compression::Compression;
use sha2::{Digest as _, Sha256};

/// What the name of a sealed file ends with, if its maker follows our habit.
pub const SEALED_ENDING: &str = ".sealed";

/// Part `number` (from 1) of `count`: `a.json.gz` becomes `a.0001-of-0003.json.gz`.
pub fn part(name: &str, number: usize, count: usize) -> String {
    let (stem, endings) = split(name);
    format!("{stem}.{number:04}-of-{count:04}{endings}")
}

/// The file of one type among those of several: `a.json` becomes `a.contexts.json`.
pub fn of_type(name: &str, data_type: &str) -> String {
    let (stem, endings) = split(name);
    format!("{stem}.{}{endings}", plain(data_type))
}

/// The name of a type as it stands in names of files: users may name theirs as they like.
pub fn plain(data_type: &str) -> String {
    let fits = |character: char| character.is_alphanumeric() || "-_".contains(character);
    if data_type.chars().all(fits) {
        return data_type.to_owned();
    }
    // Two types must not have the same one.
    let tag: String = Sha256::digest(data_type).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let cleaned: String = data_type.chars().map(|one| if fits(one) { one } else { '_' }).collect();
    format!("{cleaned}-{tag}")
}

/// The manifest of an export of several types that its user has not named.
pub const MANIFEST: &str = "manifest.json";

/// The manifest of such parts: `a.manifest.json`.
pub fn manifest(name: &str) -> String {
    format!("{}.manifest.json", split(name).0)
}

/// The number (from 1) and count that a part's name says.
pub fn number(name: &str) -> Option<(usize, usize)> {
    let (stem, _) = split(name);
    let (number, count) = stem.rsplit_once('.')?.1.split_once("-of-")?;
    // As we write them: other programs count in other ways.
    let ours = |text: &str| text.len() >= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    let digits = |text: &str| ours(text).then(|| text.parse().ok()).flatten();
    Some((digits(number)?, digits(count)?))
}

/// The compression that the name tells.
pub fn compression(name: &str) -> Option<Compression> {
    let name = name.strip_suffix(SEALED_ENDING).unwrap_or(name);
    Compression::ALL.into_iter().find(|one| !one.ending().is_empty() && name.ends_with(one.ending()))
}

/// The name of the text inside the layers.
pub fn of_text(name: &str) -> &str {
    let inside = name.strip_suffix(SEALED_ENDING).unwrap_or(name);
    compression(name).and_then(|one| inside.strip_suffix(one.ending())).unwrap_or(inside)
}

/// The name without and with nothing but what tells format and layers.
fn split(name: &str) -> (&str, &str) {
    let text = of_text(name);
    let known = Format::ALL.map(Format::as_str).into_iter().chain(["ndjson", "jsonl", "yml", "md"]);
    let mut stems = known.filter_map(|format| text.strip_suffix(format)?.strip_suffix('.'));
    let stem = stems.next().unwrap_or(text);
    name.split_at(stem.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_the_endings_that_tell_what_they_are() {
        for (name, expected, manifested) in [
            ("a.json", "a.0002-of-0010.json", "a.manifest.json"),
            ("my.export.json.gz.sealed", "my.export.0002-of-0010.json.gz.sealed", "my.export.manifest.json"),
            ("a", "a.0002-of-0010", "a.manifest.json"),
            ("a.data", "a.data.0002-of-0010", "a.data.manifest.json"),
            ("x/a.ndjson.zst", "x/a.0002-of-0010.ndjson.zst", "x/a.manifest.json"),
        ] {
            assert_eq!(part(name, 2, 10), expected);
            assert_eq!(manifest(name), manifested);
            assert_eq!(number(expected), Some((2, 10)));
            assert_eq!(number(name), None);
        }
        for (name, data_type, expected) in [
            ("a.json.gz.sealed", "contexts", "a.contexts.json.gz.sealed"),
            ("my.backup", "Größe_2", "my.backup.Größe_2"),
            ("a.csv", "a/b", "a.a_b-c14cddc0.csv"),
            ("a.csv", "..", "a.__-5ec1f7e7.csv"),
        ] {
            assert_eq!(of_type(name, data_type), expected);
            assert_eq!(number(&part(&of_type(name, data_type), 1, 2)), Some((1, 2)));
        }
        assert_eq!(number("a.1-of-3.json"), None);
        assert_eq!(part("a.json", 12_345, 99_999), "a.12345-of-99999.json");
    }
}
