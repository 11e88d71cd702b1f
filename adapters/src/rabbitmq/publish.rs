//! The connection that publishes. Nothing else is done on it that a worker waits for: a broker short of
//! memory stops reading from publishers, and acknowledgements on the same connection would stop with it.

use std::time::{Duration, Instant};

use carrack_shared::error::PortResult;
use carrack_shared::task::{Lane, Task};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::fault::{unavailable, within};
use super::line::{ANSWER, Broker, Line};
use super::pace::Pace;

/// Messages that are out unconfirmed at a time.
const IN_FLIGHT: usize = 256;

/// Publishing that many messages, confirmed.
const CONFIRMED: Duration = Duration::from_secs(5);

/// The AMQP code for "survives a restart of the broker".
const PERSISTENT: u8 = 2;

/// Publishes on one connection, one caller at a time.
#[derive(Default)]
pub struct Publisher {
    line: Mutex<Option<Line>>,
    pace: Pace,
}

impl Publisher {
    /// Publishes tasks. Ok when every one is confirmed and in its queue.
    pub async fn publish(&self, broker: &Broker, lane: Lane, tasks: &[Task]) -> PortResult<()> {
        self.with_line(broker, async |channel| {
            for tasks in tasks.chunks(IN_FLIGHT) {
                let confirmed = timeout(CONFIRMED, publish_confirmed(channel, broker, lane, tasks));
                let silent =
                    || unavailable(format!("publish to {}: not confirmed within 5 s", lane.as_str()));
                confirmed.await.map_err(|_| silent())??;
            }
            Ok(())
        })
        .await
    }

    /// Messages of a lane that wait for a consumer.
    pub async fn depth(&self, broker: &Broker, lane: Lane) -> PortResult<u64> {
        self.with_line(broker, async |channel| {
            let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
            let asked = channel.queue_declare(broker.names.lane(lane), passive, FieldTable::default());
            Ok(u64::from(within(ANSWER, "look up a queue", asked).await?.message_count()))
        })
        .await
    }

    /// Lends the connection out, made where it is missing. It comes back only after a success: after an
    /// error, and when the caller stops waiting, it is dropped.
    async fn with_line<T>(
        &self,
        broker: &Broker,
        work: impl AsyncFnOnce(&Channel) -> PortResult<T>,
    ) -> PortResult<T> {
        let mut slot = self.line.lock().await;
        let line = match slot.take().filter(Line::is_up) {
            Some(line) => line,
            None => {
                let line = broker.open("publisher", &self.pace).await?;
                let confirms = line.channel.confirm_select(ConfirmSelectOptions::default());
                within(ANSWER, "switch confirms on", confirms).await?;
                line
            }
        };
        let answer = work(&line.channel).await;
        match &answer {
            Ok(_) => *slot = Some(line),
            Err(_) => self.pace.failed(Instant::now(), rand::random()),
        }
        answer
    }
}

async fn publish_confirmed(channel: &Channel, broker: &Broker, lane: Lane, tasks: &[Task]) -> PortResult<()> {
    let queue = broker.names.lane(lane);
    // Without `mandatory` the broker confirms a message that it puts nowhere.
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let mut confirms = Vec::with_capacity(tasks.len());
    for task in tasks {
        let id = format!("{}:{}:{}", task.operation, task.first, task.sequence);
        let properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_content_type("application/json".into())
            .with_message_id(id.into());
        let message = task.to_message();
        let sent = channel.basic_publish("".into(), queue.clone(), options, &message, properties);
        confirms.push(within(ANSWER, "publish", sent).await?);
    }
    for confirm in confirms {
        match within(ANSWER, "wait for a confirm", confirm).await? {
            Confirmation::Ack(None) => {}
            Confirmation::Ack(Some(_)) => {
                return Err(unavailable(format!(
                    "publish: there is no queue {queue}; it will be declared anew"
                )));
            }
            Confirmation::Nack(_) => {
                return Err(unavailable(format!("publish: the queue {queue} takes no more")));
            }
            Confirmation::NotRequested => return Err(unavailable("publish: the channel does not confirm")),
        }
    }
    Ok(())
}
