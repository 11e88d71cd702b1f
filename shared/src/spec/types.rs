//! The data types that an operation pins.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{ErrorKind, PortError};
use crate::schema::{self, DataType};

/// The data types of an operation that are not built in, as they were when it was created.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnTypes(pub Vec<DataType>);

impl OwnTypes {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The type of this name: one of these, or a built-in one.
    ///
    /// # Errors
    /// When it is neither.
    pub fn named(&self, name: &str) -> Result<Arc<DataType>, UnknownType> {
        let own = self.0.iter().find(|own| own.name.as_str() == name);
        let found = own.map(|own| Arc::new(own.clone())).or_else(|| schema::built_in(name));
        found.ok_or_else(|| UnknownType(name.to_owned()))
    }
}

/// A stored operation is about a data type that this program does not have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the data type {0:?} is not known here")]
pub struct UnknownType(pub(super) String);

impl From<UnknownType> for PortError {
    fn from(unknown: UnknownType) -> Self {
        Self::new(ErrorKind::Refused, "carrack", unknown.to_string())
    }
}
