//! Sends the tasks of the outbox to the queue, a bounded window per operation, in turns.

use std::sync::Arc;
use std::time::Duration;

use carrack_shared::error::PortResult;
use carrack_shared::port::outbox::Outgoing;
use carrack_shared::task::{Lane, Task};

use crate::context::Context;
use crate::round::{Round, Turn};

/// Tasks sent together and confirmed together.
const SEND_TOGETHER: u32 = 64;

/// How long a relay that dies between taking and sending keeps its tasks from the next one.
const HOLD: Duration = Duration::from_secs(10);

pub(crate) struct Relay;

impl Round for Relay {
    const NAME: &'static str = "relay";

    async fn woken(&self, context: &Context) {
        context.tasks_waiting.notified().await;
    }

    async fn turn(&self, context: &Arc<Context>) -> PortResult<Turn> {
        let store = &context.ports.store;
        let due = store.due(context.settings.window_tasks, SEND_TOGETHER, HOLD).await?;
        for lane in Lane::ALL {
            let outgoing: Vec<Outgoing> = due.iter().filter(|task| task.lane == lane).cloned().collect();
            if outgoing.is_empty() {
                continue;
            }
            let tasks: Vec<Task> = outgoing.iter().map(|outgoing| outgoing.task.clone()).collect();
            context.ports.queue.publish(lane, &tasks).await?;
            // Sent and not marked so: they are sent again, and found done.
            store.sent(&outgoing).await?;
        }
        Ok(if due.is_empty() { Turn::Idle } else { Turn::Busy })
    }
}
