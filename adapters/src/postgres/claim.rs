//! Leases on batches: taking, prolonging and giving them back.
//!
//! A lease is its holder's as long as the batch's epoch is the holder's and the batch has an owner. That it
//! ran out only means that another may take it: a slow holder whom nobody has replaced may still commit.

use std::time::Duration;

use carrack_shared::error::PortResult;
use carrack_shared::operation::{Failure, Operation, State};
use carrack_shared::port::batches::Renewal;
use carrack_shared::segment::{Claim, ClaimedRun};
use carrack_shared::suspicion::Suspicion;
use carrack_shared::task::Task;
use futures_util::future::try_join;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::PostgresStore;
use super::error::{failed, internal};
use super::operations::{clear_outbox, raise_barrier};
use super::sql::{self, execute, get, get_u32, query, query_opt, seconds, storable};
use super::{operation_row, segment_row};

impl PostgresStore {
    pub(super) async fn claim_batches(
        &self,
        task: &Task,
        redelivered: bool,
        owner: Uuid,
        lease: Duration,
    ) -> PortResult<Option<ClaimedRun>> {
        let client = self.client().await?;
        let (found, taken) = try_join(
            operation_row::find(&client, task.operation),
            take(&client, task, redelivered, owner, lease),
        )
        .await?;
        if taken.is_empty() {
            return Ok(None);
        }
        let operation = found.ok_or_else(|| internal("batches without their operation"))?;
        let mut claims = taken.iter().map(read_claim).collect::<PortResult<Vec<_>>>()?;
        claims.sort_by_key(|claim| claim.batch.number);
        Ok(Some(ClaimedRun { operation, claims }))
    }

    pub(super) async fn renew_leases(
        &self,
        operation: &Operation,
        claims: &[Claim],
        lease: Duration,
    ) -> PortResult<Renewal> {
        // A batch whose row is locked is being committed or taken at this moment: it is not waited for, and
        // what it was before is what it counts as.
        const SQL: &str = "WITH ours AS MATERIALIZED (
                 SELECT b.number FROM carrack.batches b
                 JOIN unnest($3::bigint[], $4::bigint[]) AS c(number, epoch)
                   ON b.number = c.number AND b.lease_epoch = c.epoch
                 WHERE b.operation = $1 AND b.generation = $2
                   AND b.lease_owner IS NOT NULL AND b.state <> 'done'
             ), free AS MATERIALIZED (
                 SELECT b.number FROM carrack.batches b
                 JOIN unnest($3::bigint[], $4::bigint[]) AS c(number, epoch)
                   ON b.number = c.number AND b.lease_epoch = c.epoch
                 WHERE b.operation = $1 AND b.generation = $2
                   AND b.lease_owner IS NOT NULL AND b.state <> 'done'
                 FOR UPDATE OF b SKIP LOCKED
             ), prolonged AS (
                 UPDATE carrack.batches b SET state = 'leased',
                        lease_until = clock_timestamp() + make_interval(secs => $5)
                 FROM free WHERE b.operation = $1 AND b.generation = $2 AND b.number = free.number
             )
             SELECT o.state, (SELECT count(*) FROM ours) AS held FROM carrack.operations o WHERE o.id = $1";
        let (id, generation) = (operation.id.as_uuid(), i64::from(operation.generation));
        let (numbers, epochs) = numbers_and_epochs(claims);
        let params: &sql::Params<'_> = &[&id, &generation, &numbers, &epochs, &seconds(lease)];
        let row = query_opt(&self.client().await?, "renew leases", SQL, params).await?;
        let row = row.ok_or_else(|| internal("leases without their operation"))?;
        let held = usize::try_from(get_u32(&row, "held")?).unwrap_or(usize::MAX);
        Ok(Renewal { state: operation_row::read_state(&row)?, held })
    }

    pub(super) async fn note_suspicion(
        &self,
        operation: &Operation,
        claim: &Claim,
        suspicion: &Suspicion,
    ) -> PortResult<bool> {
        const SQL: &str = "UPDATE carrack.batches SET suspicion = $5
             WHERE operation = $1 AND generation = $2 AND number = $3 AND lease_epoch = $4
               AND lease_owner IS NOT NULL AND state <> 'done'";
        let (id, generation) = (operation.id.as_uuid(), i64::from(operation.generation));
        let number = i64::from(claim.batch.number);
        let params: &sql::Params<'_> = &[&id, &generation, &number, &claim.lease_epoch, &Json(suspicion)];
        Ok(execute(&self.client().await?, "note a suspicion", SQL, params).await? > 0)
    }

    pub(super) async fn release_leases(
        &self,
        operation: &Operation,
        claims: &[Claim],
        reason: &str,
    ) -> PortResult<()> {
        // The time of sending moves to now, so that the queue gets its time to hand the task out again.
        const RELEASE: &str = "UPDATE carrack.batches b
             SET state = 'pending', lease_owner = NULL, lease_until = NULL, last_error = $5,
                 sent_at = clock_timestamp()
             FROM unnest($3::bigint[], $4::bigint[]) AS c(number, epoch)
             WHERE b.operation = $1 AND b.generation = $2 AND b.number = c.number
               AND b.lease_epoch = c.epoch AND b.lease_owner IS NOT NULL AND b.state <> 'done'";
        // Who was taken for dead and answers after all was not dead.
        const ALIVE: &str = "UPDATE carrack.batches b SET deaths = deaths - 1, dead_epoch = NULL
             FROM unnest($3::bigint[], $4::bigint[]) AS c(number, epoch)
             WHERE b.operation = $1 AND b.generation = $2 AND b.number = c.number
               AND b.dead_epoch = c.epoch AND b.state <> 'done'";
        let (id, generation) = (operation.id.as_uuid(), i64::from(operation.generation));
        let (numbers, epochs) = numbers_and_epochs(claims);
        let client = self.client().await?;
        let reason = storable(reason);
        execute(&client, "release leases", RELEASE, &[&id, &generation, &numbers, &epochs, &reason]).await?;
        execute(&client, "take deaths back", ALIVE, &[&id, &generation, &numbers, &epochs]).await?;
        Ok(())
    }

    pub(super) async fn fail_operation(
        &self,
        operation: &Operation,
        claim: &Claim,
        failure: &Failure,
    ) -> PortResult<bool> {
        const GIVE_UP: &str = "UPDATE carrack.batches
             SET state = 'pending', lease_owner = NULL, lease_until = NULL, last_error = $5
             WHERE operation = $1 AND generation = $2 AND number = $3 AND lease_epoch = $4
               AND lease_owner IS NOT NULL AND state <> 'done'";
        // A user's cancel stays a cancel: such an operation has no failure when it is cancelling.
        const STOP: &str = "UPDATE carrack.operations
             SET state = 'cancelling', epoch = epoch + (state = 'running')::int,
                 failure_batch = $2, failure_code = $3, failure_message = $4
             WHERE id = $1 AND (state = 'running' OR state = 'cancelling' AND failure_batch IS NOT NULL)
               AND (failure_batch IS NULL OR failure_batch > $2)";
        let what = "fail an operation";
        let (id, generation) = (operation.id.as_uuid(), i64::from(operation.generation));
        let (batch, message) = (i64::from(claim.batch.number), storable(&failure.message));
        let mut client = self.client().await?;
        let tx = client.transaction().await.map_err(failed(what))?;
        raise_barrier(&tx, operation.id).await?;
        let params: &sql::Params<'_> = &[&id, &generation, &batch, &claim.lease_epoch, &message];
        let is_ours = execute(&tx, what, GIVE_UP, params).await? > 0;
        if is_ours {
            execute(&tx, what, STOP, &[&id, &batch, &failure.code, &message]).await?;
            clear_outbox(&tx, operation.id).await?;
        }
        tx.commit().await.map_err(failed(what))?;
        Ok(is_ours)
    }
}

