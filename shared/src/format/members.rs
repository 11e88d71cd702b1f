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
    /// JSON in canonical form, not null, that stands in the scratch already.
    Canonical(Span),
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
        self.canonical.write_record(object, &mut canonical)?;
        // Made of a text, from which only whole characters were taken.
        let canonical = String::from_utf8_lossy(&canonical);
        for (raw, value) in members(&canonical) {
            let mut name = Vec::new();
            text::unescape(raw, &mut name)?;
            self.put(&String::from_utf8_lossy(&name), &Member::Json(value), rows, draft);
        }
        Ok(())
    }

    /// The number of the field of this name.
    pub fn slot(&self, name: &str) -> Option<usize> {
        let fields = &self.data_type.fields;
        let is_it = |field: &Field| field.name.as_str() == name;
        let (before, from) = fields.split_at(self.expected.min(fields.len()));
        let ahead = from.iter().position(is_it).map(|index| before.len() + index);
        ahead.or_else(|| before.iter().position(is_it))
    }

    /// The type of the field of this name.
    pub fn wanted(&self, name: &str) -> Option<FieldType> {
        self.slot(name).map(|slot| self.data_type.fields[slot].field_type)
    }

    /// Puts a member; what is wrong with it becomes a fault.
    pub fn put(&mut self, name: &str, value: &Member<'_>, rows: &mut Rows, draft: &mut Draft) {
        match (self.slot(name), value) {
            (Some(slot), _) => self.fill(slot, value, rows, draft),
            (None, Member::Json(json)) => self.add(name, json, draft),
            (None, Member::Text(span)) => {
                let mut json = Vec::new();
                string(rows.bytes(*span), &mut json);
                self.add(name, &String::from_utf8_lossy(&json), draft);
            }
            (None, Member::Canonical(span)) => {
                self.add(name, &String::from_utf8_lossy(rows.bytes(*span)), draft);
            }
        }
    }

    /// Puts the member that is field number `slot`.
    pub fn fill(&mut self, slot: usize, value: &Member<'_>, rows: &mut Rows, draft: &mut Draft) {
        self.expected = slot + 1;
        let name = self.data_type.fields[slot].name.as_str();
        if let Err(refusal) = self.cell(slot, name, value, rows, draft) {
            draft.fault(Some(slot), refusal.in_field(name));
        }
    }

    /// Puts what a cell of field number `slot` already is.
    pub fn settle(&mut self, slot: usize, cell: Cell, draft: &mut Draft) {
        if std::mem::replace(&mut self.seen[slot], true) {
            let name = self.data_type.fields[slot].name.as_str();
            draft.fault(Some(slot), duplicate(name).in_field(name));
        } else {
            draft.cells[slot] = cell;
        }
    }

    /// Puts a member outside the schema.
    pub fn add(&mut self, name: &str, json: &str, draft: &mut Draft) {
        let added = draft.extra.add(name, |out| self.canonical.write(json, out));
        if let Err(refusal) = added {
            self.fault(name, refusal, draft);
        }
    }

    /// Notes what is wrong with a member.
    pub fn fault(&self, name: &str, refusal: Refusal, draft: &mut Draft) {
        let slot = self.slot(name).unwrap_or(self.data_type.fields.len());
        draft.fault(Some(slot), refusal.in_field(name));
    }

    /// The record is over.
    pub fn end(&self, draft: &mut Draft) {
        let twice: Option<Fault> = draft.extra.duplicate();
        if let Some(fault) = twice {
            draft.fault(Some(self.data_type.fields.len()), fault);
        }
    }

    fn cell(
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
            Member::Canonical(span) => Cell::Json(*span),
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
