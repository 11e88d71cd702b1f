//! What an import is to do, and with which records.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::is_no;
use super::types::{OwnTypes, UnknownType};
use crate::budget::Budget;
use crate::filter::Filter;
use crate::format::Format;
use crate::format::reading::Reading;
use crate::layer::source::Layers;
use crate::limits::BATCH_RECORDS;
use crate::mapping::Mapping;
use crate::operation::OperationId;
use crate::schema::{DataType, TEMPLATES};

/// What to do with a record whose key is already taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duplicates {
    /// It becomes a reject.
    Reject,
    /// It is left out and counted (`skipDuplicates`).
    Skip,
    /// It replaces the row (`overwriteExisting`).
    Overwrite,
    /// It changes the fields of the row that it has (`merge`).
    Merge,
}

impl Duplicates {
    /// The name that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Skip => "skip",
            Self::Overwrite => "overwrite",
            Self::Merge => "merge",
        }
    }
}

/// What to do with bad records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorHandling {
    /// Load the good, collect the bad with their reasons.
    Lenient,
    /// As lenient, but the answer lists no errors.
    SkipErrors,
    /// All or nothing: one bad record, and none is loaded.
    Strict,
}

/// The template of an operation; what it says is pinned in the types of the operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateOrigin {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// One object or file of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// What the user calls it; only shown.
    pub name: String,
    /// The object's key.
    pub key: String,
    /// The object's version when the operation was created; every read insists on it.
    pub etag: String,
    /// Bytes.
    pub length: u64,
    /// What its records are, where the operation has several data types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_type: Option<String>,
    /// What its text is wrapped in.
    #[serde(default, skip_serializing_if = "Layers::is_plain")]
    pub layers: Layers,
}

/// What an import retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// The import whose rejects it reads.
    pub parent: OperationId,
    /// How many records those are; none where they were corrected by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
}

/// The import whose records are compared with their tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verifies {
    /// The import.
    pub parent: OperationId,
    /// When it was started, which decides on what some expressions come to.
    pub started_at: Timestamp,
    /// Whether the records are other ones than the import has read, so that only their keys say which row is whose.
    #[serde(default, skip_serializing_if = "is_no")]
    pub by_key: bool,
    /// Whether the import was stopped before its end, so that any record of a key may hold it.
    #[serde(default, skip_serializing_if = "is_no")]
    pub stopped: bool,
}

/// An import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportSpec {
    /// The data type's name, or `all` where each source has one of its own.
    pub data_type: String,
    /// The types that are not built in.
    #[serde(default, skip_serializing_if = "OwnTypes::is_empty")]
    pub types: OwnTypes,
    /// The format of every source.
    pub format: Format,
    /// How the sources are read, where their format leaves a choice.
    #[serde(default, skip_serializing_if = "Reading::is_usual")]
    pub reading: Reading,
    /// Records per batch.
    pub batch_size: u32,
    /// What becomes of bad records.
    pub error_handling: ErrorHandling,
    /// What becomes of taken keys.
    pub duplicates: Duplicates,
    /// False checks only that the key is there and that values fit their columns.
    pub validate_schema: bool,
    /// False leaves the field `metadata` out of every record.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub include_metadata: bool,
    /// Only tells what would become of the records.
    #[serde(default, skip_serializing_if = "is_no")]
    pub dry_run: bool,
    /// Whether the images of the rows that it overwrites are kept, so that it can be undone.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub undo: bool,
    /// The template by which the records are checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateOrigin>,
    /// How the records become those of the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<Mapping>,
    /// How many bad records it may have.
    #[serde(default, skip_serializing_if = "Budget::is_unlimited")]
    pub budget: Budget,
    /// The import whose rejects it reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// The import whose records it reads, to compare them with their tables and load none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifies: Option<Verifies>,
    /// Which records are loaded.
    #[serde(default, skip_serializing_if = "Filter::is_empty")]
    pub filter: Filter,
    /// By what the data type was told, where the user left it open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_evidence: Option<String>,
    /// What looks like a slip in the mapping.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// The input, in order.
    pub sources: Vec<Source>,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_yes(flag: &bool) -> bool {
    *flag
}

impl ImportSpec {
    /// Everything as it is where nobody says anything, and no source yet.
    pub fn new(data_type: &str, format: Format) -> Self {
        Self {
            data_type: data_type.to_owned(),
            types: OwnTypes::default(),
            format,
            reading: Reading::default(),
            batch_size: BATCH_RECORDS,
            error_handling: ErrorHandling::Lenient,
            duplicates: Duplicates::Reject,
            validate_schema: true,
            include_metadata: true,
            dry_run: false,
            undo: true,
            template: None,
            mapping: None,
            budget: Budget::default(),
            retry: None,
            verifies: None,
            filter: Filter::default(),
            type_evidence: None,
            remarks: Vec::new(),
            sources: Vec::new(),
        }
    }

    /// What the records of a source are.
    ///
    /// # Errors
    /// When it is not known here.
    pub fn type_of(&self, source: u32) -> Result<Arc<DataType>, UnknownType> {
        let own = self.sources.get(source as usize).and_then(|source| source.data_type.as_deref());
        self.types.named(own.unwrap_or(&self.data_type))
    }
}

impl ImportSpec {
    /// The moment at which its records are taken for read, in an operation that was created then.
    pub fn moment(&self, created_at: Timestamp) -> Timestamp {
        self.verifies.map_or(created_at, |verifies| verifies.started_at)
    }

    /// Whether its records are templates, which go to the store of templates one by one.
    pub fn is_of_templates(&self) -> bool {
        self.data_type == TEMPLATES
    }

    /// Whether rows are first put aside, and decided on when all batches are done.
    pub fn is_staged(&self) -> bool {
        self.dry_run || self.error_handling == ErrorHandling::Strict
    }
}
