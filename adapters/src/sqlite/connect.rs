//! Opens connections: every setting of SQLite that we rely on, with its reason.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::error::{SqlResult, refused};

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The one that changes the file.
    Writer,
    /// One that must not.
    Reader,
}

/// Another process holds the write lock only as long as one transaction takes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two tries to switch to the write-ahead log; the switch takes about as long.
const SWITCH_PAUSE: Duration = Duration::from_millis(5);
/// Pages in memory, in KiB. The writer's must hold the pages that one batch changes, or they go to the disk
/// twice; readers go from page to page.
const WRITER_CACHE_KIB: i64 = 16 * 1024;
const READER_CACHE_KIB: i64 = 2 * 1024;
/// Measured with rows of 430 bytes, pages of 16 KiB load 1.6 times as fast as the default of 4 KiB, and scan
/// faster (`docs/decisions/0002-loading-into-sqlite.md`).
const PAGE_BYTES: i64 = 16 * 1024;
/// The log is copied into the file when it has grown so far, so that many batches share the random pages
/// that their keys touch: 64 MiB load random keys 1.3 times as fast as 16 MiB.
const CHECKPOINT_PAGES: i64 = 64 * 1024 * 1024 / PAGE_BYTES;
/// A log that grew behind a long snapshot is cut back to this.
const LOG_BYTES: i64 = 128 * 1024 * 1024;
/// Statements that are kept prepared.
const STATEMENTS: usize = 128;

/// Opens `path`. A writer makes the file if it is missing.
pub(super) fn open(path: &Path, role: Role) -> SqlResult<Connection> {
    // No URI: the path is the user's, whatever characters are in it. No mutex: the thread owns it.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let create = if role == Role::Writer { OpenFlags::SQLITE_OPEN_CREATE } else { OpenFlags::empty() };
    let connection = Connection::open_with_flags(path, flags | create)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Without this a column that its user dropped would read as its own name, as a string.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    match role {
        Role::Writer => prepare_writer(&connection)?,
        Role::Reader => {
            connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
            connection.pragma_update(None, "query_only", true)?;
        }
    }
    Ok(connection)
}

fn prepare_writer(connection: &Connection) -> SqlResult<()> {
    // Counts only before the first page is written.
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    let mode = write_ahead(connection)?;
    if mode != "wal" {
        return Err(refused(format!(
            "found journal mode {mode:?}, expected \"wal\": a network file system?"
        )));
    }
    // NORMAL may lose answered commits in a power cut.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    Ok(())
}

/// Switches a new file to the write-ahead log. Of several processes that open it at once one switches; the
/// others are told that it is locked, without the wait that every other statement has: SQLite does not wait
/// where it sees that both could wait for each other.
fn write_ahead(connection: &Connection) -> SqlResult<String> {
    let started = Instant::now();
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)) {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && started.elapsed() < BUSY_TIMEOUT =>
            {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "SQLite has no event for it; opening blocks anyway"
                )]
                thread::sleep(SWITCH_PAUSE);
            }
            answer => return Ok(answer?),
        }
    }
}
