//! Whether a JSON document is one object that holds the records in an array of its own, and where.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::format::records_at::member_path;
use crate::schema::{self, TypeDoubt};

/// The path to the only array of objects in a document that is no record itself; `whole` if `text` is all of
/// it.
pub(super) fn array(text: &[u8], whole: bool) -> Option<String> {
    if !text.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let mut found = Found::default();
    let mut documents = serde_json::Deserializer::from_slice(text);
    let read = Walk { found: &mut found, path: &mut Vec::new(), element: false }.deserialize(&mut documents);
    let is_one = match read {
        Ok(()) => documents.end().is_ok(),
        // Broken off by the end of what was looked at.
        Err(error) => error.is_eof() && !whole,
    };
    let [(path, record)] = &found.arrays[..] else { return None };
    let unknown =
        || !found.names.iter().any(|name| schema::built_ins().iter().any(|kind| kind.slot(name).is_some()));
    let holds_records = fits(record) || whole && unknown();
    (is_one && holds_records && !fits(&found.names)).then(|| member_path(path))
}

/// Whether these may be the fields of a record.
fn fits(names: &[String]) -> bool {
    matches!(schema::infer(schema::built_ins(), names), Ok(_) | Err(TypeDoubt::SeveralFit { .. }))
}

#[derive(Debug, Default)]
struct Found {
    /// The names of the members of the document.
    names: Vec<String>,
    /// The arrays of objects: the path to each, and the names in its first object.
    arrays: Vec<(Vec<String>, Vec<String>)>,
}

/// Walks through the members of objects, and looks at the first element of each array.
struct Walk<'a> {
    found: &'a mut Found,
    path: &'a mut Vec<String>,
    /// Whether the value is an element of the array at `path`.
    element: bool,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        if self.element {
            // Noted before its end, which may not be there.
            self.found.arrays.push((self.path.clone(), Vec::new()));
        }
        while let Some(name) = members.next_key::<String>()? {
            if self.element {
                self.found.arrays.last_mut().into_iter().for_each(|(_, names)| names.push(name.clone()));
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            if self.path.is_empty() {
                self.found.names.push(name.clone());
            }
            self.path.push(name);
            members.next_value_seed(Walk { element: false, found: self.found, path: self.path })?;
            self.path.pop();
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        if !self.element {
            elements.next_element_seed(Walk { element: true, ..self })?;
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_of_records_are_found_where_there_is_one() {
        let record = r#"{"id":"1","title":"t","content":"c"}"#;
        for (document, whole, expected) in [
            (format!(r#"{{"contexts":[{record}]}}"#), true, "$.contexts"),
            (
                format!(r#" {{"n":1.5,"a b":{{"deep":[{record},{record}]}},"tags":["x"]}}"#),
                true,
                "$['a b'].deep",
            ),
            (r#"{"rows":[{"x":1}],"more":[1,[{}]]}"#.to_owned(), true, "$.rows"),
            (format!(r#"{{"data":{{"contexts":[{record},{{"id":"cut"#), false, "$.data.contexts"),
            (r#"{"data":[{"id":"1","title":"cut"#.to_owned(), false, "$.data"),
            // It may be a large record, of which more is to come.
            (r#"{"data":[{"x":"1","title":"cut"#.to_owned(), false, ""),
            // A record, if perhaps a bad one.
            (r#"{"title":"t","metadata":{"old":[{"x":1}]}}"#.to_owned(), true, ""),
            (format!(r#"{{"id":"1","metadata":{{"old":[{record}]}}}}"#), true, ""),
            // No telling which.
            (format!(r#"{{"a":[{record}],"b":[{record}]}}"#), true, ""),
            (format!(r#"{{"a":[{record}]}}{{"a":[{record}]}}"#), true, ""),
            (format!(r#"{{"a":[{record}]"#), true, ""),
            (format!("[{record}]"), true, ""),
        ] {
            assert_eq!(array(document.as_bytes(), whole).unwrap_or_default(), expected, "{document}");
        }
    }
}
