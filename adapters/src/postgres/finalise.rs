//! Closing the books of an operation.
//!
//! In every mode that turns displaced records into rejects the lowest position wins its key, and the final
//! winner of a key is named by at least one record that lost to it. So the lowest winner among all that are
//! known of a key is the final one.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::fault::Reject;
use carrack_shared::operation::OperationId;
use carrack_shared::port::Finalising;
use carrack_shared::port::batches::{ExportEffect, Part};
use carrack_shared::port::finalising::{Ending, FinishClaim, Loser, Loss};
use carrack_shared::reconcile::{Displacements, Evidence, Staged};
use carrack_shared::record::Position;
use carrack_shared::schema::DataType;
use carrack_shared::spec::Spec;
use carrack_shared::staging::Decision;
use carrack_shared::tally::Tally;
use carrack_shared::undo::state_of_parent;
use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::error::{failed, internal};
use super::operation_row::{self, operation_columns};
use super::operations::clear_outbox;
use super::sql::{
    Params, execute, get, get_u32, get_u64, get_u64_opt, query, query_opt, seconds, signed, storable,
};
use super::{PostgresStore, rejects, segment_row, stage, undo, verifying};

#[async_trait]
impl Finalising for PostgresStore {
    async fn claim_finish(&self, owner: Uuid, lease: Duration) -> PortResult<Option<FinishClaim>> {
        let row =
            query_opt(&self.client().await?, "claim a closing", CLAIM, &[&owner, &seconds(lease)]).await?;
        let Some(row) = row else { return Ok(None) };
        let lease_epoch = get(&row, "finish_epoch")?;
        Ok(Some(FinishClaim { operation: operation_row::read(&row)?, lease_epoch }))
    }

    async fn renew_finish(&self, claim: &FinishClaim, lease: Duration) -> PortResult<bool> {
        const SQL: &str = "UPDATE carrack.operations
             SET finish_until = clock_timestamp() + make_interval(secs => $3)
             WHERE id = $1 AND finish_epoch = $2 AND state IN ('finalising', 'cancelling')";
        let params: &Params<'_> = &[&claim.operation.id.as_uuid(), &claim.lease_epoch, &seconds(lease)];
        Ok(execute(&self.client().await?, "renew a closing's lease", SQL, params).await? > 0)
    }

    async fn losers(&self, claim: &FinishClaim, limit: u32) -> PortResult<Vec<Loser>> {
        let id = claim.operation.id.as_uuid();
        let rows = query(&self.client().await?, "read losers", LOSERS, &[&id, &i64::from(limit)]).await?;
        rows.iter().map(read_loser).collect()
    }

    async fn add_rejects(&self, claim: &FinishClaim, new: &[Reject]) -> PortResult<bool> {
        let mut client = self.client().await?;
        let tx = client.transaction().await.map_err(failed("add rejects"))?;
        if !holds(&tx, claim).await? {
            return Ok(false);
        }
        for of_one_source in new.chunk_by(|a, b| a.position.source() == b.position.source()) {
            let data_type = type_of(&claim.operation.spec, &of_one_source[0])?;
            rejects::insert(&tx, claim.operation.id, data_type.name.as_str(), of_one_source.iter()).await?;
        }
        tx.commit().await.map_err(failed("add rejects"))?;
        Ok(true)
    }

    async fn evidence(&self, claim: &FinishClaim) -> PortResult<Evidence> {
        let id = claim.operation.id.as_uuid();
        let mut client = self.client().await?;
        let tx = client.transaction().await.map_err(failed("collect evidence"))?;
        execute(&tx, "name the winners", NAME_WINNERS, &[&id]).await?;
        let row = query_opt(&tx, "collect evidence", EVIDENCE, &[&id]).await?;
        let row = row.ok_or_else(|| internal("a closing without its operation"))?;
        tx.commit().await.map_err(failed("collect evidence"))?;
        read_evidence(&row, claim.operation.spec.is_staged())
    }

