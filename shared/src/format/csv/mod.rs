//! CSV: RFC 4180 with a header row, read as PostgreSQL reads it.

pub(crate) mod decode;
mod fields;
mod framer;
mod header;

use serde::{Deserialize, Serialize};

pub use framer::Framer;
pub(crate) use header::{names, read as read_header, too_long as header_too_long};

/// See [`super::SourceFacts`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The names in the header row, in order.
    pub columns: Vec<String>,
}
