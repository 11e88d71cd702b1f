//! JSON: an array of objects, one object per line, or objects one after another.

mod canonical;
pub(crate) mod decode;
mod framer;
mod number;
mod scan;
mod state;
pub(crate) mod text;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Learned, Meaning, SourceFacts, Syntax, encode};
use crate::schema::DataType;

pub(crate) use canonical::{Canonical, Refusal, canonical_key, duplicate, elements, members};
pub(crate) use framer::Framer;

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

pub(super) const SYNTAX: Syntax = Syntax {
    name: "json",
    media_type: "application/json",
    framer: || Box::new(Framer::new()),
    unread: || SourceFacts::Json(Facts { shape: Shape::Values }),
    writer: &encode::json::Json,
};

impl Learned for Facts {
    fn resume(&self) -> Box<dyn super::Framer> {
        Box::new(Framer::resume(self))
    }

    fn behind_record(&self, at: u64) -> Box<dyn super::Framer> {
        Box::new(Framer::behind_record(self, at))
    }

    fn meaning(&self, data_type: &Arc<DataType>) -> Box<dyn Meaning> {
        Box::new(decode::Records { data_type: Arc::clone(data_type) })
    }
}
