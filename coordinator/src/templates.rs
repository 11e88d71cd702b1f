//! Templates: stored with the data types that they make, found by name, and shown as they were given.

use std::borrow::Cow;
use std::sync::Arc;

use carrack_shared::document::Mistake;
use carrack_shared::error::{PortError, PortResult};
use carrack_shared::limits::TEMPLATE_BYTES;
use carrack_shared::pipeline::refit::Filled;
use carrack_shared::port::Ports;
use carrack_shared::port::templates::{Added, Growth, NewTemplate, StoredTemplate};
use carrack_shared::schema::{self, DataType};
use carrack_shared::template::{self, Difference, Template, Tried};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

/// Looks at a type that others change meanwhile.
const TRIES: usize = 5;

/// Why a template was not stored.
#[derive(Debug, thiserror::Error)]
pub enum NotAdded {
    /// The document is wrong: everything that is.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Wrong(Vec<Mistake>),
    /// It does not fit what is there.
    #[error("{0}")]
    Conflict(String),
    /// A service failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// A template that is stored because it was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct AddedTemplate {
    /// As it is shown.
    pub shown: Value,
    /// Whether the same document was stored before.
    pub before: bool,
}

/// Stores a template, and makes or extends its data type. The same document again is the same template.
///
/// # Errors
/// When the document is wrong or does not fit what is there.
pub async fn add(ports: &Ports, owner: &str, document: &Value) -> Result<AddedTemplate, NotAdded> {
    let document = &as_given(document);
    let document = &*translated(document)?;
    let template = Template::read(document).map_err(NotAdded::Wrong)?;
    if let Some(built_in) = built_ins().iter().find(|built_in| built_in.name == template.name) {
        if built_in.document == *document {
            return Ok(AddedTemplate { shown: shown(built_in), before: true });
        }
        let detail = format!("found {}, which is built in, expected another name", template.name);
        return Err(NotAdded::Wrong(vec![Mistake::new("name", detail)]));
    }
    for known in ports.store.data_types().await? {
        let (known, name) = (known.name.as_str(), template.data_type.as_str());
        if known != name && known.eq_ignore_ascii_case(name) {
            let detail =
                format!("found {name}, expected {known}, which is known, or a name that differs in more");
            return Err(NotAdded::Wrong(vec![Mistake::new("schema.type", detail)]));
        }
    }
    for _ in 0..TRIES {
        let before = data_type(ports, template.data_type.as_str()).await?;
        let after = template.applied_to(before.as_ref()).map_err(NotAdded::Wrong)?;
        let broken = template.broken_examples(&Arc::new(after.clone()));
        if !broken.is_empty() {
            return Err(NotAdded::Wrong(broken));
        }
        let after = grown(before.as_ref(), &after);
        let grows = before.as_ref().is_none_or(|before| before.fields.len() < after.fields.len());
        let new = NewTemplate {
            id: Uuid::now_v7(),
            owner: owner.to_owned(),
            name: template.name.clone(),
            version: template.version.clone(),
            data_type: template.data_type.as_str().to_owned(),
            document: document.clone(),
            growth: grows.then(|| Growth { before: before.clone(), after }),
        };
        match ports.store.add_template(&new).await? {
            Added::New(stored, filled) => {
                let Filled { moved, left } = filled;
                tracing::info!(template = %stored.id, name = stored.name, moved, left, "template stored");
                let mut shown = shown(&stored);
                if filled != Filled::default() {
                    shown["filledFromExtra"] = json!({ "moved": moved, "left": left });
                }
                return Ok(AddedTemplate { shown, before: false });
            }
            Added::Before(stored) => return Ok(AddedTemplate { shown: shown(&stored), before: true }),
            Added::OtherDocument(stored) => {
                let StoredTemplate { id, name, version, .. } = stored;
                return Err(NotAdded::Conflict(format!(
                    "version {version} of {name} is another document ({id}), and a version never changes: give \
                     this one another version"
                )));
            }
            Added::TypeInUse => {
                let name = template.data_type.as_str();
                return Err(NotAdded::Conflict(format!(
                    "an operation of {name} has not ended, and its table cannot get new columns before: wait for \
                     it or cancel it"
                )));
            }
            Added::TypeChanged => {}
        }
    }
    let name = template.data_type.as_str();
    Err(NotAdded::Conflict(format!("the data type {name} is being changed by others: try again")))
}

/// The document in our own words, small enough to be kept.
fn translated(document: &Value) -> Result<Cow<'_, Value>, NotAdded> {
    let small = |document: &Value| match document.to_string().len() {
        bytes if bytes > TEMPLATE_BYTES => {
            let detail = format!("found {bytes} bytes, expected at most {TEMPLATE_BYTES}");
            Err(NotAdded::Wrong(vec![Mistake::new("template", detail)]))
        }
        _ => Ok(()),
    };
    small(document)?;
    let document = template::translated(document).map_err(NotAdded::Wrong)?;
    small(&document)?;
    Ok(document)
}

