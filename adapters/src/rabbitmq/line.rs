//! One connection to the broker with one channel, and everything declared. It is never mended: after any
//! error, doubt or silence it is dropped, and the next one is made. The client's own recovery stays off; in
//! tests it left confirms unanswered and consumers asleep for more than ten seconds.

use std::time::{Duration, Instant};

use carrack_shared::error::PortResult;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties};
use url::Url;

use super::fault::{refused, within};
use super::pace::Pace;
use super::topology::{self, Names};
use super::unserved::Suspects;
use crate::redact::Redacted;

/// Making a connection, handshakes included.
const CONNECT: Duration = Duration::from_secs(10);

/// Any other answer of the broker.
pub const ANSWER: Duration = Duration::from_secs(5);

/// What stands before the names of queues unless the URL says otherwise.
const PREFIX: &str = "carrack";

/// Seconds between heartbeats unless the URL says otherwise: a peer that is silent for two is gone. The
/// broker's own default of 60 would leave the work of a frozen worker lying for two minutes.
const HEARTBEAT: &str = "10";

/// Where the broker is.
pub struct Broker {
    uri: AMQPUri,
    /// The URL as it may be shown.
    pub shown: String,
    /// What its queues are called.
    pub names: Names,
    /// Queues that it may not serve.
    pub suspects: Suspects,
}

/// A connection with a channel.
pub struct Line {
    /// Dropped, with the channel, it is closed.
    connection: Connection,
    /// The channel.
    pub channel: Channel,
}

impl Broker {
    /// Reads `amqp://USER:PASSWORD@HOST:PORT/VHOST?prefix=…`.
    pub fn parse(text: &str) -> PortResult<Self> {
        let shown = Redacted(text).to_string();
        let mut url =
            Url::parse(text).map_err(|error| refused(format!("{shown} is not a URL")).because(error))?;
        let mut parameters: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let prefix =
            parameters.iter().rev().find(|(name, _)| name == "prefix").map(|(_, value)| value.as_str());
        let prefix = prefix.unwrap_or(PREFIX);
        let names = Names::new(prefix).ok_or_else(|| {
            refused(format!(
                "{shown}: prefix={prefix:?}: expected at most 200 letters, digits, '.', '_' and '-', not \"amq.\""
            ))
        })?;
        parameters.retain(|(name, _)| name != "prefix");
        if !parameters.iter().any(|(name, _)| name == "heartbeat") {
            parameters.push(("heartbeat".to_owned(), HEARTBEAT.to_owned()));
        }
        url.query_pairs_mut().clear().extend_pairs(parameters);
        // The parser's message may repeat a part of the URL, and with it the password.
        let uri = url.as_str().parse();
        let uri = uri.map_err(|_: String| refused(format!("{shown} is not the URL of a broker")))?;
        Ok(Self { uri, shown, names, suspects: Suspects::default() })
    }

    /// Connects and declares everything, after the pause that earlier failures demand.
    pub async fn open(&self, purpose: &str, pace: &Pace) -> PortResult<Line> {
        pace.wait().await;
        let opened = self.try_open(purpose).await;
        if opened.is_err() {
            pace.failed(Instant::now(), rand::random());
        }
        opened
    }

    async fn try_open(&self, purpose: &str) -> PortResult<Line> {
        let (connection, channel) = self.connect(purpose).await?;
        within(ANSWER, "declare the queues", topology::declare(&channel, &self.names)).await?;
        tracing::debug!(purpose, broker = self.shown, "connected");
        Ok(Line { connection, channel })
    }

    /// Connects, without a pause and without declaring anything.
    pub async fn connect(&self, purpose: &str) -> PortResult<(Connection, Channel)> {
        let name = format!("carrack {purpose}");
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let doing = format!("connect to {}", self.shown);
        let connection =
            within(CONNECT, &doing, Connection::connect_uri(self.uri.clone(), properties)).await?;
        let channel = within(ANSWER, "open a channel", connection.create_channel()).await?;
        Ok((connection, channel))
    }
}

impl Line {
    /// Whether the client believes that the line is up. It may be wrong for two heartbeats.
    pub fn is_up(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }
}

#[cfg(test)]
mod tests {
    use lapin::uri::AMQPQueryString;

    use super::*;

    #[test]
    fn our_own_parameter_does_not_reach_the_client() {
        let broker = Broker::parse("amqp://user:p%40ss@host:5673/%2f?prefix=test-1&frame_max=8192").unwrap();
        assert_eq!(broker.names, Names::new("test-1").unwrap());
        assert_eq!(broker.uri.authority.userinfo.password, "p@ss");
        assert_eq!(broker.uri.vhost, "/");
        let expected = AMQPQueryString { heartbeat: Some(10), frame_max: Some(8192), ..Default::default() };
        assert_eq!(broker.uri.query, expected);
        let broker = Broker::parse("amqp://host?heartbeat=30").unwrap();
        assert_eq!((broker.names, broker.uri.query.heartbeat), (Names::new("carrack").unwrap(), Some(30)));
    }

    #[test]
    fn mistakes_are_named_and_passwords_are_not() {
        for (url, expected) in [
            ("amqp://user:secret@host?prefix=a%20b", "prefix=\"a b\""),
            ("amqp://user:secret@host?heartbeat=x", "is not the URL of a broker"),
            ("amqp://user:secret@host:x", "is not a URL"),
        ] {
            let Err(error) = Broker::parse(url) else { panic!("{url} is accepted") };
            assert!(error.chain().contains(expected), "{url}: {}", error.chain());
            assert!(!error.chain().contains("secret"), "{url}: {}", error.chain());
        }
    }
}
