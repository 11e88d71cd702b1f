//! Plans: the planner's lease, and batches, tasks and cursor stored together.

use std::time::Duration;

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::operation::OperationId;
use carrack_shared::port::Planning;
use carrack_shared::port::planning::{Cursor, PlanClaim, PlanEnd, PlanStep};
use carrack_shared::segment::{Facts, Segment};
use carrack_shared::task::Lane;
use rusqlite::{Connection, Transaction};
use uuid::Uuid;

use super::error::SqlResult;
use super::stored::{all, document, execute, first, id, integer, json, operation, scalar};
use super::{SqliteStore, clock, extent, outbox};

#[async_trait]
impl Planning for SqliteStore {
    async fn claim_plan(&self, owner: Uuid, lease: Duration) -> PortResult<Option<PlanClaim>> {
        self.writer.transact(move |tx| claim(tx, owner, lease)).await
    }

    async fn renew_plan(&self, claim: &PlanClaim, lease: Duration) -> PortResult<bool> {
        let fence = Fence::of(claim);
        self.writer
            .transact(move |tx| {
                let until = clock::now(tx)? + clock::millis(lease);
                Ok(fence.holds(tx)? && fence.set_lease(tx, Some(until))?)
            })
            .await
    }

    async fn append_plan(&self, claim: &PlanClaim, step: &PlanStep) -> PortResult<bool> {
        let (fence, step) = (Fence::of(claim), step.clone());
        self.writer.transact(move |tx| append(tx, &fence, &step)).await
    }

    async fn end_plan(&self, claim: &PlanClaim, end: &PlanEnd) -> PortResult<bool> {
        let (fence, end) = (Fence::of(claim), end.clone());
        self.writer.transact(move |tx| finish(tx, &fence, &end)).await
    }

    async fn facts(&self, operation: OperationId, source: u32) -> PortResult<Option<Facts>> {
        let sql = "SELECT facts FROM carrack_sources WHERE operation = ?1 AND number = ?2";
        self.reader
            .run(move |connection| {
                first(connection, sql, (id(operation), source), |row| document(row, "facts"))
            })
            .await
    }

    async fn segments(
        &self,
        operation: OperationId,
        source: u32,
        first: u64,
        limit: u32,
    ) -> PortResult<Vec<Segment>> {
        let sql = "SELECT b.* FROM carrack_operations AS o
                   JOIN carrack_batches AS b ON b.operation = o.id AND b.generation = o.generation
                   WHERE o.id = ?1 AND b.source = ?2 AND b.first_record >= ?3
                   ORDER BY b.first_record LIMIT ?4";
        let values = (id(operation), source, integer(first), limit);
        self.reader.run(move |connection| all(connection, sql, values, extent::segment)).await
    }

    async fn release_plan(&self, claim: &PlanClaim) -> PortResult<()> {
        let fence = Fence::of(claim);
        self.writer.transact(move |tx| fence.set_lease(tx, None).map(drop)).await
    }
}

/// What every write of a planner is checked against.
struct Fence {
    operation: OperationId,
    generation: u32,
    lease_epoch: i64,
}

impl Fence {
    fn of(claim: &PlanClaim) -> Self {
        let (operation, generation) = (claim.operation.id, claim.operation.generation);
        Self { operation, generation, lease_epoch: claim.lease_epoch }
    }

    /// Whether the lease is still ours and the operation runs.
    fn holds(&self, connection: &Connection) -> SqlResult<bool> {
        let sql = "SELECT EXISTS (
                       SELECT 1 FROM carrack_plan_cursor AS c JOIN carrack_operations AS o ON o.id = c.operation
                       WHERE c.operation = ?1 AND c.lease_epoch = ?2 AND o.state = 'running')";
        let values = (id(self.operation), self.lease_epoch);
        scalar(connection, sql, values)
    }

    fn set_lease(&self, connection: &Connection, until: Option<i64>) -> SqlResult<bool> {
        let sql = "UPDATE carrack_plan_cursor SET lease_until = ?3 WHERE operation = ?1 AND lease_epoch = ?2";
        let values = (id(self.operation), self.lease_epoch, until);
        Ok(execute(connection, sql, values)? == 1)
    }

    fn set_cursor(&self, connection: &Connection, cursor: &Cursor) -> SqlResult<()> {
        let sql = "UPDATE carrack_plan_cursor SET cursor = ?2 WHERE operation = ?1";
        execute(connection, sql, (id(self.operation), json(cursor)?))?;
        Ok(())
    }
}

