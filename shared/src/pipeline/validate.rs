//! Checks decoded values against the schema.

use crate::fault::{Fault, Stage};
use crate::format::draft::Draft;
use crate::format::instant::{self, NoInstant};
use crate::format::json::decode::describe;
use crate::format::shown;
use crate::limits;
use crate::record::{Cell, Rows};
use crate::schema::{DataType, Field, FieldType};

/// Checks every cell of `draft` and turns the texts of dates into instants. Without `all_required` only the
/// key must be there.
pub(crate) fn check(data_type: &DataType, all_required: bool, rows: &Rows, draft: &mut Draft) {
    for (slot, field) in data_type.fields.iter().enumerate() {
        let is_key = slot == data_type.key;
        match value(field, draft.cells[slot], rows) {
            Ok(Cell::Missing) => {
                let required = is_key || (field.required && all_required);
                // A value that could not be read was there.
                if required && !draft.is_faulty(slot) {
                    let found = if draft.extra.has(field.name.as_str()) { "null" } else { "nothing" };
                    draft.fault(Some(slot), missing(field, found));
                }
            }
            Ok(Cell::Text(text)) if is_key && rows.bytes(text).len() > limits::KEY_BYTES => {
                let found = rows.bytes(text).len();
                let message = format!("found a key of {found} bytes, expected at most {}", limits::KEY_BYTES);
                draft.fault(Some(slot), fault(field, "key.too_long", message));
            }
            Ok(cell) => draft.cells[slot] = cell,
            Err(fault) => draft.fault(Some(slot), fault),
        }
    }
}

/// The cell as the field stores it.
fn value(field: &Field, cell: Cell, rows: &Rows) -> Result<Cell, Fault> {
    let shown = |span| String::from_utf8_lossy(rows.bytes(span)).into_owned();
    match (field.field_type, cell) {
        (_, Cell::Missing | Cell::Instant(_)) | (FieldType::String, Cell::Text(_)) => Ok(cell),
        (FieldType::Date, Cell::Text(span)) => {
            let parsed = std::str::from_utf8(rows.bytes(span)).map_err(|_| NoInstant::Invalid);
            let instant = parsed.and_then(instant::parse);
            instant.map(Cell::Instant).map_err(|why| no_date(field, &shown(span), why))
        }
        (FieldType::Array | FieldType::Object, Cell::Text(span)) => {
            Err(wrong_type(field, &format!("the text {}", shown::text(&shown(span)))))
        }
        (FieldType::Array, Cell::Json(span)) if rows.bytes(span).first() == Some(&b'[') => Ok(cell),
        (FieldType::Object, Cell::Json(span)) if rows.bytes(span).first() == Some(&b'{') => Ok(cell),
        (_, Cell::Json(span)) => Err(wrong_type(field, &describe(&shown(span)))),
    }
}

fn no_date(field: &Field, text: &str, why: NoInstant) -> Fault {
    let found = shown::text(text);
    let lacks_only_offset = || instant::parse(&format!("{text}Z")) != Err(NoInstant::Invalid);
    match why {
        NoInstant::Precision => {
            let message = format!("found {found}, expected a date of at most six decimals");
            fault(field, "date.precision", message)
        }
        NoInstant::Invalid if lacks_only_offset() => {
            let message =
                format!("found {found} without an offset, expected one behind it, such as Z or +02:00");
            fault(field, "date.invalid", message)
        }
        NoInstant::Invalid => {
            fault(field, "date.invalid", format!("found {found}, expected an RFC 3339 date"))
        }
    }
}

fn missing(field: &Field, found: &str) -> Fault {
    let expected = expected(field.field_type);
    fault(field, "required.missing", format!("found {found}, expected {expected}"))
}

fn wrong_type(field: &Field, found: &str) -> Fault {
    let code = match field.field_type {
        FieldType::String => "type.string",
        FieldType::Date => "type.date",
        FieldType::Array => "type.array",
        FieldType::Object => "type.object",
    };
    fault(field, code, format!("found {found}, expected {}", expected(field.field_type)))
}

fn expected(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::String => "a string",
        FieldType::Date => "a string with an RFC 3339 date",
        FieldType::Array => "an array",
        FieldType::Object => "an object",
    }
}

fn fault(field: &Field, code: &'static str, message: String) -> Fault {
    Fault::new(Stage::Validate, code, message).in_field(field.name.as_str())
}
