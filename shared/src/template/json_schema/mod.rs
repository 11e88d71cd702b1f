//! A JSON Schema (2020-12) as the schema of a template: translated once, when the template is stored, into the
//! words of [`super::field`]; everything else knows only those.
//!
//! A keyword is kept exactly or refused with its place. Only annotations, of which the specification says that they
//! ask nothing of a value, go without a word.

mod pattern;
mod property;
mod reference;

use std::borrow::Cow;

use serde_json::{Map, Value};

use self::reference::References;
use super::type_name;
use crate::document::{Members, Mistake, Mistakes, kind};
use crate::format::shown;
use crate::limits::FIELDS;
use crate::schema::Identifier;

/// The only dialect.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The version of a template that is a JSON Schema by itself and says none.
const VERSION: &str = "1.0.0";

/// Keywords that ask nothing of a value.
const ANNOTATIONS: [&str; 9] = [
    "title",
    "description",
    "examples",
    "$comment",
    "$id",
    "deprecated",
    "readOnly",
    "writeOnly",
    "contentMediaType",
];

/// Keywords that cannot be kept, and why.
const REFUSED: [(&[&str], &str); 5] = [
    (
        &["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas"],
        "a template asks something of each field by itself",
    ),
    (
        &["patternProperties", "propertyNames", "unevaluatedProperties", "minProperties", "maxProperties"],
        "fields outside the schema, and members of objects, are kept as they are",
    ),
    (
        &["prefixItems", "contains", "minContains", "maxContains", "uniqueItems", "unevaluatedItems"],
        "of the items of an array a template knows the type and the number",
    ),
    (&["multipleOf"], "of a number a template knows bounds and the type"),
    (
        &["$anchor", "$dynamicAnchor", "$dynamicRef", "$vocabulary", "contentSchema"],
        "a reference leads to $defs by its path",
    ),
];

/// The template with our own schema in place of a JSON Schema, if it has one or is one.
///
/// # Errors
/// What of it cannot be kept exactly.
pub fn translated(document: &Value) -> Result<Cow<'_, Value>, Vec<Mistake>> {
    let mut mistakes = Mistakes::default();
    let made = match document {
        Value::Object(members) => match members.get("schema") {
            Some(schema) if is_json_schema(schema) => {
                let name = members.get("name").and_then(Value::as_str).unwrap_or_default();
                self::schema(schema, "schema", name, &mut mistakes).map(|own| {
                    let mut members = members.clone();
                    members.insert("schema".into(), own);
                    members
                })
            }
            None if is_json_schema(document) => alone(document, &mut mistakes),
            _ => return Ok(Cow::Borrowed(document)),
        },
        _ => return Ok(Cow::Borrowed(document)),
    };
    mistakes.or(made).map(|members| Cow::Owned(members.into()))
}

/// Our own schemas have `fields`, and a type that is a name.
fn is_json_schema(document: &Value) -> bool {
    let has = |name: &str| document.get(name).is_some();
    let is_object = || document.get("type").is_some_and(|name| name == "object") && !has("fields");
    has("$schema") || has("properties") || is_object()
}

/// A JSON Schema that is the whole template: named by its title.
fn alone(document: &Value, mistakes: &mut Mistakes) -> Option<Map<String, Value>> {
    let mut members = Members::new(String::new(), document, mistakes)?;
    let name = members.required("title");
    let (description, version) = (members.text("description"), members.text("x-version"));
    let own = schema(document, "", name.unwrap_or_default(), mistakes);
    let mut template = Map::new();
    template.insert("name".into(), name?.into());
    template.extend(description.map(|text| ("description".to_owned(), text.into())));
    template.insert("version".into(), version.unwrap_or(VERSION).into());
    template.insert("schema".into(), own?);
    Some(template)
}

