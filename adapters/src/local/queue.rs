//! A queue in the memory of this process, with RabbitMQ's manners: in order, at most `prefetch` unanswered,
//! whatever is not answered goes back to its place when the consumer ends, marked as redelivered.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::port::Queue;
use carrack_shared::port::queue::{Answer, Deliveries, Delivery};
use carrack_shared::task::{Lane, Task};
use tokio::sync::Notify;

/// The service's name in messages.
const SERVICE: &str = "memory queue";

/// Tasks that a lane holds, waiting or out. The relay sends a window of each operation only, so that a full
/// lane means a defect.
pub const LANE_TASKS: usize = 100_000;

/// Queues that end with this process.
pub struct MemoryQueue {
    lanes: HashMap<Lane, Arc<LaneQueue>>,
}

#[derive(Default)]
struct LaneQueue {
    tasks: Mutex<LaneTasks>,
    changed: Notify,
}

#[derive(Default)]
struct LaneTasks {
    published: u64,
    consumers: u64,
    handed_out: u64,
    /// By the number of their publishing, so that one that comes back finds its place.
    waiting: BTreeMap<u64, Waiting>,
    /// By the number of their handing out, so that a late answer never meets another consumer's delivery.
    out: BTreeMap<u64, Out>,
}

struct Waiting {
    task: Task,
    redelivered: bool,
}

struct Out {
    task: Task,
    published: u64,
    consumer: u64,
}

impl MemoryQueue {
    /// Empty queues.
    #[allow(clippy::new_without_default)] // a queue is made once, in `connect`, and says so there
    pub fn new() -> Self {
        Self { lanes: Lane::ALL.into_iter().map(|lane| (lane, Arc::default())).collect() }
    }

    fn lane(&self, lane: Lane) -> PortResult<&Arc<LaneQueue>> {
        let missing = || PortError::new(ErrorKind::Internal, SERVICE, format!("no lane {}", lane.as_str()));
        self.lanes.get(&lane).ok_or_else(missing)
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn publish(&self, lane: Lane, tasks: &[Task]) -> PortResult<()> {
        let queue = self.lane(lane)?;
        {
            let mut held = queue.lock();
            let after = held.waiting.len() + held.out.len() + tasks.len();
            if after > LANE_TASKS {
                let message =
                    format!("the lane {} would hold {after} tasks, its limit is {LANE_TASKS}", lane.as_str());
                return Err(PortError::new(ErrorKind::Unavailable, SERVICE, message));
            }
            for task in tasks {
                held.published += 1;
                let number = held.published;
                held.waiting.insert(number, Waiting { task: task.clone(), redelivered: false });
            }
        }
        queue.changed.notify_waiters();
        Ok(())
    }

    async fn consume(&self, lane: Lane, prefetch: u16) -> PortResult<Box<dyn Deliveries>> {
        let queue = Arc::clone(self.lane(lane)?);
        let consumer = {
            let mut held = queue.lock();
            held.consumers += 1;
            held.consumers
        };
        // As in AMQP, where a prefetch of 0 would mean "without a limit", which nobody may ask for.
        let prefetch = usize::from(prefetch.max(1));
        Ok(Box::new(MemoryDeliveries { queue, consumer, prefetch }))
    }

    async fn depth(&self, lane: Lane) -> PortResult<u64> {
        Ok(self.lane(lane)?.lock().waiting.len() as u64)
    }

    async fn ready(&self) -> PortResult<()> {
        Ok(())
    }
}

impl LaneQueue {
    fn lock(&self) -> MutexGuard<'_, LaneTasks> {
        // No holder of this lock can panic between two changes that belong together.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LaneTasks {
    /// Hands the first waiting task out, if the consumer may hold one more.
    fn hand_out(&mut self, consumer: u64, prefetch: usize) -> Option<(u64, Waiting)> {
        if self.out.values().filter(|out| out.consumer == consumer).count() >= prefetch {
            return None;
        }
        let (published, waiting) = self.waiting.pop_first()?;
        self.handed_out += 1;
        self.out.insert(self.handed_out, Out { task: waiting.task.clone(), published, consumer });
        Some((self.handed_out, waiting))
    }

    /// Takes back what was handed out under this number, if it still is out.
    fn take_back(&mut self, number: u64) -> bool {
        let Some(out) = self.out.remove(&number) else { return false };
        self.waiting.insert(out.published, Waiting { task: out.task, redelivered: true });
        true
    }
}

struct MemoryDeliveries {
    queue: Arc<LaneQueue>,
    consumer: u64,
    prefetch: usize,
}

#[async_trait]
impl Deliveries for MemoryDeliveries {
    async fn next(&mut self) -> PortResult<Delivery> {
        loop {
            // Registered before looking, so that a change between looking and waiting is not missed.
            let changed = self.queue.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let handed_out = self.queue.lock().hand_out(self.consumer, self.prefetch);
            if let Some((number, Waiting { task, redelivered })) = handed_out {
                let answer = MemoryAnswer { queue: Arc::clone(&self.queue), number };
                return Ok(Delivery::new(task, redelivered, Box::new(answer)));
            }
            changed.await;
        }
    }
}

impl Drop for MemoryDeliveries {
    fn drop(&mut self) {
        {
            let mut held = self.queue.lock();
            let ours = held.out.iter().filter(|(_, out)| out.consumer == self.consumer);
            for number in ours.map(|(number, _)| *number).collect::<Vec<_>>() {
                held.take_back(number);
            }
        }
        self.queue.changed.notify_waiters();
    }
}

/// The answer to one delivery; dropping it without an answer gives the task back.
struct MemoryAnswer {
    queue: Arc<LaneQueue>,
    number: u64,
}

#[async_trait]
impl Answer for MemoryAnswer {
    async fn ack(self: Box<Self>) -> PortResult<()> {
        let was_out = self.queue.lock().out.remove(&self.number).is_some();
        self.queue.changed.notify_waiters();
        was_out.then_some(()).ok_or_else(too_late)
    }

    async fn release(self: Box<Self>) -> PortResult<()> {
        let was_out = self.queue.lock().take_back(self.number);
        self.queue.changed.notify_waiters();
        was_out.then_some(()).ok_or_else(too_late)
    }
}

impl Drop for MemoryAnswer {
    fn drop(&mut self) {
        if self.queue.lock().take_back(self.number) {
            self.queue.changed.notify_waiters();
        }
    }
}

fn too_late() -> PortError {
    PortError::new(ErrorKind::Unavailable, SERVICE, "the consumer ended before its delivery was answered")
}
