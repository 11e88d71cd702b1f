//! The queue message: "look at these batches". A hint that may be lost, doubled or late; the database
//! decides what is to be done.

use serde::{Deserialize, Serialize};

use crate::limits::TASK_MESSAGE_BYTES;
use crate::operation::OperationId;

/// The queues, one per kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Batches of imports, and of their undoing.
    Import,
    /// Batches of exports.
    Export,
}

impl Lane {
    /// Every lane, in the order in which they are declared.
    pub const ALL: [Self; 2] = [Self::Import, Self::Export];

    /// The name under which the lane is stored and declared.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Export => "export",
        }
    }
}

/// A run of consecutive batches of one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The operation.
    pub operation: OperationId,
    /// Which attempt at exporting the batches belong to; 1 for imports.
    pub generation: u32,
    /// Number of the first batch.
    pub first: u32,
    /// How many batches follow each other, the first included.
    pub count: u32,
    /// Which sending of these batches this is, from 1.
    pub sequence: u32,
}

/// What travels: a version and a task.
#[derive(Serialize, Deserialize)]
#[serde(tag = "v")]
enum Message {
    #[serde(rename = "1")]
    V1(Task),
}

/// Why a message is not a task.
#[derive(Debug, thiserror::Error)]
pub enum NotATask {
    /// The message is longer than a task can be.
    #[error("a task message of {found} bytes, expected at most {TASK_MESSAGE_BYTES}")]
    TooLong {
        /// Its length.
        found: usize,
    },
    /// The message does not read as a task of a known version.
    #[error("not a task message of a known version: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl Task {
    /// The message's bytes, at most [`TASK_MESSAGE_BYTES`].
    pub fn to_message(&self) -> Vec<u8> {
        serde_json::to_vec(&Message::V1(self.clone())).unwrap_or_default()
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When it is too long, of an unknown version, or has unknown or missing fields.
    pub fn from_message(bytes: &[u8]) -> Result<Self, NotATask> {
        if bytes.len() > TASK_MESSAGE_BYTES {
            return Err(NotATask::TooLong { found: bytes.len() });
        }
        let Message::V1(task) = serde_json::from_slice(bytes)?;
        Ok(task)
    }

    /// The numbers of the batches.
    pub fn batches(&self) -> std::ops::Range<u32> {
        self.first..self.first.saturating_add(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> Task {
        Task { operation: OperationId::from_u128(7), generation: 1, first: 3, count: 2, sequence: 1 }
    }

    #[test]
    fn a_message_reads_back_and_keeps_its_form() {
        let message = task().to_message();
        let golden = r#"{"v":"1","operation":"00000000-0000-0000-0000-000000000007","generation":1,"first":3,"count":2,"sequence":1}"#;
        assert_eq!(String::from_utf8(message.clone()).unwrap(), golden);
        assert_eq!(Task::from_message(&message).unwrap(), task());
        assert_eq!(task().batches().collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn what_is_not_a_task_is_refused() {
        for bad in [&b""[..], b"{}", b"\xff\xfe", br#"{"v":"2"}"#, &[b' '; TASK_MESSAGE_BYTES + 1]] {
            assert!(Task::from_message(bad).is_err(), "{bad:?}");
        }
    }
}
