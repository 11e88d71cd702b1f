//! Closing the books: the finaliser's lease, what it looks at, and the last change of state.

use std::time::Duration;

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::fault::Reject;
use carrack_shared::operation::{OperationId, State};
use carrack_shared::port::Finalising;
use carrack_shared::port::batches::Part;
use carrack_shared::port::finalising::{Ending, FinishClaim, Loser};
use carrack_shared::reconcile::{Displacements, Evidence, Staged};
use carrack_shared::spec::Spec;
use carrack_shared::undo::state_of_parent;
use rusqlite::{Connection, Row, Transaction};
use uuid::Uuid;

use super::error::{SqlResult, not_found, refused};
use super::losers::KeyRule;
use super::operations::set_state;
use super::rejects::Again;
use super::stored::{count, execute, first, id, json, operation, optional, scalar};
use super::{SqliteStore, clock, ledger, losers, rejects, stage, undo, verifying};

#[async_trait]
impl Finalising for SqliteStore {
    async fn claim_finish(&self, owner: Uuid, lease: Duration) -> PortResult<Option<FinishClaim>> {
        self.writer.transact(move |tx| claim(tx, owner, lease)).await
    }

    async fn renew_finish(&self, claim: &FinishClaim, lease: Duration) -> PortResult<bool> {
        let (operation, epoch) = (claim.operation.id, claim.lease_epoch);
        self.writer.transact(move |tx| renew(tx, operation, epoch, lease)).await
    }

    async fn losers(&self, claim: &FinishClaim, limit: u32) -> PortResult<Vec<Loser>> {
        let (operation, rule) = (claim.operation.id, KeyRule::of(&claim.operation.spec));
        self.reader.run(move |connection| losers::open(connection, operation, rule, limit)).await
    }

    async fn add_rejects(&self, claim: &FinishClaim, new: &[Reject]) -> PortResult<bool> {
        let (operation, epoch, new) = (claim.operation.id, claim.lease_epoch, new.to_vec());
        let spec = claim.operation.spec.clone();
        self.writer
            .transact(move |tx| {
                if !holds(tx, operation, epoch)? {
                    return Ok(false);
                }
                for of_one_source in new.chunk_by(|a, b| a.position.source() == b.position.source()) {
                    let data_type = type_of(&spec, &of_one_source[0])?;
                    rejects::insert(tx, operation, &data_type, of_one_source, Again::Keep)?;
                }
                losers::settle(tx, operation, &new)?;
                Ok(true)
            })
            .await
    }

    async fn evidence(&self, claim: &FinishClaim) -> PortResult<Evidence> {
        let (operation, rule) = (claim.operation.id, KeyRule::of(&claim.operation.spec));
        let is_staged = claim.operation.spec.is_staged();
        self.writer
            .transact(move |tx| {
                losers::name_winners(tx, operation, rule)?;
                Ok(Evidence { staged: staged(tx, operation, is_staged)?, ..evidence(tx, operation)? })
            })
            .await
    }

    async fn end(&self, claim: &FinishClaim, ending: &Ending) -> PortResult<bool> {
        let (operation, epoch, ending) = (claim.operation.id, claim.lease_epoch, ending.clone());
        let spec = claim.operation.spec.clone();
        self.writer
            .transact(move |tx| {
                let ended = end(tx, operation, epoch, &ending)?;
                if ended {
                    stage::remove(tx, operation, &spec)?;
                    verifying::remove(tx, operation)?;
                }
                if let (Some(undo), true) = (spec.as_undo(), ended) {
                    undo::settle_parent(tx, undo.parent, state_of_parent(ending.state, &ending.tally))?;
                }
                Ok(ended)
            })
            .await
    }

    async fn parts(&self, operation: OperationId) -> PortResult<Vec<Part>> {
        self.reader.run(move |connection| ledger::parts(connection, operation)).await
    }
}

/// The name of the type of a refused record.
fn type_of(spec: &Spec, reject: &Reject) -> SqlResult<String> {
    let import = spec.as_import().ok_or_else(|| refused("found a reject of an export"))?;
    let found = import.type_of(reject.position.source()).map_err(|unknown| refused(unknown.to_string()))?;
    Ok(found.name.as_str().to_owned())
}

