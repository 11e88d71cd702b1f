//! Queues with a deliberate defect each, to show that the checks of the contract can fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::port::Queue;
use carrack_shared::port::queue::{Answer, Deliveries, Delivery};
use carrack_shared::task::{Lane, Task};

/// What is wrong with a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Every eighth task is confirmed and forgotten.
    Drops,
    /// Every eighth task is sent twice.
    Doubles,
    /// Two neighbours of every publishing change places.
    Reorders,
    /// Publishing never answers.
    HangsPublishing,
    /// The eleventh delivery never comes.
    HangsDelivering,
    /// What is handed out is gone, answered or not.
    Forgets,
    /// Everything goes into one lane.
    MixesLanes,
    /// Acknowledgements do not reach the queue.
    LosesAnswers,
}

/// Which check finds a defect, and what it says.
pub const FOUND: [(Defect, &str, &str); 8] = [
    (Defect::Drops, "tasks_arrive_once_and_in_order", "was lost"),
    (Defect::Doubles, "tasks_arrive_once_and_in_order", "was doubled"),
    (Defect::Reorders, "tasks_arrive_once_and_in_order", "out of order"),
    (Defect::HangsPublishing, "tasks_arrive_once_and_in_order", "it hangs"),
    (Defect::HangsDelivering, "tasks_published_before_anybody_consumes_wait", "it hangs"),
    (Defect::Forgets, "what_is_unanswered_goes_back_when_the_consumer_ends", "it hangs"),
    (Defect::MixesLanes, "lanes_are_apart", "was doubled"),
    (Defect::LosesAnswers, "what_was_acknowledged_stays_away", "was doubled"),
];

/// A good queue, made bad.
pub struct Defective {
    queue: Arc<dyn Queue>,
    defect: Defect,
    published: AtomicUsize,
}

impl Defective {
    /// Puts a defect into a queue.
    pub fn new(queue: Arc<dyn Queue>, defect: Defect) -> Self {
        Self { queue, defect, published: AtomicUsize::new(0) }
    }
}

#[async_trait]
impl Queue for Defective {
    async fn publish(&self, lane: Lane, tasks: &[Task]) -> PortResult<()> {
        let mut sent = Vec::new();
        for task in tasks {
            let eighth = self.published.fetch_add(1, Ordering::Relaxed) % 8 == 7;
            let times = match self.defect {
                Defect::Drops if eighth => 0,
                Defect::Doubles if eighth => 2,
                _ => 1,
            };
            sent.extend(std::iter::repeat_n(task.clone(), times));
        }
        match self.defect {
            Defect::Reorders if sent.len() > 3 => sent.swap(1, 2),
            Defect::HangsPublishing => std::future::pending().await,
            _ => {}
        }
        let lane = if self.defect == Defect::MixesLanes { Lane::Import } else { lane };
        self.queue.publish(lane, &sent).await
    }

    async fn consume(&self, lane: Lane, prefetch: u16) -> PortResult<Box<dyn Deliveries>> {
        let deliveries = self.queue.consume(lane, prefetch).await?;
        Ok(Box::new(DefectiveDeliveries { deliveries, defect: self.defect, delivered: 0 }))
    }

    async fn depth(&self, lane: Lane) -> PortResult<u64> {
        self.queue.depth(lane).await
    }

    async fn ready(&self) -> PortResult<()> {
        self.queue.ready().await
    }
}

struct DefectiveDeliveries {
    deliveries: Box<dyn Deliveries>,
    defect: Defect,
    delivered: usize,
}

#[async_trait]
impl Deliveries for DefectiveDeliveries {
    async fn next(&mut self) -> PortResult<Delivery> {
        if self.defect == Defect::HangsDelivering && self.delivered == 10 {
            std::future::pending::<()>().await;
        }
        let delivery = self.deliveries.next().await?;
        self.delivered += 1;
        let (task, redelivered) = (delivery.task.clone(), delivery.redelivered);
        match self.defect {
            Defect::Forgets => {
                delivery.ack().await?;
                Ok(Delivery::new(task, redelivered, Box::new(NoAnswer { _kept: None })))
            }
            Defect::LosesAnswers => {
                Ok(Delivery::new(task, redelivered, Box::new(NoAnswer { _kept: Some(delivery) })))
            }
            _ => Ok(delivery),
        }
    }
}

/// An answer that goes nowhere.
struct NoAnswer {
    _kept: Option<Delivery>,
}

#[async_trait]
impl Answer for NoAnswer {
    async fn ack(self: Box<Self>) -> PortResult<()> {
        Ok(())
    }

    async fn release(self: Box<Self>) -> PortResult<()> {
        Ok(())
    }
}
