//! Task queues in RabbitMQ: wake-up hints in durable quorum queues, published with confirms.
//!
//! Publishing has one connection, and every consumer has its own. None of them is ever mended: on any error,
//! and on silence, it is dropped, and the next use makes a new one and declares the queues again.

mod consume;
mod fault;
mod line;
mod pace;
mod publish;
mod topology;
mod unserved;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::port::Queue;
use carrack_shared::port::queue::Deliveries;
use carrack_shared::task::{Lane, Task};
use tokio::time::timeout;

use self::line::Broker;
use self::pace::Pace;
use self::publish::Publisher;

/// How long readiness waits for the broker.
const READY: Duration = Duration::from_secs(5);

/// The queues of one broker.
pub struct RabbitQueue {
    broker: Broker,
    publisher: Publisher,
    consumers: Arc<Pace>,
}

impl RabbitQueue {
    /// Prepares for the broker of `amqp://…?prefix=…`, whose queues are called `{prefix}.v1.import` and so
    /// on. The broker is not asked anything yet.
    ///
    /// # Errors
    /// When the URL is not of that form.
    pub fn connect(url: &str) -> PortResult<Self> {
        Ok(Self { broker: Broker::parse(url)?, publisher: Publisher::default(), consumers: Arc::default() })
    }
}

#[async_trait]
impl Queue for RabbitQueue {
    async fn publish(&self, lane: Lane, tasks: &[Task]) -> PortResult<()> {
        self.publisher.publish(&self.broker, lane, tasks).await
    }

    async fn consume(&self, lane: Lane, prefetch: u16) -> PortResult<Box<dyn Deliveries>> {
        consume::start(&self.broker, lane, prefetch, &self.consumers).await
    }

    async fn depth(&self, lane: Lane) -> PortResult<u64> {
        self.publisher.depth(&self.broker, lane).await
    }

    async fn ready(&self) -> PortResult<()> {
        let silent = |_| fault::unavailable(format!("{} did not answer within 5 s", self.broker.shown));
        timeout(READY, self.publisher.depth(&self.broker, Lane::Import))
            .await
            .map_err(silent)?
            .map(|_depth| ())
    }
}
