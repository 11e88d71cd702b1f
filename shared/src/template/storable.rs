//! What is asked of a template before it is stored, and what becomes of its type: one rule for those that are created
//! one by one and for those that an import brings.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::{Template, built_ins, translated};
use crate::document::Mistake;
use crate::format::json::Canonical;
use crate::limits::TEMPLATE_BYTES;
use crate::port::templates::{Added, Growth, NewTemplate, StoredTemplate};
use crate::schema::{self, DataType, SAID_OF_TEMPLATES};

/// A template that may be stored, as far as its document tells.
#[derive(Debug, Clone)]
pub struct Storable {
    /// What is in the document.
    pub template: Template,
    document: Value,
}

/// Why a store does not take a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    /// Its name and version are those of another document.
    OtherDocument(String),
    /// Its type cannot get fields now.
    TypeInUse(String),
}

impl Storable {
    /// Reads a document, as it was given or as a store shows it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(document: &Value) -> Result<Self, Vec<Mistake>> {
        small(document)?;
        if has_nul(document) {
            let detail = "found the character U+0000, expected a text that a database takes";
            return Err(vec![Mistake::new("template", detail)]);
        }
        let given = as_given(document);
        let document = translated(&given)?;
        small(&document)?;
        let template = Template::read(&document)?;
        Ok(Self { template, document: document.into_owned() })
    }

    /// `NAME@VERSION`, under which no other is stored.
    pub fn reference(&self) -> String {
        format!("{}@{}", self.template.name, self.template.version)
    }

    /// The document as it is to be stored.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// The built-in template that it is; none if it is none.
    ///
    /// # Errors
    /// When it only has its name.
    pub fn built_in(&self) -> Result<Option<StoredTemplate>, Vec<Mistake>> {
        let name = &self.template.name;
        match built_ins().into_iter().find(|built_in| built_in.name == *name) {
            Some(built_in) if !is_same(&built_in.document, &self.document) => {
                let detail = format!("found {name}, which is built in, expected another name");
                Err(vec![Mistake::new("name", detail)])
            }
            found => Ok(found),
        }
    }

    /// The template as it is to be stored where these types are known beside the built-in ones. Its examples are tried.
    ///
    /// # Errors
    /// Everything that does not fit what is there.
    pub fn beside(&self, types: &[DataType], id: Uuid, owner: &str) -> Result<NewTemplate, Vec<Mistake>> {
        let Self { template, document } = self;
        let name = template.data_type.as_str();
        let alike = |known: &&str| known.eq_ignore_ascii_case(name) && *known != name;
        if let Some(known) = types.iter().map(|known| known.name.as_str()).find(alike) {
            let detail =
                format!("found {name}, expected {known}, which is known, or a name that differs in more");
            return Err(vec![Mistake::new("schema.type", detail)]);
        }
        let stored = types.iter().find(|known| known.name.as_str() == name).cloned();
        let before = stored.or_else(|| schema::built_in(name).map(|known| (*known).clone()));
        let after = template.applied_to(before.as_ref())?;
        let broken = template.broken_examples(&Arc::new(after.clone()));
        if !broken.is_empty() {
            return Err(broken);
        }
        let after = grown(before.as_ref(), &after);
        let grows = before.as_ref().is_none_or(|before| before.fields.len() < after.fields.len());
        Ok(NewTemplate {
            id,
            owner: owner.to_owned(),
            name: template.name.clone(),
            version: template.version.clone(),
            data_type: name.to_owned(),
            document: document.clone(),
            growth: grows.then_some(Growth { before, after }),
        })
    }

    /// What is said where the store answers that it has not stored it, unless it has to be asked again.
    pub fn hindrance(&self, answer: &Added) -> Option<Hindrance> {
        match answer {
            Added::OtherDocument(StoredTemplate { id, name, version, .. }) => {
                Some(Hindrance::OtherDocument(format!(
                    "version {version} of {name} is another document ({id}), and a version never changes: give \
                     this one another version"
                )))
            }
            Added::TypeInUse => Some(Hindrance::TypeInUse(format!(
                "an operation of {} has not ended, and its table cannot get new columns before: wait for it or \
                 cancel it",
                self.template.data_type.as_str()
            ))),
            Added::New(..) | Added::Before(_) | Added::TypeChanged => None,
        }
    }
}

