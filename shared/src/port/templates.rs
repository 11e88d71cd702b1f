//! The port to templates, and to the data types that templates have made or extended.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::error::PortResult;
use crate::operation::Operation;
use crate::pipeline::refit::Filled;
use crate::port::batches::Commit;
use crate::schema::DataType;
use crate::segment::Claim;

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

impl NewTemplate {
    /// The id under which it is stored behind the template of the id `last`: ids are in the order in which templates
    /// are stored, whatever the clocks say by which they are made.
    pub fn id_behind(&self, last: Option<Uuid>) -> Uuid {
        let next = last.map(|last| Uuid::from_u128(last.as_u128().saturating_add(1)));
        next.map_or(self.id, |next| next.max(self.id))
    }
}

/// A stored template.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// The effect of a batch of an import of templates, which has one record.
#[derive(Debug, Clone, Copy)]
pub struct TemplateEffect<'batch> {
    /// The template that it is; none where the same is there already and it is to be skipped.
    pub new: Option<&'batch NewTemplate>,
    /// Bytes of the segment.
    pub bytes: u64,
}

/// What came of storing a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// It is stored; and what became of values that rows kept in `extra` under the names of new fields.
    New(StoredTemplate, Filled),
    /// A document that says the same ([`crate::template::is_same`]) was stored before under this name and version.
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

    /// Stores the template of a batch as [`Templates::add_template`] does, with ledger row and state, all in one
    /// transaction. As [`crate::port::Batches::commit_import`]. [`Commit::NotAdded`], and nothing happened, where it
    /// is not new.
    async fn commit_template(
        &self,
        operation: &Operation,
        claim: &Claim,
        effect: TemplateEffect<'_>,
    ) -> PortResult<Commit>;

    /// The template with this id, or the version of this name that was stored last, or the one that
    /// `name@version` says; none if there is none, which is not an error.
    async fn template(&self, reference: &str) -> PortResult<Option<StoredTemplate>>;

    /// All templates, by name, the one stored last first.
    async fn templates(&self) -> PortResult<Vec<StoredTemplate>>;

    /// The data types that are not as they are built in, by name.
    async fn data_types(&self) -> PortResult<Vec<DataType>>;
}
