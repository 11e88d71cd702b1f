//! The constraints of a schema, compiled: what values must be beyond their type.

use std::cmp::Ordering;

use regex::Regex;
use serde_json::Value as Json;

use super::forms;
use crate::fault::{Fault, Stage};
use crate::format::json::decode::describe;
use crate::format::json::{Canonical, elements};
use crate::format::{instant, shown};
use crate::pattern;
use crate::record::{Cell, Rows, Value, utf8};
use crate::scalar;
use crate::schema::{Constraints, DataType, Field, FieldType, ItemType, TextFormat};

/// Allowed values that a message names.
const SHOWN_ALLOWED: usize = 10;

/// The constraints of all fields.
#[derive(Debug, Default)]
pub(crate) struct Checks(Vec<Option<FieldChecks>>);

/// The constraints of one field.
#[derive(Debug)]
struct FieldChecks {
    allowed: Vec<Stored>,
    pattern: Option<Regex>,
    minimum: Option<Bound>,
    maximum: Option<Bound>,
    min_length: Option<u64>,
    max_length: Option<u64>,
    items: Option<ItemType>,
    format: Option<TextFormat>,
    default: Option<Stored>,
    null: bool,
}

/// A value of a document as a cell would hold it.
#[derive(Debug, PartialEq, Eq)]
enum Stored {
    Text(String),
    Instant(i64),
    Json(Vec<u8>),
}

#[derive(Debug)]
enum Bound {
    Number(String),
    Instant(i64),
}

impl Checks {
    /// Compiles. What cannot be compiled was refused when its template was stored.
    pub fn compile(data_type: &DataType) -> Self {
        let compile = |field: &Field| (!field.constraints.is_empty()).then(|| FieldChecks::compile(field));
        Self(data_type.fields.iter().map(compile).collect())
    }

    /// The defaults of a type, by field, as cells of `rows`.
    pub fn defaults(data_type: &DataType, rows: &mut Rows) -> Vec<(usize, Cell)> {
        let fields = data_type.fields.iter().enumerate();
        let defaults = fields.filter_map(|(slot, field)| {
            let default = field.constraints.default.as_ref()?;
            Some((slot, stored(default, field.field_type)?.cell(rows)))
        });
        defaults.collect()
    }

    /// The value of a record that does not have the field: missing where the schema gives none.
    pub fn instead(&self, slot: usize, rows: &mut Rows) -> Cell {
        let default = self.of(slot).and_then(|checks| checks.default.as_ref());
        default.map_or(Cell::Missing, |default| default.cell(rows))
    }

    /// Whether the field may be null, where the schema says it.
    pub fn null(&self, slot: usize, field: &Field) -> bool {
        self.of(slot).map_or(!field.required, |checks| checks.null)
    }

    /// Everything that is wrong with a value, which is of the field's type and not missing.
    pub fn check(&self, slot: usize, field: &Field, value: &Value<'_>, note: &mut dyn FnMut(Fault)) {
        if let Some(checks) = self.of(slot) {
            checks.check(field, value, note);
        }
    }

    fn of(&self, slot: usize) -> Option<&FieldChecks> {
        self.0.get(slot)?.as_ref()
    }
}

/// Takes the code of a fault, what was found, and what was expected.
type Note<'a> = dyn FnMut(&'static str, &str, String) + 'a;

impl FieldChecks {
    fn compile(field: &Field) -> Self {
        let Constraints { allowed, pattern, minimum, maximum, format, default, nullable, .. } =
            &field.constraints;
        let stored = |value: &Json| stored(value, field.field_type);
        let bound = |text: &String| match field.field_type {
            FieldType::Date => instant::parse(text).ok().map(Bound::Instant),
            _ => Some(Bound::Number(text.clone())),
        };
        Self {
            allowed: allowed.iter().filter_map(stored).collect(),
            pattern: pattern.as_deref().and_then(|pattern| pattern::compile(pattern).ok()),
            minimum: minimum.as_ref().and_then(bound),
            maximum: maximum.as_ref().and_then(bound),
            min_length: field.constraints.min_length,
            max_length: field.constraints.max_length,
            items: field.constraints.items,
            format: *format,
            default: default.as_ref().and_then(stored),
            null: nullable.unwrap_or(!field.required),
        }
    }

