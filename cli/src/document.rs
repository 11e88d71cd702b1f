//! A JSON document as it came: its members are shown as they stand in it, in their order. Reading them as
//! numbers and objects would round long numbers and drop what stands twice, and both matter in a record that
//! was refused.

use std::fmt;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Characters of an element of a list that people are shown; a whole record may stand in it.
const SHOWN_CHARS: usize = 500;

/// A JSON object.
#[derive(Debug)]
pub struct Document(String);

impl Document {
    /// The object of this text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Reads what is known of it.
    pub fn read<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(&self.0)
    }

    /// On one line. A line end in JSON is white space: inside strings it is always escaped.
    pub fn line(&self) -> String {
        self.0.replace(['\n', '\r'], " ")
    }

    /// One line for each member and each element of a list, without what is empty.
    pub fn lines(&self) -> serde_json::Result<Vec<String>> {
        let Members(members) = self.read()?;
        let mut lines = Vec::new();
        for (name, value) in members {
            match value.get() {
                "null" | "[]" => {}
                text if text.starts_with('"') => {
                    lines.push(format!("{name:<20}{}", shown(&serde_json::from_str::<String>(text)?)));
                }
                text if text.starts_with('[') => {
                    lines.push(name);
                    let items: Vec<&RawValue> = serde_json::from_str(text)?;
                    lines.extend(items.iter().map(|item| format!("  {}", shown(item.get()))));
                }
                text => lines.push(format!("{name:<20}{}", shown(text))),
            }
        }
        Ok(lines)
    }
}

/// The text on one line, cut where it is long, without characters that would move a terminal's cursor.
fn shown(text: &str) -> String {
    let plain = |character: char| if character.is_control() { ' ' } else { character };
    let mut shown: String = text.chars().take(SHOWN_CHARS).map(plain).collect();
    let more = text.chars().count().saturating_sub(SHOWN_CHARS);
    if more > 0 {
        shown.push_str(&format!("… and {more} characters more"));
    }
    shown
}

/// The members of an object, in their order.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_they_stand() {
        let record = "{\"n\": 12345678901234567890123.10,\n \"a\":1,\"a\":2}";
        let document =
            Document::new(format!("{{\"id\":\"x\",\"none\":null,\"no\":[],\"errors\":[{record}]}}"));
        let on_one_line = record.replace('\n', " ");
        let lines = ["id                  x".to_owned(), "errors".into(), format!("  {on_one_line}")];
        assert_eq!(document.lines().unwrap(), lines);
        assert!(document.line().contains(&on_one_line));
    }

    #[test]
    fn long_values_are_cut_for_people() {
        for (length, cut) in [(SHOWN_CHARS - 1, false), (SHOWN_CHARS, false), (SHOWN_CHARS + 1, true)] {
            let text = "é".repeat(length);
            assert_eq!(shown(&text).ends_with("… and 1 characters more"), cut, "{length}");
        }
        assert_eq!(shown("a\u{1b}[2J\u{9b}b\tc"), "a [2J b c");
    }
}