fn claim(tx: &Transaction<'_>, owner: Uuid, lease: Duration) -> SqlResult<Option<FinishClaim>> {
    let now = clock::now(tx)?;
    let sql = "SELECT o.* FROM carrack_operations AS o
               WHERE o.state IN ('running', 'finalising', 'cancelling')
                 AND (o.finish_until IS NULL OR o.finish_until <= ?1)
                 AND CASE o.state
                     WHEN 'running' THEN o.planned_at IS NOT NULL AND NOT EXISTS (
                         SELECT 1 FROM carrack_batches AS b INDEXED BY carrack_batches_open
                         WHERE b.operation = o.id AND b.generation = o.generation AND b.state <> 'done')
                     WHEN 'cancelling' THEN NOT EXISTS (
                         SELECT 1 FROM carrack_batches AS b INDEXED BY carrack_batches_open
                         WHERE b.operation = o.id AND b.generation = o.generation
                           AND b.state = 'leased' AND b.state <> 'done' AND b.lease_until > ?1)
                     ELSE TRUE END
               ORDER BY o.number LIMIT 1";
    let Some(found) = first(tx, sql, [now], operation)? else { return Ok(None) };
    set_state(tx, found.id, State::Running, State::Finalising)?;
    let sql = "UPDATE carrack_operations
               SET finish_epoch = finish_epoch + 1, finish_owner = ?2, finish_until = ?3
               WHERE id = ?1 RETURNING *";
    let values = (id(found.id), owner.to_string(), now + clock::millis(lease));
    first(tx, sql, values, |row| {
        Ok(FinishClaim { operation: operation(row)?, lease_epoch: row.get("finish_epoch")? })
    })
}

fn renew(tx: &Transaction<'_>, operation: OperationId, epoch: i64, lease: Duration) -> SqlResult<bool> {
    let sql = "UPDATE carrack_operations SET finish_until = ?3
               WHERE id = ?1 AND finish_epoch = ?2 AND state IN ('finalising', 'cancelling')";
    let until = clock::now(tx)? + clock::millis(lease);
    Ok(execute(tx, sql, (id(operation), epoch, until))? == 1)
}

/// Whether the finaliser's lease is still ours and the operation has not ended.
pub(super) fn holds(connection: &Connection, operation: OperationId, lease_epoch: i64) -> SqlResult<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM carrack_operations
               WHERE id = ?1 AND finish_epoch = ?2 AND state IN ('finalising', 'cancelling'))";
    scalar(connection, sql, (id(operation), lease_epoch))
}

fn staged(connection: &Connection, operation: OperationId, is_staged: bool) -> SqlResult<Staged> {
    Ok(match stage::decided(connection, operation)? {
        _ if !is_staged => Staged::No,
        None => Staged::Undecided,
        Some(decision) => Staged::Decided(decision.tally()),
    })
}

fn evidence(connection: &Connection, operation: OperationId) -> SqlResult<Evidence> {
    let totals = ledger::totals(connection, operation)?;
    // The plan's own count where it is whole, which the stored batches then have to meet.
    let sql = "SELECT o.planned_records, count(b.number) AS batches,
                   coalesce(sum(b.records), 0) AS records,
                   coalesce(o.planned_batches, count(b.number)) AS planned_batches
               FROM carrack_operations AS o
               LEFT JOIN carrack_batches AS b ON b.operation = o.id AND b.generation = o.generation
               WHERE o.id = ?1 GROUP BY o.id";
    let plan = first(connection, sql, [id(operation)], |row| {
        Ok(Evidence {
            planned_batches: count(row, "planned_batches")?,
            planned_records: optional(row, "planned_records", count)?,
            batch_records: count(row, "records")?,
            ledger_batches: totals.batches,
            ledger: totals.tally,
            ..Evidence::default()
        })
    })?;
    let mut evidence = plan.ok_or_else(|| not_found(operation))?;
    let sql = "SELECT coalesce(sum(counted = 'created'), 0) AS created,
                   coalesce(sum(counted = 'updated'), 0) AS updated,
                   coalesce(sum(counted = 'unchanged'), 0) AS unchanged,
                   (SELECT count(*) FROM carrack_rejects WHERE operation = ?1) AS rejects
               FROM carrack_displaced WHERE operation = ?1";
    connection
        .prepare_cached(sql)?
        .query_and_then([id(operation)], |row| {
            evidence.displaced = displacements(row)?;
            evidence.rejects = count(row, "rejects")?;
            Ok(())
        })?
        .collect::<SqlResult<()>>()?;
    Ok(evidence)
}

/// The columns that count displaced records.
pub(super) fn displacements(row: &Row<'_>) -> SqlResult<Displacements> {
    Ok(Displacements {
        created: count(row, "created")?,
        updated: count(row, "updated")?,
        unchanged: count(row, "unchanged")?,
    })
}

fn end(tx: &Transaction<'_>, operation: OperationId, lease_epoch: i64, ending: &Ending) -> SqlResult<bool> {
    let sql = "UPDATE carrack_operations
               SET state = ?3, epoch = epoch + 1, tally = ?4, failure = ?5, finished_at = ?6, finish_until = NULL
               WHERE id = ?1 AND finish_epoch = ?2 AND state IN ('finalising', 'cancelling')";
    let ended = execute(
        tx,
        sql,
        (
            id(operation),
            lease_epoch,
            ending.state.as_str(),
            json(&ending.tally)?,
            ending.failure.as_ref().map(json).transpose()?,
            clock::stamp(tx)?,
        ),
    )?;
    if ended == 1 {
        execute(tx, "DELETE FROM carrack_outbox WHERE operation = ?1", [id(operation)])?;
    }
    Ok(ended == 1)
}
