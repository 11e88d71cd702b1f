//! JSON: an array of objects, one object per line, or objects one after another; or an array of objects
//! somewhere in a document.

mod canonical;
pub(crate) mod decode;
mod framer;
pub(crate) mod number;
mod scan;
mod state;
pub(crate) mod text;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::reading::RecordsAt;
use super::{Learned, Meaning, SourceFacts, Syntax, Takes, encode};
use crate::schema::DataType;

pub(crate) use canonical::{Canonical, Refusal, canonical_key, duplicate, elements, members, too_deep};
use framer::{Framer, Nested};

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
    /// The names of the members that lead to the array, where it is not the document itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
}

impl From<Shape> for Facts {
    fn from(shape: Shape) -> Self {
        Self { shape, path: Vec::new() }
    }
}

pub(super) const SYNTAX: Syntax = Syntax {
    name: "json",
    media_type: "application/json",
    endings: &["json"],
    takes: Takes::MemberPath,
    framer: |reading| match &reading.records_at {
        Some(RecordsAt::Members(path)) => Box::new(Nested::new(path)),
        _ => Box::new(Framer::new()),
    },
    unread: || SourceFacts::Json(Shape::Values.into()),
    writer: &encode::json::Json,
};

/// One object per line: JSON whose shape is not told by looking, so that no broken line can mislead.
pub(super) const LINES: Syntax = Syntax {
    name: "ndjson",
    media_type: "application/x-ndjson",
    endings: &["ndjson", "jsonl"],
    takes: Takes::Nothing,
    framer: |_| Box::new(Framer::lines()),
    unread: || SourceFacts::Json(Shape::Lines.into()),
    writer: &encode::json::Lines,
};

impl Learned for Facts {
    fn resume(&self) -> Box<dyn super::Framer> {
        Box::new(Framer::resume(self.shape))
    }

    fn behind_record(&self, at: u64) -> Box<dyn super::Framer> {
        match self.path.is_empty() {
            true => Box::new(Framer::behind_record(self.shape, at)),
            false => Box::new(Nested::behind_record(&self.path, at)),
        }
    }

    fn meaning(&self, data_type: &Arc<DataType>) -> Box<dyn Meaning> {
        Box::new(decode::Records { data_type: Arc::clone(data_type) })
    }
}
