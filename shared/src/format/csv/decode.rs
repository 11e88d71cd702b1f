//! What a CSV row means: its cells by the columns of the header, as PostgreSQL reads them.
//!
//! An unquoted empty cell is missing, `""` is the empty text (and missing where the field is no text). An
//! array is `a,b,c`, or JSON where the cell begins with `[`; an object is JSON, and so is a reference to
//! binary content.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::fields::{Field, Fields, halved};
use super::{Dialect, Facts};
use crate::fault::Fault;
use crate::format::draft::Draft;
use crate::format::json::decode::{invalid, null};
use crate::format::json::{Canonical, Refusal, members, text};
use crate::format::{self, Meaning, shown};
use crate::record::{Cell, Rows, Span};
use crate::schema::{DataType, FieldType};

/// The name of the column that holds fields outside the schema as one JSON object.
pub(crate) const EXTRA: &str = "extra";

/// Where the cells of a column go.
#[derive(Debug)]
struct Column {
    name: String,
    target: Target,
}

#[derive(Debug, Clone, Copy)]
enum Target {
    /// Into a field of the schema.
    Field(usize, FieldType),
    /// Into the extra fields, under the column's name.
    Other,
    /// The column [`EXTRA`].
    Extra,
}

/// CSV records of a type.
#[derive(Debug)]
pub(super) struct Records {
    columns: Vec<Column>,
    dialect: Dialect,
    data_type: Arc<DataType>,
}

impl Records {
    /// Finds the target of every column.
    pub fn new(facts: &Facts, data_type: &Arc<DataType>) -> Self {
        let column = |name: &String| {
            let target = match data_type.slot(name) {
                Some(slot) => Target::Field(slot, data_type.fields[slot].field_type),
                None if name == EXTRA => Target::Extra,
                None => Target::Other,
            };
            Column { name: name.clone(), target }
        };
        Self {
            columns: facts.columns.iter().map(column).collect(),
            dialect: facts.dialect,
            data_type: Arc::clone(data_type),
        }
    }
}

impl Meaning for Records {
    fn decoder(&self, segment: &[u8]) -> Box<dyn format::Decoder + '_> {
        Box::new(Decoder {
            columns: &self.columns,
            dialect: self.dialect,
            data_type: &self.data_type,
            canonical: Canonical::default(),
            nul: memchr::memchr(0, segment).is_some(),
        })
    }
}

#[derive(Debug)]
struct Decoder<'plan> {
    columns: &'plan [Column],
    dialect: Dialect,
    data_type: &'plan DataType,
    canonical: Canonical,
    /// Whether the segment holds a NUL byte anywhere.
    nul: bool,
}

impl format::Decoder for Decoder<'_> {
    fn record(&mut self, row: &str, start: u32, rows: &mut Rows, draft: &mut Draft) {
        self.canonical.next_record(row.len());
        let mut count = 0;
        let (mut extra, mut first_stray) = (None, None);
        for field in Fields::of(row.as_bytes(), self.dialect) {
            first_stray = first_stray.or(field.stray);
            if let Some(column) = self.columns.get(count) {
                if let Some(stray) = field.stray {
                    draft.fault(self.number(column), self.stray_text(row, stray).in_field(&column.name));
                } else if matches!(column.target, Target::Extra) {
                    extra = Some((column, field));
                } else if let Err(refusal) = self.cell(column, row, &field, start, rows, draft) {
                    draft.fault(self.number(column), refusal.in_field(&column.name));
                }
            }
            count += 1;
        }
        if count != self.columns.len() {
            let ragged = format!("found {count} columns, expected {}", self.columns.len());
            draft.refuse(match first_stray.map(|stray| self.stray_text(row, stray)) {
                // Which often is why: the delimiters behind it count, though they were to be in a cell.
                Some(Refusal { code, message }) => Refusal::new(code, format!("{message}; {ragged}")),
                None => Refusal::new("csv.ragged", ragged),
            });
        } else if let Some((column, field)) = extra
            && let Err(fault) = self.extra(row, &field, rows, draft)
        {
            draft.fault(self.number(column), fault);
        }
    }
}