    fn check(&self, field: &Field, value: &Value<'_>, note: &mut dyn FnMut(Fault)) {
        let mut note = |code, found: &str, expected: String| {
            let fault = Fault::new(Stage::Validate, code, format!("found {found}, expected {expected}"));
            note(fault.in_field(field.name.as_str()));
        };
        self.allowed(value, &mut note);
        self.bounds(value, &mut note);
        self.length(value, &mut note);
        self.items(value, &mut note);
        self.form(value, &mut note);
    }

    fn allowed(&self, value: &Value<'_>, note: &mut Note<'_>) {
        let is_it = |allowed: &Stored| match (allowed, value) {
            (Stored::Text(allowed), Value::Text(found)) => allowed.as_bytes() == *found,
            (Stored::Json(allowed), Value::Json(found)) => allowed == found,
            (Stored::Instant(allowed), Value::Instant(found)) => allowed == found,
            _ => false,
        };
        if !self.allowed.is_empty() && !self.allowed.iter().any(is_it) {
            let mut known: Vec<String> = self.allowed.iter().take(SHOWN_ALLOWED).map(Stored::shown).collect();
            if self.allowed.len() > SHOWN_ALLOWED {
                known.push("…".into());
            }
            note("enum.not_allowed", &found(value), format!("one of {}", known.join(", ")));
        }
    }

    fn bounds(&self, value: &Value<'_>, note: &mut Note<'_>) {
        let compare = |bound: &Bound| match (bound, value) {
            (Bound::Instant(bound), Value::Instant(found)) => Some(found.cmp(bound)),
            (Bound::Number(bound), Value::Json(found)) => {
                std::str::from_utf8(found).ok().map(|found| scalar::compare(found, bound))
            }
            _ => None,
        };
        if let Some(bound) = self.minimum.as_ref().filter(|bound| compare(bound) == Some(Ordering::Less)) {
            note("minimum.below", &found(value), format!("at least {}", bound.shown()));
        }
        if let Some(bound) = self.maximum.as_ref().filter(|bound| compare(bound) == Some(Ordering::Greater)) {
            note("maximum.above", &found(value), format!("at most {}", bound.shown()));
        }
    }

    fn length(&self, value: &Value<'_>, note: &mut Note<'_>) {
        if self.min_length.is_none() && self.max_length.is_none() {
            return;
        }
        let (length, unit) = match value {
            // A character has one to four bytes.
            Value::Text(text)
                if self.min_length.is_none_or(|least| text.len() as u64 / 4 >= least)
                    && self.max_length.is_none_or(|most| text.len() as u64 <= most) =>
            {
                return;
            }
            Value::Text(text) => (utf8(text).chars().count(), "characters"),
            Value::Json(json) => (elements(&utf8(json)).count(), "items"),
            Value::Missing | Value::Instant(_) => return,
        };
        let found = format!("{length} {unit}");
        if let Some(least) = self.min_length.filter(|least| (length as u64) < *least) {
            note("length.too_short", &found, format!("at least {least}"));
        }
        if let Some(most) = self.max_length.filter(|most| (length as u64) > *most) {
            note("length.too_long", &found, format!("at most {most}"));
        }
    }

    fn items(&self, value: &Value<'_>, note: &mut Note<'_>) {
        let (Some(items), Value::Json(json)) = (self.items, value) else { return };
        let json = String::from_utf8_lossy(json);
        if let Some((number, other)) = (1..).zip(elements(&json)).find(|(_, item)| !items.holds(item)) {
            let found = format!("{} as item {number}", describe(other));
            note("items.type", &found, format!("only items of the type {}", items.as_str()));
        }
    }

