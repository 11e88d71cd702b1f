//! The database's clock: the only one that decides anything.

use std::time::Duration;

use rusqlite::Connection;

use super::error::SqlResult;
use super::stored::scalar;

/// Milliseconds since 1970, now.
pub(super) fn now(connection: &Connection) -> SqlResult<i64> {
    let sql = "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)";
    scalar(connection, sql, [])
}

/// Now, as columns that people read hold it: `2024-01-01T00:00:00.000000Z`.
pub(super) fn stamp(connection: &Connection) -> SqlResult<String> {
    let sql = "SELECT strftime('%Y-%m-%dT%H:%M:%f000Z')";
    scalar(connection, sql, [])
}

/// `duration` in the unit of [`now`].
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 2)
}
