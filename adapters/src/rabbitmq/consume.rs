//! A consumer, on a connection of its own, so that dropping it gives back whatever it holds and disturbs
//! nobody else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use carrack_shared::error::{PortError, PortResult};
use carrack_shared::port::queue::{Answer, Deliveries, Delivery};
use carrack_shared::task::{Lane, Task};
use futures_util::StreamExt;
use lapin::Acker;
use lapin::message::Delivery as Message;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions, BasicRejectOptions,
};
use lapin::types::FieldTable;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::fault::{unavailable, within};
use super::line::{ANSWER, Broker, Line};
use super::pace::Pace;

/// How often a consumer that gets nothing looks whether its connection is up. The client tells it, too; this
/// is for the day on which it does not.
const WATCH: Duration = Duration::from_secs(5);

/// Starts to receive.
pub async fn start(
    broker: &Broker,
    lane: Lane,
    prefetch: u16,
    pace: &Arc<Pace>,
) -> PortResult<Box<dyn Deliveries>> {
    let line = broker.open(&format!("consumer {}", lane.as_str()), pace).await?;
    let failed = |_: &PortError| pace.failed(Instant::now(), rand::random());
    // A prefetch of 0 would mean "without a limit". Not global: RabbitMQ 4.3 refuses that.
    let limit = line.channel.basic_qos(prefetch.max(1), BasicQosOptions { global: false });
    within(ANSWER, "limit deliveries", limit).await.inspect_err(failed)?;
    let (queue, options) = (broker.names.lane(lane), BasicConsumeOptions::default());
    let started = line.channel.basic_consume(queue, "".into(), options, FieldTable::default());
    let consumer = match within(ANSWER, "start to consume", started).await.inspect_err(failed) {
        Ok(consumer) => consumer,
        Err(error) => {
            broker.does_not_serve(lane, &error).await;
            return Err(error);
        }
    };
    broker.serves(lane);
    let open = Open { consumer, line };
    Ok(Box::new(RabbitDeliveries {
        open: Some(open),
        over: CancellationToken::new(),
        lane,
        pace: Arc::clone(pace),
    }))
}

struct RabbitDeliveries {
    /// None when it is over.
    open: Option<Open>,
    /// Cancelled when the channel is found broken, by whoever finds it, and when this consumer ends.
    over: CancellationToken,
    lane: Lane,
    pace: Arc<Pace>,
}

struct Open {
    consumer: lapin::Consumer,
    line: Line,
}

#[async_trait]
impl Deliveries for RabbitDeliveries {
    async fn next(&mut self) -> PortResult<Delivery> {
        loop {
            match self.next_message().await {
                Ok(message) => match Task::from_message(&message.data) {
                    Ok(task) => {
                        let answer = RabbitAnswer { acker: message.acker, over: self.over.clone() };
                        return Ok(Delivery::new(task, message.redelivered, Box::new(answer)));
                    }
                    Err(reason) => {
                        tracing::warn!(lane = self.lane.as_str(), %reason, "dead-lettering a message");
                        self.dead_letter(&message.acker).await?;
                    }
                },
                Err(error) => return Err(self.end(error)),
            }
        }
    }
}

impl RabbitDeliveries {
    async fn next_message(&mut self) -> PortResult<Message> {
        let Some(Open { consumer, line }) = &mut self.open else {
            return Err(unavailable("the consumer is over"));
        };
        loop {
            let message = tokio::select! {
                message = timeout(WATCH, consumer.next()) => message,
                () = self.over.cancelled() => return Err(unavailable("an answer to a delivery failed")),
            };
            match message {
                Ok(Some(Ok(message))) => return Ok(message),
                Ok(Some(Err(error))) => return Err(super::fault::failed("consume", error)),
                Ok(None) => return Err(unavailable("the broker ended the consumer")),
                Err(_) if line.is_up() => {}
                Err(_) => return Err(unavailable("the connection is down")),
            }
        }
    }

    /// Sends a message that is no task to the queue of dead letters.
    async fn dead_letter(&mut self, acker: &Acker) -> PortResult<()> {
        let rejected = acker.reject(BasicRejectOptions { requeue: false });
        match within(ANSWER, "dead-letter a message", rejected).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.end(unavailable("dead-letter a message: the channel was closed"))),
            Err(error) => Err(self.end(error)),
        }
    }

    /// Gives everything back and closes the connection.
    fn end(&mut self, reason: PortError) -> PortError {
        if self.open.take().is_some() {
            self.pace.failed(Instant::now(), rand::random());
            tracing::info!(lane = self.lane.as_str(), reason = reason.chain(), "a consumer is over");
        }
        self.over.cancel();
        reason
    }
}

impl Drop for RabbitDeliveries {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

/// The answer to one delivery.
struct RabbitAnswer {
    acker: Acker,
    over: CancellationToken,
}

#[async_trait]
impl Answer for RabbitAnswer {
    async fn ack(self: Box<Self>) -> PortResult<()> {
        self.settle("ack", self.acker.ack(BasicAckOptions::default())).await
    }

    async fn release(self: Box<Self>) -> PortResult<()> {
        let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
        self.settle("release", self.acker.nack(options)).await
    }
}

impl RabbitAnswer {
    /// Sends the answer. When that fails, the consumer is over: the broker has, or will have, its deliveries.
    async fn settle(&self, doing: &str, sent: impl Future<Output = lapin::Result<bool>>) -> PortResult<()> {
        if self.over.is_cancelled() {
            return Err(unavailable(format!("{doing}: the consumer ended before its delivery was answered")));
        }
        let error = match within(ANSWER, doing, sent).await {
            Ok(true) => return Ok(()),
            // The client says so of a channel that was closed, for instance after the consumer timeout.
            Ok(false) => unavailable(format!("{doing}: the channel was closed before")),
            Err(error) => error,
        };
        tracing::error!(error = error.chain(), "a delivery could not be answered, and will come again");
        self.over.cancel();
        Err(error)
    }
}
