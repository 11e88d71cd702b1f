//! What becomes of the values that rows keep in `extra` once their type has a field of that name?
//!
//! A value moves into the new column where a record would be accepted with it, by the rules of JSON: the text
//! `"1"` is no integer. Any other value stays in `extra`, as null does, and binary content, which would have to
//! be stored first.

use std::sync::Arc;

use bytes::Bytes;

use super::validate::{self, Rules};
use crate::format::draft::Draft;
use crate::format::json::{members, text};
use crate::record::{Cell, Origin, Rows, Value};
use crate::schema::{DataType, FieldType};

/// The rules of a record of JSON.
const RULES: Rules = Rules { all_required: false, texts_only: false, parts: false };

/// Values that were kept in `extra` under the names of new fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filled {
    /// Those that stand in the new columns now.
    pub moved: u64,
    /// Those that are none of the field's type, and stay.
    pub left: u64,
}

impl std::ops::AddAssign for Filled {
    fn add_assign(&mut self, other: Self) {
        self.moved += other.moved;
        self.left += other.left;
    }
}

/// Those of these rows that change when their type becomes `grown`, which has more fields behind the same ones;
/// and what became of the values.
pub fn refit(rows: &Rows, grown: &Arc<DataType>) -> (Rows, Filled) {
    let mut refitted = Rows::new(Arc::clone(grown), Bytes::new(), 0, 0);
    let mut filled = Filled::default();
    let mut draft = Draft::new(grown.fields.len());
    for row in 0..rows.len() {
        let Value::Json(extra) = rows.value(row, rows.width() - 1) else { continue };
        let before = filled.moved;
        let start = refitted.scratch_start();
        draft.clear();
        // Written from whole characters only.
        for (name, value) in members(&String::from_utf8_lossy(extra)) {
            sort(name, value, rows.width() - 1, &mut refitted, &mut draft, &mut filled);
        }
        if filled.moved == before {
            refitted.truncate_scratch(start);
            continue;
        }
        for slot in 0..rows.width() - 1 {
            draft.cells[slot] = match rows.value(row, slot) {
                Value::Missing => Cell::Missing,
                Value::Text(bytes) => Cell::Text(refitted.span_of_copy(bytes)),
                Value::Json(bytes) => Cell::Json(refitted.span_of_copy(bytes)),
                Value::Instant(micros) => Cell::Instant(micros),
            };
        }
        let extra = draft.extra.cell(&mut refitted);
        draft.push(Origin { position: rows.origin(row).position, frame: 0..0 }, extra, &mut refitted);
    }
    (refitted, filled)
}

/// Puts a member into the new field of its name, behind the `known` ones, where it fits; otherwise into extra.
fn sort(written: &str, value: &str, known: usize, rows: &mut Rows, draft: &mut Draft, filled: &mut Filled) {
    let mut name = Vec::new();
    // What is stored was read before.
    let _ = text::unescape(written, &mut name);
    let name = String::from_utf8_lossy(&name).into_owned();
    let grown = Arc::clone(rows.data_type());
    let slot = grown.slot(&name).filter(|slot| *slot >= known && value != "null");
    if let Some(slot) = slot {
        if let Some(cell) = fitting(&grown, slot, value, rows, draft) {
            draft.cells[slot] = cell;
            filled.moved += 1;
            return;
        }
        filled.left += 1;
    }
    let _ = draft.extra.add(&name, |out| {
        out.extend_from_slice(value.as_bytes());
        Ok(())
    });
}

