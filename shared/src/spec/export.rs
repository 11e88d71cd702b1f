//! What is asked for of an export?

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{OwnTypes, UnknownType, is_no};
use crate::filter::Filter;
use crate::format::Format;
use crate::format::encode::Shape;
use crate::layer::packaging::Packaging;
use crate::reshape::Reshape;
use crate::schema::{self, DataType};

/// An export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportSpec {
    /// The data type's name, or `all`.
    pub data_type: String,
    /// The types of an export of `all`, in the order of its files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data_types: Vec<String>,
    /// The types that are not built in.
    #[serde(default, skip_serializing_if = "OwnTypes::is_empty")]
    pub types: OwnTypes,
    /// The format of the result.
    pub format: Format,
    /// Whether `metadata` is part of it.
    pub include_metadata: bool,
    /// Whether binary content is part of it, as base64; otherwise references to it are.
    #[serde(default, skip_serializing_if = "is_no")]
    pub include_binary_data: bool,
    /// Which records are part of it.
    #[serde(default, skip_serializing_if = "Filter::is_empty")]
    pub filter: Filter,
    /// What its template makes of its rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Reshape>,
    /// What is put around its text.
    #[serde(default, skip_serializing_if = "Packaging::is_plain")]
    pub packaging: Packaging,
}

impl ExportSpec {
    /// Everything as it is where nobody says anything.
    pub fn new(data_type: &str, format: Format) -> Self {
        Self {
            data_type: data_type.to_owned(),
            data_types: Vec::new(),
            types: OwnTypes::default(),
            format,
            include_metadata: true,
            include_binary_data: false,
            filter: Filter::default(),
            template: None,
            packaging: Packaging::default(),
        }
    }

    /// The names of the types whose tables are exported, in the order of the files.
    pub fn names(&self) -> Vec<&str> {
        match self.data_types.is_empty() {
            true => vec![&self.data_type],
            false => self.data_types.iter().map(String::as_str).collect(),
        }
    }

    /// What the rows of a table are, by its number from 0.
    ///
    /// # Errors
    /// When it is not known here.
    pub fn type_of(&self, table: u32) -> Result<Arc<DataType>, UnknownType> {
        let names = self.names();
        self.types.named(names.get(table as usize).copied().unwrap_or(schema::ALL))
    }

    /// What the records of a table's files are, by its number, and what stands beside its fields. `has_extra` says
    /// whether its rows have others.
    ///
    /// # Errors
    /// When it is not known here.
    pub fn written(&self, table: u32, has_extra: bool) -> Result<(Arc<DataType>, Shape), UnknownType> {
        let stored = self.type_of(table)?;
        let shape = Shape { metadata: self.include_metadata, extra: has_extra && self.template.is_none() };
        Ok(match &self.template {
            Some(template) => (Arc::new(template.output(&stored)), shape),
            None => (stored, shape),
        })
    }
}