fn claim(tx: &Transaction<'_>, owner: Uuid, lease: Duration) -> SqlResult<Option<PlanClaim>> {
    let now = clock::now(tx)?;
    let sql = "SELECT o.* FROM carrack_operations AS o JOIN carrack_plan_cursor AS c ON c.operation = o.id
               WHERE o.state = 'running' AND (o.planned_at IS NULL OR o.lane = 'export')
                 AND (c.lease_until IS NULL OR c.lease_until <= ?1)
               ORDER BY o.number LIMIT 1";
    let Some(mut found) = first(tx, sql, [now], operation)? else { return Ok(None) };
    if found.spec.lane() == Lane::Export && has_plan(tx, found.id)? {
        restart(tx, found.id)?;
        found.generation += 1;
        (found.planned_at, found.planned_records, found.failure) = (None, None, None);
    }
    let sql =
        "UPDATE carrack_plan_cursor SET lease_epoch = lease_epoch + 1, lease_owner = ?2, lease_until = ?3
               WHERE operation = ?1 RETURNING cursor, lease_epoch";
    let values = (id(found.id), owner.to_string(), now + clock::millis(lease));
    let taken =
        first(tx, sql, values, |row| Ok((document::<Cursor>(row, "cursor")?, row.get("lease_epoch")?)))?;
    let Some((cursor, lease_epoch)) = taken else { return Ok(None) };
    Ok(Some(PlanClaim { operation: found, lease_epoch, cursor }))
}

/// Whether an earlier planner has written anything, be it that there is nothing to do.
fn has_plan(tx: &Transaction<'_>, operation: OperationId) -> SqlResult<bool> {
    let sql = "SELECT planned_at IS NOT NULL OR EXISTS (
                   SELECT 1 FROM carrack_batches AS b WHERE b.operation = o.id AND b.generation = o.generation)
               FROM carrack_operations AS o WHERE id = ?1";
    scalar(tx, sql, [id(operation)])
}

/// The snapshot under which an export was planned went with its planner: begins a new generation.
fn restart(tx: &Transaction<'_>, operation: OperationId) -> SqlResult<()> {
    let operation = id(operation);
    execute(tx, "DELETE FROM carrack_outbox WHERE operation = ?1", [&operation])?;
    execute(tx, "DELETE FROM carrack_batches WHERE operation = ?1", [&operation])?;
    let sql = "UPDATE carrack_plan_cursor SET cursor = ?2 WHERE operation = ?1";
    execute(tx, sql, (&operation, json(&Cursor::default())?))?;
    let sql = "UPDATE carrack_operations SET generation = generation + 1, planned_at = NULL,
                   planned_records = NULL, planned_batches = NULL, failure = NULL, failure_batch = NULL
               WHERE id = ?1";
    execute(tx, sql, [&operation])?;
    Ok(())
}

fn append(tx: &Transaction<'_>, fence: &Fence, step: &PlanStep) -> SqlResult<bool> {
    if !fence.holds(tx)? {
        return Ok(false);
    }
    store(tx, fence, step)?;
    Ok(true)
}

/// Stores a piece of a plan.
fn store(tx: &Transaction<'_>, fence: &Fence, step: &PlanStep) -> SqlResult<()> {
    let sql = "INSERT INTO carrack_sources (operation, number, facts) VALUES (?1, ?2, ?3)
               ON CONFLICT (operation, number) DO UPDATE SET facts = excluded.facts";
    let mut sources = tx.prepare_cached(sql)?;
    for (number, facts) in &step.facts {
        sources.execute((id(fence.operation), number, json(facts)?))?;
    }
    for batch in &step.batches {
        extent::insert(tx, fence.operation, fence.generation, batch)?;
    }
    for task in &step.tasks {
        outbox::announce(tx, task)?;
    }
    fence.set_cursor(tx, &step.cursor)
}

fn finish(tx: &Transaction<'_>, fence: &Fence, end: &PlanEnd) -> SqlResult<bool> {
    if !fence.holds(tx)? {
        return Ok(false);
    }
    store(tx, fence, &end.last)?;
    let cursor = &end.last.cursor;
    // Batches behind the plan's end would be numbered from here: the failure of any real batch is lower.
    let failure_batch = end.failure.is_some().then_some(cursor.next_batch);
    let sql = "UPDATE carrack_operations SET planned_at = ?2, planned_records = ?3, planned_batches = ?4,
                   failure = ?5, failure_batch = ?6
               WHERE id = ?1";
    execute(
        tx,
        sql,
        (
            id(fence.operation),
            clock::stamp(tx)?,
            integer(cursor.total_records),
            cursor.next_batch,
            end.failure.as_ref().map(json).transpose()?,
            failure_batch,
        ),
    )?;
    Ok(true)
}
