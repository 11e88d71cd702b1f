//! Plans: batches, the tasks that announce them and the cursor, stored together.

use std::time::Duration;

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::operation::{Operation, OperationId};
use carrack_shared::port::Planning;
use carrack_shared::port::planning::{Cursor, PlanClaim, PlanEnd, PlanStep};
use carrack_shared::segment::{Batch, Facts, Segment};
use carrack_shared::task::{Lane, Task};
use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::types::{Json, ToSql};
use uuid::Uuid;

use super::PostgresStore;
use super::error::{failed, internal};
use super::operation_row;
use super::operations::clear_outbox;
use super::segment_row::{self, Columns};
use super::sql::{execute, get, query, query_opt, seconds, signed, storable};

#[async_trait]
impl Planning for PostgresStore {
    async fn claim_plan(&self, owner: Uuid, lease: Duration) -> PortResult<Option<PlanClaim>> {
        let what = "claim a plan";
        let mut client = self.client().await?;
        let tx = client.transaction().await.map_err(failed(what))?;
        let Some((id, lease_epoch, mut cursor)) = take_lease(&tx, owner, lease).await? else {
            return Ok(None);
        };
        let mut operation = find(&tx, id).await?;
        let written = cursor != Cursor::default() || operation.planned_at.is_some();
        if written && operation.spec.lane() == Lane::Export {
            if !start_again(&tx, id).await? {
                return Ok(None);
            }
            operation = find(&tx, id).await?;
            cursor = Cursor::default();
        }
        tx.commit().await.map_err(failed(what))?;
        Ok(Some(PlanClaim { operation, lease_epoch, cursor }))
    }

    async fn renew_plan(&self, claim: &PlanClaim, lease: Duration) -> PortResult<bool> {
        // While it is finalising, an operation that has broken off may still be read again.
        const SQL: &str = "UPDATE carrack.plan_cursor c
             SET lease_until = clock_timestamp() + make_interval(secs => $3)
             FROM carrack.operations o
             WHERE c.operation = $1 AND c.lease_epoch = $2 AND c.lease_owner IS NOT NULL
               AND o.id = c.operation AND o.state IN ('running', 'finalising')";
        let (id, client) = (claim.operation.id.as_uuid(), self.client().await?);
        let params: &super::sql::Params<'_> = &[&id, &claim.lease_epoch, &seconds(lease)];
        Ok(execute(&client, "renew a plan's lease", SQL, params).await? > 0)
    }

    async fn append_plan(&self, claim: &PlanClaim, step: &PlanStep) -> PortResult<bool> {
        let mut client = self.client().await?;
        let tx = client.transaction().await.map_err(failed("append to a plan"))?;
        if !holds_plan(&tx, claim).await? {
            return Ok(false);
        }
        append(&tx, claim, step).await?;
        tx.commit().await.map_err(failed("append to a plan"))?;
        Ok(true)
    }

    async fn end_plan(&self, claim: &PlanClaim, end: &PlanEnd) -> PortResult<bool> {
        const SQL: &str = "UPDATE carrack.operations SET planned_at = clock_timestamp(),
                    planned_records = $2, planned_batches = $3::bigint,
                    failure_batch = CASE WHEN $4::text IS NULL THEN NULL ELSE $3::bigint END,
                    failure_code = $4, failure_message = $5
             WHERE id = $1";
        let mut client = self.client().await?;
        let tx = client.transaction().await.map_err(failed("end a plan"))?;
        if !holds_plan(&tx, claim).await? {
            return Ok(false);
        }
        append(&tx, claim, &end.last).await?;
        let cursor = &end.last.cursor;
        let (records, batches) = (signed(cursor.total_records), i64::from(cursor.next_batch));
        let code = end.failure.as_ref().map(|failure| failure.code.as_str());
        let message = end.failure.as_ref().map(|failure| storable(&failure.message));
        let id = claim.operation.id.as_uuid();
        execute(&tx, "end a plan", SQL, &[&id, &records, &batches, &code, &message]).await?;
        tx.commit().await.map_err(failed("end a plan"))?;
        Ok(true)
    }

    async fn facts(&self, operation: OperationId, source: u32) -> PortResult<Option<Facts>> {
        const SQL: &str = "SELECT facts FROM carrack.sources WHERE operation = $1 AND number = $2";
        let (what, number) = ("read what is known of a source", i64::from(source));
        let found = query_opt(&self.client().await?, what, SQL, &[&operation.as_uuid(), &number]).await?;
        let facts: Option<Json<Facts>> = found.map(|row| get(&row, "facts")).transpose()?;
        Ok(facts.map(|Json(facts)| facts))
    }

