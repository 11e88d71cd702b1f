//! The two bytes by which the CSV of one file differs from that of another.

use serde::{Deserialize, Serialize};

use crate::format::reading::ascii;

/// What stands between two cells, and around a cell that holds such a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialect {
    /// Between two cells of a row.
    #[serde(with = "ascii")]
    pub delimiter: u8,
    /// Around a cell; doubled inside one.
    #[serde(with = "ascii")]
    pub quote: u8,
}

impl Dialect {
    /// That of RFC 4180, which facts without a dialect have.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Dialect {
    fn default() -> Self {
        Self { delimiter: b',', quote: b'"' }
    }
}
