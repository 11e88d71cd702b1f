//! What is asked for of an undo?

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{OwnTypes, UnknownType, is_no};
use crate::operation::OperationId;
use crate::schema::{self, DataType};

/// The undo of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoSpec {
    /// The import.
    pub parent: OperationId,
    /// Whether rows are undone, too, that others have changed since.
    #[serde(default, skip_serializing_if = "is_no")]
    pub force: bool,
    /// The import's data type, or `all`.
    pub data_type: String,
    /// The types whose tables it has written.
    pub data_types: Vec<String>,
    /// Those of them that are not built in.
    #[serde(default, skip_serializing_if = "OwnTypes::is_empty")]
    pub types: OwnTypes,
}

impl UndoSpec {
    /// What the rows of a table are, by its number from 0.
    ///
    /// # Errors
    /// When it is not known here.
    pub fn type_of(&self, table: u32) -> Result<Arc<DataType>, UnknownType> {
        self.types.named(self.data_types.get(table as usize).map_or(schema::ALL, String::as_str))
    }
}
