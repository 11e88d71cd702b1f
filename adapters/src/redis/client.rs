//! How a request reaches Redis in bounded time: one shared connection, made when it is needed and dropped
//! after a failure, behind a circuit that keeps callers away from a server that does not answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use carrack_shared::error::{ErrorKind, PortError, PortResult};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, FromRedisValue, Pipeline, RedisError, RedisResult};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::circuit::Circuit;
use crate::redact::Redacted;

/// The service's name in messages.
const SERVICE: &str = "redis";

/// The port's promise: no call takes longer.
const CALL: Duration = Duration::from_millis(250);

/// A connection may take longer than a call (a far server, TLS): it is made in a task of its own, and the
/// call that wanted it gives up while the next ones find it.
const CONNECT: Duration = Duration::from_secs(2);

/// A server that is asked in bounded time.
pub struct Client {
    server: redis::Client,
    /// The URL as it may be shown.
    shown: String,
    connection: Arc<Mutex<Option<MultiplexedConnection>>>,
    circuit: Circuit,
}

impl Client {
    /// Prepares for the server at `url`, without asking it anything.
    pub fn new(url: &str) -> PortResult<Self> {
        let shown = Redacted(url).to_string();
        let server = redis::Client::open(url).map_err(|error| {
            let message = format!("{shown} is not the URL of a server: {}", error.category());
            PortError::new(ErrorKind::Refused, SERVICE, message)
        })?;
        Ok(Self { server, shown, connection: Arc::default(), circuit: Circuit::default() })
    }

    /// Sends a request; `doing` is its verb.
    pub async fn ask<T: FromRedisValue>(&self, doing: &str, request: &Pipeline) -> PortResult<T> {
        if !self.circuit.admits(Instant::now()) {
            let message = format!("{doing}: {} did not answer a moment ago", self.shown);
            return Err(PortError::new(ErrorKind::Unavailable, SERVICE, message));
        }
        let answer = timeout(CALL, async {
            let mut connection = self.connection().await?;
            request.query_async(&mut connection).await
        });
        let failure = match answer.await {
            Ok(Ok(answer)) => {
                self.circuit.succeeded();
                return Ok(answer);
            }
            Ok(Err(error)) if is_reply(&error) => {
                self.circuit.succeeded();
                return Err(self.refused(doing, error));
            }
            Ok(Err(error)) => self.unavailable(doing, "failed").because(error),
            Err(_) => self.unavailable(doing, "took longer than 250 ms"),
        };
        if self.circuit.failed(Instant::now()) {
            tracing::warn!(server = self.shown, error = failure.chain(), "redis does not answer");
        }
        // Whoever is connecting keeps the lock, and will replace what is in it.
        if let Ok(mut connection) = self.connection.try_lock() {
            *connection = None;
        }
        Err(failure)
    }

    /// The shared connection. What connects goes on when the caller gives up.
    async fn connection(&self) -> RedisResult<MultiplexedConnection> {
        let (server, shared) = (self.server.clone(), Arc::clone(&self.connection));
        let mut slot = shared.lock_owned().await;
        if let Some(connection) = slot.as_ref() {
            return Ok(connection.clone());
        }
        let connecting = tokio::spawn(async move {
            // Calls have their own, shorter bound.
            let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT));
            let connection = server.get_multiplexed_async_connection_with_config(&config).await?;
            *slot = Some(connection.clone());
            Ok(connection)
        });
        connecting.await.map_err(|error| RedisError::from(std::io::Error::other(error)))?
    }

    fn unavailable(&self, doing: &str, what: &str) -> PortError {
        PortError::new(ErrorKind::Unavailable, SERVICE, format!("{doing} at {} {what}", self.shown))
    }

    fn refused(&self, doing: &str, error: RedisError) -> PortError {
        let kind = match error.code() {
            Some("OOM") => ErrorKind::Full,
            Some("NOAUTH" | "NOPERM" | "WRONGPASS") => ErrorKind::Denied,
            Some("LOADING" | "READONLY" | "BUSY" | "TRYAGAIN" | "CLUSTERDOWN") => ErrorKind::Unavailable,
            _ => ErrorKind::Refused,
        };
        PortError::new(kind, SERVICE, format!("{doing} at {} was refused", self.shown)).because(error)
    }
}

/// Whether the server lives and said no.
fn is_reply(error: &RedisError) -> bool {
    error.code().is_some()
}
