//! What a JSON record means: its members, as cells.
//!
//! serde_json checks the syntax of the whole record and gives every member's value as a run of its text;
//! only values inside arrays and objects, and texts with escapes, are then written anew.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Refusal;
use crate::format::draft::Draft;
use crate::format::members::{Member, Members};
use crate::format::{self, Meaning, shown};
use crate::record::Rows;
use crate::schema::DataType;

/// JSON records of a type.
#[derive(Debug)]
pub(super) struct Records {
    pub data_type: Arc<DataType>,
}

impl Meaning for Records {
    fn decoder(&self, _segment: &[u8]) -> Box<dyn format::Decoder + '_> {
        Box::new(Decoder { members: Members::new(&self.data_type) })
    }
}

#[derive(Debug)]
struct Decoder<'plan> {
    members: Members<'plan>,
}

impl format::Decoder for Decoder<'_> {
    fn record(&mut self, record: &str, start: u32, rows: &mut Rows, draft: &mut Draft) {
        if !record.starts_with('{') {
            draft.refuse(no_object(record));
            return;
        }
        let members = &mut self.members;
        members.begin(record.len());
        let mut deserializer = serde_json::Deserializer::from_str(record);
        let read = Record { members: &mut *members, record, start, rows, draft: &mut *draft };
        let outcome = read.deserialize(&mut deserializer).and_then(|()| deserializer.end());
        match outcome {
            Ok(()) => members.end(draft),
            Err(error) => draft.refuse(invalid(&error, record, "record")),
        }
    }
}

/// What is refused because it is JSON, but no object; or no JSON at all.
fn no_object(record: &str) -> Refusal {
    match serde_json::from_str::<&RawValue>(record) {
        Err(error) => invalid(&error, record, "record"),
        Ok(value) => {
            let message = format!("found {}, expected an object", describe(value.get()));
            Refusal::new("record.not_object", message)
        }
    }
}

/// serde_json's complaint about `value`, with its place in bytes; `what` is what the value is a part of.
pub(crate) fn invalid(error: &serde_json::Error, value: &str, what: &str) -> Refusal {
    let text = error.to_string();
    let suffix = format!(" at line {} column {}", error.line(), error.column());
    let complaint = text.strip_suffix(&suffix).unwrap_or(&text);
    let lines_before = value.split_inclusive('\n').take(error.line().saturating_sub(1));
    let at = lines_before.map(str::len).sum::<usize>() + error.column().saturating_sub(1);
    // Names are read by serde_json itself, which has these words for half a surrogate pair.
    let surrogate = complaint.contains("surrogate") || complaint == "unexpected end of hex escape";
    let code = if surrogate { "json.surrogate" } else { "json.invalid" };
    Refusal::new(code, format!("found no valid JSON at byte {at} of the {what}: {complaint}"))
}

/// Names a JSON value in a message.
pub(crate) fn describe(value: &str) -> String {
    match value.as_bytes().first() {
        Some(b'{') => "an object".into(),
        Some(b'[') => "an array".into(),
        Some(b'"') => "a string".into(),
        Some(b't' | b'f' | b'n') => value.into(),
        _ => {
            let shown = shown::text(value);
            format!("the number {}", shown.trim_matches('"'))
        }
    }
}

/// The members of one record, on their way into a draft.
struct Record<'run, 'plan, 'text> {
    members: &'run mut Members<'plan>,
    record: &'text str,
    start: u32,
    rows: &'run mut Rows,
    draft: &'run mut Draft,
}

impl Record<'_, '_, '_> {
    /// A text without escapes stays where it is.
    fn member<'value>(&self, value: &'value str) -> Member<'value> {
        match value.as_bytes() {
            [b'"', contents @ .., b'"'] if memchr::memchr(b'\\', contents).is_none() => {
                // Both are runs of one text.
                let offset = contents.as_ptr().addr() - self.record.as_ptr().addr();
                let start = self.start + to_u32(offset);
                Member::Text(Rows::span_of_source(start..start + to_u32(contents.len())))
            }
            _ => Member::Json(value),
        }
    }
}

/// Segments are shorter than 4 GiB: the plan checks it.
fn to_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Writes the value of a field that is there and null.
pub(crate) fn null(out: &mut Vec<u8>) -> Result<(), Refusal> {
    out.extend_from_slice(b"null");
    Ok(())
}

impl<'de> DeserializeSeed<'de> for Record<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Record<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // Records mostly have their members in the order of the fields, or in one order of their own.
        while let Some(name) = map.next_key_seed(NameSeed(self.members))? {
            let value = map.next_value::<&RawValue>()?.get();
            match name {
                Name::Field(slot) => {
                    let member = self.member(value);
                    self.members.fill(slot, &member, self.rows, self.draft);
                }
                Name::Other(name) => self.members.add(&name, value, self.draft),
            }
        }
        Ok(())
    }
}

/// The name of a member.
enum Name<'text> {
    /// A field of the schema, by number.
    Field(usize),
    Other(Cow<'text, str>),
}

/// Reads a name.
struct NameSeed<'run, 'plan>(&'run Members<'plan>);

impl<'de> DeserializeSeed<'de> for NameSeed<'_, '_> {
    type Value = Name<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Name<'de>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed<'_, '_> {
    type Value = Name<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
        Ok(self.0.slot(name).map_or(Name::Other(Cow::Borrowed(name)), Name::Field))
    }

    fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
        Ok(self.0.slot(name).map_or_else(|| Name::Other(Cow::Owned(name.to_owned())), Name::Field))
    }
}
