//! The names of the members of the first records.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Sniffed;
use crate::format::draft::Draft;
use crate::format::reading::Reading;
use crate::format::{Format, FrameRange};
use crate::limits::SNIFF_RECORDS;
use crate::record::Rows;
use crate::schema::DataType;

/// The names in the first records, as the format decodes them.
pub(super) fn records(format: Format, text: &[u8], whole: bool, reading: &Reading) -> Sniffed {
    // Of a type without fields every member is one outside the schema.
    let nothing = Arc::new(DataType::without_fields());
    let mut frames = Vec::new();
    let mut framer = format.framer(reading);
    // Where it breaks off is found when it is read.
    let framed = framer.push(text, &mut frames);
    if framed.is_ok() && whole {
        let _ = framer.finish(&mut frames);
    }
    let meaning = framer.facts().map(|facts| facts.meaning(&nothing));
    let mut decoder = meaning.as_ref().map(|meaning| meaning.decoder(text));
    let index = |offset: u64| usize::try_from(offset).unwrap_or(text.len()).min(text.len());
    let mut names = |frame: &FrameRange| {
        let record = String::from_utf8_lossy(&text[index(frame.start)..index(frame.end)]);
        let mut rows = Rows::new(Arc::clone(&nothing), Bytes::copy_from_slice(record.as_bytes()), 0, 1);
        let mut draft = Draft::new(0);
        if let Some(decoder) = &mut decoder {
            decoder.record(&record, 0, &mut rows, &mut draft);
        }
        draft.extra.names().collect::<Vec<String>>()
    };
    let mut records: Vec<_> = frames.iter().take(SNIFF_RECORDS).map(&mut names).collect();
    records.retain(|fields| !fields.is_empty());
    Sniffed { format, cut: frames.is_empty() && !whole, records, delimiter: None }
}

/// As [`records`]; of a first record that goes on and on, the members that are there.
pub(super) fn values(format: Format, text: &[u8], whole: bool, reading: &Reading) -> Sniffed {
    let mut sniffed = records(format, text, whole, reading);
    if sniffed.records.is_empty() && reading.records_at.is_none() {
        sniffed.records.push(first_members(text));
        sniffed.records.retain(|fields| !fields.is_empty());
    }
    sniffed
}

/// The names of the members of the first record, as many as the head holds.
fn first_members(text: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    // The head mostly ends inside a record, and what is wrong with a record is found when it is read.
    let _ = FirstMembers(&mut names).deserialize(&mut deserializer);
    names
}

struct FirstMembers<'a>(&'a mut Vec<String>);

impl<'de> DeserializeSeed<'de> for FirstMembers<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FirstMembers<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        elements.next_element_seed(self).map(|_| ())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            if !self.0.contains(&name) {
                self.0.push(name);
            }
            members.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}