    async fn segments(
        &self,
        operation: OperationId,
        source: u32,
        first: u64,
        limit: u32,
    ) -> PortResult<Vec<Segment>> {
        const SQL: &str = concat!(
            "SELECT ",
            segment_row::batch_columns!(),
            " FROM carrack.operations o
             JOIN carrack.batches b ON b.operation = o.id AND b.generation = o.generation
             WHERE o.id = $1 AND b.source = $2 AND b.first_record >= $3
             ORDER BY b.first_record LIMIT $4"
        );
        let (id, source, first) = (operation.as_uuid(), i64::from(source), signed(first));
        let values: [&(dyn ToSql + Sync); 4] = [&id, &source, &first, &i64::from(limit)];
        let rows = query(&self.client().await?, "read the segments of a plan", SQL, &values).await?;
        rows.iter().map(segment_row::read_segment).collect()
    }

    async fn release_plan(&self, claim: &PlanClaim) -> PortResult<()> {
        const SQL: &str = "UPDATE carrack.plan_cursor SET lease_owner = NULL, lease_until = NULL
             WHERE operation = $1 AND lease_epoch = $2";
        let (id, client) = (claim.operation.id.as_uuid(), self.client().await?);
        execute(&client, "release a plan", SQL, &[&id, &claim.lease_epoch]).await?;
        Ok(())
    }
}

/// Stores a piece of a plan.
async fn append(tx: &Transaction<'_>, claim: &PlanClaim, step: &PlanStep) -> PortResult<()> {
    insert_facts(tx, claim.operation.id, &step.facts).await?;
    insert_batches(tx, &claim.operation, &step.batches).await?;
    insert_tasks(tx, &claim.operation, &step.tasks).await?;
    move_cursor(tx, claim.operation.id, &step.cursor).await
}

/// Takes the oldest plan that nobody holds. An export's planner holds the snapshot, so its plan is wanted
/// until the operation ends.
async fn take_lease(
    tx: &Transaction<'_>,
    owner: Uuid,
    lease: Duration,
) -> PortResult<Option<(OperationId, i64, Cursor)>> {
    const SQL: &str = "UPDATE carrack.plan_cursor SET lease_owner = $1, lease_epoch = lease_epoch + 1,
                lease_until = clock_timestamp() + make_interval(secs => $2)
         WHERE operation = (
             SELECT c.operation FROM carrack.plan_cursor c JOIN carrack.operations o ON o.id = c.operation
             WHERE o.state = 'running' AND (o.planned_at IS NULL OR o.kind = 'export')
               AND (c.lease_owner IS NULL OR c.lease_until <= clock_timestamp())
             ORDER BY o.created_at, o.id LIMIT 1 FOR UPDATE OF c SKIP LOCKED)
         RETURNING operation, lease_epoch, cursor";
    let row = query_opt(tx, "take a plan's lease", SQL, &[&owner, &seconds(lease)]).await?;
    let Some(row) = row else { return Ok(None) };
    let Json(cursor) = get(&row, "cursor")?;
    Ok(Some((OperationId::from_uuid(get(&row, "operation")?), get(&row, "lease_epoch")?, cursor)))
}

async fn find(tx: &Transaction<'_>, id: OperationId) -> PortResult<Operation> {
    operation_row::find(tx, id).await?.ok_or_else(|| internal("a plan without its operation"))
}

/// Begins the next generation of an export. What the last one committed stays in the ledger, under its own
/// number, and counts no more. False if the export is being closed at this moment: all its parts are there.
async fn start_again(tx: &Transaction<'_>, id: OperationId) -> PortResult<bool> {
    const SQL: &str = "UPDATE carrack.operations SET generation = generation + 1, epoch = epoch + 1,
                planned_at = NULL, planned_records = NULL, planned_batches = NULL
         WHERE id = $1 AND state = 'running'";
    if execute(tx, "start an export again", SQL, &[&id.as_uuid()]).await? == 0 {
        return Ok(false);
    }
    move_cursor(tx, id, &Cursor::default()).await?;
    clear_outbox(tx, id).await?;
    Ok(true)
}

