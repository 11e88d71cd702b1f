//! A queue that the broker has and does not serve: when to believe it, and what to do then.
//!
//! RabbitMQ 3.10 that is killed within a second of declaring a quorum queue can come back with the queue's
//! name and without its log. Declaring the queue is answered as if all were well; whoever consumes from it or
//! publishes to it waits for ever, after every further restart, too. What it held is lost in any case, and
//! only hints: the queue is deleted, the next connection declares it, and the janitor sends the tasks again.
//!
//! Only a start to consume counts as a sign. A broker short of memory or disk keeps publishers waiting, and
//! there is nothing wrong with its queues then.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use carrack_shared::error::PortError;
use carrack_shared::task::Lane;
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{FieldTable, ShortString};

use super::fault;
use super::line::Broker;

/// Signs in a row, each with a broker that answers otherwise, after which a queue is taken for broken.
const SIGNS: u32 = 3;

/// Deletions in a row that double the signs for the next one: where deleting does not help, it is not to be
/// done every few seconds.
const DOUBLINGS: u32 = 6;

/// Deleting a queue: RabbitMQ 3.10 waits 5 s for the one that is not there before it goes on without it.
const DELETED: Duration = Duration::from_secs(20);

/// What is held against each queue.
#[derive(Default)]
pub struct Suspects(Mutex<HashMap<Lane, Suspect>>);

#[derive(Debug, Clone, Copy, Default)]
struct Suspect {
    signs: u32,
    deletions: u32,
}

impl Suspects {
    /// Notes a sign. Answers whether the queue is to be deleted now.
    fn note(&self, lane: Lane) -> bool {
        let mut suspects = self.lock();
        let suspect = suspects.entry(lane).or_default();
        suspect.signs += 1;
        let broken = suspect.signs >= SIGNS << suspect.deletions.min(DOUBLINGS);
        if broken {
            *suspect = Suspect { signs: 0, deletions: suspect.deletions.saturating_add(1) };
        }
        broken
    }

    /// The next sign begins a new row.
    fn interrupt(&self, lane: Lane) {
        if let Some(suspect) = self.lock().get_mut(&lane) {
            suspect.signs = 0;
        }
    }

    fn clear(&self, lane: Lane) {
        self.lock().remove(&lane);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Lane, Suspect>> {
        // Holders only assign, so that a poisoned lock guards a whole value.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Broker {
    /// The queue was served.
    pub fn serves(&self, lane: Lane) {
        self.suspects.clear(lane);
    }

    /// The queue was not served, with this error; deletes it once that is sure.
    pub async fn does_not_serve(&self, lane: Lane, error: &PortError) {
        // A broker that does not answer to anybody says nothing about its queues.
        let Some((_connection, channel)) = self.witness(error).await else {
            self.suspects.interrupt(lane);
            return;
        };
        if !self.suspects.note(lane) {
            return;
        }
        let queue = self.names.lane(lane);
        if consumers(&channel, &queue).await > 0 {
            tracing::debug!(queue = queue.as_str(), "the queue serves others, it is left as it is");
            return;
        }
        tracing::warn!(
            queue = queue.as_str(),
            error = error.chain(),
            "the broker has a queue that it does not serve: deleting it, to declare it anew; its tasks are sent again"
        );
        let deleted = channel.queue_delete(queue, QueueDeleteOptions::default());
        if let Err(error) = fault::within(DELETED, "delete a queue", deleted).await {
            tracing::warn!(error = error.chain(), "a queue that is not served could not be deleted");
        }
    }

    /// A connection to a broker that answers, if the error is one of a queue alone.
    async fn witness(&self, error: &PortError) -> Option<(lapin::Connection, lapin::Channel)> {
        if !fault::is_of_a_queue(error) {
            return None;
        }
        self.connect("witness").await.ok()
    }
}

/// Who is served from the queue. A broker without the queue's log knows of nobody, or does not say.
async fn consumers(channel: &lapin::Channel, queue: &ShortString) -> u32 {
    let look = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let declared = channel.queue_declare(queue.clone(), look, FieldTable::default());
    fault::within(DELETED, "look at a queue", declared).await.map_or(0, |queue| queue.consumer_count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_signs_in_a_row_condemn_a_queue_and_the_next_time_twice_as_many() {
        let suspects = Suspects::default();
        for _ in 0..2 {
            assert!(!suspects.note(Lane::Import) && !suspects.note(Lane::Import));
            assert!(!suspects.note(Lane::Export), "each queue has its own");
            suspects.clear(Lane::Import);
            suspects.clear(Lane::Export);
        }
        for _ in 0..5 {
            assert!(!suspects.note(Lane::Import) && !suspects.note(Lane::Import));
            suspects.interrupt(Lane::Import);
        }
        for needed in [3, 6, 12] {
            let signs = (1..=100).find(|_| suspects.note(Lane::Import));
            assert_eq!(signs, Some(needed));
        }
        suspects.clear(Lane::Import);
        assert_eq!((1..=100).find(|_| suspects.note(Lane::Import)), Some(SIGNS), "it was well in between");
    }
}
