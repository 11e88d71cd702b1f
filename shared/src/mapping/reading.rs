//! Reading a document whose mistakes are told all at once, each with its place.

use std::fmt;

use serde_json::{Map, Value};

use crate::format::shown;
use crate::limits::MAPPING_ENTRIES;

/// Something that is wrong with a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The part of the document, such as `transformations[2].formats`; empty for the whole.
    pub at: String,
    /// What was found and expected.
    pub detail: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at.as_str() {
            "" => formatter.write_str(&self.detail),
            at => write!(formatter, "{at}: {}", self.detail),
        }
    }
}

/// The mistakes so far.
#[derive(Debug, Default)]
pub(super) struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    pub fn add(&mut self, at: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Mistake { at: at.into(), detail: detail.into() });
    }

    /// What was read; or nothing, and the mistake is noted.
    pub fn note<T>(&mut self, at: &str, read: Result<T, String>) -> Option<T> {
        read.map_err(|detail| self.add(at, detail)).ok()
    }

    /// The entries of a list, each with its place; none where the list is missing or null.
    pub fn list<'d>(&mut self, at: &str, value: Option<&'d Value>) -> Vec<(String, &'d Value)> {
        match value {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) if items.len() <= MAPPING_ENTRIES => {
                items.iter().enumerate().map(|(index, item)| (format!("{at}[{index}]"), item)).collect()
            }
            Some(Value::Array(items)) => {
                self.add(at, too_many(items.len()));
                Vec::new()
            }
            Some(other) => {
                self.add(at, format!("found {}, expected an array", kind(other)));
                Vec::new()
            }
        }
    }

    /// The members of an object, each with its place; none where the object is missing or null.
    pub fn members<'d>(&mut self, at: &str, value: Option<&'d Value>) -> Vec<(String, &'d str, &'d Value)> {
        match value {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Object(members)) if members.len() <= MAPPING_ENTRIES => {
                let member = |(name, value): (&'d String, &'d Value)| {
                    (format!("{at}.{}", shown::name(name)), name.as_str(), value)
                };
                members.iter().map(member).collect()
            }
            Some(Value::Object(members)) => {
                self.add(at, too_many(members.len()));
                Vec::new()
            }
            Some(other) => {
                self.add(at, format!("found {}, expected an object", kind(other)));
                Vec::new()
            }
        }
    }
}

fn too_many(found: usize) -> String {
    format!("found {found} entries, expected at most {MAPPING_ENTRIES}")
}

/// An object of which every member has to be asked for.
pub(super) struct Members<'d, 'm> {
    at: String,
    members: &'d Map<String, Value>,
    known: Vec<&'static str>,
    pub mistakes: &'m mut Mistakes,
}

impl<'d, 'm> Members<'d, 'm> {
    /// None, and a mistake, where it is no object.
    pub fn new(at: String, value: &'d Value, mistakes: &'m mut Mistakes) -> Option<Self> {
        match value {
            Value::Object(members) => Some(Self { at, members, known: Vec::new(), mistakes }),
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

    /// Texts of a list, each with its place; `least` of them.
    pub fn texts(&mut self, name: &'static str) -> Vec<(String, &'d str)> {
        let at = self.place(name);
        let value = self.get(name);
        let items = self.mistakes.list(&at, value);
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

    /// Everything has been asked for: what was not is unknown.
    pub fn end(self) {
        let Self { at, members, known, mistakes } = self;
        for name in members.keys().filter(|name| !known.contains(&name.as_str())) {
            let place = if at.is_empty() { shown::name(name) } else { format!("{at}.{}", shown::name(name)) };
            mistakes.add(place, format!("unknown name, expected one of {}", known.join(", ")));
        }
    }
}

/// What a value is, for messages.
pub(super) fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => shown::text(text),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
    }
}