/// Sends the examples of a template that need not be stored through its mapping and its schema.
///
/// # Errors
/// When the document is wrong or does not fit what is there.
pub async fn test(ports: &Ports, document: &Value) -> Result<TestReport, NotAdded> {
    let document = &as_given(document);
    let document = &*translated(document)?;
    let template = Template::read(document).map_err(NotAdded::Wrong)?;
    let table = data_type(ports, template.data_type.as_str()).await?;
    let data_type = template.applied_to(table.as_ref()).map_err(NotAdded::Wrong)?;
    let examples: Vec<Example> = (1..).zip(template.tried(&Arc::new(data_type))).map(Example::from).collect();
    let passed = examples.iter().filter(|example| example.passed).count();
    let Template { name, version, .. } = template;
    Ok(TestReport {
        template: format!("{name}@{version}"),
        passed,
        failed: examples.len() - passed,
        examples,
    })
}

/// What came of the examples of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestReport {
    /// `NAME@VERSION`.
    pub template: String,
    /// Examples that came out as they say.
    pub passed: usize,
    /// The others.
    pub failed: usize,
    /// All of them, in their order.
    pub examples: Vec<Example>,
}

/// What came of an example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// Its number, from 1.
    pub example: usize,
    /// What it is called.
    pub description: Option<String>,
    /// Whether it came out as it says.
    pub passed: bool,
    /// What did not.
    pub differences: Vec<Told>,
}

/// Something that is not as an example says; nothing stands for what is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The field.
    pub field: Option<String>,
    /// What the example says.
    pub expected: Option<String>,
    /// What came of it.
    pub found: Option<String>,
}

impl From<(usize, Tried)> for Example {
    fn from((example, tried): (usize, Tried)) -> Self {
        let told = |one: Difference| {
            let Difference { field, expected, found } = one;
            Told { field, expected, found }
        };
        let differences: Vec<Told> = tried.differences.into_iter().map(told).collect();
        Self { example, description: tried.description, passed: differences.is_empty(), differences }
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

/// The data type of this name as its table is now; none if there is none.
///
/// # Errors
/// When the database fails.
pub async fn data_type(ports: &Ports, name: &str) -> PortResult<Option<DataType>> {
    let built_in = schema::built_in(name);
    let name = built_in.as_ref().map_or(name, |known| known.name.as_str());
    let grown = ports.store.data_types().await?.into_iter().find(|known| known.name.as_str() == name);
    Ok(grown.or_else(|| built_in.map(|known| (*known).clone())))
}

/// All templates as they are shown: the built-in ones, then the others by name, the newest version first.
///
/// # Errors
/// When the database fails.
pub async fn list(ports: &Ports) -> PortResult<Vec<Value>> {
    let stored = ports.store.templates().await?;
    Ok(built_ins().iter().chain(&stored).map(shown).collect())
}

/// The template with this id or name, or `name@version`; none if there is none.
///
/// # Errors
/// When the database fails.
pub async fn find(ports: &Ports, reference: &str) -> PortResult<Option<StoredTemplate>> {
    let is_it = |known: &StoredTemplate| {
        let StoredTemplate { id, name, version, .. } = known;
        [id.to_string(), name.clone(), format!("{name}@{version}")].iter().any(|own| own == reference)
    };
    match built_ins().into_iter().find(is_it) {
        Some(built_in) => Ok(Some(built_in)),
        None => ports.store.template(reference).await,
    }
}

/// A template as users see it: the document, with what the store knows of it.
pub fn shown(template: &StoredTemplate) -> Value {
    let mut members = Map::new();
    members.insert("id".into(), json!(template.id));
    if let Value::Object(document) = &template.document {
        members.extend(document.clone());
    }
    members.insert("createdAt".into(), json!(template.created_at));
    members.insert("owner".into(), json!(template.owner));
    Value::Object(members)
}

/// What the store adds to a document that it shows.
const STORED: [&str; 3] = ["id", "createdAt", "owner"];

/// The document as it was given to the store that shows it so: it moves from one deployment to another.
fn as_given(document: &Value) -> Value {
    let mut given = document.clone();
    if let Value::Object(members) = &mut given
        && members.contains_key("schema")
    {
        members.retain(|name, _| !STORED.contains(&name.as_str()));
    }
    given
}

/// Who owns what is built in.
const CARRACK: &str = "carrack";

/// A template for each built-in type, which asks no more than the type does.
fn built_ins() -> Vec<StoredTemplate> {
    schema::built_ins().iter().map(built_in).collect()
}

fn built_in(data_type: &Arc<DataType>) -> StoredTemplate {
    let name = data_type.name.as_str();
    let fields: Vec<Value> = data_type
        .fields
        .iter()
        .map(|field| {
            json!({
                "name": field.name.as_str(), "type": field.field_type.as_str(), "required": field.required,
            })
        })
        .collect();
    let document = json!({
        "name": name,
        "description": format!("what is built in for {name}"),
        "version": "1.0.0",
        "schema": { "type": name, "fields": fields },
    });
    // The same in every deployment.
    let digest = Sha256::digest(format!("carrack template {name}"));
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    StoredTemplate {
        id: Builder::from_custom_bytes(id).into_uuid(),
        owner: CARRACK.into(),
        created_at: jiff::Timestamp::UNIX_EPOCH,
        name: name.into(),
        version: "1.0.0".into(),
        data_type: name.into(),
        document,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_in_is_a_template_as_any_other() {
        let mut ids = Vec::new();
        for (template, data_type) in built_ins().iter().zip(schema::built_ins()) {
            let read = Template::read(&template.document).unwrap();
            assert_eq!(read.applied_to(Some(data_type)).unwrap(), **data_type);
            ids.push(template.id);
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), schema::built_ins().len());
    }
}
