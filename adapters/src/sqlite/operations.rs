//! Starting, finding and stopping operations.

use std::time::Duration;

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::operation::{Failure, Operation, OperationId, State, Totals};
use carrack_shared::port::Operations;
use carrack_shared::port::operations::{Created, Idempotency, Listing, NewOperation};
use carrack_shared::port::planning::Cursor;
use carrack_shared::port::progress::BatchTotals;
use rusqlite::{Connection, Transaction};

use super::error::{SqlResult, refused};
use super::stored::{all, execute, first, id, json, operation};
use super::{SqliteStore, clock, ledger, stage, tables, templates, undo};

/// How long a client's key stands for its operation.
const IDEMPOTENCY: Duration = Duration::from_secs(72 * 60 * 60);

#[async_trait]
impl Operations for SqliteStore {
    async fn create(&self, new: &NewOperation) -> PortResult<Created> {
        let new = new.clone();
        self.writer.transact(move |tx| create(tx, &new)).await
    }

    async fn get(&self, id: OperationId) -> PortResult<Option<Operation>> {
        self.reader.run(move |connection| get(connection, id)).await
    }

    async fn list(&self, listing: Listing) -> PortResult<Vec<Operation>> {
        self.reader.run(move |connection| list(connection, listing)).await
    }

    async fn cancel(&self, id: OperationId) -> PortResult<Option<Operation>> {
        let stop = move |tx: &Transaction<'_>| {
            set_state(tx, id, State::Running, State::Cancelling)?;
            stop_publishing(tx, id)?;
            get(tx, id)
        };
        self.stopping.note(id, true);
        let stopped = self.writer.transact(stop).await;
        self.stopping.note(id, false);
        stopped
    }

    async fn stop(&self, id: OperationId, failure: &Failure) -> PortResult<Option<Operation>> {
        let failure = failure.clone();
        let stop = move |tx: &Transaction<'_>| {
            if !set_state(tx, id, State::Running, State::Cancelling)? && !stop_publishing(tx, id)? {
                return Ok(None);
            }
            // It stands behind the failure of every batch.
            let sql = "UPDATE carrack_operations SET failure = ?2, failure_batch = ?3
                       WHERE id = ?1 AND failure IS NULL";
            execute(tx, sql, (self::id(id), json(&failure)?, i64::MAX))?;
            get(tx, id)
        };
        self.writer.transact(stop).await
    }

    async fn totals(&self, id: OperationId) -> PortResult<Totals> {
        self.reader.run(move |connection| ledger::totals(connection, id)).await
    }

    async fn ledger(&self, id: OperationId) -> PortResult<Vec<BatchTotals>> {
        self.reader.run(move |connection| ledger::rows(connection, id)).await
    }
}

/// The operation, if there is one.
pub(super) fn get(connection: &Connection, operation_id: OperationId) -> SqlResult<Option<Operation>> {
    let sql = "SELECT * FROM carrack_operations WHERE id = ?1";
    first(connection, sql, [id(operation_id)], operation)
}

/// Moves an operation from one state to another; false if it stands elsewhere.
pub(super) fn set_state(
    connection: &Connection,
    operation: OperationId,
    from: State,
    to: State,
) -> SqlResult<bool> {
    let sql = "UPDATE carrack_operations SET state = ?3, epoch = epoch + 1 WHERE id = ?1 AND state = ?2";
    let values = (id(operation), from.as_str(), to.as_str());
    Ok(execute(connection, sql, values)? == 1)
}

/// Cancels what would load all or nothing and has loaded nothing yet; whoever closes it has lost it. False if it is not
/// such a one.
fn stop_publishing(tx: &Transaction<'_>, operation: OperationId) -> SqlResult<bool> {
    let sql = "UPDATE carrack_operations SET state = 'cancelling', epoch = epoch + 1, finish_until = NULL
               WHERE id = ?1 AND state = 'finalising' AND published = 0";
    Ok(execute(tx, sql, [id(operation)])? == 1)
}