    async fn end(&self, claim: &FinishClaim, ending: &Ending) -> PortResult<bool> {
        const END: &str = "UPDATE carrack.operations SET state = $2, epoch = epoch + 1,
                    finished_at = clock_timestamp(), finish_until = NULL, read = $3, created = $4,
                    updated = $5, unchanged = $6, skipped = $7, rejected = $8, failure_code = $9,
                    failure_message = $10, filtered = $11
             WHERE id = $1";
        let mut client = self.client().await?;
        let tx = client.transaction().await.map_err(failed("end an operation"))?;
        if !holds(&tx, claim).await? {
            return Ok(false);
        }
        let id = claim.operation.id.as_uuid();
        let Tally { read, created, updated, unchanged, skipped, rejected, filtered } = ending.tally;
        let c = [read, created, updated, unchanged, skipped, rejected, filtered].map(signed);
        let code = ending.failure.as_ref().map(|failure| failure.code.as_str());
        let message = ending.failure.as_ref().map(|failure| storable(&failure.message));
        let params: &Params<'_> =
            &[&id, &ending.state.as_str(), &c[0], &c[1], &c[2], &c[3], &c[4], &c[5], &code, &message, &c[6]];
        execute(&tx, "end an operation", END, params).await?;
        if let Some(spec) = claim.operation.spec.as_undo() {
            undo::settle_parent(&tx, spec.parent, state_of_parent(ending.state, &ending.tally)).await?;
        }
        clear_outbox(&tx, claim.operation.id).await?;
        stage::remove(&tx, claim.operation.id, &claim.operation.spec).await?;
        verifying::remove(&tx, claim.operation.id).await?;
        tx.commit().await.map_err(failed("end an operation"))?;
        Ok(true)
    }

    async fn parts(&self, operation: OperationId) -> PortResult<Vec<Part>> {
        const SQL: &str = "SELECT l.batch, l.bytes, l.read, l.part_key, l.part_etag, l.part_frames,
                    coalesce(b.table_number, 0) AS table_number
             FROM carrack.ledger l JOIN carrack.operations o ON o.id = l.operation
             JOIN carrack.batches b ON b.operation = l.operation AND b.generation = l.generation
                 AND b.number = l.batch
             WHERE l.operation = $1 AND l.generation = o.generation AND l.part_key IS NOT NULL
             ORDER BY l.batch";
        let rows = query(&self.client().await?, "read parts", SQL, &[&operation.as_uuid()]).await?;
        rows.iter().map(read_part).collect()
    }
}

const CLAIM: &str = concat!(
    "UPDATE carrack.operations
     SET state = CASE state WHEN 'running' THEN 'finalising' ELSE state END,
         epoch = epoch + (state = 'running')::int,
         finish_owner = $1, finish_epoch = finish_epoch + 1,
         finish_until = clock_timestamp() + make_interval(secs => $2)
     WHERE id = (
         SELECT o.id FROM carrack.operations o
         WHERE (o.finish_until IS NULL OR o.finish_until <= clock_timestamp())
           AND (o.state = 'finalising'
                OR o.state = 'running' AND o.planned_at IS NOT NULL AND NOT EXISTS (
                    SELECT FROM carrack.batches b
                    WHERE b.operation = o.id AND b.generation = o.generation AND b.state <> 'done')
                OR o.state = 'cancelling' AND NOT EXISTS (
                    SELECT FROM carrack.batches b
                    WHERE b.operation = o.id AND b.generation = o.generation AND b.state <> 'done'
                      AND b.lease_owner IS NOT NULL AND b.lease_until > clock_timestamp()))
         ORDER BY o.created_at, o.id LIMIT 1 FOR UPDATE OF o SKIP LOCKED)
     RETURNING finish_epoch, ",
    operation_columns!()
);

/// The type of a refused record.
fn type_of(spec: &Spec, reject: &Reject) -> PortResult<Arc<DataType>> {
    let import = spec.as_import().ok_or_else(|| internal("found a reject of an export"))?;
    Ok(import.type_of(reject.position.source())?)
}

/// The operation's row is locked, so that two finalisers follow each other.
pub(super) async fn holds(tx: &Transaction<'_>, claim: &FinishClaim) -> PortResult<bool> {
    const SQL: &str = "SELECT FROM carrack.operations
         WHERE id = $1 AND finish_epoch = $2 AND state IN ('finalising', 'cancelling') FOR UPDATE";
    let params: &Params<'_> = &[&claim.operation.id.as_uuid(), &claim.lease_epoch];
    Ok(query_opt(tx, "check a closing's lease", SQL, params).await?.is_some())
}

/// A position is a source (23 bits) and a record (40 bits).
const LOSERS: &str = "SELECT d.position, d.key, d.refused, d.lacks, w.winner, b.*
     FROM (SELECT d.position, d.data_type, d.key, d.refused, d.lacks FROM carrack.displaced d
           WHERE d.operation = $1
             AND NOT EXISTS (SELECT FROM carrack.rejects r
                             WHERE r.operation = d.operation AND r.position = d.position)
           ORDER BY d.position LIMIT $2) d
     CROSS JOIN LATERAL (
         SELECT min(known.winner) AS winner FROM (
             SELECT o.winner FROM carrack.displaced o
             WHERE o.operation = $1 AND o.data_type = d.data_type AND o.key = d.key
             UNION ALL
             SELECT r.winner FROM carrack.rejects r
             WHERE r.operation = $1 AND r.data_type = d.data_type AND r.key = d.key) known) w
     CROSS JOIN LATERAL (
         SELECT s.source, s.byte_start, s.byte_end, s.first_record, s.first_line, s.records, s.hash, s.fault, s.packing
         FROM carrack.batches s
         WHERE s.operation = $1 AND s.source = d.position >> 40
           AND s.first_record <= d.position & ((1::bigint << 40) - 1)
         ORDER BY s.first_record DESC LIMIT 1) b
     ORDER BY d.position";