impl Decoder<'_> {
    /// The number of the column's field, or of the extra fields.
    fn number(&self, column: &Column) -> Option<usize> {
        match column.target {
            Target::Field(slot, _) => Some(slot),
            Target::Other | Target::Extra => Some(self.data_type.fields.len()),
        }
    }

    fn cell(
        &mut self,
        column: &Column,
        row: &str,
        field: &Field,
        start: u32,
        rows: &mut Rows,
        draft: &mut Draft,
    ) -> Result<(), Refusal> {
        if field.text.is_empty() && !field.quoted {
            return Ok(());
        }
        if self.nul && row[field.text.clone()].contains('\0') {
            return Err(text::nul());
        }
        match column.target {
            Target::Field(_, wanted)
                if field.text.is_empty() && (wanted.is_never_empty() || wanted == FieldType::Array) => {}
            Target::Field(slot, FieldType::Array) => {
                let cell = self.plain(row, field);
                let from = rows.scratch_start();
                array(&cell, &mut self.canonical, rows.scratch())?;
                draft.cells[slot] = Cell::Json(rows.span_of_scratch(from));
            }
            Target::Field(slot, FieldType::Object | FieldType::Binary)
                if row[field.text.clone()].starts_with('{') =>
            {
                let cell = self.plain(row, field);
                let from = rows.scratch_start();
                json(&cell, &mut self.canonical, rows.scratch())?;
                draft.cells[slot] = Cell::Json(rows.span_of_scratch(from));
            }
            Target::Field(slot, _) => {
                draft.cells[slot] = Cell::Text(self.plain_text(row, field, start, rows));
            }
            Target::Other | Target::Extra => {
                let cell = self.plain(row, field);
                draft.extra.add(&column.name, |out| string(&cell, out))?;
            }
        }
        Ok(())
    }

    /// Merges the members of the column [`EXTRA`] into the extra fields.
    fn extra(&mut self, row: &str, field: &Field, rows: &mut Rows, draft: &mut Draft) -> Result<(), Fault> {
        if field.text.is_empty() && !field.quoted {
            return Ok(());
        }
        let in_extra = |refusal: Refusal| refusal.in_field(EXTRA);
        if self.nul && row[field.text.clone()].contains('\0') {
            return Err(in_extra(text::nul()));
        }
        let cell = self.plain(row, field);
        let object = cell.starts_with('{').then(|| serde_json::from_str::<&RawValue>(&cell));
        let Some(Ok(object)) = object else {
            // Whatever is no object is a field that happens to have this name.
            return draft.extra.add(EXTRA, |out| string(&cell, out)).map_err(in_extra);
        };
        let mut canonical = Vec::new();
        self.canonical.write_record(object.get(), &mut canonical).map_err(in_extra)?;
        // Made of a text, from which only whole characters were taken.
        let canonical = String::from_utf8_lossy(&canonical);
        for (raw, value) in members(&canonical) {
            let mut name = Vec::new();
            text::unescape(raw, &mut name).map_err(in_extra)?;
            let name = String::from_utf8_lossy(&name);
            let slot = self.data_type.slot(&name);
            let free = slot.map_or_else(
                || !draft.extra.has(&name),
                |slot| draft.cells[slot] == Cell::Missing && !draft.is_faulty(slot),
            );
            if !free {
                return Err(conflict(&name, slot.is_some()));
            }
            // A row that was written before its type had the field still has it here.
            if let Some(slot) = slot.filter(|_| value != "null") {
                draft.cells[slot] = held(value, rows).map_err(in_extra)?;
                continue;
            }
            let value = |out: &mut Vec<u8>| {
                out.extend_from_slice(value.as_bytes());
                Ok(())
            };
            let added =
                if slot.is_some() { draft.extra.add(&name, null) } else { draft.extra.add(&name, value) };
            added.map_err(in_extra)?;
        }
        Ok(())
    }

    /// The text of a cell.
    fn plain<'row>(&self, row: &'row str, field: &Field) -> Cow<'row, str> {
        let text = &row[field.text.clone()];
        match field.doubled {
            true => {
                let mut plain = String::with_capacity(text.len());
                plain.extend(halved(text, self.dialect.quote));
                Cow::Owned(plain)
            }
            false => Cow::Borrowed(text),
        }
    }

    /// The text of a cell that goes into a row.
    fn plain_text(&self, row: &str, field: &Field, start: u32, rows: &mut Rows) -> Span {
        let text = &field.text;
        if field.doubled {
            let from = rows.scratch_start();
            for part in halved(&row[text.clone()], self.dialect.quote) {
                rows.scratch().extend_from_slice(part.as_bytes());
            }
            rows.span_of_scratch(from)
        } else {
            let place = |offset: usize| start + u32::try_from(offset).unwrap_or(u32::MAX);
            Rows::span_of_source(place(text.start)..place(text.end))
        }
    }

    fn stray_text(&self, row: &str, at: usize) -> Refusal {
        let (found, expected) = (shown::byte(row.as_bytes()[at]), shown::byte(self.dialect.delimiter));
        let message =
            format!("found {found} behind the closing quote at byte {at} of the record, expected {expected}");
        Refusal::new("csv.quote", message)
    }
}

/// The cell of a canonical JSON value.
fn held(value: &str, rows: &mut Rows) -> Result<Cell, Refusal> {
    let from = rows.scratch_start();
    match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(raw) => {
            text::unescape(raw, rows.scratch())?;
            Ok(Cell::Text(rows.span_of_scratch(from)))
        }
        None => {
            rows.scratch().extend_from_slice(value.as_bytes());
            Ok(Cell::Json(rows.span_of_scratch(from)))
        }
    }
}

fn conflict(name: &str, is_field: bool) -> Fault {
    let other = if is_field { "a field of the schema" } else { "a column of its own" };
    let message = format!("found the member {} in the column extra, which is {other}", shown::text(name));
    Refusal::new("extra.conflict", message).in_field(name)
}

/// Appends the elements of an array cell as canonical JSON.
fn array(cell: &str, canonical: &mut Canonical, out: &mut Vec<u8>) -> Result<(), Refusal> {
    if cell.starts_with('[') {
        return json(cell, canonical, out);
    }
    for (index, element) in cell.split(',').enumerate() {
        out.push(if index == 0 { b'[' } else { b',' });
        string(element, out)?;
    }
    out.push(b']');
    Ok(())
}

/// Appends a JSON text in canonical form.
fn json(cell: &str, canonical: &mut Canonical, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let value = serde_json::from_str::<&RawValue>(cell).map_err(|error| invalid(&error, cell, "cell"))?;
    canonical.write(value.get(), out)
}

/// Appends a text as a JSON string.
#[allow(clippy::unnecessary_wraps, reason = "stands where values are written that can be refused")]
fn string(cell: &str, out: &mut Vec<u8>) -> Result<(), Refusal> {
    out.push(b'"');
    text::escape(cell.as_bytes(), out);
    out.push(b'"');
    Ok(())
}
