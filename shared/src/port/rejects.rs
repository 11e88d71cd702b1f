//! The port to refused records: one after another, and counted by what is wrong with them.

use async_trait::async_trait;

use crate::error::PortResult;
use crate::fault::Reject;
use crate::operation::OperationId;
use crate::record::Position;

/// Which rejects to read; always in the order of the input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RejectPage {
    /// Only those that have a fault of this code.
    pub code: Option<String>,
    /// Only those behind this record.
    pub after: Option<Position>,
    /// At most so many.
    pub limit: u32,
}

impl RejectPage {
    /// The first rejects, whatever is wrong with them.
    pub fn first(limit: u32) -> Self {
        Self { limit, ..Self::default() }
    }

    /// The same behind this record.
    pub fn behind(self, after: Option<Position>) -> Self {
        Self { after, ..self }
    }
}

/// Rejects that have the same fault in the same field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectKind {
    /// The code of the fault.
    pub code: String,
    /// The field, where the fault belongs to one.
    pub field: Option<String>,
    /// How many records have it. One that has several faults is counted for each of them.
    pub records: u64,
    /// The first of them.
    pub first: Position,
    /// Its line.
    pub first_line: u64,
}

/// Rejects.
#[async_trait]
pub trait Rejects: Send + Sync {
    /// A page of rejects.
    async fn rejects(&self, id: OperationId, page: &RejectPage) -> PortResult<Vec<Reject>>;

    /// What is wrong with all rejects, counted: the most frequent first, then in the order of the input; at
    /// most `limit` kinds.
    async fn reject_kinds(&self, id: OperationId, limit: u32) -> PortResult<Vec<RejectKind>>;
}
