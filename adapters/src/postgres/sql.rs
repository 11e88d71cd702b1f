//! Running statements: prepared once per connection, failures named by what was being done; and numbers,
//! which PostgreSQL has signed only.
//!
//! The server refuses a prepared statement whose answer has got other columns since, or columns of other types, for as
//! long as its connection lives. So statements on control tables name the columns that they answer, for a later release
//! adds some, and those that answer values of a user's table are not kept.

use std::time::Duration;

use carrack_shared::error::PortResult;
use deadpool_postgres::GenericClient;
use tokio_postgres::types::{FromSqlOwned, ToSql};
use tokio_postgres::{Error, Row};

use super::error::{failed, internal};

/// Parameters of a statement.
pub(super) type Params<'a> = [&'a (dyn ToSql + Sync)];

/// Runs statements that are constants and take no parameters, several at once if need be. Text made at run
/// time does not get in here.
#[expect(clippy::disallowed_methods, reason = "this is the door: it takes constants only")]
pub(super) async fn fixed(client: &impl GenericClient, sql: &'static str) -> Result<(), Error> {
    client.batch_execute(sql).await
}

/// All rows that a statement answers.
pub(super) async fn query(
    client: &impl GenericClient,
    what: &'static str,
    sql: &str,
    params: &Params<'_>,
) -> PortResult<Vec<Row>> {
    let statement = client.prepare_cached(sql).await.map_err(failed(what))?;
    client.query(&statement, params).await.map_err(failed(what))
}

/// The only row that a statement answers, if any.
pub(super) async fn query_opt(
    client: &impl GenericClient,
    what: &'static str,
    sql: &str,
    params: &Params<'_>,
) -> PortResult<Option<Row>> {
    let statement = client.prepare_cached(sql).await.map_err(failed(what))?;
    client.query_opt(&statement, params).await.map_err(failed(what))
}

/// How many rows a statement changed.
pub(super) async fn execute(
    client: &impl GenericClient,
    what: &'static str,
    sql: &str,
    params: &Params<'_>,
) -> PortResult<u64> {
    let statement = client.prepare_cached(sql).await.map_err(failed(what))?;
    client.execute(&statement, params).await.map_err(failed(what))
}

/// A column of a row.
pub(super) fn get<T: FromSqlOwned>(row: &Row, column: &str) -> PortResult<T> {
    row.try_get(column).map_err(failed("read a control table"))
}

/// A column that holds a number without a sign.
pub(super) fn get_u64(row: &Row, column: &str) -> PortResult<u64> {
    let value: i64 = get(row, column)?;
    u64::try_from(value).map_err(|_| internal(format!("column {column}: found {value}, expected 0 or more")))
}

/// As [`get_u64`], where NULL is a possible answer.
pub(super) fn get_u64_opt(row: &Row, column: &str) -> PortResult<Option<u64>> {
    let value: Option<i64> = get(row, column)?;
    value.map(|_| get_u64(row, column)).transpose()
}

/// As [`get_u64`], for numbers of batches and the like.
pub(super) fn get_u32(row: &Row, column: &str) -> PortResult<u32> {
    let value = get_u64(row, column)?;
    u32::try_from(value).map_err(|_| internal(format!("column {column}: {value} is too large")))
}

/// As [`get_u32`], where NULL is a possible answer.
pub(super) fn get_u32_opt(row: &Row, column: &str) -> PortResult<Option<u32>> {
    get::<Option<i64>>(row, column)?.map(|_| get_u32(row, column)).transpose()
}

/// A column of 32 bytes.
pub(super) fn get_hash(row: &Row, column: &str) -> PortResult<[u8; 32]> {
    hash(get(row, column)?, column)
}

pub(super) fn get_hash_opt(row: &Row, column: &str) -> PortResult<Option<[u8; 32]>> {
    get::<Option<Vec<u8>>>(row, column)?.map(|bytes| hash(bytes, column)).transpose()
}

fn hash(bytes: Vec<u8>, column: &str) -> PortResult<[u8; 32]> {
    let found = bytes.len();
    bytes.try_into().map_err(|_| internal(format!("column {column}: {found} bytes, expected 32")))
}

/// A number as PostgreSQL takes it. Ours are counts of bytes and records, far from 2⁶³.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A duration as `make_interval(secs => …)` takes it.
pub(super) fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

/// Text as PostgreSQL takes it: NUL cannot be stored.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
