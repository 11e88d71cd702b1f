//! Templates: stored with the data types that they make, found by name, and shown as they were given.

use std::sync::Arc;

use carrack_shared::document::Mistake;
use carrack_shared::error::{PortError, PortResult};
use carrack_shared::pipeline::refit::Filled;
use carrack_shared::port::Ports;
use carrack_shared::port::templates::{Added, StoredTemplate};
use carrack_shared::schema::{self, DataType};
use carrack_shared::spec::{Duplicates, ErrorHandling, ImportSpec};
use carrack_shared::template::{Difference, Hindrance, Storable, Template, Tried, built_ins};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

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
    let storable = Storable::read(document).map_err(NotAdded::Wrong)?;
    if let Some(built_in) = storable.built_in().map_err(NotAdded::Wrong)? {
        return Ok(AddedTemplate { shown: shown(&built_in), before: true });
    }
    for _ in 0..TRIES {
        let types = ports.store.data_types().await?;
        let new = storable.beside(&types, Uuid::now_v7(), owner).map_err(NotAdded::Wrong)?;
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
            answer => {
                if let Some(Hindrance::OtherDocument(detail) | Hindrance::TypeInUse(detail)) =
                    storable.hindrance(&answer)
                {
                    return Err(NotAdded::Conflict(detail));
                }
            }
        }
    }
    let name = storable.template.data_type.as_str();
    Err(NotAdded::Conflict(format!("the data type {name} is being changed by others: try again")))
}

/// Sends the examples of a template that need not be stored through its mapping and its schema.
///
/// # Errors
/// When the document is wrong or does not fit what is there.
pub async fn test(ports: &Ports, document: &Value) -> Result<TestReport, NotAdded> {
    let Storable { template, .. } = Storable::read(document).map_err(NotAdded::Wrong)?;
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

/// Settles an import of templates: each is a batch of its own, and checked whole. Refuses what templates, which never
/// change, cannot do.
pub(crate) fn settle_import(spec: &mut ImportSpec) -> Result<(), Vec<Mistake>> {
    let refused = [
        (
            matches!(spec.duplicates, Duplicates::Overwrite),
            "options.overwriteExisting",
            "a version of a template never changes: give the other one a version of its own, or skip duplicates",
        ),
        (
            matches!(spec.duplicates, Duplicates::Merge),
            "options.merge",
            "a version of a template never changes: give the other one a version of its own, or skip duplicates",
        ),
        (
            spec.error_handling == ErrorHandling::Strict,
            "options.errorHandling",
            "templates are stored one after another, each with the table of its type: import them lenient, and \
             retry those that are rejected",
        ),
        (
            spec.dry_run,
            "options.dryRun",
            "templates are not tried together: `carrack templates test FILE` tries one",
        ),
    ];
    let wrong = refused.into_iter().filter(|(found, ..)| *found);
    let mistakes: Vec<Mistake> = wrong
        .map(|(_, at, why)| {
            Mistake::new(at, format!("found an import of templates, expected another type: {why}"))
        })
        .collect();
    (spec.batch_size, spec.validate_schema, spec.undo) = (1, true, false);
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
}

#[cfg(test)]
mod tests {
    use carrack_shared::format::Format;

    use super::*;

    #[test]
    fn what_templates_cannot_do_is_refused_and_the_rest_settled() {
        let templates = || ImportSpec::new("templates", Format::Json);
        let refused = ImportSpec {
            duplicates: Duplicates::Merge,
            error_handling: ErrorHandling::Strict,
            dry_run: true,
            ..templates()
        };
        for (mut spec, places) in [
            (refused, &["options.merge", "options.errorHandling", "options.dryRun"][..]),
            (ImportSpec { duplicates: Duplicates::Overwrite, ..templates() }, &["options.overwriteExisting"]),
            (ImportSpec { duplicates: Duplicates::Skip, validate_schema: false, ..templates() }, &[]),
        ] {
            let mistakes = settle_import(&mut spec).err().unwrap_or_default();
            assert_eq!(mistakes.iter().map(|mistake| mistake.at.as_str()).collect::<Vec<_>>(), places);
            assert_eq!((spec.batch_size, spec.validate_schema, spec.undo), (1, true, false));
        }
    }
}
