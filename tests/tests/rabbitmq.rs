//! What RabbitMQ and the way to it can do to the queue: deleted queues, foreign messages, cut, stalled and
//! dropped connections.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use carrack_shared::operation::OperationId;
use carrack_shared::port::Queue;
use carrack_shared::task::{Lane, Task};
use carrack_tests::broker::Broker;
use carrack_tests::proxy::{Mode, Proxy};
use carrack_tests::services::{address, fresh_prefix, services, through};
use carrack_tests::wait;
use tokio::time::{Instant, timeout};

/// Any single step, on a busy machine.
const STEP: Duration = Duration::from_secs(30);

fn task(number: u32) -> Task {
    Task { operation: OperationId::from_u128(7), generation: 1, first: number, count: 1, sequence: 1 }
}

/// Queues of one test's own, behind a proxy.
struct Setting {
    prefix: String,
    queue: Arc<dyn Queue>,
    proxy: Proxy,
    broker: Broker,
}

async fn setting() -> Setting {
    let prefix = fresh_prefix();
    let url = services().queue_url(&prefix);
    let proxy = Proxy::start(&address(&url)).await;
    let queue = carrack_adapters::connect_queue(&through(&url, &proxy.address())).unwrap();
    Setting { prefix, queue, proxy, broker: Broker::connect().await }
}

impl Setting {
    fn lane(&self) -> String {
        format!("{}.v1.import", self.prefix)
    }

    /// Publishes until it is confirmed, as the relay does; answers how many tries that took.
    async fn publish(&self, number: u32) -> u32 {
        let start = Instant::now();
        let mut tries = 1;
        while timeout(STEP, self.queue.publish(Lane::Import, &[task(number)]))
            .await
            .expect("an answer")
            .is_err()
        {
            assert!(start.elapsed() < STEP, "task {number} is not taken");
            tries += 1;
        }
        tries
    }

    /// Takes and acknowledges tasks until all below `end` have come, consuming anew after every error, as
    /// a worker does.
    async fn consume_all(&self, end: u32) {
        let mut missing: BTreeSet<u32> = (0..end).collect();
        while !missing.is_empty() {
            let consuming = timeout(STEP, self.queue.consume(Lane::Import, 4)).await.expect("an answer");
            let Ok(mut deliveries) = consuming else { continue };
            while !missing.is_empty() {
                let next = timeout(STEP, deliveries.next()).await;
                let Ok(delivery) = next.unwrap_or_else(|_| panic!("lost: {missing:?}")) else { break };
                missing.remove(&delivery.task.first);
                // A failure is harmless: the task comes again.
                let _settled = timeout(STEP, delivery.ack()).await.expect("an answer");
            }
        }
    }

