//! PostgreSQL: the store of the fleet.
//!
//! Control tables stand in schema `carrack`, data tables in `carrack_data`. Every decision runs by the
//! database's clock, every change of state is a compare-and-set, and whatever a batch does happens in one
//! transaction behind the shared side of its operation's barrier (see [`commit`]).

mod batches;
mod bisect;
mod claim;
mod commit;
mod conditions;
mod connection;
mod copy;
mod encode;
mod error;
mod fill;
mod finalise;
mod load;
mod merge;
mod merged_stage;
mod migrate;
mod operation_row;
mod operations;
mod outbox;
mod pace;
mod planning;
mod publish;
mod reading;
mod records;
mod rejects;
mod scalar;
mod scan;
mod segment_row;
mod snapshot;
mod sql;
mod stage;
mod stage_statements;
mod tables;
mod takeover;
mod templates;
mod tls;
mod tokens;
mod undo;
mod undo_statements;
mod undoing;
mod verify_statements;
mod verifying;
mod workers;

use std::sync::Arc;

use carrack_shared::error::PortResult;
use deadpool_postgres::{Object, Pool};

use connection::Connector;
use pace::Pace;

/// Where the database is and how many connections to it are kept.
#[derive(Clone)]
pub struct Settings {
    /// `postgres://user:password@host:port/database?sslmode=…`, as libpq reads it.
    pub url: String,
    /// The most connections of the pool. A worker needs one per batch that it runs, and two more for
    /// claims and heartbeats; snapshots have their own.
    pub pool_size: usize,
}

/// The store.
pub struct PostgresStore {
    connector: Connector,
    pool: Pool,
    pace: Pace,
}

impl PostgresStore {
    /// Connects, refuses a server whose settings void our promises, and brings the control tables up to
    /// date. Any number of processes may do so at once.
    ///
    /// # Errors
    /// `Unavailable`, `Denied`; `Refused` for a URL that cannot be read or a setting that is named.
    pub async fn connect(settings: Settings) -> PortResult<Arc<Self>> {
        let connector = Connector::new(&settings.url).await?;
        let mut client = connector.pool(1)?.get().await.map_err(error::pool)?;
        connection::check_settings(&client).await?;
        migrate::run(&mut client).await?;
        let pool = connector.pool(settings.pool_size)?;
        Ok(Arc::new(Self { connector, pool, pace: Pace::default() }))
    }

    async fn client(&self) -> PortResult<Object> {
        self.pool.get().await.map_err(error::lost)
    }
}
