//! Connections: how they are made, how they notice that the other side is gone, and which servers are
//! refused.

use std::str::FromStr;
use std::time::Duration;

use carrack_shared::error::{ErrorKind, PortError, PortResult};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio_postgres::config::SslMode;
use tokio_postgres::{CancelToken, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::{self, SERVICE};
use super::{sql, tls};

/// For how long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For how long a caller waits for a connection of the pool to be free.
const POOL_WAIT: Duration = Duration::from_secs(30);
/// When a silent connection is first asked whether it lives, how often then, and how many silences end it:
/// a partitioned server is noticed after 30 s, the length of a lease.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(15), Duration::from_secs(5), 3);
/// For how long sent bytes may stay unacknowledged: keepalives do not run while data is on the way.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    config: Config,
    tls: MakeRustlsConnect,
}

impl Connector {
    /// Reads the URL and settles whether TLS is used.
    ///
    /// `sslmode=require` insists on TLS with a certificate that the system's roots vouch for (libpq would
    /// take any). `prefer`, the default, tries the same and goes on without TLS where that fails, as in
    /// libpq; this is settled once, here.
    pub(super) async fn new(url: &str) -> PortResult<Self> {
        let mut config = Config::from_str(url).map_err(|error| {
            let message = "the database url cannot be read, expected postgres://user:password@host/database";
            PortError::new(ErrorKind::Refused, SERVICE, message).because(error)
        })?;
        let (idle, interval, retries) = KEEPALIVE;
        config
            .application_name("carrack")
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives(true)
            .keepalives_idle(idle)
            .keepalives_interval(interval)
            .keepalives_retries(retries)
            .tcp_user_timeout(UNACKNOWLEDGED);
        let mut connector = Self { config, tls: tls::connect() };
        if connector.config.get_ssl_mode() == SslMode::Prefer
            && let Err(error) = connector.config.connect(connector.tls.clone()).await
            && error.as_db_error().is_none()
        {
            tracing::debug!(%error, "no verified tls to postgresql, going on without");
            connector.config.ssl_mode(SslMode::Disable);
        }
        Ok(connector)
    }

    /// A connection of its own, which closes when it is dropped.
    pub(super) async fn dedicated(&self) -> PortResult<Object> {
        self.pool(1)?.get().await.map_err(error::lost)
    }

    /// A pool of connections.
    pub(super) fn pool(&self, size: usize) -> PortResult<Pool> {
        // Verified: one round trip for each use, so that a connection that broke while it was idle is
        // replaced instead of failing a batch.
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Verified };
        let manager = Manager::from_config(self.config.clone(), self.tls.clone(), recycling);
        Pool::builder(manager)
            .max_size(size.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(POOL_WAIT))
            .create_timeout(Some(CONNECT_TIMEOUT))
            .build()
            .map_err(|error| error::internal("cannot build the pool").because(error))
    }

    /// Stops whatever the connection of `token` is running.
    pub(super) async fn cancel(&self, token: CancelToken) -> Result<(), tokio_postgres::Error> {
        token.cancel_query(self.tls.clone()).await
    }
}

/// Settings without which a commit that was answered may be lost, or a page torn, in a crash.
const NEVER_OFF: [&str; 3] = ["fsync", "full_page_writes", "synchronous_commit"];

/// Refuses a server on which our promises do not hold.
pub(super) async fn check_settings(client: &Object) -> PortResult<()> {
    const SQL: &str = "SELECT name FROM pg_settings WHERE name = ANY($1) AND setting = 'off' ORDER BY name";
    let rows = sql::query(client, "check the server's settings", SQL, &[&&NEVER_OFF[..]]).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let name: String = sql::get(row, "name")?;
    let message = format!("the server's setting {name} is off, expected on: a crash would lose commits");
    Err(PortError::new(ErrorKind::Refused, SERVICE, message))
}
