//! Who works on a batch: taking, prolonging and giving back leases, and stopping an operation from one.
//!
//! A lease is its holder's as long as the batch has the holder's epoch and an owner. That its time ran out,
//! or that the batch was announced again, only means that another may take it: a slow holder whom nobody
//! has replaced may still commit.

use std::time::Duration;

use carrack_shared::operation::{Failure, Operation, OperationId, State};
use carrack_shared::port::batches::Renewal;
use carrack_shared::segment::{Claim, ClaimedRun};
use carrack_shared::suspicion::Suspicion;
use carrack_shared::task::Task;
use rusqlite::{Connection, Transaction, named_params};
use uuid::Uuid;

use super::error::{SqlResult, not_found};
use super::operations::{get, set_state};
use super::stored::{all, document, execute, first, id, json, number, optional, state};
use super::{clock, extent};

/// A lease as its holder knows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    pub operation: OperationId,
    pub generation: u32,
    pub batch: u32,
    pub epoch: i64,
}

impl Lease {
    /// The lease of `claim`.
    pub fn of(operation: &Operation, claim: &Claim) -> Self {
        let (generation, batch) = (operation.generation, claim.batch.number);
        Self { operation: operation.id, generation, batch, epoch: claim.lease_epoch }
    }
}

/// Takes the free batches of a task.
pub(super) fn take(
    tx: &Transaction<'_>,
    task: &Task,
    redelivered: bool,
    owner: Uuid,
    lease: Duration,
) -> SqlResult<Option<ClaimedRun>> {
    let Some(operation) = get(tx, task.operation)? else { return Ok(None) };
    if operation.state != State::Running || operation.generation != task.generation {
        return Ok(None);
    }
    // Every term sees the row as it was: an owner who is still there has not answered.
    let sql = "UPDATE carrack_batches SET deaths = deaths + (lease_owner IS NOT NULL),
                   dead_epoch = iif(lease_owner IS NULL, dead_epoch, lease_epoch), state = 'leased',
                   lease_epoch = lease_epoch + 1, lease_owner = :owner, lease_until = :until
               WHERE operation = :operation AND generation = :generation
                 AND number >= :first AND number < :end
                 AND (state = 'pending' OR (state = 'leased' AND (lease_until <= :now OR :redelivered)))
               RETURNING *";
    let now = clock::now(tx)?;
    let values = named_params! {
        ":owner": owner.to_string(),
        ":until": now + clock::millis(lease),
        ":operation": id(operation.id),
        ":generation": task.generation,
        ":first": task.batches().start,
        ":end": task.batches().end,
        ":now": now,
        ":redelivered": redelivered,
    };
    let mut claims = all(tx, sql, values, |row| {
        Ok(Claim {
            batch: extent::batch(row)?,
            lease_epoch: row.get("lease_epoch")?,
            deaths: number(row, "deaths")?,
            suspicion: optional(row, "suspicion", document)?.unwrap_or_default(),
        })
    })?;
    if claims.is_empty() {
        return Ok(None);
    }
    claims.sort_by_key(|claim| claim.batch.number);
    Ok(Some(ClaimedRun { operation, claims }))
}

/// Prolongs the leases that still stand.
pub(super) fn renew(
    tx: &Transaction<'_>,
    operation: OperationId,
    leases: &[Lease],
    lease: Duration,
) -> SqlResult<Renewal> {
    let until = clock::now(tx)? + clock::millis(lease);
    let sql = "UPDATE carrack_batches SET state = 'leased', lease_until = ?5
               WHERE operation = ?1 AND generation = ?2 AND number = ?3 AND lease_epoch = ?4
                 AND lease_owner IS NOT NULL AND state <> 'done'";
    let mut statement = tx.prepare_cached(sql)?;
    let mut held = 0;
    for lease in leases {
        held +=
            statement.execute((id(lease.operation), lease.generation, lease.batch, lease.epoch, until))?;
    }
    Ok(Renewal { state: state_of(tx, operation)?, held })
}

/// Notes what the holder of a lease has found out; false if it is not its holder any more.
pub(super) fn suspect(tx: &Transaction<'_>, lease: &Lease, suspicion: &Suspicion) -> SqlResult<bool> {
    let sql = "UPDATE carrack_batches SET suspicion = ?5
               WHERE operation = ?1 AND generation = ?2 AND number = ?3 AND lease_epoch = ?4
                 AND lease_owner IS NOT NULL AND state <> 'done'";
    let suspicion = json(suspicion)?;
    Ok(execute(tx, sql, (id(lease.operation), lease.generation, lease.batch, lease.epoch, suspicion))? == 1)
}

/// Gives a batch back; false if it was not ours any more. It was announced and may have lost its announcer,
/// so the janitor's clock for it starts anew. Who was taken for dead and answers after all was not dead.
pub(super) fn release(tx: &Transaction<'_>, lease: &Lease, reason: &str) -> SqlResult<bool> {
    let sql = "UPDATE carrack_batches SET deaths = deaths - 1, dead_epoch = NULL
               WHERE operation = ?1 AND generation = ?2 AND number = ?3 AND dead_epoch = ?4
                 AND state <> 'done'";
    let operation = id(lease.operation);
    execute(tx, sql, (&operation, lease.generation, lease.batch, lease.epoch))?;
    let sql = "UPDATE carrack_batches SET state = 'pending', lease_owner = NULL, lease_until = NULL,
                   last_error = ?5, sent_at = iif(sent_at IS NULL, NULL, ?6)
               WHERE operation = ?1 AND generation = ?2 AND number = ?3 AND lease_epoch = ?4
                 AND lease_owner IS NOT NULL AND state <> 'done'";
    let now = clock::now(tx)?;
    Ok(execute(tx, sql, (operation, lease.generation, lease.batch, lease.epoch, reason, now))? == 1)
}

/// Stops the operation for `failure`, if the lease is still ours. Of several failures, the lowest batch's
/// stays; a user's cancel that came before stays a cancel.
pub(super) fn fail(tx: &Transaction<'_>, lease: &Lease, failure: &Failure) -> SqlResult<bool> {
    if !release(tx, lease, &failure.message)? {
        return Ok(false);
    }
    let sql = "UPDATE carrack_operations SET failure = ?2, failure_batch = ?3
               WHERE id = ?1 AND (state = 'running' OR (state = 'cancelling' AND failure_batch IS NOT NULL))
                 AND (failure_batch IS NULL OR failure_batch > ?3)";
    execute(tx, sql, (id(lease.operation), json(failure)?, lease.batch))?;
    set_state(tx, lease.operation, State::Running, State::Cancelling)?;
    Ok(true)
}

fn state_of(connection: &Connection, operation: OperationId) -> SqlResult<State> {
    let sql = "SELECT state FROM carrack_operations WHERE id = ?1";
    let found = first(connection, sql, [id(operation)], |row| state(row, "state"))?;
    found.ok_or_else(|| not_found(operation))
}
