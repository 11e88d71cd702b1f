//! JSON: an array of objects, one object per line, or objects one after another.

use serde::{Deserialize, Serialize};

use super::FrameRange;
use crate::fault::Fault;

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

/// See [`super::Framer`].
#[derive(Debug, Clone)]
pub struct Framer {}

#[allow(missing_docs)]
impl Framer {
    pub fn new() -> Self {
        todo!()
    }
    pub fn resume(_facts: &Facts) -> Self {
        todo!()
    }
    pub fn push(&mut self, _piece: &[u8], _frames: &mut Vec<FrameRange>) -> Result<(), Fault> {
        todo!()
    }
    pub fn finish(&mut self, _frames: &mut Vec<FrameRange>) -> Result<(), Fault> {
        todo!()
    }
    pub fn open(&self) -> Option<u64> {
        todo!()
    }
}
