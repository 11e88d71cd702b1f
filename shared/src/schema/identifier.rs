//! Names that may stand in SQL.

use serde::{Deserialize, Serialize};

/// A name that may stand, quoted, in SQL: the only way by which names reach a statement.
///
/// 1 to 63 bytes (PostgreSQL's limit), without control characters, quotes and outer blanks, not `extra`, not a
/// system column and not starting with `_`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Identifier(pub(super) String);

/// Columns that every table of PostgreSQL has by itself.
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

impl Identifier {
    /// Checks a name.
    ///
    /// # Errors
    /// Says what the name breaks.
    pub fn new(name: impl Into<String>) -> Result<Self, String> {
        let name = name.into();
        let reason = match name.as_str() {
            "" => "is empty",
            name if name.eq_ignore_ascii_case("extra") => "is reserved for the fields outside the schema",
            name if SYSTEM_COLUMNS.contains(&name) => {
                "is that of a column which PostgreSQL has in every table"
            }
            name if name.trim() != name => "begins or ends with a blank",
            name if name.chars().any(char::is_control) => "holds a control character",
            name if name.len() > 63 => "is longer than 63 bytes",
            name if name.starts_with('_') => "starts with an underscore, which is reserved",
            name if name.contains(['\0', '"', '\'', '\\']) => "holds a quote, a backslash or NUL",
            _ => return Ok(Self(name)),
        };
        Err(format!("the name {name:?} {reason}"))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as it stands in SQL.
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

impl TryFrom<String> for Identifier {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::new(name)
    }
}

impl From<Identifier> for String {
    fn from(name: Identifier) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_identifiers_are_refused() {
        for bad in ["", "extra", "_hash", "a\"b", "a\0b", &"x".repeat(64)] {
            assert!(Identifier::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Identifier::new("x".repeat(63)).unwrap().as_str().len(), 63);
        assert_eq!(Identifier::new("Größe m²").unwrap().quoted(), "\"Größe m²\"");
    }
}
