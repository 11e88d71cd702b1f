//! A field of a template's schema.

use std::borrow::Cow;

use serde_json::Value;

use crate::document::{Members, Mistakes, kind};
use crate::format::instant;
use crate::limits::ALLOWED_VALUES;
use crate::pattern;
use crate::pipeline::checks;
use crate::scalar;
use crate::schema::{Constraints, Field, FieldType, Identifier, ItemType, TextFormat};

/// What is said of a number that the document may have rounded.
const NO_NUMBER: &str = "a number of at most 15 digits, or a text with its digits";

/// Reads a field, and whether it is unique. None where it has no name or type.
pub(super) fn read(document: &Value, at: &str, mistakes: &mut Mistakes) -> Option<(Field, bool)> {
    let mut members = Members::new(at.to_owned(), document, mistakes)?;
    let name = members.required("name").map(Identifier::new);
    let name = name.and_then(|name| members.mistakes.note(&format!("{at}.name"), name));
    if members.get("type").is_none() {
        members.wrong("type", "found nothing, expected the type of the field");
    }
    let field_type = members.read("type", |value| {
        let known = || format!("one of {}", FieldType::ALL.map(FieldType::as_str).join(", "));
        value.as_str().and_then(FieldType::parse).ok_or_else(known)
    });
    let required = members.flag("required").unwrap_or_default();
    members.text("description");
    let unique = members.flag("unique").unwrap_or_default();
    let constraints = constraints(&mut members, field_type);
    members.end();
    let field = Field { name: name?, field_type: field_type?, required, constraints };
    for fault in checks::faults_of_default(&field) {
        mistakes.add(format!("{at}.default"), fault.message);
    }
    Some((field, unique))
}

fn constraints(members: &mut Members<'_, '_>, field_type: Option<FieldType>) -> Constraints {
    let allowed: Vec<Value> =
        members.list("enum", ALLOWED_VALUES).into_iter().map(|(_, value)| value.clone()).collect();
    let pattern = members.read("pattern", |value| {
        let pattern = value.as_str().ok_or("a text")?;
        let compiled = pattern::compile(pattern);
        compiled.map(|_| pattern.to_owned()).map_err(|why| format!("a regular expression: {why}"))
    });
    let bound = |value: &Value| bound(value, field_type);
    let (minimum, maximum) = (members.read("minimum", bound), members.read("maximum", bound));
    let (min_length, max_length) = (members.count("minLength"), members.count("maxLength"));
    let items = members.read("items", |value| {
        let known = || format!("one of {}", ItemType::ALL.map(ItemType::as_str).join(", "));
        value.as_str().and_then(ItemType::parse).ok_or_else(known)
    });
    let format = members.read("format", |value| {
        let known = || format!("one of {}", TextFormat::ALL.map(TextFormat::as_str).join(", "));
        value.as_str().and_then(TextFormat::parse).ok_or_else(known)
    });
    let default = members.get("default").cloned();
    let nullable = members.flag("nullable");
    let made = Constraints {
        allowed,
        pattern,
        minimum,
        maximum,
        min_length,
        max_length,
        items,
        format,
        default,
        nullable,
    };
    if let Some(field_type) = field_type {
        misplaced(&made, field_type, members);
    }
    contradictions(&made, members);
    made
}

/// Notes constraints and values that are none of the field's type.
fn misplaced(constraints: &Constraints, field_type: FieldType, members: &mut Members<'_, '_>) {
    let values = constraints.allowed.iter().map(|value| ("enum", value));
    for (name, value) in values.chain(constraints.default.iter().map(|value| ("default", value))) {
        if !scalar::is_exact(value) {
            members.wrong(name, format!("found {}, expected {NO_NUMBER}", kind(value)));
        } else if !checks::is_of_type(value, field_type) {
            let (found, expected) = (kind(value), field_type.as_str());
            members.wrong(name, format!("found {found}, expected a value of the type {expected}"));
        }
    }
    for (name, types) in applicable(constraints).into_iter().filter(|(_, types)| !types.contains(&field_type))
    {
        let known: Vec<&str> = types.iter().map(|known| known.as_str()).collect();
        let (found, expected) = (field_type.as_str(), known.join(", "));
        members.wrong(name, format!("found it on {found}, expected it only on {expected}"));
    }
}

/// Notes constraints that no value can keep.
fn contradictions(constraints: &Constraints, members: &mut Members<'_, '_>) {
    let Constraints { minimum, maximum, min_length, max_length, .. } = constraints;
    if let (Some(least), Some(most)) = (minimum, maximum)
        && checks::is_above(least, most)
    {
        members.wrong("minimum", format!("found {least}, expected at most the maximum {most}"));
    }
    if let (Some(least), Some(most)) = (min_length, max_length)
        && least > most
    {
        members.wrong("minLength", format!("found {least}, expected at most maxLength {most}"));
    }
}

/// The constraints that are there, each with the types that it can be about.
fn applicable(constraints: &Constraints) -> Vec<(&'static str, &'static [FieldType])> {
    const TEXT: &[FieldType] = &[FieldType::String];
    const ARRAY: &[FieldType] = &[FieldType::Array];
    const LONG: &[FieldType] = &[FieldType::String, FieldType::Array];
    const ORDERED: &[FieldType] =
        &[FieldType::Integer, FieldType::Number, FieldType::Decimal, FieldType::Date];
    let Constraints { pattern, minimum, maximum, min_length, max_length, items, format, .. } = constraints;
    let all = [
        ("items", items.is_some(), ARRAY),
        ("pattern", pattern.is_some(), TEXT),
        ("format", format.is_some(), TEXT),
        ("minLength", min_length.is_some(), LONG),
        ("maxLength", max_length.is_some(), LONG),
        ("minimum", minimum.is_some(), ORDERED),
        ("maximum", maximum.is_some(), ORDERED),
    ];
    all.into_iter().filter(|(_, there, _)| *there).map(|(name, _, types)| (name, types)).collect()
}

/// A least or greatest value: a date as its text, a number in its digits.
fn bound(value: &Value, field_type: Option<FieldType>) -> Result<String, String> {
    match (value, field_type) {
        (Value::String(text), Some(FieldType::Date)) => match instant::parse(text) {
            Ok(_) => Ok(text.clone()),
            Err(_) => Err("an RFC 3339 date".into()),
        },
        (_, Some(FieldType::Date)) => Err("a text with an RFC 3339 date".into()),
        (Value::Number(number), _) if scalar::is_exact(value) => decimal(&number.to_string()),
        (Value::String(digits), _) => decimal(digits),
        _ => Err(NO_NUMBER.into()),
    }
}

/// A number in plain digits.
fn decimal(written: &str) -> Result<String, String> {
    scalar::of_decimal(written).map(Cow::into_owned).ok_or_else(|| NO_NUMBER.to_owned())
}
