//! Templates: what records of a type look like, in the guide's words. A version of a template never changes.
//!
//! A template for a type that nobody knows makes the type; one for a known type may ask more of its fields,
//! and add fields, but not change what its table holds.

mod built_in;
mod examples;
mod field;
mod json_schema;
mod storable;

use serde_json::{Map, Value};

pub use self::built_in::built_ins;
use self::examples::Example;
pub use self::examples::{Difference, Tried};
use self::json_schema::translated;
pub use self::storable::{Hindrance, Storable, is_same};
use crate::document::{Members, Mistake, Mistakes};
use crate::format::shown;
use crate::limits::FIELDS;
use crate::mapping::Mapping;
use crate::schema::{self, DataType, Field, FieldType, Identifier, METADATA};

/// Bytes of a template's name, and of its version.
const NAME_BYTES: usize = 200;

/// A template, read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// What its users call it.
    pub name: String,
    /// Which of the documents of this name it is.
    pub version: String,
    /// What it is for.
    pub description: Option<String>,
    /// The data type of its records.
    pub data_type: Identifier,
    /// The fields that it names, in its order.
    pub fields: Vec<Field>,
    /// How the records of a file become those of the type, where they are not by themselves.
    pub mapping: Option<Mapping>,
    /// The field that identifies a record, where the template says so.
    key: Option<String>,
    /// What is to come of some records.
    examples: Vec<Example>,
}

impl Template {
    /// Reads a document.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(document: &Value) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Mistakes::default();
        let template = Self::of(document, &mut mistakes);
        mistakes.or(template)
    }

    fn of(document: &Value, mistakes: &mut Mistakes) -> Option<Self> {
        let mut members = Members::new(String::new(), document, mistakes)?;
        let [name, version] = ["name", "version"].map(|what| {
            let text = members.required(what)?;
            if !is_name(text) {
                let found = shown::text(text);
                let expected = format!("expected 1 to {NAME_BYTES} bytes without @ and control characters");
                members.wrong(what, format!("found {found}, {expected}"));
            }
            Some(text.to_owned())
        });
        let description = members.text("description").map(Into::into);
        let [schema, transformation, examples] =
            ["schema", "transformation", "examples"].map(|name| members.get(name));
        members.end();
        if schema.is_none() {
            mistakes.add("schema", "found nothing, expected an object with type and fields");
        }
        let schema = schema.and_then(|schema| Schema::read(schema, mistakes));
        let mapping = transformation.and_then(|document| self::transformation(document, mistakes));
        let examples = examples::read(examples, mistakes);
        let Schema { data_type, fields, key } = schema?;
        Some(Self { name: name?, version: version?, description, data_type, fields, mapping, key, examples })
    }

    /// The records of this template as its table takes them. `table` is the type as it is known, if it is.
    ///
    /// # Errors
    /// What does not fit the table, or what a new table lacks.
    pub fn applied_to(&self, table: Option<&DataType>) -> Result<DataType, Vec<Mistake>> {
        let mut mistakes = Mistakes::default();
        let mut fields = table.map(|table| table.columns().fields).unwrap_or_default();
        for (index, field) in self.fields.iter().enumerate() {
            let name = field.name.as_str();
            match fields.iter_mut().find(|known| known.name.as_str().eq_ignore_ascii_case(name)) {
                Some(known) if known.name != field.name => {
                    let expected = known.name.as_str();
                    let detail =
                        format!("found {name}, expected {expected}: the table has that, and not both");
                    mistakes.add(format!("schema.fields[{index}].name"), detail);
                }
                None => fields.push(field.clone()),
                Some(known) if known.field_type == field.field_type => *known = field.clone(),
                Some(known) => {
                    let (found, expected) = (field.field_type.as_str(), known.field_type.as_str());
                    let detail = format!(
                        "found {found}, expected {expected}: the table of {} holds that already",
                        self.data_type.as_str()
                    );
                    mistakes.add(format!("schema.fields[{index}].type"), detail);
                }
            }
        }
        if fields.len() > FIELDS {
            mistakes
                .add("schema.fields", format!("found {} fields, expected at most {FIELDS}", fields.len()));
        }
        let key = match table {
            Some(table) => self.known_key(table, &mut mistakes),
            None => self.new_key(&fields, &mut mistakes),
        };
        if let Some(field) = fields.get_mut(key) {
            field.required = true;
        }
        mistakes.or(Some(DataType { name: self.data_type.clone(), fields, key }))
    }

    /// The key of the table, which the template may name again but not change.
    fn known_key(&self, table: &DataType, mistakes: &mut Mistakes) -> usize {
        let known = table.key_field().name.as_str();
        if let Some(other) = self.key.as_deref().filter(|key| *key != known) {
            let detail = format!("found the key {}, expected {known} as its table has", shown::name(other));
            mistakes.add("schema.key", detail);
        }
        table.key
    }

    fn new_key(&self, fields: &[Field], mistakes: &mut Mistakes) -> usize {
        let name = self.key.as_deref().unwrap_or("id");
        let Some(slot) = fields.iter().position(|field| field.name.as_str() == name) else {
            let detail = match &self.key {
                Some(key) => format!("found {}, expected the name of a field", shown::name(key)),
                None => {
                    "found no field named id and none with unique: true, expected a field that identifies a \
                         record"
                        .into()
                }
            };
            mistakes.add("schema.key", detail);
            return 0;
        };
        if name == METADATA {
            let detail =
                format!("found {METADATA}, expected another field: includeMetadata: false leaves it out");
            mistakes.add("schema.key", detail);
        }
        if fields[slot].field_type != FieldType::String {
            let found = fields[slot].field_type.as_str();
            let detail = format!("found {found}, expected string: the field identifies a record");
            mistakes.add(format!("schema.fields[{slot}].type"), detail);
        }
        slot
    }
}

