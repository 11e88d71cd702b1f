//! Reading the documents that people write: every mistake in one is told at once, each with its place.

mod text;

use std::fmt;

use serde_json::{Map, Value};

use crate::format::shown;

pub use text::parse;

/// Something that is wrong with a document or a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where, such as `options.batchSize`; empty for the whole.
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
        match self.at.as_str() {
            "" => f.write_str(&self.detail),
            at => write!(f, "{at}: {}", self.detail),
        }
    }
}

/// The mistakes so far.
#[derive(Debug, Default)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    /// Notes a mistake at this place.
    pub fn add(&mut self, at: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Mistake::new(at, detail));
    }

    /// The value, if there was no mistake and there is one.
    ///
    /// # Errors
    /// All mistakes.
    pub fn or<T>(self, value: Option<T>) -> Result<T, Vec<Mistake>> {
        value.filter(|_| self.0.is_empty()).ok_or(self.0)
    }

    /// What was read; or nothing, and the mistake is noted.
    pub fn note<T>(&mut self, at: &str, read: Result<T, String>) -> Option<T> {
        read.map_err(|detail| self.add(at, detail)).ok()
    }

    /// What was read of a document within this one; or nothing, and its mistakes are noted.
    pub fn within<T>(&mut self, at: &str, read: Result<T, Vec<Mistake>>) -> Option<T> {
        let place = |inner: &str| if inner.is_empty() { at.to_owned() } else { format!("{at}.{inner}") };
        let mistakes = read.map_err(|mistakes| {
            let placed = mistakes.into_iter().map(|mistake| Mistake::new(place(&mistake.at), mistake.detail));
            self.0.extend(placed);
        });
        mistakes.ok()
    }

    /// The entries of a list, `most` of them, each with its place; none where the list is missing or null.
    pub fn list<'d>(&mut self, at: &str, value: Option<&'d Value>, most: usize) -> Vec<(String, &'d Value)> {
        match value {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) if items.len() <= most => {
                items.iter().enumerate().map(|(index, item)| (format!("{at}[{index}]"), item)).collect()
            }
            Some(Value::Array(items)) => {
                self.add(at, too_many(items.len(), most));
                Vec::new()
            }
            Some(other) => {
                self.add(at, format!("found {}, expected an array", kind(other)));
                Vec::new()
            }
        }
    }

    /// The members of an object, `most` of them, each with its place; none where the object is missing or null.
    pub fn members<'d>(
        &mut self,
        at: &str,
        value: Option<&'d Value>,
        most: usize,
    ) -> Vec<(String, &'d str, &'d Value)> {
        match value {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Object(members)) if members.len() <= most => {
                let member = |(name, value): (&'d String, &'d Value)| {
                    (format!("{at}.{}", shown::name(name)), name.as_str(), value)
                };
                members.iter().map(member).collect()
            }
            Some(Value::Object(members)) => {
                self.add(at, too_many(members.len(), most));
                Vec::new()
            }
            Some(other) => {
                self.add(at, format!("found {}, expected an object", kind(other)));
                Vec::new()
            }
        }
    }
}

fn too_many(found: usize, most: usize) -> String {
    format!("found {found} entries, expected at most {most}")
}

/// An object of which every member has to be asked for.
pub struct Members<'d, 'm> {
    at: String,
    members: &'d Map<String, Value>,
    known: Vec<&'static str>,
    refused: Vec<&'static str>,
    /// The mistakes of the whole document so far.
    pub mistakes: &'m mut Mistakes,
}

impl<'d, 'm> Members<'d, 'm> {
    /// None, and a mistake, where it is no object.
    pub fn new(at: String, value: &'d Value, mistakes: &'m mut Mistakes) -> Option<Self> {
        match value {
            Value::Object(members) => {
                Some(Self { at, members, known: Vec::new(), refused: Vec::new(), mistakes })
            }
            other => {
                mistakes.add(at, format!("found {}, expected an object", kind(other)));
                None
            }
        }
    }

