//! XML: the child elements of the root are records, their child elements are fields.
//!
//! An element that holds only text is a text; one that holds elements is an object; a name that stands
//! several times is an array. Attributes are members whose names begin with `@`, text beside elements is
//! the member `#text`. What XML cannot say that way (numbers, null, arrays of one element, names that are no
//! names) stands as JSON in an element with the attribute `carrack:type="json"`.

mod decode;
mod framer;
mod names;
mod state;
pub(super) mod tree;
mod view;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::framer::Framer;
use super::{Learned, Meaning, SourceFacts, Syntax, encode};
use crate::schema::DataType;

/// See [`super::SourceFacts`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The name of the root element.
    pub root: String,
}

pub(super) const SYNTAX: Syntax = Syntax {
    name: "xml",
    media_type: "application/xml",
    framer: || Box::new(Framer::new()),
    unread: || SourceFacts::Xml(Facts { root: String::new() }),
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
