//! Markdown: a heading `## Item N` begins a record, a line `**name:** value` is a field.
//!
//! A value goes on to the next field or heading. What would not read back as it is stands in a fence behind
//! its name, to the byte; what is no text stands as JSON between two backticks.

mod decode;
mod fence;
mod framer;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::framer::Framer;
use super::{Learned, Meaning, SourceFacts, Syntax, Takes, encode};
use crate::schema::DataType;

/// See [`super::SourceFacts`]. A segment says all there is to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {}

pub(super) const SYNTAX: Syntax = Syntax {
    name: "markdown",
    media_type: "text/markdown; charset=utf-8",
    endings: &["md", "markdown"],
    takes: Takes::Nothing,
    framer: |_| Box::new(Framer::between(0, true)),
    unread: || SourceFacts::Markdown(Facts {}),
    writer: &encode::markdown::Markdown,
};

impl Learned for Facts {
    fn resume(&self) -> Box<dyn super::Framer> {
        Box::new(Framer::inside())
    }

    fn behind_seam(&self) -> Box<dyn super::Framer> {
        Box::new(Framer::between(0, true))
    }

    fn behind_record(&self, at: u64) -> Box<dyn super::Framer> {
        Box::new(Framer::between(at, false))
    }

    fn meaning(&self, data_type: &Arc<DataType>) -> Box<dyn Meaning> {
        Box::new(decode::Records { data_type: Arc::clone(data_type) })
    }
}