    fn form(&self, value: &Value<'_>, note: &mut Note<'_>) {
        let Value::Text(bytes) = value else { return };
        if self.pattern.is_none() && self.format.is_none() {
            return;
        }
        let text = utf8(bytes);
        if let Some(pattern) = self.pattern.as_ref().filter(|pattern| !pattern.is_match(&text)) {
            let expected = format!("a text that matches {}", shown::text(pattern.as_str()));
            note("pattern.mismatch", &found(value), expected);
        }
        let Some(format) = self.format else { return };
        let (fits, code, expected) = forms::judge(format, &text);
        if !fits {
            note(code, &found(value), expected.to_owned());
        }
    }
}

impl Stored {
    fn cell(&self, rows: &mut Rows) -> Cell {
        match self {
            Self::Text(text) => Cell::Text(rows.span_of_copy(text.as_bytes())),
            Self::Instant(micros) => Cell::Instant(*micros),
            Self::Json(json) => Cell::Json(rows.span_of_copy(json)),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Text(text) => shown::text(text),
            Self::Instant(micros) => instant::text(*micros),
            Self::Json(json) => String::from_utf8_lossy(json).into_owned(),
        }
    }
}

impl Bound {
    fn shown(&self) -> String {
        match self {
            Self::Number(digits) => digits.clone(),
            Self::Instant(micros) => instant::text(*micros),
        }
    }
}

/// Whether a value of a document is one of this type.
pub(crate) fn is_of_type(value: &Json, field_type: FieldType) -> bool {
    stored(value, field_type).is_some()
}

/// A value of a document as a cell of this type would hold it; none if it cannot be one.
fn stored(value: &Json, field_type: FieldType) -> Option<Stored> {
    match (value, field_type) {
        (Json::String(text), FieldType::String) => (!text.contains('\0')).then(|| Stored::Text(text.clone())),
        (Json::String(text), FieldType::Date) => instant::parse(text).ok().map(Stored::Instant),
        (_, FieldType::String | FieldType::Date | FieldType::Binary) => None,
        (Json::Array(_), FieldType::Array) | (Json::Object(_), FieldType::Object) => {
            canonical(value).map(Stored::Json)
        }
        (_, FieldType::Array | FieldType::Object) => None,
        (_, FieldType::Integer | FieldType::Number | FieldType::Decimal | FieldType::Boolean) => {
            let text = match value {
                // With more digits than a number of a document keeps.
                Json::String(digits) if field_type != FieldType::Boolean => digits.clone(),
                value => String::from_utf8(canonical(value)?).ok()?,
            };
            let plain = scalar::read(field_type, &text).ok()?.into_owned();
            Some(Stored::Json(plain.into_bytes()))
        }
    }
}

/// Whether a least value is above a greatest one; both dates, or both numbers in plain digits.
pub(crate) fn is_above(least: &str, most: &str) -> bool {
    match (instant::parse(least), instant::parse(most)) {
        (Ok(least), Ok(most)) => least > most,
        _ => scalar::compare(least, most) == Ordering::Greater,
    }
}

/// What the constraints of a field say against its own default.
pub(crate) fn faults_of_default(field: &Field) -> Vec<Fault> {
    let checks = FieldChecks::compile(field);
    let value = match &checks.default {
        None => return Vec::new(),
        Some(Stored::Text(text)) => Value::Text(text.as_bytes()),
        Some(Stored::Instant(micros)) => Value::Instant(*micros),
        Some(Stored::Json(json)) => Value::Json(json),
    };
    let mut faults = Vec::new();
    checks.check(field, &value, &mut |fault| faults.push(fault));
    faults
}

fn canonical(value: &Json) -> Option<Vec<u8>> {
    let (text, mut json) = (value.to_string(), Vec::new());
    let mut canonical = Canonical::default();
    canonical.next_record(text.len());
    canonical.write(&text, &mut json).ok().map(|()| json)
}

