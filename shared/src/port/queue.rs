//! The port to the queue: wake-up hints. Losing, doubling or delaying a message costs time, never a record.

use async_trait::async_trait;

use crate::error::PortResult;
use crate::task::{Lane, Task};

/// Durable queues, one per lane.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends tasks. Answers only when the broker has confirmed every one *and* put each into a queue; a
    /// message that could not be routed is an error although brokers confirm it.
    ///
    /// After an error any of the tasks may have been sent or not.
    async fn publish(&self, lane: Lane, tasks: &[Task]) -> PortResult<()>;

    /// Starts to receive. `prefetch` is the number of deliveries that may be out unanswered at a time and
    /// must be the number of tasks that the worker really runs at once: whatever a dying worker holds is
    /// counted as delivered.
    async fn consume(&self, lane: Lane, prefetch: u16) -> PortResult<Box<dyn Deliveries>>;

    /// Messages that wait for a consumer. The ones that are out are not counted.
    async fn depth(&self, lane: Lane) -> PortResult<u64>;

    /// Whether the broker answers.
    async fn ready(&self) -> PortResult<()>;
}

/// A running consumer.
#[async_trait]
pub trait Deliveries: Send {
    /// Waits for the next task. Safe to drop while waiting.
    ///
    /// An error means that this consumer is over: all unanswered deliveries go back to the queue, and the
    /// caller consumes anew. A message that is not a task never arrives here: it is dead-lettered and logged.
    async fn next(&mut self) -> PortResult<Delivery>;
}

/// A task that was handed out. It is consumed by its answer; dropping it gives it back to the queue at the
/// latest when the consumer ends.
pub struct Delivery {
    /// The task.
    pub task: Task,
    /// Whether an earlier consumer let go of it without an answer, as far as the broker knows.
    pub redelivered: bool,
    answer: Box<dyn Answer>,
}

/// How an adapter takes the answer to a delivery.
#[async_trait]
pub trait Answer: Send + Sync {
    /// The task is settled in the database.
    async fn ack(self: Box<Self>) -> PortResult<()>;
    /// The task should be handed out again.
    async fn release(self: Box<Self>) -> PortResult<()>;
}

impl Delivery {
    /// A delivery as an adapter makes it.
    pub fn new(task: Task, redelivered: bool, answer: Box<dyn Answer>) -> Self {
        Self { task, redelivered, answer }
    }

    /// Says that the task is settled in the database. An error is harmless: the task comes again, and is
    /// found done.
    pub async fn ack(self) -> PortResult<()> {
        self.answer.ack().await
    }

    /// Gives the task back, to be handed out again.
    pub async fn release(self) -> PortResult<()> {
        self.answer.release().await
    }
}
