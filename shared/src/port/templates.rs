//! The port to templates, and to the data types that templates have made or extended.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::error::PortResult;
use crate::pipeline::refit::Filled;
use crate::schema::DataType;

/// A template to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTemplate {
    /// Its id.
    pub id: Uuid,
    /// Who stores it.
    pub owner: String,
    /// Its name.
    pub name: String,
    /// Its version; with the name it is unique.
    pub version: String,
    /// The name of its data type.
    pub data_type: String,
    /// The document as it was given.
    pub document: Value,
    /// What becomes of its data type; none if the type has all the fields.
    pub growth: Option<Growth>,
}

/// A data type that is new, or gets more fields behind those that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// The type as it is known: nothing where it is new.
    pub before: Option<DataType>,
    /// The type as it is to be, without constraints.
    pub after: DataType,
}

/// A stored template.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTemplate {
    /// Its id.
    pub id: Uuid,
    /// Who stored it.
    pub owner: String,
    /// When, by the database's clock.
    pub created_at: Timestamp,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The name of its data type.
    pub data_type: String,
    /// The document as it was given.
    pub document: Value,
}

/// What came of storing a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Added {
    /// It is stored; and what became of values that rows kept in `extra` under the names of new fields.
    New(StoredTemplate, Filled),
    /// The same document was stored before under this name and version.
    Before(StoredTemplate),
    /// Another document has this name and version.
    OtherDocument(StoredTemplate),
    /// The data type is not what it was taken for: look again.
    TypeChanged,
    /// An operation of the data type has not ended, and its table may not change before.
    TypeInUse,
}

/// Templates, whose versions never change, and data types, which only grow.
#[async_trait]
pub trait Templates: Send + Sync {
    /// Stores a template, and in the same transaction makes its table, or adds columns to it and moves into them
    /// what rows keep in `extra` ([`crate::pipeline::refit`]).
    ///
    /// No operation is created meanwhile whose types are as they were before ([`super::operations::Created`]).
    async fn add_template(&self, new: &NewTemplate) -> PortResult<Added>;

    /// The template with this id, or the version of this name that was stored last, or the one that
    /// `name@version` says; none if there is none, which is not an error.
    async fn template(&self, reference: &str) -> PortResult<Option<StoredTemplate>>;

    /// All templates, by name, the one stored last first.
    async fn templates(&self) -> PortResult<Vec<StoredTemplate>>;

    /// The data types that are not as they are built in, by name.
    async fn data_types(&self) -> PortResult<Vec<DataType>>;
}