    /// The place of a member.
    pub fn place(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) }
    }

    /// Notes a mistake in a member.
    pub fn wrong(&mut self, name: &str, detail: impl Into<String>) {
        let at = self.place(name);
        self.mistakes.add(at, detail);
    }

    /// A member; null counts as none, but for `value`.
    pub fn get(&mut self, name: &'static str) -> Option<&'d Value> {
        if !self.known.contains(&name) {
            self.known.push(name);
        }
        self.members.get(name).filter(|value| !value.is_null() || name == "value")
    }

    /// A text, if it is there.
    pub fn text(&mut self, name: &'static str) -> Option<&'d str> {
        match self.get(name)? {
            Value::String(text) => Some(text),
            other => {
                self.wrong(name, format!("found {}, expected a text", kind(other)));
                None
            }
        }
    }

    /// A text that has to be there.
    pub fn required(&mut self, name: &'static str) -> Option<&'d str> {
        if self.get(name).is_none() {
            self.wrong(name, "found nothing, expected a text");
            return None;
        }
        self.text(name)
    }

    /// The texts of a list, at least one and at most `most`, each with its place.
    pub fn texts(&mut self, name: &'static str, most: usize) -> Vec<(String, &'d str)> {
        let at = self.place(name);
        let value = self.get(name);
        let items = self.mistakes.list(&at, value, most);
        if value.is_none() || value.and_then(Value::as_array).is_some_and(Vec::is_empty) {
            self.mistakes.add(at, "found nothing, expected a list of at least one text");
        }
        let mut texts = Vec::new();
        for (at, item) in items {
            match item {
                Value::String(text) => texts.push((at, text.as_str())),
                other => self.mistakes.add(at, format!("found {}, expected a text", kind(other))),
            }
        }
        texts
    }

    /// A member that `read` understands; its error says what was expected.
    pub fn read<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'d Value) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.get(name)?;
        let read = read(value).map_err(|expected| format!("found {}, expected {expected}", kind(value)));
        let at = self.place(name);
        self.mistakes.note(&at, read)
    }

    /// A member that `read` understands; its error is the whole message.
    pub fn told<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'d Value) -> Result<T, String>,
    ) -> Option<T> {
        let (at, value) = (self.place(name), self.get(name)?);
        self.mistakes.note(&at, read(value))
    }

    /// A text that `parse` understands; its error is the whole message.
    pub fn parsed<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&'d str) -> Result<T, String>,
    ) -> Option<T> {
        let (at, text) = (self.place(name), self.text(name)?);
        self.mistakes.note(&at, parse(text))
    }

    /// One of these, by its name.
    pub fn choice<T: Copy, const N: usize>(
        &mut self,
        name: &'static str,
        all: [T; N],
        title: impl Fn(T) -> &'static str,
    ) -> Option<T> {
        self.read(name, |value| {
            let chosen = all.into_iter().find(|choice| value.as_str() == Some(title(*choice)));
            chosen.ok_or_else(|| format!("one of {}", all.map(&title).join(", ")))
        })
    }

    /// A truth value, if it is there.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.read(name, |value| value.as_bool().ok_or_else(|| "true or false".into()))
    }

    /// A whole number that is not negative, if it is there.
    pub fn count(&mut self, name: &'static str) -> Option<u64> {
        self.read(name, |value| value.as_u64().ok_or_else(|| "a whole number from 0".into()))
    }

    /// The entries of a list, `most` of them, each with its place.
    pub fn list(&mut self, name: &'static str, most: usize) -> Vec<(String, &'d Value)> {
        let (at, value) = (self.place(name), self.get(name));
        self.mistakes.list(&at, value, most)
    }

    /// A member that is known and may not be there, but for a value that `is_fine`.
    pub fn refuse(&mut self, name: &'static str, is_fine: impl FnOnce(&Value) -> bool, why: &str) {
        let Some(value) = self.members.get(name) else { return };
        self.refused.push(name);
        if !is_fine(value) {
            self.wrong(name, format!("found it, expected none: {why}"));
        }
    }

    /// Everything has been asked for: what was not is unknown.
    pub fn end(self) {
        let Self { at, members, known, refused, mistakes } = self;
        let is_known = |name: &str| known.contains(&name) || refused.contains(&name);
        for name in members.keys().filter(|name| !is_known(name)) {
            let place = if at.is_empty() { shown::name(name) } else { format!("{at}.{}", shown::name(name)) };
            mistakes.add(place, format!("unknown name, expected one of {}", known.join(", ")));
        }
    }
}

/// What a value is, for messages.
pub fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => shown::text(text),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// A text as a message repeats it: quoted, shortened, without control characters.
pub fn quoted(text: &str) -> String {
    shown::text(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(mistakes: &Mistakes) -> Vec<String> {
        mistakes.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let document = json!({
            "name": 7, "on": "yes", "many": -1, "list": {}, "long": [1, 2], "texts": ["a", 1], "colour": 1,
            "none": null,
        });
        let mut mistakes = Mistakes::default();
        let mut members = Members::new("a".into(), &document, &mut mistakes).unwrap();
        assert_eq!((members.text("name"), members.flag("on"), members.count("many")), (None, None, None));
        assert!(members.list("list", 9).is_empty() && members.list("long", 1).is_empty());
        assert_eq!(members.texts("texts", 9), [("a.texts[0]".to_owned(), "a")]);
        assert_eq!(members.required("gone"), None);
        assert_eq!(members.text("none"), None, "null counts as absent");
        members.end();
        assert_eq!(
            told(&mistakes),
            [
                "a.name: found the number 7, expected a text",
                "a.on: found \"yes\", expected true or false",
                "a.many: found the number -1, expected a whole number from 0",
                "a.list: found an object, expected an array",
                "a.long: found 2 entries, expected at most 1",
                "a.texts[1]: found the number 1, expected a text",
                "a.gone: found nothing, expected a text",
                "a.colour: unknown name, expected one of name, on, many, list, long, texts, gone, none",
            ]
        );
        let mut mistakes = Mistakes::default();
        assert!(Members::new(String::new(), &json!([]), &mut mistakes).is_none());
        assert_eq!(told(&mistakes), ["found an array, expected an object"]);
        assert!(mistakes.or(Some(1)).is_err() && Mistakes::default().or(Some(1)).is_ok());
        assert!(Mistakes::default().or(None::<u8>).is_err());
    }
}
