//! The port of the relay and the janitor: tasks waiting to be sent, and work that nobody does.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::PortResult;
use crate::task::{Lane, Task};

/// A task waiting to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its number in the outbox.
    pub id: i64,
    /// Where it goes.
    pub lane: Lane,
    /// The task.
    pub task: Task,
}

/// The outbox and the rescue of lost work.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Tasks to be sent now, at most `most`, round-robin between operations, so that a small import never
    /// waits behind a large one. An operation has at most `window` tasks' worth of batches out at a time.
    ///
    /// The tasks are held for `hold`; another relay does not get them meanwhile.
    async fn due(&self, window: u32, most: u32, hold: Duration) -> PortResult<Vec<Outgoing>>;

    /// Says that the broker has these tasks.
    async fn sent(&self, tasks: &[Outgoing]) -> PortResult<()>;

    /// Puts into the outbox again: batches whose lease has run out, and batches that were sent more than
    /// `lost_after` ago and never claimed (the queue was purged). Answers how many batches.
    async fn rescue(&self, lost_after: Duration) -> PortResult<u64>;

    /// For a process that knows to be the only one, when it starts: every lease on batches, plans and
    /// closings is void, everything that was sent is lost, and all of it is put into the outbox again. A
    /// batch that was held counts a death, as if somebody had claimed it. Answers how many batches.
    async fn restart(&self) -> PortResult<u64>;
}
