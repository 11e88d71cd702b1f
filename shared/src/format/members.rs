//! Puts the members of a record, one after another, where the schema wants them: for formats whose decoders
//! do not find cells in place.

use std::sync::Arc;

use super::draft::Draft;
use super::json::decode::{invalid, null};
use super::json::{Canonical, Refusal, duplicate, members, text};
use crate::fault::Fault;
use crate::record::{Cell, Rows, Span};
use crate::schema::{DataType, Field, FieldType};

/// A member's value as a format gives it.
pub(crate) enum Member<'text> {
    /// A text that stands in the segment, or in the scratch, already.
    Text(Span),
    /// A JSON text; what it is a part of has been checked for its syntax.
    Json(&'text str),
}

/// Takes members.
#[derive(Debug)]
pub(crate) struct Members<'plan> {
    data_type: &'plan DataType,
    canonical: Canonical,
    /// Which fields the record has had.
    seen: Vec<bool>,
    /// The field that the next member most likely is.
    expected: usize,
}

impl<'plan> Members<'plan> {
    pub fn new(data_type: &'plan Arc<DataType>) -> Self {
        let seen = vec![false; data_type.fields.len()];
        Self { data_type, canonical: Canonical::default(), seen, expected: 0 }
    }

    /// A record of `length` bytes begins.
    pub fn begin(&mut self, length: usize) {
        self.canonical.next_record(length);
        self.seen.fill(false);
        self.expected = 0;
    }

    /// Puts the members of a JSON object, which stands for fields whose names the format cannot say.
    pub fn object(&mut self, object: &str, rows: &mut Rows, draft: &mut Draft) -> Result<(), Refusal> {
        let mut canonical = Vec::new();
        self.canonical.write(object, &mut canonical)?;
        // Made of a text, from which only whole characters were taken.
        let canonical = String::from_utf8_lossy(&canonical);
        for (raw, value) in members(&canonical) {
            let mut name = Vec::new();
            text::unescape(raw, &mut name)?;
            self.put(&String::from_utf8_lossy(&name), &Member::Json(value), rows, draft);
        }
        Ok(())
    }

    /// The field of this name and its number.
    pub fn field(&self, name: &str) -> Option<(usize, FieldType)> {
        let fields = &self.data_type.fields;
        let is_it = |field: &Field| field.name.as_str() == name;
        let (before, from) = fields.split_at(self.expected.min(fields.len()));
        let ahead = from.iter().position(is_it).map(|index| before.len() + index);
        let slot = ahead.or_else(|| before.iter().position(is_it))?;
        Some((slot, fields[slot].field_type))
    }

    /// Puts a member; what is wrong with it becomes a fault.
    pub fn put(&mut self, name: &str, value: &Member<'_>, rows: &mut Rows, draft: &mut Draft) {
        let slot = self.field(name).map(|(slot, _)| slot);
        let put = match slot {
            Some(slot) => {
                self.expected = slot + 1;
                self.fill(slot, name, value, rows, draft)
            }
            None => match value {
                Member::Text(span) => {
                    let text = rows.bytes(*span).to_vec();
                    draft.extra.add(name, |out| {
                        string(&text, out);
                        Ok(())
                    })
                }
                Member::Json(json) => draft.extra.add(name, |out| self.canonical.write(json, out)),
            },
        };
        if let Err(refusal) = put {
            self.fault(name, refusal, draft);
        }
    }

    /// Notes what is wrong with a member.
    pub fn fault(&self, name: &str, refusal: Refusal, draft: &mut Draft) {
        let slot = self.field(name).map_or(self.data_type.fields.len(), |(slot, _)| slot);
        draft.fault(Some(slot), refusal.in_field(name));
    }

    /// The record is over.
    pub fn end(&self, draft: &mut Draft) {
        let twice: Option<Fault> = draft.extra.duplicate();
        if let Some(fault) = twice {
            draft.fault(Some(self.data_type.fields.len()), fault);
        }
    }

    fn fill(
        &mut self,
        slot: usize,
        name: &str,
        value: &Member<'_>,
        rows: &mut Rows,
        draft: &mut Draft,
    ) -> Result<(), Refusal> {
        if std::mem::replace(&mut self.seen[slot], true) {
            return Err(duplicate(name));
        }
        draft.cells[slot] = match value {
            Member::Text(span) => Cell::Text(*span),
            Member::Json(json) if json.starts_with('n') => {
                draft.extra.add(name, null)?;
                Cell::Missing
            }
            Member::Json(json) => {
                let start = rows.scratch_start();
                match json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
                    Some(raw) => {
                        text::unescape(raw, rows.scratch())?;
                        Cell::Text(rows.span_of_scratch(start))
                    }
                    None => {
                        self.canonical.write(json, rows.scratch())?;
                        Cell::Json(rows.span_of_scratch(start))
                    }
                }
            }
        };
        Ok(())
    }
}

/// Appends a text as a JSON string.
pub(crate) fn string(plain: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    text::escape(plain, out);
    out.push(b'"');
}

/// The text, once it is known to be JSON; `what` is where it stands.
pub(crate) fn checked<'text>(json: &'text str, what: &str) -> Result<&'text str, Refusal> {
    let value = serde_json::from_str::<&serde_json::value::RawValue>(json);
    value.map(serde_json::value::RawValue::get).map_err(|error| invalid(&error, json, what))
}
