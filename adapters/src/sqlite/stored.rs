//! How values of the core stand in columns, and how they are read back.

use std::fmt::Display;
use std::str::FromStr;

use carrack_shared::operation::{Operation, OperationId, State};
use jiff::Timestamp;
use rusqlite::types::{FromSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, Params, Row, ToSql};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{from_str, to_string};

use super::error::{SqlResult, Trouble, impossible};

/// Text whose bytes are known to be UTF-8; bound without looking at them again.
pub(super) struct Utf8<'bytes>(pub &'bytes [u8]);

impl ToSql for Utf8<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0)))
    }
}

/// SQLite's integers are signed; no count of ours comes near the end of them.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A column that holds a count.
pub(super) fn count(row: &Row<'_>, column: &str) -> SqlResult<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| unreadable(column, value))
}

/// A column that holds a number of 32 bits.
pub(super) fn number(row: &Row<'_>, column: &str) -> SqlResult<u32> {
    let value: i64 = row.get(column)?;
    u32::try_from(value).map_err(|_| unreadable(column, value))
}

/// A column whose text is read by `parse`.
pub(super) fn parsed<T: FromStr>(row: &Row<'_>, column: &str) -> SqlResult<T> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| unreadable(column, text))
}

/// A JSON document.
pub(super) fn document<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> SqlResult<T> {
    let text: String = row.get(column)?;
    from_str(&text).map_err(|error| unreadable(column, error))
}

/// The stored form of a JSON document.
pub(super) fn json<T: Serialize>(value: &T) -> SqlResult<String> {
    to_string(value).map_err(|error| impossible(format!("cannot be written as JSON: {error}")))
}

/// A column that may be null.
pub(super) fn optional<T>(
    row: &Row<'_>,
    column: &str,
    read: impl FnOnce(&Row<'_>, &str) -> SqlResult<T>,
) -> SqlResult<Option<T>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        _ => read(row, column).map(Some),
    }
}

/// The first row of a query, if there is one.
pub(super) fn first<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> SqlResult<T>,
) -> SqlResult<Option<T>> {
    first_of(&mut connection.prepare_cached(sql)?, params, read)
}

/// The first row of a prepared query, if there is one.
pub(super) fn first_of<T>(
    statement: &mut CachedStatement<'_>,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> SqlResult<T>,
) -> SqlResult<Option<T>> {
    statement.query_and_then(params, read)?.next().transpose()
}

/// All rows of a query.
pub(super) fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> SqlResult<T>,
) -> SqlResult<Vec<T>> {
    connection.prepare_cached(sql)?.query_and_then(params, read)?.collect()
}

/// The first column of the only row of a query.
pub(super) fn scalar<T: FromSql>(connection: &Connection, sql: &str, params: impl Params) -> SqlResult<T> {
    Ok(connection.prepare_cached(sql)?.query_row(params, |row| row.get(0))?)
}

/// Executes a statement; answers how many rows it changed.
pub(super) fn execute(connection: &Connection, sql: &str, params: impl Params) -> SqlResult<usize> {
    Ok(connection.prepare_cached(sql)?.execute(params)?)
}

/// A whole row of `carrack_operations`.
pub(super) fn operation(row: &Row<'_>) -> SqlResult<Operation> {
    Ok(Operation {
        id: parsed(row, "id")?,
        state: state(row, "state")?,
        epoch: row.get("epoch")?,
        owner: row.get("owner")?,
        spec: document(row, "spec")?,
        generation: number(row, "generation")?,
        created_at: parsed::<Timestamp>(row, "created_at")?,
        planned_at: optional(row, "planned_at", parsed::<Timestamp>)?,
        finished_at: optional(row, "finished_at", parsed::<Timestamp>)?,
        planned_records: optional(row, "planned_records", count)?,
        tally: optional(row, "tally", document)?,
        decision: optional(row, "decision", document)?,
        failure: optional(row, "failure", document)?,
    })
}

/// A column that holds a state.
pub(super) fn state(row: &Row<'_>, column: &str) -> SqlResult<State> {
    let name: String = row.get(column)?;
    State::parse(&name).ok_or_else(|| unreadable(column, name))
}

/// The stored form of an operation's id.
pub(super) fn id(operation: OperationId) -> String {
    operation.to_string()
}

/// A column holds what we never write.
pub(super) fn unreadable(column: &str, found: impl Display) -> Trouble {
    impossible(format!("column {column}: found {found}, which carrack does not write"))
}
