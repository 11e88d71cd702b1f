//! JSON: an array of objects, one object per line, or objects one after another.

mod canonical;
pub(crate) mod decode;
mod framer;
mod number;
mod scan;
mod state;
pub(crate) mod text;

use serde::{Deserialize, Serialize};

pub(crate) use canonical::{Canonical, Refusal, canonical_key, duplicate, elements, members};
pub use framer::Framer;

/// How a JSON source holds its records; told by looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// `[{…}, {…}]`.
    Array,
    /// One value per line (NDJSON): a broken line does not disturb the next one.
    Lines,
    /// Values one after another, over any number of lines.
    Values,
}

/// See [`super::SourceFacts`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// How the source holds its records.
    pub shape: Shape,
}