fn create(tx: &Transaction<'_>, new: &NewOperation) -> SqlResult<Created> {
    if let Some(idempotency) = &new.idempotency
        && let Some(before) = created_before(tx, &new.owner, idempotency)?
    {
        return Ok(before);
    }
    let types = new.spec.tables().map_err(|unknown| refused(unknown.to_string()))?;
    for data_type in &types {
        let known = templates::known_type(tx, data_type.name.as_str())?;
        if known.is_some_and(|known| !known.has_columns_of(data_type)) {
            return Ok(Created::TypeChanged(data_type.name.as_str().to_owned()));
        }
    }
    for data_type in types.iter().filter(|_| !new.spec.only_looks()) {
        tables::create(tx, data_type)?;
    }
    if let Some(spec) = new.spec.as_undo()
        && let Err(reason) = undo::hold_images(tx, spec.parent)?
    {
        return Ok(Created::NotUndoable(reason));
    }
    if let Some(parent) = new.spec.retries() {
        let sql = "SELECT * FROM carrack_operations
                   WHERE spec ->> '$.retry.parent' = ?1 AND state NOT IN ('failed', 'cancelled')
                   ORDER BY number DESC LIMIT 1";
        if let Some(retry) = first(tx, sql, [parent.to_string()], operation)? {
            return Ok(Created::Retried(retry.id));
        }
    }
    insert(tx, new)?;
    stage::create(tx, new.id, &new.spec)?;
    if let Some(idempotency) = &new.idempotency {
        remember(tx, new, idempotency)?;
    }
    let created = get(tx, new.id)?.ok_or_else(|| refused("the new operation was removed by a trigger"))?;
    Ok(Created::New(created))
}

fn created_before(
    tx: &Transaction<'_>,
    owner: &str,
    idempotency: &Idempotency,
) -> SqlResult<Option<Created>> {
    execute(tx, "DELETE FROM carrack_idempotency WHERE expires_at <= ?1", [clock::now(tx)?])?;
    let sql = "SELECT o.*, i.request FROM carrack_idempotency AS i
               JOIN carrack_operations AS o ON o.id = i.operation
               WHERE i.owner = ?1 AND i.key = ?2";
    first(tx, sql, (owner, &idempotency.key), |row| {
        let same = row.get::<_, [u8; 32]>("request")? == idempotency.request;
        Ok(if same { Created::Before(operation(row)?) } else { Created::OtherRequest })
    })
}

fn insert(tx: &Transaction<'_>, new: &NewOperation) -> SqlResult<()> {
    let lane = new.spec.lane();
    let images = new.spec.keeps_images().then_some("kept");
    let sql = "INSERT INTO carrack_operations (id, state, owner, lane, spec, spec_sha256, created_at,
                   outcome_sha256, published, images)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    execute(
        tx,
        sql,
        (
            id(new.id),
            State::Running.as_str(),
            &new.owner,
            lane.as_str(),
            json(&new.spec)?,
            new.spec.sha256(),
            clock::stamp(tx)?,
            new.spec.is_dry_run().then(|| new.spec.outcome_sha256()),
            new.spec.is_all_or_nothing().then_some(false),
            images,
        ),
    )?;
    let sql = "INSERT INTO carrack_plan_cursor (operation, cursor) VALUES (?1, ?2)";
    execute(tx, sql, (id(new.id), json(&Cursor::default())?))?;
    Ok(())
}

fn remember(tx: &Transaction<'_>, new: &NewOperation, idempotency: &Idempotency) -> SqlResult<()> {
    let sql = "INSERT INTO carrack_idempotency (owner, key, request, operation, expires_at)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let expires_at = clock::now(tx)? + clock::millis(IDEMPOTENCY);
    let values = (&new.owner, &idempotency.key, idempotency.request, id(new.id), expires_at);
    execute(tx, sql, values)?;
    Ok(())
}

/// Operations, newest first.
pub(super) fn list(connection: &Connection, listing: Listing) -> SqlResult<Vec<Operation>> {
    match listing {
        Listing::Active => {
            let sql = "SELECT * FROM carrack_operations
                       WHERE state IN ('running', 'finalising', 'cancelling') ORDER BY number DESC";
            all(connection, sql, [], operation)
        }
        Listing::RetriesOf(parent) => {
            let sql = "SELECT * FROM carrack_operations WHERE spec ->> '$.retry.parent' = ?1
                       ORDER BY number DESC";
            all(connection, sql, [parent.to_string()], operation)
        }
        Listing::Latest(limit) => {
            let sql = "SELECT * FROM carrack_operations ORDER BY number DESC LIMIT ?1";
            all(connection, sql, [limit], operation)
        }
    }
}
