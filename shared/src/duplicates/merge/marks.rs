//! The stored form of what a merging import remembers of a row that it has touched: which record has set which field.
//!
//! What is not marked was set by the first record of a row that the import has created, and before the import in any
//! other row.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The marks of a row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// The first record of the key in the order of the input, where the import has created the row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<i64>,
    /// By the name of the field.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Mark>,
}

/// Who has set a field or a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Mark {
    /// All of it the record at this position; 0 is the default of the schema.
    Whole(i64),
    /// It is an object, whose members were set by several.
    Object(ObjectMark),
}

/// Who has set the members of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectMark {
    /// The last record that has set anything in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<i64>,
    /// The last record that has replaced it by something else: what earlier ones say of it is of no account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor: Option<i64>,
    /// By the name of the member.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<String, Mark>,
}
