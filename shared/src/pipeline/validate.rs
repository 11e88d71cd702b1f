//! Checks decoded values against the schema.

use std::borrow::Cow;

use super::checks::Checks;
use crate::content::{Content, Reference};
use crate::fault::{Fault, Stage};
use crate::format::draft::Draft;
use crate::format::instant::{self, NoInstant};
use crate::format::json::Refusal;
use crate::format::json::decode::describe;
use crate::format::shown;
use crate::limits;
use crate::record::{Cell, Rows, Span, utf8};
use crate::scalar::{self, NoScalar};
use crate::schema::{DataType, Field, FieldType};

/// How the records of a source are checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// Whether all required fields must be there, or only the key.
    pub all_required: bool,
    /// Whether a text may be a number or a boolean, because the format has nothing but texts.
    pub texts_only: bool,
    /// Whether a record may be a part of one, which changes a row that is there: it may then lack required fields,
    /// and gets no defaults.
    pub parts: bool,
}

/// Checks every cell of `draft` and turns the texts of dates into instants, those of numbers into numbers and
/// base64 into contents.
pub(crate) fn check(data_type: &DataType, rules: Rules, checks: &Checks, rows: &mut Rows, draft: &mut Draft) {
    for (slot, field) in data_type.fields.iter().enumerate() {
        let is_key = slot == data_type.key;
        match value(field, draft.cells[slot], rules, rows, draft) {
            // A value that could not be read was there.
            Ok(Cell::Missing) if draft.is_faulty(slot) => {}
            Ok(Cell::Missing) if draft.extra.has(field.name.as_str()) => {
                if is_key || (rules.all_required && !checks.null(slot, field)) {
                    draft.fault(Some(slot), missing(field, "null"));
                }
            }
            // Whether it has to be there is asked when the row is met that it would change.
            Ok(Cell::Missing) if rules.parts && !is_key => {}
            Ok(Cell::Missing) => {
                draft.cells[slot] = checks.instead(slot, rows);
                let required = is_key || (field.required && rules.all_required);
                if required && draft.cells[slot] == Cell::Missing {
                    draft.fault(Some(slot), missing(field, "nothing"));
                }
            }
            Ok(Cell::Text(text)) if is_key && rows.bytes(text).len() > limits::KEY_BYTES => {
                let found = rows.bytes(text).len();
                let message = format!("found a key of {found} bytes, expected at most {}", limits::KEY_BYTES);
                draft.fault(Some(slot), fault(field, "key.too_long", message));
            }
            Ok(cell) => {
                draft.cells[slot] = cell;
                checks.check(slot, field, &rows.of_cell(cell), &mut |fault| draft.fault(Some(slot), fault));
            }
            Err(fault) => draft.fault(Some(slot), fault),
        }
    }
}

/// Whether a record without the field, which is not the key, is only a part of one.
fn may_be_lacking(field: &Field) -> bool {
    field.required && field.constraints.default.is_none()
}

/// The numbers of the fields that parts of records may lack.
pub(crate) fn may_be_lacked(data_type: &DataType) -> impl Iterator<Item = usize> + '_ {
    let fields = data_type.fields.iter().enumerate();
    fields.filter(|(slot, field)| *slot != data_type.key && may_be_lacking(field)).map(|(slot, _)| slot)
}

/// What is wrong with a record that lacks these fields.
pub(crate) fn lacking(data_type: &DataType, slots: impl Iterator<Item = usize>) -> Vec<Fault> {
    slots.map(|slot| missing(&data_type.fields[slot], "nothing")).collect()
}

/// The cell of a field as it would be stored; none where it cannot be read.
pub(crate) fn settled(
    data_type: &DataType,
    slot: usize,
    rules: Rules,
    checks: &Checks,
    rows: &mut Rows,
    draft: &mut Draft,
) -> Option<Cell> {
    let field = &data_type.fields[slot];
    if draft.is_faulty(slot) {
        return None;
    }
    match value(field, draft.cells[slot], rules, rows, draft).ok()? {
        // Nobody knows whether a part of a record will get the default.
        Cell::Missing if !rules.parts && !draft.extra.has(field.name.as_str()) => {
            Some(checks.instead(slot, rows))
        }
        cell => Some(cell),
    }
}