const NAME_WINNERS: &str = "UPDATE carrack.rejects r SET winner = w.winner
     FROM (SELECT data_type, key, min(winner) AS winner FROM (
               SELECT data_type, key, winner FROM carrack.displaced WHERE operation = $1
               UNION ALL
               SELECT data_type, key, winner FROM carrack.rejects
               WHERE operation = $1 AND key IS NOT NULL AND winner IS NOT NULL) known
           GROUP BY data_type, key) w
     WHERE r.operation = $1 AND r.data_type = w.data_type AND r.key = w.key AND r.winner <> w.winner";

const EVIDENCE: &str = "SELECT coalesce(o.planned_batches, b.batches) AS planned_batches, o.planned_records,
            o.decision, b.records AS batch_records, l.*, d.*,
            (SELECT count(*) FROM carrack.rejects WHERE operation = $1) AS rejects
     FROM carrack.operations o,
     LATERAL (SELECT count(*) AS batches, coalesce(sum(records), 0)::bigint AS records
              FROM carrack.batches WHERE operation = $1 AND generation = o.generation) b,
     LATERAL (SELECT count(*) AS ledger_batches,
                     coalesce(sum(read), 0)::bigint AS read,
                     coalesce(sum(created), 0)::bigint AS created,
                     coalesce(sum(updated), 0)::bigint AS updated,
                     coalesce(sum(unchanged), 0)::bigint AS unchanged,
                     coalesce(sum(skipped), 0)::bigint AS skipped,
                     coalesce(sum(rejected), 0)::bigint AS rejected,
                     coalesce(sum(filtered), 0)::bigint AS filtered
              FROM carrack.ledger WHERE operation = $1 AND generation = o.generation) l,
     LATERAL (SELECT count(*) FILTER (WHERE counted = 'created') AS displaced_created,
                     count(*) FILTER (WHERE counted = 'updated') AS displaced_updated,
                     count(*) FILTER (WHERE counted = 'unchanged') AS displaced_unchanged
              FROM carrack.displaced WHERE operation = $1) d
     WHERE o.id = $1";

fn read_evidence(row: &Row, is_staged: bool) -> PortResult<Evidence> {
    let decision: Option<Json<Decision>> = get(row, "decision")?;
    let staged = match decision {
        _ if !is_staged => Staged::No,
        None => Staged::Undecided,
        Some(Json(decision)) => Staged::Decided(decision.tally()),
    };
    Ok(Evidence {
        planned_batches: get_u64(row, "planned_batches")?,
        planned_records: get_u64_opt(row, "planned_records")?,
        batch_records: get_u64(row, "batch_records")?,
        ledger_batches: get_u64(row, "ledger_batches")?,
        ledger: operation_row::read_tally(row)?,
        displaced: read_displacements(row)?,
        rejects: get_u64(row, "rejects")?,
        staged,
    })
}

/// The columns that count displaced records.
pub(super) fn read_displacements(row: &Row) -> PortResult<Displacements> {
    Ok(Displacements {
        created: get_u64(row, "displaced_created")?,
        updated: get_u64(row, "displaced_updated")?,
        unchanged: get_u64(row, "displaced_unchanged")?,
    })
}

fn read_loser(row: &Row) -> PortResult<Loser> {
    let winner = get::<Option<i64>>(row, "winner")?.map(Position::from_stored);
    Ok(Loser {
        position: Position::from_stored(get(row, "position")?),
        key: get(row, "key")?,
        loss: Loss::of(get(row, "lacks")?, get(row, "refused")?, winner),
        segment: segment_row::read_segment(row)?,
    })
}

fn read_part(row: &Row) -> PortResult<Part> {
    let effect = ExportEffect {
        key: get(row, "part_key")?,
        etag: get(row, "part_etag")?,
        bytes: get_u64(row, "bytes")?,
        rows: get_u64(row, "read")?,
        frames: get::<Option<Vec<u8>>>(row, "part_frames")?.unwrap_or_default(),
    };
    Ok(Part { batch: get_u32(row, "batch")?, table: get_u32(row, "table_number")?, effect })
}
