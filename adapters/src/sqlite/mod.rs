//! The database of the embedded mode: one SQLite file behind every port of `shared::port::Store`.
//!
//! # Who touches the file
//! One thread owns the only connection that writes ([`thread`]); everything that changes the file goes to
//! it as a closure and runs there as one `IMMEDIATE` transaction. That thread is the barrier of the
//! protocol: a cancel runs before or after a commit, never beside one. Two other connections answer reads,
//! so that progress never waits behind a commit. Every open snapshot has a connection of its own.
//!
//! Other processes may open the same file at the same time (`carrack operations show` during an import):
//! SQLite's own locks order the writers.
//!
//! # What survives what
//! Write-ahead log, `synchronous=FULL`: a transaction whose commit was answered survives a power cut, one
//! that was not is there whole or not at all. Nothing is ever repeated after a failed fsync: the error goes
//! to the caller as it is.

mod batches;
mod claim;
mod clock;
mod commit;
mod conditions;
mod connect;
mod date;
mod error;
mod extent;
mod fill;
mod finalise;
#[cfg(test)]
mod full;
mod images;
mod ledger;
mod load;
mod losers;
mod merge;
mod merged_stage;
mod migrate;
mod operations;
mod outbox;
mod planning;
mod publish;
mod records;
mod rejects;
mod rescue;
mod row;
mod scan;
mod snapshot;
mod stage;
mod stored;
mod tables;
mod takeovers;
mod templates;
mod thread;
mod tokens;
mod undo;
mod undoing;
mod verifying;
mod workers;

use std::path::Path;
use std::sync::Arc;

use carrack_shared::error::PortResult;

use self::connect::Role;
use self::error::located;
use self::publish::Stopping;
use self::snapshot::Snapshots;
use self::thread::{ConnectionThread, Readers};

/// An open database file.
#[derive(Debug)]
pub struct SqliteStore {
    path: Arc<Path>,
    snapshots: Arc<Snapshots>,
    /// Operations that somebody wants to cancel: the writer may be busy with them.
    stopping: Arc<Stopping>,
    // Closed in this order: the last connection of all tidies up, and readers must not write.
    reader: Readers,
    writer: ConnectionThread,
}

impl SqliteStore {
    /// Opens the file, makes it if it is missing, and brings its tables up to date.
    ///
    /// # Errors
    /// `Refused`, naming the file, when it is not a database of Carrack, was written by a newer Carrack, is
    /// damaged or may not be written.
    pub fn open(path: &Path) -> PortResult<Arc<Self>> {
        let path: Arc<Path> = path.into();
        let mut connection = connect::open(&path, Role::Writer).map_err(|trouble| located(trouble, &path))?;
        migrate::run(&mut connection).map_err(|trouble| located(trouble, &path))?;
        Ok(Arc::new(Self {
            writer: ConnectionThread::start(Role::Writer, connection, Arc::clone(&path))?,
            reader: Readers::open(&path)?,
            snapshots: Arc::default(),
            stopping: Arc::default(),
            path,
        }))
    }
}
