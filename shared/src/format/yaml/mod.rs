//! YAML 1.2: a block sequence of mappings, or one mapping per document.
//!
//! Unquoted scalars are read by the core schema, except that a number with leading zeros is a text, and that
//! a field of the schema which wants a text gets it as it is written. Aliases stay inside their record.

mod decode;
mod framer;
mod plain;
mod reader;
pub(super) mod scalar;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::framer::Framer;
use super::{Learned, Meaning, SourceFacts, Syntax, Takes, encode};
use crate::schema::DataType;

/// How a YAML source holds its records; told by looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// The items of a block sequence.
    Sequence {
        /// Blanks before its dashes.
        indent: u32,
    },
    /// One document each.
    Documents,
}

/// See [`super::SourceFacts`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// How the source holds its records.
    pub shape: Shape,
}

pub(super) const SYNTAX: Syntax = Syntax {
    name: "yaml",
    media_type: "application/yaml",
    endings: &["yaml", "yml"],
    takes: Takes::Nothing,
    framer: |_| Box::new(Framer::new()),
    unread: || SourceFacts::Yaml(Facts { shape: Shape::Documents }),
    writer: &encode::yaml::Yaml,
};

impl Learned for Facts {
    fn resume(&self) -> Box<dyn super::Framer> {
        Box::new(Framer::inside(self))
    }

    fn behind_seam(&self) -> Box<dyn super::Framer> {
        self.behind_record(0)
    }

    fn behind_record(&self, at: u64) -> Box<dyn super::Framer> {
        Box::new(Framer::behind_record(self, at))
    }

    fn meaning(&self, data_type: &Arc<DataType>) -> Box<dyn Meaning> {
        Box::new(decode::Records::new(self, data_type))
    }
}
