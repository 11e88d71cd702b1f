//! Brings the control tables up to date.
//!
//! The file's `user_version` counts the migrations that it has, its `application_id` says that it is ours.
//! All is done in one transaction under the write lock, so that two processes that open a new file at once
//! do not both try; a history table as migration libraries keep it is read before any lock is taken.

use rusqlite::{Connection, TransactionBehavior};

use super::error::{SqlResult, refused};

/// In order; one that was released never changes.
const MIGRATIONS: [&str; 12] = [
    include_str!("../../migrations/sqlite/0001_control_tables.sql"),
    include_str!("../../migrations/sqlite/0002_layers.sql"),
    include_str!("../../migrations/sqlite/0003_workers.sql"),
    include_str!("../../migrations/sqlite/0004_several_types.sql"),
    include_str!("../../migrations/sqlite/0005_templates.sql"),
    include_str!("../../migrations/sqlite/0006_staging.sql"),
    include_str!("../../migrations/sqlite/0007_undo.sql"),
    include_str!("../../migrations/sqlite/0008_filters.sql"),
    include_str!("../../migrations/sqlite/0009_verification.sql"),
    include_str!("../../migrations/sqlite/0010_merge.sql"),
    include_str!("../../migrations/sqlite/0011_images.sql"),
    include_str!("../../migrations/sqlite/0012_templates_as_records.sql"),
];
/// "Carr" in ASCII: shown by `file`.
const APPLICATION: i32 = 0x4361_7272;

/// Runs the missing migrations.
pub(super) fn run(connection: &mut Connection) -> SqlResult<()> {
    let known = MIGRATIONS.len();
    if version(connection)? == known && application(connection)? == APPLICATION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    let foreign = application(&transaction)? != APPLICATION && !is_empty(&transaction)?;
    let path = transaction.path().unwrap_or_default();
    if foreign {
        return Err(refused(format!("{path}: found another program's database, expected Carrack's")));
    }
    if found > known {
        return Err(refused(format!(
            "{path}: found version {found} of the tables, expected at most {known}: use a newer carrack"
        )));
    }
    for migration in &MIGRATIONS[found..] {
        #[expect(clippy::disallowed_methods, reason = "a migration is a constant of several statements")]
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", i64::try_from(known).unwrap_or(i64::MAX))?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.commit()?;
    Ok(())
}

fn version(connection: &Connection) -> SqlResult<usize> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

fn application(connection: &Connection) -> SqlResult<i32> {
    Ok(connection.pragma_query_value(None, "application_id", |row| row.get(0))?)
}

fn is_empty(connection: &Connection) -> SqlResult<bool> {
    Ok(connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?)
}
