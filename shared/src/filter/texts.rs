//! Texts of which a value has to be one.

use std::collections::BTreeSet;

use crate::format::json::text::escape;

/// A set of texts, as they are and as they stand in JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    plain: BTreeSet<String>,
    /// Between the quotes of a string in canonical form.
    written: BTreeSet<Vec<u8>>,
}

impl Texts {
    /// These, each once.
    pub fn new(texts: impl IntoIterator<Item = String>) -> Self {
        let plain: BTreeSet<String> = texts.into_iter().collect();
        let escaped = |text: &String| {
            let mut written = Vec::new();
            escape(text.as_bytes(), &mut written);
            written
        };
        Self { written: plain.iter().map(escaped).collect(), plain }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.plain.is_empty()
    }

    /// The texts, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.plain.iter().map(String::as_str)
    }

    /// Whether this text is one of them.
    pub fn has(&self, text: &[u8]) -> bool {
        std::str::from_utf8(text).is_ok_and(|text| self.plain.contains(text))
    }

    /// Whether what stands between the quotes of a string in canonical form is one of them.
    pub fn has_raw(&self, inside: &str) -> bool {
        self.written.contains(inside.as_bytes())
    }

    /// Whether this canonical JSON is a string with one of them.
    pub fn has_json(&self, json: &str) -> bool {
        let inside = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        inside.is_some_and(|inside| self.has_raw(inside))
    }
}
