//! Operations: creating, finding and stopping them, and what they have to show.

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::operation::{Failure, Operation, OperationId, Totals};
use carrack_shared::port::Operations;
use carrack_shared::port::operations::{Created, Idempotency, Listing, NewOperation};
use carrack_shared::port::progress::BatchTotals;
use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::error::{failed, internal};
use super::operation_row::{self, operation_columns};
use super::sql::{Params, execute, fixed, get, get_u32, get_u64, query, query_opt, storable};
use super::{PostgresStore, stage, tables, templates, undo};

#[async_trait]
impl Operations for PostgresStore {
    async fn create(&self, new: &NewOperation) -> PortResult<Created> {
        let mut client = self.client().await?;
        let types = if new.spec.only_looks() { Vec::new() } else { new.spec.tables()? };
        for data_type in types {
            tables::ensure(&mut client, &data_type).await?;
        }
        let tx = client.transaction().await.map_err(failed("create an operation"))?;
        if let Some(idempotency) = &new.idempotency
            && let Some((operation, request)) = reserve(&tx, new, idempotency).await?
        {
            if request != idempotency.request {
                return Ok(Created::OtherRequest);
            }
            let before = operation_row::find(&tx, OperationId::from_uuid(operation)).await?;
            return before
                .map(Created::Before)
                .ok_or_else(|| internal("an idempotency key without its operation"));
        }
        // Its types stay as they are until it can be seen.
        tables::keep_tables(&tx).await?;
        for data_type in new.spec.tables()? {
            let known = templates::known_type(&tx, data_type.name.as_str()).await?;
            if known.is_some_and(|known| !known.has_columns_of(&data_type)) {
                return Ok(Created::TypeChanged(data_type.name.as_str().to_owned()));
            }
        }
        if let Some(spec) = new.spec.as_undo()
            && let Err(reason) = undo::hold_images(&tx, spec.parent).await?
        {
            return Ok(Created::NotUndoable(reason));
        }
        if let Some(parent) = new.spec.retries()
            && let Some(retry) = retried(&tx, parent).await?
        {
            return Ok(Created::Retried(retry));
        }
        let operation = insert(&tx, new).await?;
        stage::create(&tx, new.id, &new.spec).await?;
        tx.commit().await.map_err(failed("create an operation"))?;
        Ok(Created::New(operation))
    }

    async fn get(&self, id: OperationId) -> PortResult<Option<Operation>> {
        operation_row::find(&self.client().await?, id).await
    }

    async fn list(&self, listing: Listing) -> PortResult<Vec<Operation>> {
        list(&self.client().await?, listing).await
    }

    async fn cancel(&self, id: OperationId) -> PortResult<Option<Operation>> {
        const SQL: &str = "UPDATE carrack.operations
             SET state = 'cancelling', epoch = epoch + 1, finish_until = NULL
             WHERE id = $1 AND (state = 'running' OR state = 'finalising' AND NOT published)";
        let mut client = self.client().await?;
        let tx = client.transaction().await.map_err(failed("cancel an operation"))?;
        raise_barrier(&tx, id).await?;
        if execute(&tx, "cancel an operation", SQL, &[&id.as_uuid()]).await? > 0 {
            clear_outbox(&tx, id).await?;
        }
        let operation = operation_row::find(&tx, id).await?;
        tx.commit().await.map_err(failed("cancel an operation"))?;
        Ok(operation)
    }

    async fn stop(&self, id: OperationId, failure: &Failure) -> PortResult<Option<Operation>> {
        // It stands behind the failure of every batch.
        const SQL: &str = "UPDATE carrack.operations
             SET state = 'cancelling', epoch = epoch + 1, finish_until = NULL,
                    failure_batch = coalesce(failure_batch, $4), failure_code = coalesce(failure_code, $2),
                    failure_message = coalesce(failure_message, $3)
             WHERE id = $1 AND (state = 'running' OR state = 'finalising' AND NOT published)";
        let what = "stop an operation";
        let mut client = self.client().await?;
        let tx = client.transaction().await.map_err(failed(what))?;
        raise_barrier(&tx, id).await?;
        let params: &Params<'_> = &[&id.as_uuid(), &failure.code, &storable(&failure.message), &i64::MAX];
        if execute(&tx, what, SQL, params).await? == 0 {
            return Ok(None);
        }
        clear_outbox(&tx, id).await?;
        let operation = operation_row::find(&tx, id).await?;
        tx.commit().await.map_err(failed(what))?;
        Ok(operation)
    }

