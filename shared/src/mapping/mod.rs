//! Mapping: how the records of a file become those of a type whose fields have other names and other values.
//!
//! The document is the guide's: `fieldMappings` move fields, `transformations` change them in their order,
//! `functions` are the user's own, `computedFields` are made of others. `docs/mapping.md` tells it to users.
//! A mapping is compiled where it is read, so one that cannot be executed is never stored; its stored form is
//! the document as it was written.
//!
//! Pure like everything here: `now()` in an expression is the start of the operation, handed in from outside.

mod change;
mod date;
mod date_forms;
mod expression;
mod fields;
pub mod file;
mod fixed;
mod mapper;
mod old_dates;
mod path;
mod record;
mod remarks;
mod rules;
mod run;
mod steps;
mod text;
mod value;

use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

use crate::document::Mistake;
use crate::schema::FieldType;

pub(crate) use self::date_forms::DateForms;
pub(crate) use self::expression::Expression;
pub(crate) use self::mapper::Mapper;
use self::rules::Rest;
pub(crate) use self::rules::{Rules, compiled};
use self::steps::Action;
pub(crate) use self::value::Value;

/// The names in a compiled expression that stand for something else than a field.
pub(crate) mod functions {
    pub use super::expression::check::{NOW, RECORD, TYPES};
    pub use super::expression::nulls::{
        GREATER, GREATER_EQUALS, HAS, LESS, LESS_EQUALS, MEMBER, TRUTH, WITHIN,
    };
}

/// A mapping that can be executed.
#[derive(Clone)]
pub struct Mapping {
    document: Arc<Json>,
    rules: Arc<Rules>,
}

impl Mapping {
    /// Reads a document.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn read(document: &Json) -> Result<Self, Vec<Mistake>> {
        let rules = Arc::new(Rules::read(document)?);
        Ok(Self { document: Arc::new(document.clone()), rules })
    }

    /// The document as it was written.
    pub fn document(&self) -> &Json {
        &self.document
    }

    /// The fields that records with these fields have once they are mapped.
    pub fn names(&self, fields: &[String]) -> Vec<String> {
        let rules = &self.rules;
        let has = |name: Option<&String>| name.is_some_and(|name| fields.contains(name));
        let mut names = Vec::new();
        let mut add = |name: &str| {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        };
        for field in fields {
            let renamed = rules.renames.iter().find(|(from, _)| from == field).map(|(_, to)| to.as_deref());
            let is_it = |path: &path::Path| path.only() == Some(field) || path.whole.as_ref() == Some(field);
            let moved = rules.moves.iter().any(|moved| is_it(&moved.from.path));
            match (renamed, &rules.rest) {
                (Some(to), _) => to.into_iter().for_each(&mut add),
                (None, _) if moved => {}
                (None, Rest::Keep) => add(field),
                (None, Rest::Drop) => {}
                (None, Rest::Below(below)) => below.path.names.first().into_iter().for_each(|name| add(name)),
            }
        }
        for moved in &rules.moves {
            let from = &moved.from.path;
            let target = moved.to.as_ref().and_then(|to| to.path.names.first());
            if has(from.names.first()) || has(from.whole.as_ref()) {
                target.into_iter().for_each(|name| add(name));
            }
        }
        let filled = rules.steps.iter().filter(|step| !matches!(step.action, Action::Change(_)));
        let made = filled.map(|step| &step.at).chain(rules.computed.iter().map(|computed| &computed.to));
        made.filter_map(|place| place.path.names.first()).for_each(|name| add(name));
        names
    }

    /// What the field `name` of a mapped record holds; `type_of` tells it of the fields before.
    pub fn type_of(&self, name: &str, type_of: &dyn Fn(&str) -> Option<FieldType>) -> FieldType {
        mapper::type_of(&self.rules, name, type_of)
    }

    pub(crate) fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }
}

impl Default for Mapping {
    /// One that leaves records as they are.
    fn default() -> Self {
        let document = Json::Object(serde_json::Map::new());
        let rules = Arc::new(Rules::default());
        Self { document: Arc::new(document), rules }
    }
}

impl PartialEq for Mapping {
    fn eq(&self, other: &Self) -> bool {
        self.document == other.document
    }
}

impl Eq for Mapping {}

impl fmt::Debug for Mapping {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.document.fmt(formatter)
    }
}

impl Serialize for Mapping {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.document.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Mapping {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Json::deserialize(deserializer)?;
        Self::read(&document).map_err(|mistakes| {
            let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            D::Error::custom(told.join("; "))
        })
    }
}
