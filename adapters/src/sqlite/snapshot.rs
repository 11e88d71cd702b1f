//! Snapshots: a connection with an open read transaction, registered under a name for as long as its
//! holder lives.
//!
//! All reads of a snapshot go through its one connection, for in SQLite no other can join its view. While
//! it is open the write-ahead log cannot be reset and grows with every commit.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::port::records::Snapshot;
use carrack_shared::schema::DataType;
use carrack_shared::segment::KeyRange;
use rusqlite::Connection;
use uuid::Uuid;

use super::connect::{self, Role};
use super::error::{SERVICE, SqlResult, located};
use super::stored::scalar;
use super::tables;
use super::thread::ConnectionThread;

/// The open snapshots of this process, by name.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    open: Mutex<HashMap<String, Arc<ConnectionThread>>>,
}

impl Snapshots {
    /// The connection of a snapshot.
    ///
    /// # Errors
    /// `SnapshotGone` when its holder has ended.
    pub fn find(&self, id: &str) -> PortResult<Arc<ConnectionThread>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(id).cloned().ok_or_else(|| {
            let message = format!("the snapshot {id:?} is not open in this process");
            PortError::new(ErrorKind::SnapshotGone, SERVICE, message)
        })
    }

    fn add(&self, id: &str, thread: Arc<ConnectionThread>) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), thread);
    }

    fn remove(&self, id: &str) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

/// A snapshot's holder.
pub(super) struct SqliteSnapshot {
    id: String,
    thread: Arc<ConnectionThread>,
    registry: Arc<Snapshots>,
}

impl SqliteSnapshot {
    /// Opens a snapshot of the file as it is now. Blocks.
    pub fn open(path: &Arc<Path>, registry: Arc<Snapshots>) -> PortResult<Self> {
        let connection = begin(path).map_err(|trouble| located(trouble, path))?;
        let thread = Arc::new(ConnectionThread::start(Role::Reader, connection, Arc::clone(path))?);
        let id = Uuid::now_v7().to_string();
        registry.add(&id, Arc::clone(&thread));
        Ok(Self { id, thread, registry })
    }
}

impl Drop for SqliteSnapshot {
    fn drop(&mut self) {
        self.registry.remove(&self.id);
    }
}

#[async_trait]
impl Snapshot for SqliteSnapshot {
    fn id(&self) -> &str {
        &self.id
    }

    async fn has_extra(&mut self, data_type: &Arc<DataType>) -> PortResult<bool> {
        let data_type = Arc::clone(data_type);
        self.thread.run(move |connection| has_extra(connection, &data_type)).await
    }

    async fn next_range(
        &mut self,
        data_type: &Arc<DataType>,
        behind: Option<&KeyRange>,
        rows: u32,
    ) -> PortResult<Option<KeyRange>> {
        let (data_type, behind) = (Arc::clone(data_type), behind.cloned());
        self.thread.run(move |connection| next_range(connection, &data_type, behind.as_ref(), rows)).await
    }

    async fn alive(&mut self) -> PortResult<()> {
        self.thread.run(|connection| scalar::<i64>(connection, "SELECT 1", []).map(drop)).await
    }
}

fn begin(path: &Path) -> SqlResult<Connection> {
    let connection = connect::open(path, Role::Reader)?;
    connection.execute("BEGIN", [])?;
    // The view is fixed by the first read, not by BEGIN.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

fn has_extra(connection: &Connection, data_type: &DataType) -> SqlResult<bool> {
    Ok(tables::exists(connection, data_type)? && scalar(connection, &tables::has_extra(data_type), [])?)
}

fn next_range(
    connection: &Connection,
    data_type: &DataType,
    behind: Option<&KeyRange>,
    rows: u32,
) -> SqlResult<Option<KeyRange>> {
    if behind.is_none() && !tables::exists(connection, data_type)? {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached(&tables::range(data_type, behind.is_some()))?;
    statement.raw_bind_parameter(1, rows.max(1))?;
    if let Some(before) = behind {
        statement.raw_bind_parameter(2, &before.to)?;
    }
    let mut found = statement.raw_query();
    let Some(row) = found.next()? else { return Ok(None) };
    let Some(from) = row.get(0)? else { return Ok(None) };
    let first = behind.map_or(1, KeyRange::next);
    Ok(Some(KeyRange { table: 0, from, to: row.get(1)?, first, rows: row.get(2)? }))
}