    async fn totals(&self, id: OperationId) -> PortResult<Totals> {
        const SQL: &str = "SELECT count(*) AS batches, coalesce(sum(bytes), 0)::bigint AS bytes,
                    coalesce(sum(l.read), 0)::bigint AS read,
                    coalesce(sum(l.created), 0)::bigint AS created,
                    coalesce(sum(l.updated), 0)::bigint AS updated,
                    coalesce(sum(l.unchanged), 0)::bigint AS unchanged,
                    coalesce(sum(l.skipped), 0)::bigint AS skipped,
                    coalesce(sum(l.rejected), 0)::bigint AS rejected,
                    coalesce(sum(l.filtered), 0)::bigint AS filtered
             FROM carrack.ledger l JOIN carrack.operations o ON o.id = l.operation
             WHERE l.operation = $1 AND l.generation = o.generation";
        let row = query_opt(&self.client().await?, "sum the ledger", SQL, &[&id.as_uuid()]).await?;
        row.as_ref().map_or(Ok(Totals::default()), |row| read_totals(row, get_u64(row, "batches")?))
    }

    async fn ledger(&self, id: OperationId) -> PortResult<Vec<BatchTotals>> {
        const SQL: &str =
            "SELECT l.batch, l.bytes, l.read, l.created, l.updated, l.unchanged, l.skipped, l.rejected,
                    l.filtered
             FROM carrack.ledger l JOIN carrack.operations o ON o.id = l.operation
             WHERE l.operation = $1 AND l.generation = o.generation ORDER BY l.batch";
        let rows = query(&self.client().await?, "read the ledger", SQL, &[&id.as_uuid()]).await?;
        let entry =
            |row: &Row| Ok(BatchTotals { batch: get_u32(row, "batch")?, totals: read_totals(row, 1)? });
        rows.iter().map(entry).collect()
    }
}

/// Operations, newest first.
pub(super) async fn list(client: &impl GenericClient, listing: Listing) -> PortResult<Vec<Operation>> {
    const ACTIVE: &str = concat!(
        "SELECT ",
        operation_columns!(),
        " FROM carrack.operations WHERE state IN ('running', 'finalising', 'cancelling')
          ORDER BY created_at DESC, id DESC"
    );
    const LATEST: &str = concat!(
        "SELECT ",
        operation_columns!(),
        " FROM carrack.operations ORDER BY created_at DESC, id DESC LIMIT $1"
    );
    const RETRIES: &str = concat!(
        "SELECT ",
        operation_columns!(),
        " FROM carrack.operations WHERE spec #>> '{retry,parent}' = $1 ORDER BY created_at DESC, id DESC"
    );
    let rows = match listing {
        Listing::Active => query(client, "list operations", ACTIVE, &[]).await?,
        Listing::RetriesOf(parent) => query(client, "list retries", RETRIES, &[&parent.to_string()]).await?,
        Listing::Latest(most) => query(client, "list operations", LATEST, &[&i64::from(most)]).await?,
    };
    rows.iter().map(operation_row::read).collect()
}

fn read_totals(row: &Row, batches: u64) -> PortResult<Totals> {
    Ok(Totals { tally: operation_row::read_tally(row)?, bytes: get_u64(row, "bytes")?, batches })
}

