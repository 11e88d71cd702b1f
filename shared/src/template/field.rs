//! A field of a template's schema.

use regex::RegexBuilder;
use serde_json::Value;

use super::unknown;
use crate::document::{Members, Mistakes, found};
use crate::format::instant;
use crate::limits::PATTERN_BYTES;
use crate::pipeline::checks;
use crate::schema::{Constraints, Field, FieldType, Identifier, TextFormat};

/// What is said of a number that the document may have rounded.
const NO_NUMBER: &str = "a number of at most 15 digits, or a text with its digits";

/// Reads a field, and whether it is unique. None where it has no name or type.
pub(super) fn read(document: &Value, at: &str, mistakes: &mut Mistakes) -> Option<(Field, bool)> {
    let mut members = Members::of(document, at, mistakes)?;
    let name = members.needed("name", mistakes);
    let name = name.and_then(|name| {
        Identifier::new(name).map_err(|detail| mistakes.note(format!("{at}.name"), detail)).ok()
    });
    let field_type = match members.value("type") {
        None => {
            mistakes.note(format!("{at}.type"), "found nothing, expected the type of the field");
            None
        }
        Some(value) => {
            let known = FieldType::ALL.map(FieldType::as_str);
            let read = value.as_str().and_then(FieldType::parse);
            if read.is_none() {
                mistakes.note(format!("{at}.type"), unknown(value, &known));
            }
            read
        }
    };
    let required = members.flag("required", mistakes).unwrap_or_default();
    members.text("description", mistakes);
    let unique = members.flag("unique", mistakes).unwrap_or_default();
    let constraints = constraints(&mut members, field_type, mistakes);
    contradictions(&constraints, &members, mistakes);
    let at_default = members.at("default");
    members.end(mistakes);
    let field = Field { name: name?, field_type: field_type?, required, constraints };
    for fault in checks::faults_of_default(&field) {
        mistakes.note(at_default.clone(), fault.message);
    }
    Some((field, unique))
}

fn constraints(
    members: &mut Members<'_>,
    field_type: Option<FieldType>,
    mistakes: &mut Mistakes,
) -> Constraints {
    let allowed: Vec<Value> =
        members.items("enum", mistakes).into_iter().map(|(_, value)| value.clone()).collect();
    let pattern = members.read("pattern", mistakes, |value| {
        let pattern = value.as_str().ok_or("a text")?;
        compile(pattern).map(|_| pattern.to_owned())
    });
    let bound = |value: &Value| bound(value, field_type);
    let minimum = members.read("minimum", mistakes, bound);
    let maximum = members.read("maximum", mistakes, bound);
    let min_length = members.count("minLength", mistakes);
    let max_length = members.count("maxLength", mistakes);
    let format = members.read("format", mistakes, |value| {
        let known = || format!("one of {}", TextFormat::ALL.map(TextFormat::as_str).join(", "));
        value.as_str().and_then(TextFormat::parse).ok_or_else(known)
    });
    let default = members.value("default").cloned();
    let nullable = members.flag("nullable", mistakes);
    let made =
        Constraints { allowed, pattern, minimum, maximum, min_length, max_length, format, default, nullable };
    if let Some(field_type) = field_type {
        let values = made.allowed.iter().map(|value| ("enum", value));
        for (name, value) in values.chain(made.default.iter().map(|value| ("default", value))) {
            if matches!(value, Value::Number(number) if !checks::is_exact(number)) {
                mistakes.note(members.at(name), format!("found {}, expected {NO_NUMBER}", found(value)));
            } else if !checks::is_of_type(value, field_type) {
                let (found, expected) = (found(value), field_type.as_str());
                mistakes.note(
                    members.at(name),
                    format!("found {found}, expected a value of the type {expected}"),
                );
            }
        }
        for (name, types) in applicable(&made) {
            if !types.contains(&field_type) {
                let known: Vec<&str> = types.iter().map(|known| known.as_str()).collect();
                let detail =
                    format!("found it on {}, expected it only on {}", field_type.as_str(), known.join(", "));
                mistakes.note(members.at(name), detail);
            }
        }
    }
    made
}

/// Notes constraints that no value can keep.
fn contradictions(constraints: &Constraints, members: &Members<'_>, mistakes: &mut Mistakes) {
    let Constraints { minimum, maximum, min_length, max_length, .. } = constraints;
    if let (Some(least), Some(most)) = (minimum, maximum)
        && checks::is_above(least, most)
    {
        mistakes.note(members.at("minimum"), format!("found {least}, expected at most the maximum {most}"));
    }
    if let (Some(least), Some(most)) = (min_length, max_length)
        && least > most
    {
        mistakes.note(members.at("minLength"), format!("found {least}, expected at most maxLength {most}"));
    }
}

/// The constraints that are there, each with the types that it can be about.
fn applicable(constraints: &Constraints) -> Vec<(&'static str, &'static [FieldType])> {
    const TEXT: &[FieldType] = &[FieldType::String];
    const LONG: &[FieldType] = &[FieldType::String, FieldType::Array];
    const ORDERED: &[FieldType] =
        &[FieldType::Integer, FieldType::Number, FieldType::Decimal, FieldType::Date];
    let Constraints { pattern, minimum, maximum, min_length, max_length, format, .. } = constraints;
    let all = [
        ("pattern", pattern.is_some(), TEXT),
        ("format", format.is_some(), TEXT),
        ("minLength", min_length.is_some(), LONG),
        ("maxLength", max_length.is_some(), LONG),
        ("minimum", minimum.is_some(), ORDERED),
        ("maximum", maximum.is_some(), ORDERED),
    ];
    all.into_iter().filter(|(_, there, _)| *there).map(|(name, _, types)| (name, types)).collect()
}

/// Compiles a pattern; the error says what was expected.
pub(crate) fn compile(pattern: &str) -> Result<regex::Regex, String> {
    let compiled = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).build();
    compiled.map_err(|error| {
        let reason = error.to_string();
        format!("a regular expression ({})", reason.lines().last().unwrap_or_default().trim())
    })
}

/// A least or greatest value: a date as its text, a number in its digits.
fn bound(value: &Value, field_type: Option<FieldType>) -> Result<String, String> {
    match (value, field_type) {
        (Value::String(text), Some(FieldType::Date)) => match instant::parse(text) {
            Ok(_) => Ok(text.clone()),
            Err(_) => Err("an RFC 3339 date".into()),
        },
        (_, Some(FieldType::Date)) => Err("a text with an RFC 3339 date".into()),
        (Value::Number(number), _) if checks::is_exact(number) => {
            checks::plain(&number.to_string()).ok_or_else(|| NO_NUMBER.to_owned())
        }
        (Value::Number(_), _) => Err(NO_NUMBER.into()),
        (Value::String(text), _) if is_decimal(text) => Ok(text.clone()),
        _ => Err(format!("a number, or a text with its digits, not {}", found(value))),
    }
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    [whole, fraction].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}
