//! What a user starts, and the states through which it goes.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::spec::Spec;
use crate::staging::Decision;
use crate::tally::Tally;

/// An operation's id: a UUIDv7, so that ids sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(Uuid);

impl OperationId {
    /// An id made elsewhere: by the caller, who owns the clock.
    pub fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }

    /// For tests and documents.
    pub fn from_u128(id: u128) -> Self {
        Self(Uuid::from_u128(id))
    }

    /// The UUID.
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the id of an operation, such as 0192f3c1-2a3b-7c4d-8e5f-0123456789ab")]
pub struct NoId;

impl FromStr for OperationId {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        Uuid::parse_str(text).map(Self).map_err(|_| NoId)
    }
}

/// Where an operation stands. Planning is a time stamp, not a state: a lenient import loads while its end
/// is still being planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Batches are planned, executed or both.
    Running,
    /// Every batch is done; the books are being closed.
    Finalising,
    /// No batch may commit any more; waiting for the workers to let go.
    Cancelling,
    /// All records are in the table.
    Succeeded,
    /// All good records are in the table, all others are rejects.
    SucceededWithRejects,
    /// Stopped by a failure that is told in [`Operation::failure`].
    Failed,
    /// Stopped by the user.
    Cancelled,
    /// Ended, and undone since.
    Undone,
    /// Ended, and undone since but for what its undo left out.
    PartlyUndone,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Running,
        Self::Finalising,
        Self::Cancelling,
        Self::Succeeded,
        Self::SucceededWithRejects,
        Self::Failed,
        Self::Cancelled,
        Self::Undone,
        Self::PartlyUndone,
    ];

    /// The name that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finalising => "finalising",
            Self::Cancelling => "cancelling",
            Self::Succeeded => "succeeded",
            Self::SucceededWithRejects => "succeeded_with_rejects",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Undone => "undone",
            Self::PartlyUndone => "partly_undone",
        }
    }

    /// Reads back [`State::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether nothing will change any more.
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Running | Self::Finalising | Self::Cancelling)
    }
}

/// Why an operation failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The stable code, such as `source.changed`.
    pub code: String,
    /// What was found, what was expected, and where.
    pub message: String,
}

impl Failure {
    /// A failure of this code.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

/// An operation as the database knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// Where it stands.
    pub state: State,
    /// Counts every change of state; a copy with a lower epoch is out of date.
    pub epoch: i64,
    /// Who started it.
    pub owner: String,
    /// What was asked for.
    pub spec: Spec,
    /// Which attempt at an export this is, from 1.
    pub generation: u32,
    /// When it was created, by the database's clock.
    pub created_at: Timestamp,
    /// When all its batches were known.
    pub planned_at: Option<Timestamp>,
    /// When it reached a terminal state.
    pub finished_at: Option<Timestamp>,
    /// Records of the plan; known when it is planned.
    pub planned_records: Option<u64>,
    /// The final counts; known at a terminal state.
    pub tally: Option<Tally>,
    /// What was decided on its staged records; none before that, and of operations without a stage.
    pub decision: Option<Decision>,
    /// Why it failed, or will fail.
    pub failure: Option<Failure>,
}

/// An operation's progress, summed over the ledger or over its cached copy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Counts of the committed batches.
    pub tally: Tally,
    /// Source bytes (import) or written bytes (export) of the committed batches.
    pub bytes: u64,
    /// Committed batches.
    pub batches: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_keep_their_names() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
        assert_eq!(State::parse("planning"), None);
        assert!(State::ALL.iter().filter(|state| state.is_terminal()).count() == 6);
    }
}