fn found(value: &Value<'_>) -> String {
    match value {
        Value::Missing => "nothing".into(),
        Value::Text(text) => shown::text(&String::from_utf8_lossy(text)),
        Value::Instant(micros) => instant::text(*micros),
        Value::Json(json) => shown::name(&String::from_utf8_lossy(json)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::Identifier;

    fn codes(document: Json, field_type: FieldType, value: &Value<'_>) -> Vec<String> {
        let constraints: Constraints = serde_json::from_value(document).unwrap();
        let name = Identifier::new("f").unwrap();
        let fields = vec![Field { name: name.clone(), field_type, required: false, constraints }];
        let data_type = DataType { name, fields, key: 0 };
        let mut told = Vec::new();
        let checks = Checks::compile(&data_type);
        checks.check(0, &data_type.fields[0], value, &mut |fault| {
            told.push(format!("{} {}", fault.code, fault.message));
        });
        told
    }

    #[test]
    fn every_rule_is_checked_and_every_fault_told() {
        let text =
            |document: Json, value: &str| codes(document, FieldType::String, &Value::Text(value.as_bytes()));
        let cases = [
            (json!({"enum": ["a", "b"]}), "b", &[][..]),
            (
                json!({"enum": ["a", "b"]}),
                "c",
                &["enum.not_allowed found \"c\", expected one of \"a\", \"b\""],
            ),
            (json!({"pattern": "^x+$"}), "xx", &[]),
            (
                json!({"pattern": "^x+$", "minLength": 3}),
                "yü",
                &[
                    "length.too_short found 2 characters, expected at least 3",
                    "pattern.mismatch found \"yü\", expected a text that matches \"^x+$\"",
                ],
            ),
            (json!({"maxLength": 2}), "äöü", &["length.too_long found 3 characters, expected at most 2"]),
            (json!({"maxLength": 3}), "äöü", &[]),
        ];
        for (document, value, expected) in cases {
            assert_eq!(text(document, value), expected, "{value}");
        }
        let items = |value: &str| {
            codes(json!({"minLength": 1, "maxLength": 2}), FieldType::Array, &Value::Json(value.as_bytes()))
        };
        assert_eq!(items("[]"), ["length.too_short found 0 items, expected at least 1"]);
        assert_eq!(items("[[1,2],{\"a\":3}]"), [""; 0]);
        let typed = |items: &str, value: &str| {
            codes(json!({ "items": items }), FieldType::Array, &Value::Json(value.as_bytes())).concat()
        };
        for (items, good, bad, told) in [
            ("string", r#"["a",""]"#, r#"["a",1]"#, "the number 1 as item 2"),
            ("integer", "[1,-2]", "[1.5]", "the number 1.5 as item 1"),
            ("number", "[1,-2.5]", "[[1]]", "an array as item 1"),
            ("boolean", "[true,false]", "[null]", "null as item 1"),
            ("array", "[[],[1]]", r#"["[]"]"#, "a string as item 1"),
            ("object", r#"[{},{"a":1}]"#, "[{},true]", "true as item 2"),
        ] {
            assert_eq!(typed(items, good) + &typed(items, "[]"), "");
            let expected = format!("items.type found {told}, expected only items of the type {items}");
            assert_eq!(typed(items, bad), expected);
        }
        assert_eq!(items("[1,2,3]"), ["length.too_long found 3 items, expected at most 2"]);
        let day = |text: &str| {
            let instant = instant::parse(text).unwrap();
            let rules = json!({"minimum": "2020-01-01", "maximum": "2020-12-31T00:00:00Z"});
            codes(rules, FieldType::Date, &Value::Instant(instant))
        };
        assert_eq!(day("2020-01-01"), [""; 0]);
        assert_eq!(
            day("2019-12-31"),
            ["minimum.below found 2019-12-31T00:00:00Z, expected at least 2020-01-01T00:00:00Z"]
        );
        assert_eq!(day("2020-12-31T00:00:00.000001Z").len(), 1);
    }
}