/// Our own schema; `name` is that of the template.
fn schema(document: &Value, at: &str, name: &str, mistakes: &mut Mistakes) -> Option<Value> {
    nulls(document, at, mistakes);
    let mut members = Members::new(at.to_owned(), document, mistakes)?;
    members.told("$schema", |dialect| match dialect.as_str().map(|uri| uri.trim_end_matches('#')) {
        Some(DIALECT) => Ok(()),
        _ => Err(format!("found {}, expected {DIALECT}", kind(dialect))),
    });
    members.told("type", |found| match found.as_str() {
        Some("object") => Ok(()),
        _ => Err(format!("found {}, expected object: its properties become the fields", kind(found))),
    });
    let data_type = members.text("x-type").map_or_else(|| of_name(name), str::to_owned);
    let named = type_name(&data_type);
    let at_type = members.place("x-type");
    let data_type = members.mistakes.note(&at_type, named);
    let key = members.text("x-key");
    if at.is_empty() {
        members.text("x-version");
    }
    members.get("$defs");
    let additional = members.get("additionalProperties");
    if additional.is_some_and(|value| !asks_nothing(value)) {
        let detail = format!(
            "found {}, expected true or nothing: fields outside the schema are kept as they are",
            additional.map(kind).unwrap_or_default()
        );
        members.wrong("additionalProperties", detail);
    }
    let required = required(&mut members);
    let (place, properties) = (members.place("properties"), members.get("properties"));
    if properties.is_none() {
        members.wrong("properties", "found nothing, expected an object with the fields");
    }
    ends(members);
    let properties = mistakes.members(&place, properties, FIELDS);
    for (at, name) in &required {
        if !properties.iter().any(|(_, own, _)| own == name) {
            let found = shown::text(name);
            mistakes.add(at, format!("found {found}, expected the name of one of the properties"));
        }
    }
    let (mut fields, mut references) = (Vec::new(), References::new(document));
    for (at, name, property) in properties {
        if mistakes.note(&at, Identifier::new(name)).is_none() {
            continue;
        }
        let required = required.iter().any(|(_, own)| *own == name);
        fields.extend(property::translated(&mut references, (name, property, &at), required, mistakes));
    }
    let mut own = Map::new();
    own.insert("type".into(), data_type?.as_str().into());
    own.extend(key.map(|key| ("key".to_owned(), key.into())));
    own.insert("fields".into(), fields.into());
    Some(own.into())
}

/// The name of a type for records of this template: `Blog post` is `blog-post`.
fn of_name(template: &str) -> String {
    let plain = |character: char| match character.is_ascii_alphanumeric() || character == '_' {
        true => character.to_ascii_lowercase(),
        false => '-',
    };
    template.trim().chars().map(plain).collect()
}

/// The names in `required`, each with its place.
fn required<'d>(members: &mut Members<'d, '_>) -> Vec<(String, &'d str)> {
    let mut names = Vec::new();
    for (at, name) in members.list("required", FIELDS) {
        match name.as_str() {
            Some(name) => names.push((at, name)),
            None => members.mistakes.add(at, format!("found {}, expected a text", kind(name))),
        }
    }
    names
}

/// Notes keywords that are null, which is no value of any of them.
fn nulls(document: &Value, at: &str, mistakes: &mut Mistakes) {
    let is_null = |(name, value): &(&String, &Value)| value.is_null() && *name != "default";
    for (name, _) in document.as_object().into_iter().flatten().filter(is_null) {
        let place = if at.is_empty() { shown::name(name) } else { format!("{at}.{}", shown::name(name)) };
        mistakes.add(place, "found null, expected a value that the keyword can have");
    }
}

/// Takes the annotations, and refuses every other keyword that was not asked for.
fn ends(mut members: Members<'_, '_>) {
    for name in ANNOTATIONS {
        members.get(name);
    }
    for (names, why) in REFUSED {
        for name in names {
            let is_fine = |value: &Value| match *name {
                "propertyNames" | "unevaluatedItems" | "unevaluatedProperties" => asks_nothing(value),
                "uniqueItems" => *value == false,
                _ => false,
            };
            members.refuse(name, is_fine, why);
        }
    }
    members.end();
}

/// Refuses what is asked of the members of an object that is a field.
fn inside(members: &mut Members<'_, '_>) {
    for name in ["properties", "required", "additionalProperties"] {
        let is_fine = |value: &Value| match value {
            Value::Array(names) => names.is_empty(),
            Value::Object(members) => members.is_empty(),
            other => name == "additionalProperties" && *other == true,
        };
        members.refuse(name, is_fine, "the members of an object are kept as they are, and not checked");
    }
}

/// Whether every value meets a schema.
fn asks_nothing(schema: &Value) -> bool {
    match schema {
        Value::Bool(flag) => *flag,
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