/// Takes what is free of the task. Taking from a holder who has not answered counts as a death.
async fn take(
    client: &deadpool_postgres::Object,
    task: &Task,
    redelivered: bool,
    owner: Uuid,
    lease: Duration,
) -> PortResult<Vec<Row>> {
    // Locked in the order of their numbers, so that claims of the same batches do not wait in a circle.
    const SQL: &str = concat!(
        "WITH free AS MATERIALIZED (
             SELECT b.number FROM carrack.batches b
             JOIN carrack.operations o ON o.id = b.operation AND o.generation = b.generation
             WHERE b.operation = $1 AND b.generation = $2 AND b.number >= $3 AND b.number < $4
               AND (b.state = 'pending'
                    OR b.state = 'leased' AND ($5 OR b.lease_until <= clock_timestamp()))
               AND o.state = $8
             ORDER BY b.number FOR UPDATE OF b
         )
         UPDATE carrack.batches b
         SET state = 'leased', lease_epoch = lease_epoch + 1, lease_owner = $6,
             lease_until = clock_timestamp() + make_interval(secs => $7),
             deaths = deaths + (lease_owner IS NOT NULL)::int,
             dead_epoch = CASE WHEN lease_owner IS NULL THEN dead_epoch ELSE lease_epoch END,
             sent_at = coalesce(sent_at, clock_timestamp())
         FROM free WHERE b.operation = $1 AND b.generation = $2 AND b.number = free.number
         RETURNING b.lease_epoch, b.deaths, b.suspicion, ",
        segment_row::batch_columns!()
    );
    let batches = task.batches();
    let params: &sql::Params<'_> = &[
        &task.operation.as_uuid(),
        &i64::from(task.generation),
        &i64::from(batches.start),
        &i64::from(batches.end),
        &redelivered,
        &owner,
        &seconds(lease),
        &State::Running.as_str(),
    ];
    query(client, "claim batches", SQL, params).await
}

fn read_claim(row: &Row) -> PortResult<Claim> {
    let suspicion: Option<Json<Suspicion>> = get(row, "suspicion")?;
    Ok(Claim {
        batch: segment_row::read(row)?,
        lease_epoch: get(row, "lease_epoch")?,
        deaths: get_u32(row, "deaths")?,
        suspicion: suspicion.map(|Json(suspicion)| suspicion).unwrap_or_default(),
    })
}

fn numbers_and_epochs(claims: &[Claim]) -> (Vec<i64>, Vec<i64>) {
    claims.iter().map(|claim| (i64::from(claim.batch.number), claim.lease_epoch)).unzip()
}
