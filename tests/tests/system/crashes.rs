//! Kill -9 at random moments: nothing lost, nothing doubled, nothing miscounted. `./dev chaos N` runs more
//! and larger rounds of the same.

use std::time::Duration;

use carrack_shared::operation::OperationId;
use carrack_shared::task::{Lane, Task};
use carrack_tests::broker::{self, Broker};
use carrack_tests::chaos::{self, Loads};
use carrack_tests::services::{fresh_prefix, services};
use carrack_tests::wait::until;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

/// Held by whoever kills the broker, which all tests share, and by whoever needs it to live.
pub static BROKER: Mutex<()> = Mutex::const_new(());

/// How long a queue may be without service: three tries of 5 s, its deletion of 5 s, and the broker's start.
const SERVED_WITHIN: Duration = Duration::from_secs(60);

/// RabbitMQ 3.10 loses the log of a queue that was declared just before; later versions keep it.
#[tokio::test(flavor = "multi_thread")]
async fn queues_of_a_broker_that_was_killed_right_after_they_were_declared_work_again() {
    let _alone = BROKER.lock().await;
    let prefix = fresh_prefix();
    services().queue(&prefix).depth(Lane::Export).await.unwrap();
    broker::kill_and_start(Duration::ZERO).await.unwrap();
    let queue = services().queue(&prefix);
    for lane in Lane::ALL {
        let deadline = Instant::now() + SERVED_WITHIN;
        let what = || format!("a consumer of {}", lane.as_str());
        let mut deliveries =
            until(deadline, what, async || Ok(queue.consume(lane, 1).await.ok())).await.unwrap();
        let operation = OperationId::from_uuid(Uuid::now_v7());
        let task = Task { operation, generation: 1, first: 0, count: 1, sequence: 1 };
        queue.publish(lane, std::slice::from_ref(&task)).await.unwrap();
        let delivery = timeout(SERVED_WITHIN, deliveries.next()).await.unwrap().unwrap();
        assert_eq!(delivery.task, task);
        delivery.ack().await.unwrap();
    }
    Broker::connect().await.remove(&prefix).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_survives_kills_of_workers_coordinator_and_broker() {
    let _alone = BROKER.lock().await;
    let mut loads = Loads::new(30_000, 25).unwrap();
    // Their files: plain, gzip, sealed, and zstd with an index.
    for seed in [0, 1, 2, 3] {
        let round =
            chaos::round(&mut loads, seed).await.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        assert!(round.kills_inside >= 3, "seed {seed}: {:?}", round.faults);
        assert!(round.displaced > 0, "seed {seed}: every duplicate was loaded in its turn");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_import_survives_kills() {
    let mut loads = Loads::new(30_000, 250).unwrap();
    for seed in [0, 1, 2, 3] {
        let round = chaos::embedded::round(&mut loads, seed).await;
        let round = round.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        assert!(!round.kills.is_empty());
        assert!(round.displaced > 0, "seed {seed}: every duplicate was loaded in its turn");
    }
}
