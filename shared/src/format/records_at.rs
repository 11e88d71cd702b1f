//! Where in a document the records are, as users write it: `$.data.contexts` names an array of a JSON document,
//! `/data/contexts/item` the elements of an XML document, `item` those of that name.
//!
//! Only names: a wildcard or a filter could mean several places, and then the order of the records, by which
//! duplicates are decided, would be anybody's guess.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::shown;
use crate::limits::{NAME_BYTES, PATH_NAMES};

/// A place in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RecordsAt {
    /// JSON: the names of the members that lead from the document to an array; at least one.
    Members(Vec<String>),
    /// XML: the names of the elements from the root to the record, both included.
    Elements(Vec<String>),
    /// XML: the name of the records.
    Element(String),
}

impl RecordsAt {
    /// Reads what a user wrote.
    ///
    /// # Errors
    /// Says what was found and expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let place = match text.as_bytes().first() {
            Some(b'$') => Self::Members(members(text)?),
            Some(b'/') => Self::Elements(elements(text)?),
            _ => Self::Element(element(text, text)?),
        };
        let (Self::Members(names) | Self::Elements(names)) = &place else { return Ok(place) };
        match names.len() {
            0 => Err(format!("found {}, expected a name behind it, such as $.records", shown::text(text))),
            count if count > PATH_NAMES => {
                Err(format!("found a path of {count} names, expected at most {PATH_NAMES}"))
            }
            _ => Ok(place),
        }
    }
}

impl TryFrom<String> for RecordsAt {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<RecordsAt> for String {
    fn from(place: RecordsAt) -> Self {
        place.to_string()
    }
}

impl fmt::Display for RecordsAt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Members(names) => formatter.write_str(&member_path(names)),
            Self::Elements(names) => formatter.write_str(&element_path(names)),
            Self::Element(name) => formatter.write_str(name),
        }
    }
}

/// The path that leads through these members.
pub(super) fn member_path(names: &[String]) -> String {
    let mut path = String::from("$");
    for name in names {
        if !name.is_empty() && name.chars().all(is_plain) {
            path.extend([".", name]);
        } else {
            path.extend(["['", &name.replace('\\', "\\\\").replace('\'', "\\'"), "']"]);
        }
    }
    path
}

/// The path that leads through these elements.
pub(super) fn element_path(names: &[String]) -> String {
    names.iter().flat_map(|name| ["/", name]).collect()
}

/// Whether a name of such characters can stand behind a dot.
fn is_plain(character: char) -> bool {
    !character.is_whitespace() && !character.is_control() && !".[]'\"*?()@$,:\\".contains(character)
}

fn members(text: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    let mut rest = &text[1..];
    while !rest.is_empty() {
        let (name, behind) = plain_member(rest).or_else(|| quoted_member(rest)).ok_or_else(|| {
            let (found, at) = (shown::text(rest), text.len() - rest.len());
            format!(
                "found {found} at byte {at} of the path, expected .name or ['name']: wildcards, filters and \
                 numbers are not supported"
            )
        })?;
        if name.len() > NAME_BYTES {
            return Err(format!("found a name of {} bytes, expected at most {NAME_BYTES}", name.len()));
        }
        names.push(name);
        rest = behind;
    }
    Ok(names)
}

/// `.name`, and what stands behind it.
fn plain_member(text: &str) -> Option<(String, &str)> {
    let rest = text.strip_prefix('.')?;
    let end = rest.find(|character| !is_plain(character)).unwrap_or(rest.len());
    let (name, behind) = rest.split_at(end);
    let ends = behind.is_empty() || behind.starts_with(['.', '[']);
    (ends && !name.is_empty()).then(|| (name.to_owned(), behind))
}

/// `['name']` or `["name"]`, and what stands behind it.
pub(crate) fn quoted_member(text: &str) -> Option<(String, &str)> {
    let rest = text.strip_prefix('[')?;
    let quote = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    let mut name = String::new();
    let mut characters = rest[1..].chars();
    loop {
        match characters.next()? {
            '\\' => name.push(characters.next()?),
            end if end == quote => break,
            character => name.push(character),
        }
    }
    characters.as_str().strip_prefix(']').map(|behind| (name, behind))
}

