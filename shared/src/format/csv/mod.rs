//! CSV: RFC 4180 with a header row, read as PostgreSQL reads it.

pub(crate) mod decode;
mod dialect;
mod fields;
mod framer;
pub(super) mod header;
mod rows;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::dialect::Dialect;
use self::framer::Framer;
pub(crate) use self::header::{cells, names};
pub(crate) use self::rows::RowFramer;
use super::{Learned, Meaning, SourceFacts, Syntax, Takes, encode};
use crate::schema::DataType;

/// See [`super::SourceFacts`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The names in the header row, in order.
    pub columns: Vec<String>,
    /// What stands between cells and around them.
    #[serde(default, skip_serializing_if = "Dialect::is_usual")]
    pub dialect: Dialect,
}

pub(super) const SYNTAX: Syntax = Syntax {
    name: "csv",
    media_type: "text/csv; charset=utf-8",
    endings: &["csv", "tsv"],
    takes: Takes::Dialect,
    framer: |reading| Box::new(Framer::new(reading.dialect(), reading.header.clone())),
    unread: || SourceFacts::Csv(Facts { columns: Vec::new(), dialect: Dialect::default() }),
    writer: &encode::csv::Csv,
};

impl Learned for Facts {
    fn resume(&self) -> Box<dyn super::Framer> {
        self.behind_record(0)
    }

    fn behind_record(&self, at: u64) -> Box<dyn super::Framer> {
        Box::new(Framer::behind_record(self, at))
    }

    fn meaning(&self, data_type: &Arc<DataType>) -> Box<dyn Meaning> {
        Box::new(decode::Records::new(self, data_type))
    }
}
