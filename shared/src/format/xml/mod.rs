//! XML: the child elements of the root are records, their child elements are fields.
//!
//! An element that holds only text is a text; one that holds elements is an object; a name that stands
//! several times is an array. Attributes are members whose names begin with `@`, text beside elements is
//! the member `#text`. What XML cannot say that way (numbers, null, arrays of one element, names that are no
//! names) stands as JSON in an element with the attribute `carrack:type="json"`.

mod decode;
mod framer;
mod names;
mod place;
mod state;
pub(super) mod tree;
mod view;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::framer::Framer;
use super::{Learned, Meaning, SourceFacts, Syntax, Takes, encode};
use crate::schema::DataType;

/// See [`super::SourceFacts`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The name of the root element.
    pub root: String,
    /// The names of the elements from the root to the records, where these are not the children of the root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
    /// Whether their name alone was given, so that there may be none of it elsewhere.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_name: bool,
}

pub(super) const SYNTAX: Syntax = Syntax {
    name: "xml",
    media_type: "application/xml",
    endings: &["xml"],
    takes: Takes::ElementPath,
    framer: |reading| Box::new(Framer::new(reading.records_at.as_ref())),
    unread: || SourceFacts::Xml(Facts::default()),
    writer: &encode::xml::Xml,
};

impl Learned for Facts {
    fn resume(&self) -> Box<dyn super::Framer> {
        self.behind_record(0)
    }

    fn behind_record(&self, at: u64) -> Box<dyn super::Framer> {
        Box::new(Framer::behind_record(self, at))
    }

    fn meaning(&self, data_type: &Arc<DataType>) -> Box<dyn Meaning> {
        Box::new(decode::Records { data_type: Arc::clone(data_type) })
    }
}