/// The member `schema`.
struct Schema {
    data_type: Identifier,
    fields: Vec<Field>,
    key: Option<String>,
}

impl Schema {
    fn read(document: &Value, mistakes: &mut Mistakes) -> Option<Self> {
        let mut members = Members::new("schema".into(), document, mistakes)?;
        let name = members.required("type");
        let mut key = members.text("key").map(ToOwned::to_owned);
        let items = members.list("fields", FIELDS);
        if members.get("fields").is_none() {
            members.wrong("fields", "found nothing, expected an array of fields");
        }
        members.end();
        let data_type = name.and_then(|name| mistakes.note("schema.type", type_name(name)));
        let mut fields: Vec<Field> = Vec::new();
        for (at, item) in items {
            let Some((field, unique)) = field::read(item, &at, mistakes) else { continue };
            let is_it = |other: &Field| other.name.as_str().eq_ignore_ascii_case(field.name.as_str());
            if fields.iter().any(is_it) {
                mistakes.add(format!("{at}.name"), format!("found {} twice", field.name.as_str()));
            }
            let name = field.name.as_str();
            if unique && key.get_or_insert_with(|| name.to_owned()) != name {
                let detail = "found true beside another key, expected it once: only the field that identifies \
                              a record is unique";
                mistakes.add(format!("{at}.unique"), detail);
            }
            fields.push(field);
        }
        Some(Self { data_type: data_type?, fields, key })
    }
}

/// The member `transformation`: a mapping, whose fields the guide calls `mapping` here. None if it asks for
/// nothing.
fn transformation(document: &Value, mistakes: &mut Mistakes) -> Option<Mapping> {
    const AT: &str = "transformation";
    let mut members = Members::new(AT.into(), document, mistakes)?;
    let mut mapping = Map::new();
    for (name, own) in [
        ("mapping", "fieldMappings"),
        ("transformations", "transformations"),
        ("functions", "functions"),
        ("computedFields", "computedFields"),
    ] {
        mapping.extend(members.get(name).map(|value| (own.to_owned(), value.clone())));
    }
    members.end();
    if mapping.is_empty() {
        return None;
    }
    let place = |at: String| match at.strip_prefix("fieldMappings") {
        _ if at.is_empty() => AT.to_owned(),
        Some(rest) => format!("{AT}.mapping{rest}"),
        None => format!("{AT}.{at}"),
    };
    match Mapping::read(&Value::Object(mapping)) {
        Ok(mapping) => Some(mapping),
        Err(found) => {
            mistakes
                .0
                .extend(found.into_iter().map(|Mistake { at, detail }| Mistake::new(place(at), detail)));
            None
        }
    }
}

/// The name of a type; that of a built-in one may stand in the singular.
fn type_name(name: &str) -> Result<Identifier, String> {
    let reserved = [schema::ALL, "auto-detect", "template", schema::TEMPLATES, "manifest"];
    if let Some(known) = schema::built_in(name).filter(|known| known.name.as_str() != schema::TEMPLATES) {
        return Ok(known.name.clone());
    }
    let same = |other: &str| other.eq_ignore_ascii_case(name);
    let is_taken =
        reserved.into_iter().any(same) || schema::built_ins().iter().any(|known| same(known.name.as_str()));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    match Identifier::new(name) {
        Ok(_) if is_taken => Err(format!("found {name}, which is reserved, expected another name")),
        // Tables and files are named after it.
        Ok(_) if !name.starts_with(|first: char| first.is_ascii_alphabetic()) || !name.bytes().all(plain) => {
            Err(format!(
                "found {}, expected a letter, then letters of ASCII, digits, hyphens and underscores",
                shown::text(name)
            ))
        }
        named => named,
    }
}

fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES).contains(&text.len()) && !text.contains('@') && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests;
