//! What is told of a record or a row that verification has something to say about.

use serde::{Deserialize, Serialize};

use super::is_same;
use crate::format::instant;
use crate::operation::OperationId;
use crate::record::{Position, Rows, Value};

/// Fields that are told of a record.
const FIELDS_SHOWN: usize = 8;

/// Characters of a value that are shown.
const VALUE_CHARS: usize = 60;

/// Characters that are shown before the first in which two values differ.
const CHARS_BEFORE: usize = 15;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A record has no row.
    Missing,
    /// Its row has other values.
    Different,
    /// A row of the import has no record.
    Extra,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Missing, Self::Different, Self::Extra];

    /// The name that is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Different => "different",
            Self::Extra => "extra",
        }
    }
}

/// A record, or a row, that is told as an example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What is wrong.
    pub kind: Kind,
    /// The record; of an extra row the one from which it says it was written.
    pub position: Position,
    /// Its line; 0 for an extra row.
    pub line: u64,
    /// The key.
    pub key: String,
    /// Who has written the row, where it is not the import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer: Option<OperationId>,
    /// The first fields that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Differing>,
    /// How many more do.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_fields: usize,
}

/// A field with another value in the row than in the record. Long values are shown around the place where they
/// first differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differing {
    /// Its name; `extra` stands for the fields outside the schema.
    pub name: String,
    /// In the record; none where it has none.
    pub source: Option<String>,
    /// In the row.
    pub target: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Finding {
    /// The same with the fields in which a record and a row differ.
    pub(super) fn with_fields(mut self, records: &Rows, record: usize, rows: &Rows, row: usize) -> Self {
        let fields = &records.data_type().fields;
        let name = |slot: usize| fields.get(slot).map_or("extra", |field| field.name.as_str());
        for slot in 0..records.width() {
            let (source, target) = (records.value(record, slot), rows.value(row, slot));
            match !is_same(&source, &target) {
                false => {}
                true if self.fields.len() == FIELDS_SHOWN => self.more_fields += 1,
                true => self.fields.push(Differing::new(name(slot), &source, &target)),
            }
        }
        self
    }
}

impl Differing {
    fn new(name: &str, source: &Value<'_>, target: &Value<'_>) -> Self {
        let (source, target) = (shown(source), shown(target));
        let same = match (&source, &target) {
            (Some(one), Some(other)) => {
                one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count()
            }
            _ => 0,
        };
        let short = |text: Option<String>| text.map(|text| shortened(&text, same));
        Self { name: name.to_owned(), source: short(source), target: short(target) }
    }
}

fn shown(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Missing => None,
        Value::Text(bytes) | Value::Json(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Instant(micros) => Some(instant::text(*micros)),
    }
}

/// Some characters of a text, where it is long from a little before the character number `place` on.
fn shortened(text: &str, place: usize) -> String {
    let length = text.chars().count();
    if length <= VALUE_CHARS {
        return text.to_owned();
    }
    let start = place.saturating_sub(CHARS_BEFORE).min(length - VALUE_CHARS);
    let piece: String = text.chars().skip(start).take(VALUE_CHARS).collect();
    let (before, after) = (start > 0, start + VALUE_CHARS < length);
    format!("{}{piece}{}", if before { "…" } else { "" }, if after { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_shown_where_they_differ() {
        let long = |at: usize, other: char| -> String {
            (0..200).map(|number| if number == at { other } else { 'a' }).collect()
        };
        for (one, other, expected) in [
            ("x".to_owned(), "y".to_owned(), ["x".to_owned(), "y".to_owned()]),
            (long(0, 'x'), "y".into(), [format!("x{}…", "a".repeat(59)), "y".into()]),
            (
                long(100, 'x'),
                long(100, 'y'),
                ["x", "y"].map(|c| format!("…{}{c}{}…", "a".repeat(15), "a".repeat(44))),
            ),
            (long(199, 'x'), long(199, 'y'), ["x", "y"].map(|c| format!("…{}{c}", "a".repeat(59)))),
        ] {
            let found = Differing::new("f", &Value::Text(one.as_bytes()), &Value::Text(other.as_bytes()));
            assert_eq!([found.source.unwrap(), found.target.unwrap()], expected);
        }
        let missing = Differing::new("f", &Value::Missing, &Value::Json(b"[1]"));
        assert_eq!((missing.source, missing.target.as_deref()), (None, Some("[1]")));
    }
}