fn elements(text: &str) -> Result<Vec<String>, String> {
    text[1..].split('/').map(|name| element(name, text)).collect()
}

fn element(name: &str, path: &str) -> Result<String, String> {
    let begins = |character: char| character.is_alphabetic() || "_:".contains(character);
    let goes_on = |character: char| begins(character) || character.is_numeric() || "-.".contains(character);
    if name.len() <= NAME_BYTES && name.starts_with(begins) && name.chars().all(goes_on) {
        return Ok(name.to_owned());
    }
    let (found, path) = (shown::text(name), shown::text(path));
    Err(format!(
        "found {found} in the path {path}, expected the name of an element: wildcards, filters and attributes \
         are not supported"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_and_written_back() {
        let members = |names: &[&str]| RecordsAt::Members(names.iter().map(|&name| name.into()).collect());
        let elements = |names: &[&str]| RecordsAt::Elements(names.iter().map(|&name| name.into()).collect());
        for (text, expected, written) in [
            ("$.data.contexts", members(&["data", "contexts"]), "$.data.contexts"),
            ("$['a b'].c", members(&["a b", "c"]), "$['a b'].c"),
            (r#"$["it's"]['\\'][""]"#, members(&["it's", "\\", ""]), r"$['it\'s']['\\']['']"),
            ("$.größe-2", members(&["größe-2"]), "$.größe-2"),
            ("/data/x:items/item", elements(&["data", "x:items", "item"]), "/data/x:items/item"),
            ("/item", elements(&["item"]), "/item"),
            ("item", RecordsAt::Element("item".into()), "item"),
        ] {
            let found = RecordsAt::parse(text);
            assert_eq!(found, Ok(expected), "{text}");
            let found = found.unwrap().to_string();
            assert_eq!(found, written);
            assert_eq!(RecordsAt::parse(&found).unwrap().to_string(), written);
        }
    }

    #[test]
    fn what_is_no_path_is_told() {
        let not_supported = "wildcards, filters and numbers are not supported";
        for (text, expected) in [
            ("$", "found \"$\", expected a name behind it, such as $.records".to_owned()),
            (
                "$.data[*]",
                format!("found \"[*]\" at byte 6 of the path, expected .name or ['name']: {not_supported}"),
            ),
            (
                "$..id",
                format!("found \"..id\" at byte 1 of the path, expected .name or ['name']: {not_supported}"),
            ),
            (
                "$.a[?(@.b)]",
                format!(
                    "found \"[?(@.b)]\" at byte 3 of the path, expected .name or ['name']: {not_supported}"
                ),
            ),
            (
                "$['a",
                format!("found \"['a\" at byte 1 of the path, expected .name or ['name']: {not_supported}"),
            ),
            (
                "//item",
                "found \"\" in the path \"//item\", expected the name of an element: wildcards, filters and \
                 attributes are not supported"
                    .into(),
            ),
            (
                "/data/*",
                "found \"*\" in the path \"/data/*\", expected the name of an element: wildcards, filters and \
                 attributes are not supported"
                    .into(),
            ),
        ] {
            assert_eq!(RecordsAt::parse(text), Err(expected), "{text}");
        }
        let path = |count: usize| format!("${}", ".a".repeat(count));
        assert!(RecordsAt::parse(&path(PATH_NAMES)).is_ok());
        assert!(RecordsAt::parse(&path(PATH_NAMES + 1)).unwrap_err().contains("expected at most"));
        let name = |length: usize| format!("$.{}", "n".repeat(length));
        assert!(RecordsAt::parse(&name(NAME_BYTES)).is_ok());
        assert!(RecordsAt::parse(&name(NAME_BYTES + 1)).unwrap_err().contains("expected at most"));
    }
}
