//! The broker seen from behind, past the adapter: to remove what a test declared, and to do to queues what
//! the port never would.

use std::time::Duration;

use carrack_shared::task::Lane;
use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeleteOptions, QueueDeclareOptions,
    QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use tokio::process::Command;

use crate::process::signal_process;
use crate::services::{self, services};
use crate::wait::nothing_for;

/// SIGKILL of the private broker, which is started again after a while. Returns when it is ready.
///
/// # Errors
/// When it does not run, or does not start.
pub async fn kill_and_start(pause: Duration) -> anyhow::Result<()> {
    let file = services::folder().join("rabbitmq.pid");
    let id: u32 = std::fs::read_to_string(&file)?.trim().parse()?;
    signal_process(id, "KILL")?;
    nothing_for(pause).await;
    let output = Command::new(services::workspace().join("dev")).args(["up", "rabbitmq"]).output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "./dev up rabbitmq: {said}");
    Ok(())
}

/// A connection of the test's own.
pub struct Broker {
    connection: Connection,
    channel: Channel,
}

impl Broker {
    /// Connects.
    pub async fn connect() -> Self {
        let url = services().urls().queue;
        let connection =
            Connection::connect(&url, ConnectionProperties::default()).await.expect("the broker");
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
        Self { connection, channel }
    }

    /// Deletes one queue with everything in it.
    pub async fn delete_queue(&self, queue: &str) {
        self.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.expect("a deletion");
    }

    /// Throws away every message that waits in a queue.
    pub async fn purge_queue(&self, queue: &str) {
        self.channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await.expect("a purge");
    }

    /// Puts any bytes into a queue.
    pub async fn put(&self, queue: &str, bytes: &[u8]) {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let sent = self.channel.basic_publish("".into(), queue.into(), options, bytes, properties);
        let confirmed = sent.await.expect("publishing").await.expect("a confirm");
        assert!(confirmed.is_ack(), "{confirmed:?}");
    }

    /// Takes the first message out of a queue; none if it is empty.
    pub async fn take(&self, queue: &str) -> Option<Vec<u8>> {
        let options = BasicGetOptions { no_ack: true };
        let message = self.channel.basic_get(queue.into(), options).await.expect("a look into the queue");
        message.map(|message| message.delivery.data)
    }

    /// How many take messages from a queue; nobody from one that is not there.
    pub async fn consumers(&self, queue: &str) -> u32 {
        let look = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        // Asking for what is not there closes the channel.
        let channel = self.connection.create_channel().await.expect("a channel");
        let declared = channel.queue_declare(queue.into(), look, FieldTable::default()).await;
        declared.map_or(0, |queue| queue.consumer_count())
    }

    /// Removes everything under a prefix.
    pub async fn remove(&self, prefix: &str) {
        for name in Lane::ALL.map(Lane::as_str).into_iter().chain(["dead"]) {
            self.delete_queue(&format!("{prefix}.v1.{name}")).await;
        }
        let exchange = format!("{prefix}.v1.dead");
        let deleted =
            self.channel.exchange_delete(exchange.as_str().into(), ExchangeDeleteOptions::default());
        deleted.await.expect("a deletion");
    }
}