/// Takes the idempotency key for this creation. Where it is taken already, answers by which operation and
/// for which request. Two creations with one key meet at the primary key: the second waits here.
async fn reserve(
    tx: &Transaction<'_>,
    new: &NewOperation,
    idempotency: &Idempotency,
) -> PortResult<Option<(Uuid, Vec<u8>)>> {
    const RESERVE: &str = "INSERT INTO carrack.idempotency AS i (owner, key, request, operation)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (owner, key) DO UPDATE
         SET request = excluded.request, operation = excluded.operation, created_at = now()
         WHERE i.created_at < now() - interval '72 hours'";
    const TAKEN: &str = "SELECT operation, request FROM carrack.idempotency WHERE owner = $1 AND key = $2";
    let request = &idempotency.request[..];
    let what = "reserve an idempotency key";
    if execute(tx, what, RESERVE, &[&new.owner, &idempotency.key, &request, &new.id.as_uuid()]).await? > 0 {
        return Ok(None);
    }
    let row = query_opt(tx, what, TAKEN, &[&new.owner, &idempotency.key]).await?;
    let row = row.ok_or_else(|| internal("an idempotency key that is neither free nor taken"))?;
    Ok(Some((get(&row, "operation")?, get(&row, "request")?)))
}

/// The retry of an operation that stands in the way of another one; two creations meet at the operation.
async fn retried(tx: &Transaction<'_>, parent: OperationId) -> PortResult<Option<OperationId>> {
    const LOCK: &str = "SELECT FROM carrack.operations WHERE id = $1 FOR UPDATE";
    const SQL: &str = "SELECT id FROM carrack.operations
         WHERE spec #>> '{retry,parent}' = $1 AND state NOT IN ('failed', 'cancelled')
         ORDER BY created_at DESC, id DESC LIMIT 1";
    let what = "look for a retry";
    execute(tx, what, LOCK, &[&parent.as_uuid()]).await?;
    let found = query_opt(tx, what, SQL, &[&parent.to_string()]).await?;
    found.map(|row| Ok(OperationId::from_uuid(get(&row, "id")?))).transpose()
}

async fn insert(tx: &Transaction<'_>, new: &NewOperation) -> PortResult<Operation> {
    const OPERATION: &str = concat!(
        "INSERT INTO carrack.operations (id, owner, kind, spec, outcome_sha256, published, images)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ",
        operation_columns!()
    );
    const CURSOR: &str = "INSERT INTO carrack.plan_cursor (operation, cursor) VALUES ($1, $2)";
    let (id, kind) = (new.id.as_uuid(), new.spec.lane().as_str());
    let published = new.spec.is_all_or_nothing().then_some(false);
    let outcome = new.spec.is_dry_run().then(|| new.spec.outcome_sha256());
    let outcome = outcome.as_ref().map(<[u8; 32]>::as_slice);
    let cursor = carrack_shared::port::planning::Cursor::default();
    let images = new.spec.keeps_images().then_some("kept");
    let params: &Params<'_> = &[&id, &new.owner, &kind, &Json(&new.spec), &outcome, &published, &images];
    let row = query_opt(tx, "insert an operation", OPERATION, params).await?;
    execute(tx, "insert a plan cursor", CURSOR, &[&id, &Json(&cursor)]).await?;
    row.as_ref().map(operation_row::read).unwrap_or_else(|| Err(internal("an insert without its row")))
}

/// Takes the exclusive side of the operation's barrier: waits for the commits under way, and lets no other
/// begin before this transaction ends. The lock manager queues fairly, so no stream of commits can starve
/// this; a row lock would.
pub(super) async fn raise_barrier(tx: &Transaction<'_>, id: OperationId) -> PortResult<()> {
    const SQL: &str = "SELECT pg_advisory_xact_lock(lock_key) FROM carrack.operations WHERE id = $1";
    let what = "wait for the commits under way";
    // A commit is bounded by its own timeouts; this one only keeps a stuck server from holding the caller.
    fixed(tx, "SET LOCAL lock_timeout = '10s'").await.map_err(failed(what))?;
    query_opt(tx, what, SQL, &[&id.as_uuid()]).await?;
    Ok(())
}

/// Forgets the tasks that wait to be sent.
pub(super) async fn clear_outbox(client: &impl GenericClient, id: OperationId) -> PortResult<()> {
    const SQL: &str = "DELETE FROM carrack.outbox WHERE operation = $1";
    execute(client, "clear the outbox", SQL, &[&id.as_uuid()]).await?;
    Ok(())
}