/// Whether two documents say the same, in whichever order their members stand and however their numbers are written.
pub fn is_same(one: &Value, other: &Value) -> bool {
    match (canonical(one), canonical(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn canonical(document: &Value) -> Option<Vec<u8>> {
    let (mut canonical, mut out, text) = (Canonical::default(), Vec::new(), document.to_string());
    canonical.next_record(text.len());
    canonical.write_record(&text, &mut out).ok().map(|()| out)
}

/// Refuses what is too large to be kept.
fn small(document: &Value) -> Result<(), Vec<Mistake>> {
    match document.to_string().len() {
        bytes if bytes > TEMPLATE_BYTES => {
            let detail = format!("found {bytes} bytes, expected at most {TEMPLATE_BYTES}");
            Err(vec![Mistake::new("template", detail)])
        }
        _ => Ok(()),
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The document as it was given to the store that shows it so: it moves from one deployment to another.
fn as_given(document: &Value) -> Cow<'_, Value> {
    match document {
        Value::Object(members) if members.contains_key("schema") => {
            let mut given = members.clone();
            given.retain(|name, _| !SAID_OF_TEMPLATES.contains(&name.as_str()));
            Cow::Owned(Value::Object(given))
        }
        other => Cow::Borrowed(other),
    }
}

/// The type as its table is to be: what a template asks of known fields goes for the operations that use it, and
/// records of before do not have a new field.
fn grown(before: Option<&DataType>, applied: &DataType) -> DataType {
    let mut after = applied.columns();
    if let Some(before) = before {
        for (slot, field) in after.fields.iter_mut().enumerate() {
            match before.fields.get(slot) {
                Some(known) => *field = known.clone(),
                None => field.required = false,
            }
        }
    }
    after
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pets(more: &Value) -> Value {
        let mut document = json!({
            "name": "Pets", "version": "1", "schema": {"type": "pets", "fields": [{"name": "id", "type": "string"}]}
        });
        for (name, value) in more.as_object().unwrap() {
            document[name] = value.clone();
        }
        document
    }

    #[test]
    fn documents_are_the_same_by_value() {
        for (one, other, same) in [
            (r#"{"a":1,"b":[1e2]}"#, r#"{"b":[100],"a":1.0}"#, true),
            (r#"{"a":"1"}"#, r#"{"a":1}"#, false),
            (r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#, false),
            (r#"{"a":null}"#, "{}", false),
        ] {
            let [left, right] = [one, other].map(|text| serde_json::from_str::<Value>(text).unwrap());
            assert_eq!(is_same(&left, &right), same, "{one} {other}");
        }
    }

    #[test]
    fn what_a_store_says_of_a_template_is_no_part_of_it() {
        let moved = pets(&json!({"id": "7", "owner": "ada", "createdAt": "2024-01-01T00:00:00Z"}));
        let read = Storable::read(&moved).unwrap();
        assert_eq!(read.document, pets(&json!({})));
    }

    #[test]
    fn what_no_store_keeps_is_refused() {
        for (document, expected) in [
            (pets(&json!({"description": "a\u{0}"})), "template: found the character U+0000"),
            (pets(&json!({"examples": [{"input": {"\u{0}": 1}}]})), "template: found the character U+0000"),
            (pets(&json!({"description": "x".repeat(TEMPLATE_BYTES)})), "expected at most 1048576"),
            (pets(&json!({"name": "contexts"})), "name: found contexts, which is built in"),
        ] {
            let told = Storable::read(&document).and_then(|read| read.built_in()).unwrap_err();
            assert!(told[0].to_string().contains(expected), "{told:?}");
        }
        assert!(Storable::read(&built_ins()[0].document).unwrap().built_in().unwrap().is_some());
    }
}
