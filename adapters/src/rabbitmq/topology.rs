//! What stands in the broker: one quorum queue per lane, and one for messages that are no tasks, all with
//! every argument written out, because the defaults differ between RabbitMQ 3.10 and 4.x.

use carrack_shared::task::Lane;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, ExchangeKind};

/// Deliveries of a message before the broker gives it up. Far above the deaths that one record costs, so that
/// this only ends what nobody can; a task given up too early is announced again when its leases run out.
const DELIVERY_LIMIT: i32 = 50;

/// Messages that the queue of dead letters keeps, the newest.
const DEAD_LETTERS: i32 = 100_000;

/// The names of everything, from their common prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    prefix: String,
}

impl Names {
    /// Names that start with `prefix`; none if it cannot start a name.
    pub fn new(prefix: &str) -> Option<Self> {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        // Names are at most 255 bytes, and those that start with "amq." are the broker's own.
        let good = !prefix.is_empty() && prefix.len() <= 200 && prefix.bytes().all(letters);
        (good && !prefix.starts_with("amq.")).then(|| Self { prefix: prefix.to_owned() })
    }

    /// The queue of a lane.
    pub fn lane(&self, lane: Lane) -> ShortString {
        format!("{}.v1.{}", self.prefix, lane.as_str()).into()
    }

    /// The exchange and the queue of dead letters.
    pub fn dead(&self) -> ShortString {
        format!("{}.v1.dead", self.prefix).into()
    }
}

/// Declares everything. What stands already, with the same arguments, stays as it is.
pub async fn declare(channel: &Channel, names: &Names) -> lapin::Result<()> {
    let dead = names.dead();
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(dead.clone(), ExchangeKind::Fanout, durable, FieldTable::default()).await?;
    let mut arguments = quorum();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(DEAD_LETTERS));
    arguments.insert("x-overflow".into(), text("drop-head"));
    channel.queue_declare(dead.clone(), QueueDeclareOptions::durable(), arguments).await?;
    let binding = QueueBindOptions::default();
    channel.queue_bind(dead.clone(), dead.clone(), "".into(), binding, FieldTable::default()).await?;
    for lane in Lane::ALL {
        let mut arguments = quorum();
        arguments.insert("x-dead-letter-exchange".into(), text(dead.as_str()));
        // At least once, which RabbitMQ offers only together with reject-publish.
        arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
        arguments.insert("x-overflow".into(), text("reject-publish"));
        channel.queue_declare(names.lane(lane), QueueDeclareOptions::durable(), arguments).await?;
    }
    Ok(())
}

fn quorum() -> FieldTable {
    let mut arguments = FieldTable::default();
    // The only kind of queue that keeps a confirmed message when a node is lost.
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT));
    arguments
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_prefix() {
        let names = Names::new("carrack").unwrap();
        assert_eq!(names.lane(Lane::Import).as_str(), "carrack.v1.import");
        assert_eq!(names.lane(Lane::Export).as_str(), "carrack.v1.export");
        assert_eq!(names.dead().as_str(), "carrack.v1.dead");
        let (longest, long) = ("a".repeat(200), "a".repeat(201));
        assert!(Names::new(&longest).is_some());
        for bad in ["", "amq.a", "a b", "a/b", "ü", long.as_str()] {
            assert_eq!(Names::new(bad), None, "{bad:?}");
        }
    }
}
