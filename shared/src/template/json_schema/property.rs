//! What becomes of one property: a field of ours.

use serde_json::{Map, Value, json};

use super::reference::References;
use super::{asks_nothing, ends, inside, nulls, pattern};
use crate::document::{Members, Mistakes, kind};
use crate::format::shown;
use crate::scalar;
use crate::template::field;

/// A field.
pub(super) fn translated(
    references: &mut References<'_>,
    (name, document, at): (&str, &Value, &str),
    required: bool,
    mistakes: &mut Mistakes,
) -> Option<Value> {
    let found = references.resolved(document, at, mistakes)?;
    let at = found.at.as_str();
    nulls(&found.schema, at, mistakes);
    let mut members = Members::new(at.to_owned(), &found.schema, mistakes)?;
    let (asked, mut null) = types(&mut members)?;
    let mut made = Map::new();
    let mut put = |name: &str, value: Option<Value>| made.extend(value.map(|value| (name.to_owned(), value)));
    put("name", Some(name.into()));
    let kept = forms(&mut members, asked);
    put("type", Some(kept.0.into()));
    put("format", kept.1.map(Into::into));
    put("required", Some(required.into()));
    let told = members.text("description").or(members.text("title"));
    put("description", told.map(Into::into));
    put("default", members.get("default").cloned());
    if let Some(allowed) = allowed(&mut members) {
        null &= allowed.contains(&Value::Null);
        put("enum", Some(allowed.into_iter().filter(|value| !value.is_null()).collect()));
    }
    put("nullable", Some(null.into()));
    let ecma = members.parsed("pattern", pattern::translated);
    put("pattern", ecma.map(Into::into));
    for (own, theirs, others) in [("minLength", "minItems", "array"), ("maxLength", "maxItems", "array")] {
        let (ours, other) = if asked == others { (theirs, own) } else { (own, theirs) };
        put(own, members.count(ours).map(Into::into));
        if members.get(other).is_some() {
            members.wrong(other, format!("found it on {asked}, expected {ours} or nothing"));
        }
    }
    for (own, exclusive, step) in [("minimum", "exclusiveMinimum", 1), ("maximum", "exclusiveMaximum", -1)] {
        put(own, bound(&mut members, asked, (own, exclusive, step)));
    }
    put("items", items(references, &mut members, asked));
    inside(&mut members);
    ends(members);
    let made = Value::Object(made);
    // What is wrong with a value of a keyword is told here, where its user wrote it.
    field::read(&made, at, mistakes)?;
    Some(made)
}

const TYPES: [&str; 6] = ["string", "integer", "number", "boolean", "array", "object"];

/// The type of a property, and whether it may be null.
fn types<'d>(members: &mut Members<'d, '_>) -> Option<(&'d str, bool)> {
    let found = members.get("type");
    let mut names: Vec<&str> = match found {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => {
            names.iter().map(Value::as_str).collect::<Option<_>>().unwrap_or_default()
        }
        _ => Vec::new(),
    };
    let null = names.contains(&"null");
    names.retain(|name| *name != "null");
    match names[..] {
        [one] if TYPES.contains(&one) => Some((one, null)),
        _ => {
            let found = found.map_or_else(
                || "nothing".into(),
                |found| match found {
                    Value::Array(_) => found.to_string(),
                    _ => kind(found),
                },
            );
            let known = TYPES.join(", ");
            members.wrong("type", format!("found {found}, expected one of {known}, or one of them and null"));
            None
        }
    }
}

/// The type of the field, and the form of its texts.
fn forms<'d>(members: &mut Members<'d, '_>, asked: &'d str) -> (&'d str, Option<&'d str>) {
    let format = members.parsed("format", |format| match format {
        "date-time" | "email" | "uri" | "uuid" => Ok(format),
        other => Err(format!("found {}, expected one of date-time, email, uri, uuid", shown::text(other))),
    });
    let is_binary = members.parsed("contentEncoding", |encoding| match encoding {
        "base64" => Ok(()),
        other => Err(format!("found {}, expected base64", shown::text(other))),
    });
    match (asked, format, is_binary) {
        ("string", Some("date-time"), None) => ("date", None),
        ("string", None, Some(())) => ("binary", None),
        (_, _, Some(())) => {
            members.wrong(
                "contentEncoding",
                format!("found it on {asked}, expected it only on string, without format"),
            );
            (asked, None)
        }
        (_, format, None) => (asked, format),
    }
}

/// The values that are allowed.
fn allowed(members: &mut Members<'_, '_>) -> Option<Vec<Value>> {
    let (values, constant) = (members.get("enum"), members.get("const"));
    match (values, constant) {
        (Some(_), Some(_)) => {
            members.wrong("const", "found it beside enum, expected one of them");
            None
        }
        (None, constant) => Some(vec![constant?.clone()]),
        (Some(Value::Array(values)), None) if values.iter().any(|value| !value.is_null()) => {
            Some(values.clone())
        }
        (Some(other), None) => {
            members.wrong(
                "enum",
                format!("found {}, expected an array with a value that is not null", kind(other)),
            );
            None
        }
    }
}

/// A least or greatest value, itself allowed.
fn bound(
    members: &mut Members<'_, '_>,
    asked: &str,
    (own, exclusive, step): (&'static str, &'static str, i64),
) -> Option<Value> {
    let inclusive = members.get(own);
    let Some(beyond) = members.get(exclusive) else { return inclusive.cloned() };
    let next = beyond.as_i64().filter(|_| scalar::is_exact(beyond)).map(|whole| whole + step);
    match next.filter(|_| asked == "integer" && inclusive.is_none()) {
        Some(next) => Some(json!(next)),
        None => {
            let found = kind(beyond);
            let expected = format!("a whole number of at most 15 digits, on an integer without {own}");
            members.wrong(
                exclusive,
                format!("found {found} on {asked}, expected {expected}; or {own}, which is allowed itself"),
            );
            None
        }
    }
}

/// The type of the items of an array.
fn items(references: &mut References<'_>, members: &mut Members<'_, '_>, asked: &str) -> Option<Value> {
    let at = members.place("items");
    let document = members.get("items").filter(|items| !asks_nothing(items))?;
    if asked != "array" {
        members.wrong("items", format!("found it on {asked}, expected it only on array"));
        return None;
    }
    let found = references.resolved(document, &at, members.mistakes)?;
    nulls(&found.schema, &found.at, members.mistakes);
    let mut inner = Members::new(found.at.clone(), &found.schema, members.mistakes)?;
    let item = types(&mut inner)?;
    if item.1 {
        inner.wrong("type", "found null, expected the one type of all items");
    }
    inside(&mut inner);
    ends(inner);
    Some(item.0.into())
}