    async fn remove(self) {
        self.broker.remove(&self.prefix).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_without_a_queue_is_an_error_and_the_queue_comes_back() {
    let setting = setting().await;
    setting.queue.publish(Lane::Import, &[task(0)]).await.unwrap();
    setting.broker.delete_queue(&setting.lane()).await;
    let error = setting.queue.publish(Lane::Import, &[task(1)]).await.expect_err("an unroutable task");
    assert!(error.try_again(), "{}", error.chain());
    assert!(error.message.contains(&format!("there is no queue {}", setting.lane())), "{}", error.chain());
    setting.queue.publish(Lane::Import, &[task(2)]).await.expect("the queue, declared anew");
    assert_eq!(setting.queue.depth(Lane::Import).await.unwrap(), 1);
    setting.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_whose_queue_is_deleted_ends_and_the_next_one_works() {
    let setting = setting().await;
    let mut deliveries = setting.queue.consume(Lane::Import, 1).await.unwrap();
    setting.broker.delete_queue(&setting.lane()).await;
    let ended = timeout(STEP, deliveries.next()).await.expect("an end");
    assert!(ended.is_err_and(|error| error.try_again()));
    assert!(deliveries.next().await.is_err(), "a consumer that is over stays so");
    let mut deliveries = setting.queue.consume(Lane::Import, 1).await.unwrap();
    setting.publish(0).await;
    assert_eq!(timeout(STEP, deliveries.next()).await.expect("a delivery").unwrap().task, task(0));
    drop(deliveries);
    setting.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_task_is_dead_lettered_and_the_next_task_comes() {
    let setting = setting().await;
    let mut deliveries = setting.queue.consume(Lane::Import, 1).await.unwrap();
    let garbage: [&[u8]; 5] = [b"", b"\xff\xfe", b"{}", br#"{"v":"99"}"#, &[b'x'; 1 << 20]];
    for bytes in garbage {
        setting.broker.put(&setting.lane(), bytes).await;
    }
    setting.publish(0).await;
    let delivery = timeout(STEP, deliveries.next()).await.expect("a delivery").unwrap();
    assert_eq!(delivery.task, task(0));
    delivery.ack().await.unwrap();
    let dead = format!("{}.v1.dead", setting.prefix);
    let mut found = Vec::new();
    // Dead-lettering ends some time after the rejection, and nothing announces it.
    while found.len() < garbage.len() {
        let what = || "a dead letter".to_owned();
        let taken = wait::until(Instant::now() + STEP, what, async || Ok(setting.broker.take(&dead).await));
        found.push(taken.await.unwrap());
    }
    assert_eq!(found, garbage, "dead letters");
    drop(deliveries);
    setting.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_confirmed_is_lost_when_connections_are_cut() {
    let setting = setting().await;
    const TASKS: u32 = 200;
    let publishing = async {
        let mut tries = 0;
        for number in 0..TASKS {
            if number % 40 == 20 {
                setting.proxy.cut();
            }
            tries += setting.publish(number).await;
        }
        tries
    };
    let (tries, ()) = tokio::join!(publishing, setting.consume_all(TASKS));
    assert!(tries > TASKS, "no cut was felt");
    assert!(setting.proxy.taken() > 4, "no connection was made anew");
    setting.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_goes_on_after_an_outage_behind_a_load_balancer() {
    let setting = setting().await;
    setting.publish(0).await;
    setting.proxy.set(Mode::Drop);
    let error = setting.queue.publish(Lane::Import, &[task(1)]).await.expect_err("an outage");
    assert!(error.try_again(), "{}", error.chain());
    assert!(setting.queue.consume(Lane::Import, 1).await.is_err_and(|error| error.try_again()));
    assert!(setting.queue.ready().await.is_err(), "ready in an outage");
    setting.proxy.set(Mode::Pass);
    setting.publish(1).await;
    setting.consume_all(2).await;
    setting.queue.ready().await.expect("readiness");
    setting.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_broker_makes_errors_and_no_hangs() {
    let setting = setting().await;
    setting.publish(0).await;
    let mut deliveries = setting.queue.consume(Lane::Import, 1).await.unwrap();
    let delivery = timeout(STEP, deliveries.next()).await.expect("a delivery").unwrap();
    setting.proxy.set(Mode::Stall);
    let lost = [task(1)];
    let published = timeout(STEP, setting.queue.publish(Lane::Import, &lost));
    assert!(
        published.await.expect("an answer").is_err_and(|error| error.try_again()),
        "a confirm out of nothing"
    );
    assert!(timeout(STEP, setting.queue.ready()).await.expect("an answer").is_err(), "ready though stalled");
    // The next heartbeats are missed; the consumer ends although nobody closed anything.
    assert!(timeout(STEP * 2, deliveries.next()).await.expect("an end").is_err());
    assert!(
        timeout(STEP, delivery.ack()).await.expect("an answer").is_err(),
        "an answer of a consumer that is over"
    );
    setting.proxy.cut();
    setting.proxy.set(Mode::Pass);
    setting.publish(1).await;
    setting.consume_all(2).await;
    setting.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_denied_and_not_shown() {
    let url = services().queue_url(&fresh_prefix()).replace("carrack:carrack@", "carrack:sesame@");
    assert!(url.contains("sesame"));
    let queue = carrack_adapters::connect_queue(&url).unwrap();
    let error = timeout(STEP, queue.publish(Lane::Import, &[task(0)])).await.expect("an answer").unwrap_err();
    assert_eq!(error.kind, carrack_shared::error::ErrorKind::Denied, "{}", error.chain());
    assert!(!format!("{error:?}").contains("sesame"), "{error:?}");
}