/// The cell as the field stores it.
pub(super) fn value(
    field: &Field,
    cell: Cell,
    rules: Rules,
    rows: &mut Rows,
    draft: &mut Draft,
) -> Result<Cell, Fault> {
    match (field.field_type, cell) {
        (_, Cell::Missing | Cell::Instant(_)) | (FieldType::String, Cell::Text(_)) => Ok(cell),
        (FieldType::Date, Cell::Text(span)) => {
            let text = text(rows, span);
            instant::parse(&text).map(Cell::Instant).map_err(|why| no_date(field, &text, why))
        }
        (FieldType::Array, Cell::Json(span)) if rows.bytes(span).first() == Some(&b'[') => Ok(cell),
        (FieldType::Object, Cell::Json(span)) if rows.bytes(span).first() == Some(&b'{') => Ok(cell),
        (
            FieldType::Integer | FieldType::Number | FieldType::Decimal | FieldType::Boolean,
            Cell::Json(span),
        ) => scalar(field, span, rows)?.ok_or_else(|| wrong_type(field, &describe(&text(rows, span)))),
        (
            FieldType::Integer | FieldType::Number | FieldType::Decimal | FieldType::Boolean,
            Cell::Text(span),
        ) if rules.texts_only => {
            scalar(field, span, rows)?.ok_or_else(|| wrong_type(field, &a_text(rows, span)))
        }
        (FieldType::Binary, Cell::Text(span)) => {
            let content = Content::decode(rows.bytes(span)).map_err(|refusal| refused(field, refusal))?;
            let reference = rows.span_of_copy(content.reference.json().as_bytes());
            draft.contents.push(content);
            Ok(Cell::Json(reference))
        }
        (FieldType::Binary, Cell::Json(span)) if rows.bytes(span).first() == Some(&b'{') => {
            reference(field, rows.bytes(span)).map(|_| cell)
        }
        (_, Cell::Text(span)) => Err(wrong_type(field, &a_text(rows, span))),
        (_, Cell::Json(span)) => Err(wrong_type(field, &describe(&text(rows, span)))),
    }
}

/// The cell of a number or boolean; none if it is none.
fn scalar(field: &Field, span: Span, rows: &mut Rows) -> Result<Option<Cell>, Fault> {
    // What is no UTF-8 is no number either.
    let written = std::str::from_utf8(rows.bytes(span)).unwrap_or_default();
    match scalar::read(field.field_type, written) {
        Ok(Cow::Borrowed(_)) => Ok(Some(Cell::Json(span))),
        Ok(Cow::Owned(plain)) => Ok(Some(Cell::Json(rows.span_of_copy(plain.as_bytes())))),
        Err(NoScalar::OfType) => Ok(None),
        Err(NoScalar::Refused(refusal)) => Err(refused(field, refusal)),
    }
}

fn reference(field: &Field, json: &[u8]) -> Result<Reference, Fault> {
    Reference::read(json).ok_or_else(|| {
        let found = shown::text(&String::from_utf8_lossy(json));
        let message = format!(
            "found {found}, expected a reference of \"sha256\", 64 lower-case hexadecimal digits, and \"size\", its bytes"
        );
        fault(field, "binary.reference", message)
    })
}

fn text(rows: &Rows, span: Span) -> Cow<'_, str> {
    utf8(rows.bytes(span))
}

fn a_text(rows: &Rows, span: Span) -> String {
    format!("the text {}", shown::text(&text(rows, span)))
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
        FieldType::Integer => "type.integer",
        FieldType::Number => "type.number",
        FieldType::Decimal => "type.decimal",
        FieldType::Boolean => "type.boolean",
        FieldType::Date => "type.date",
        FieldType::Array => "type.array",
        FieldType::Object => "type.object",
        FieldType::Binary => "type.binary",
    };
    fault(field, code, format!("found {found}, expected {}", expected(field.field_type)))
}

fn expected(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::String => "a string",
        FieldType::Integer => "an integer",
        FieldType::Number => "a number",
        FieldType::Decimal => "a decimal number",
        FieldType::Boolean => "true or false",
        FieldType::Date => "a string with an RFC 3339 date",
        FieldType::Array => "an array",
        FieldType::Object => "an object",
        FieldType::Binary => "a string with base64, or a reference",
    }
}

fn refused(field: &Field, refusal: Refusal) -> Fault {
    fault(field, refusal.code, refusal.message)
}

fn fault(field: &Field, code: &'static str, message: String) -> Fault {
    Fault::new(Stage::Validate, code, message).in_field(field.name.as_str())
}
