//! Reading the documents that people write: every mistake in one is told at once, each with its place.

use std::fmt;

use serde_json::{Map, Value};

use crate::format::shown;

/// Something that is wrong with a document or a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where, such as `options.batchSize`.
    pub at: String,
    /// What was found and expected.
    pub detail: String,
}

impl Mistake {
    /// A mistake at this place.
    pub fn new(at: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { at: at.into(), detail: detail.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.detail)
    }
}

/// The mistakes met so far.
#[derive(Debug, Default)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Notes one.
    pub fn note(&mut self, at: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Mistake::new(at, detail));
    }

    /// Notes several.
    pub fn extend(&mut self, more: impl IntoIterator<Item = Mistake>) {
        self.0.extend(more);
    }

    /// The value, if there was no mistake.
    ///
    /// # Errors
    /// The mistakes.
    pub fn or<T>(self, value: T) -> Result<T, Vec<Mistake>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}

/// An object of a document, member by member. Members that are null count as absent; those that nobody asked
/// for are mistakes.
pub struct Members<'doc> {
    at: String,
    members: &'doc Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'doc> Members<'doc> {
    /// The object at this place of a document; none, and a mistake, if the value is not an object.
    pub fn of(value: &'doc Value, at: &str, mistakes: &mut Mistakes) -> Option<Self> {
        match value {
            Value::Object(members) => Some(Self { at: at.to_owned(), members, known: Vec::new() }),
            other => {
                mistakes.note(at, format!("found {}, expected an object", found(other)));
                None
            }
        }
    }

    /// The place of a member.
    pub fn at(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) }
    }

    /// A member, as it stands.
    pub fn value(&mut self, name: &'static str) -> Option<&'doc Value> {
        self.known.push(name);
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// A member that `read` understands; its error says what was expected.
    pub fn read<T>(
        &mut self,
        name: &'static str,
        mistakes: &mut Mistakes,
        read: impl FnOnce(&'doc Value) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.value(name)?;
        match read(value) {
            Ok(read) => Some(read),
            Err(expected) => {
                mistakes.note(self.at(name), format!("found {}, expected {expected}", found(value)));
                None
            }
        }
    }

    /// A text.
    pub fn text(&mut self, name: &'static str, mistakes: &mut Mistakes) -> Option<&'doc str> {
        self.read(name, mistakes, |value| value.as_str().ok_or_else(|| "a text".to_owned()))
    }

    /// A text that must be there.
    pub fn needed(&mut self, name: &'static str, mistakes: &mut Mistakes) -> Option<&'doc str> {
        if !self.members.contains_key(name) {
            mistakes.note(self.at(name), "found nothing, expected a text");
        }
        self.text(name, mistakes)
    }

    /// A truth value.
    pub fn flag(&mut self, name: &'static str, mistakes: &mut Mistakes) -> Option<bool> {
        self.read(name, mistakes, |value| value.as_bool().ok_or_else(|| "true or false".to_owned()))
    }

    /// A whole number that is not negative.
    pub fn count(&mut self, name: &'static str, mistakes: &mut Mistakes) -> Option<u64> {
        self.read(name, mistakes, |value| value.as_u64().ok_or_else(|| "a whole number from 0".to_owned()))
    }

    /// The items of an array, each with its place.
    pub fn items(&mut self, name: &'static str, mistakes: &mut Mistakes) -> Vec<(String, &'doc Value)> {
        let at = self.at(name);
        let items = self.read(name, mistakes, |value| value.as_array().ok_or_else(|| "an array".to_owned()));
        let items = items.map(Vec::as_slice).unwrap_or_default();
        items.iter().enumerate().map(|(index, item)| (format!("{at}[{index}]"), item)).collect()
    }

    /// Notes the members that nobody asked for.
    pub fn end(self, mistakes: &mut Mistakes) {
        for name in self.members.keys().filter(|name| !self.known.contains(&name.as_str())) {
            let detail = format!("unknown name, expected one of {}", self.known.join(", "));
            mistakes.note(self.at(&shown::name(name)), detail);
        }
    }
}

/// A text as a message repeats it: quoted, shortened, without control characters.
pub fn quoted(text: &str) -> String {
    shown::text(text)
}

/// A value as a message names it.
pub fn found(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => shown::text(text),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let document = json!({"name": 7, "on": "yes", "many": -1, "list": {}, "colour": 1, "none": null});
        let mut mistakes = Mistakes::default();
        let mut members = Members::of(&document, "a", &mut mistakes).unwrap();
        assert_eq!(members.text("name", &mut mistakes), None);
        assert_eq!(members.flag("on", &mut mistakes), None);
        assert_eq!(members.count("many", &mut mistakes), None);
        assert!(members.items("list", &mut mistakes).is_empty());
        assert_eq!(members.needed("gone", &mut mistakes), None);
        assert_eq!(members.text("none", &mut mistakes), None, "null counts as absent");
        members.end(&mut mistakes);
        let told: Vec<String> = mistakes.or(()).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "a.name: found 7, expected a text",
                "a.on: found \"yes\", expected true or false",
                "a.many: found -1, expected a whole number from 0",
                "a.list: found an object, expected an array",
                "a.gone: found nothing, expected a text",
                "a.colour: unknown name, expected one of name, on, many, list, gone, none",
            ]
        );
        let mut mistakes = Mistakes::default();
        assert!(Members::of(&json!([]), "b", &mut mistakes).is_none());
        assert_eq!(mistakes.or(()).unwrap_err()[0].to_string(), "b: found an array, expected an object");
        assert!(Mistakes::default().or(()).is_ok());
    }
}