/// Whether the claim may write: its lease is still its own, and the operation runs and is not planned.
/// Behind the shared side of the barrier, so that a cancelled operation gets no batch more.
async fn holds_plan(tx: &Transaction<'_>, claim: &PlanClaim) -> PortResult<bool> {
    const HELD: &str = "SELECT FROM carrack.plan_cursor c JOIN carrack.operations o ON o.id = c.operation
         WHERE c.operation = $1 AND c.lease_epoch = $2 AND c.lease_owner IS NOT NULL
           AND o.state = 'running' AND o.generation = $3 AND o.planned_at IS NULL
         FOR UPDATE OF c";
    let id = claim.operation.id.as_uuid();
    let generation = i64::from(claim.operation.generation);
    super::commit::pass_barrier(tx, claim.operation.id).await?;
    Ok(query_opt(tx, "check a plan's lease", HELD, &[&id, &claim.lease_epoch, &generation]).await?.is_some())
}

async fn insert_facts(tx: &Transaction<'_>, id: OperationId, facts: &[(u32, Facts)]) -> PortResult<()> {
    const SQL: &str = "INSERT INTO carrack.sources (operation, number, facts) VALUES ($1, $2, $3)
         ON CONFLICT (operation, number) DO UPDATE SET facts = excluded.facts";
    for (number, facts) in facts {
        execute(tx, "store a source's facts", SQL, &[&id.as_uuid(), &i64::from(*number), &Json(facts)])
            .await?;
    }
    Ok(())
}

async fn insert_batches(tx: &Transaction<'_>, operation: &Operation, batches: &[Batch]) -> PortResult<()> {
    const SQL: &str =
        "INSERT INTO carrack.batches (operation, generation, number, records, source, byte_start,
                byte_end, first_record, first_line, hash, fault, packing, key_from, key_to,
                table_number)
         SELECT $1, $2, * FROM unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                $8::bigint[], $9::bigint[], $10::bytea[], $11::json[], $12::json[], $13::text[], $14::text[],
                $15::bigint[])";
    if batches.is_empty() {
        return Ok(());
    }
    let (id, generation) = (operation.id.as_uuid(), i64::from(operation.generation));
    let c = Columns::of(batches);
    let params: &super::sql::Params<'_> = &[
        &id,
        &generation,
        &c.number,
        &c.records,
        &c.source,
        &c.byte_start,
        &c.byte_end,
        &c.first_record,
        &c.first_line,
        &c.hash,
        &c.fault,
        &c.packing,
        &c.key_from,
        &c.key_to,
        &c.table_number,
    ];
    execute(tx, "store batches", SQL, params).await?;
    Ok(())
}

/// Puts tasks into the outbox and notes in their batches that they wait there.
async fn insert_tasks(tx: &Transaction<'_>, operation: &Operation, tasks: &[Task]) -> PortResult<()> {
    const SQL: &str = "WITH task AS (
             SELECT * FROM unnest($4::bigint[], $5::bigint[], $6::bigint[]) AS t(first, count, sequence)
         ), queued AS (
             INSERT INTO carrack.outbox (operation, generation, lane, first, count, sequence)
             SELECT $1, $2, $3, first, count, sequence FROM task ORDER BY first
         )
         UPDATE carrack.batches b SET queued = true, task = t.first, sequence = t.sequence FROM task t
         WHERE b.operation = $1 AND b.generation = $2
           AND b.number >= t.first AND b.number < t.first + t.count";
    if tasks.is_empty() {
        return Ok(());
    }
    let (id, generation) = (operation.id.as_uuid(), i64::from(operation.generation));
    let lane = operation.spec.lane().as_str();
    let first: Vec<i64> = tasks.iter().map(|task| i64::from(task.first)).collect();
    let count: Vec<i64> = tasks.iter().map(|task| i64::from(task.count)).collect();
    let sequence: Vec<i64> = tasks.iter().map(|task| i64::from(task.sequence)).collect();
    execute(tx, "store tasks", SQL, &[&id, &generation, &lane, &first, &count, &sequence]).await?;
    Ok(())
}

async fn move_cursor(tx: &Transaction<'_>, id: OperationId, cursor: &Cursor) -> PortResult<()> {
    const SQL: &str = "UPDATE carrack.plan_cursor SET cursor = $2 WHERE operation = $1";
    execute(tx, "move a plan's cursor", SQL, &[&id.as_uuid(), &Json(cursor)]).await?;
    Ok(())
}
