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
use carrack_shared::port::records::{Snapshot, TablePlan};
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

    async fn plan(&mut self, data_type: &Arc<DataType>, rows: u32) -> PortResult<TablePlan> {
        let data_type = Arc::clone(data_type);
        self.thread.run(move |connection| plan(connection, &data_type, rows)).await
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

fn plan(connection: &Connection, data_type: &DataType, rows: u32) -> SqlResult<TablePlan> {
    if !tables::exists(connection, data_type)? {
        return Ok(TablePlan::default());
    }
    let has_extra = scalar(connection, &tables::has_extra(data_type), [])?;
    let mut statement = connection.prepare_cached(&tables::keys(data_type))?;
    let mut found = statement.query([])?;
    let mut ranges: Vec<KeyRange> = Vec::new();
    let mut last = String::new();
    let mut in_range = 0;
    while let Some(row) = found.next()? {
        let key = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        if in_range == rows.max(1) || ranges.is_empty() {
            close(&mut ranges, &last, in_range);
            ranges.push(KeyRange { from: key.to_owned(), to: String::new(), rows: 0 });
            in_range = 0;
        }
        in_range += 1;
        last.clear();
        last.push_str(key);
    }
    close(&mut ranges, &last, in_range);
    Ok(TablePlan { ranges, has_extra })
}

fn close(ranges: &mut [KeyRange], last: &str, rows: u32) {
    if let Some(range) = ranges.last_mut() {
        last.clone_into(&mut range.to);
        range.rows = rows;
    }
}