/// The cell of a value, where it is one of the field.
fn fitting(grown: &DataType, slot: usize, value: &str, rows: &mut Rows, draft: &mut Draft) -> Option<Cell> {
    let field = grown.fields.get(slot).filter(|field| field.field_type != FieldType::Binary)?;
    let start = rows.scratch_start();
    let cell = match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(raw) => {
            text::unescape(raw, rows.scratch()).ok()?;
            Cell::Text(rows.span_of_scratch(start))
        }
        None => Cell::Json(rows.span_of_copy(value.as_bytes())),
    };
    validate::value(field, cell, RULES, rows, draft).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Position;
    use crate::schema::{Field, Identifier};

    #[test]
    fn what_fits_moves_and_all_else_stays() {
        let field = |name: &str, field_type| Field::new(Identifier::new(name).unwrap(), field_type, false);
        let known = DataType {
            name: Identifier::new("pets").unwrap(),
            fields: vec![field("id", FieldType::String), field("age", FieldType::Integer)],
            key: 0,
        };
        let mut grown = known.clone();
        for (name, field_type) in [
            ("größe", FieldType::Number),
            ("born", FieldType::Date),
            ("n", FieldType::Integer),
            ("photo", FieldType::Binary),
            ("o", FieldType::Object),
            ("t", FieldType::String),
        ] {
            grown.fields.push(field(name, field_type));
        }
        let (known, grown) = (Arc::new(known), Arc::new(grown));
        let refitted = |extra: &str| {
            let mut rows = Rows::new(Arc::clone(&known), Bytes::new(), 0, 0);
            let [id, extra] = ["k", extra].map(|text| rows.span_of_copy(text.as_bytes()));
            let cells = [Cell::Text(id), Cell::Missing, Cell::Json(extra)];
            rows.push(Origin { position: Position::new(3, 4), frame: 0..0 }, &cells);
            let (found, filled) = refit(&rows, &grown);
            let cell = |slot| match found.value(0, slot) {
                Value::Missing => String::new(),
                Value::Instant(micros) => format!("{micros}µs"),
                Value::Text(bytes) | Value::Json(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            };
            let cells: Vec<String> =
                if found.is_empty() { vec![] } else { (0..found.width()).map(cell).collect() };
            assert!(found.is_empty() || found.origin(0).position == Position::new(3, 4));
            (cells.join("|"), filled.moved, filled.left)
        };
        for (extra, expected, moved, left) in [
            (r#"{"größe":0.1}"#, "k||0.1||||||", 1, 0),
            (r#"{"größe":"0.1"}"#, "", 0, 1),
            (r#"{"größe":9007199254740993}"#, "", 0, 1),
            (r#"{"n":7,"z":[1]}"#, r#"k||||7||||{"z":[1]}"#, 1, 0),
            (r#"{"n":1.5,"born":"1970-01-01"}"#, r#"k|||0µs|||||{"n":1.5}"#, 1, 1),
            (r#"{"n":null,"o":{"a":null}}"#, r#"k||||||{"a":null}||{"n":null}"#, 1, 0),
            (r#"{"age":"a left one","t":"a\"b\n"}"#, "k|||||||a\"b\n|{\"age\":\"a left one\"}", 1, 0),
            (r#"{"photo":"Zm9v"}"#, "", 0, 1),
            (r#"{"z":1}"#, "", 0, 0),
        ] {
            assert_eq!(refitted(extra), (expected.to_owned(), moved, left), "{extra}");
        }
    }

    #[test]
    fn a_refitted_record_is_the_one_that_an_import_makes() {
        let known = Arc::new(DataType {
            name: Identifier::new("pets").unwrap(),
            fields: vec![Field::new(Identifier::new("id").unwrap(), FieldType::String, true)],
            key: 0,
        });
        let mut grown = (*known).clone();
        grown.fields.push(Field::new(Identifier::new("n").unwrap(), FieldType::Integer, false));
        let grown = Arc::new(grown);
        let mut rows = Rows::new(known, Bytes::new(), 0, 0);
        let [id, extra] = ["k", r#"{"n":7}"#].map(|text| rows.span_of_copy(text.as_bytes()));
        let origin = Origin { position: Position::new(0, 1), frame: 0..0 };
        rows.push(origin.clone(), &[Cell::Text(id), Cell::Json(extra)]);
        let mut imported = Rows::new(Arc::clone(&grown), Bytes::new(), 0, 0);
        let [id, n] = ["k", "7"].map(|text| imported.span_of_copy(text.as_bytes()));
        imported.push(origin, &[Cell::Text(id), Cell::Json(n), Cell::Missing]);
        assert_eq!(refit(&rows, &grown).0.hash(0), imported.hash(0));
    }
}
