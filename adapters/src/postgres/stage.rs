//! The stage of an operation: a table for each of its types, of the columns of the data table, where its rows lie
//! until all of them are known; and what is decided on them.
//!
//! A stage is logged as any table: a crash of the server must not lose it. Its key is that of the data table and
//! the position, so that the records of one key lie together, in the order of the input.

use std::sync::Arc;

use async_trait::async_trait;
use carrack_shared::error::{ErrorKind, PortResult};
use carrack_shared::limits::EXAMPLES;
use carrack_shared::operation::{Operation, OperationId};
use carrack_shared::port::Staging;
use carrack_shared::port::finalising::FinishClaim;
use carrack_shared::port::staging::Publication;
use carrack_shared::record::Position;
use carrack_shared::schema::DataType;
use carrack_shared::spec::{Duplicates, Spec};
use carrack_shared::staging::{Decision, Example, TypeDecision};
use carrack_shared::tally::Counted;
use deadpool_postgres::Transaction;
use tokio_postgres::types::Json;

use super::PostgresStore;
use super::error::{failed, internal};
use super::finalise::holds;
use super::merged_stage;
use super::operation_row::{self, operation_columns};
use super::sql::{Params, execute, fixed, get, get_u64, query_opt};
use super::tables::{self, Table};

/// How often a decision is tried that loses a race for the operation's row.
const TRIES: u32 = 8;

#[async_trait]
impl Staging for PostgresStore {
    async fn decide(&self, claim: &FinishClaim) -> PortResult<Option<Decision>> {
        let mut lost = 0;
        loop {
            match self.try_decide(claim).await {
                Err(error) if error.kind == ErrorKind::Contended && lost < TRIES => lost += 1,
                answer => return answer,
            }
        }
    }

    async fn publish(&self, claim: &FinishClaim) -> PortResult<Publication> {
        self.publish_stage(claim).await
    }

    async fn predicted(&self, operation: &Operation) -> PortResult<Option<Operation>> {
        const SQL: &str = concat!(
            "SELECT ",
            operation_columns!(),
            " FROM carrack.operations
              WHERE outcome_sha256 = $1 AND created_at < $2 AND finished_at < $2
                AND state IN ('succeeded', 'succeeded_with_rejects')
              ORDER BY created_at DESC LIMIT 1"
        );
        let sha256 = operation.spec.outcome_sha256();
        let params: &Params<'_> = &[&&sha256[..], &operation.created_at];
        let row = query_opt(&self.client().await?, "look for a dry run", SQL, params).await?;
        row.as_ref().map(operation_row::read).transpose()
    }
}

impl PostgresStore {
    /// All types are looked at in one snapshot.
    async fn try_decide(&self, claim: &FinishClaim) -> PortResult<Option<Decision>> {
        const DECIDED: &str = "SELECT decision FROM carrack.operations WHERE id = $1";
        const STORE: &str = "UPDATE carrack.operations SET decision = $2 WHERE id = $1";
        let what = "decide on staged records";
        let mut client = self.client().await?;
        let tx = client.transaction().await.map_err(failed(what))?;
        fixed(&tx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET LOCAL statement_timeout = 0")
            .await
            .map_err(failed(what))?;
        if !holds(&tx, claim).await? {
            return Ok(None);
        }
        let operation = &claim.operation;
        let id = operation.id.as_uuid();
        let row = query_opt(&tx, what, DECIDED, &[&id]).await?;
        let row = row.ok_or_else(|| internal("a closing without its operation"))?;
        if let Some(Json(decided)) = get::<Option<Json<Decision>>>(&row, "decision")? {
            return Ok(Some(decided));
        }
        let mut decision = Decision::default();
        for data_type in operation.spec.tables()? {
            decision.types.push(decide_type(&tx, operation, &data_type).await?);
        }
        execute(&tx, what, STORE, &[&id, &Json(&decision)]).await?;
        tx.commit().await.map_err(failed(what))?;
        Ok(Some(decision))
    }
}

async fn decide_type(
    tx: &Transaction<'_>,
    operation: &Operation,
    data_type: &Arc<DataType>,
) -> PortResult<TypeDecision> {
    let what = "decide on staged records";
    let stage = Table::stage(data_type, &operation.spec, operation.id);
    // Nobody has looked at it yet, and the plan below depends on how large it is.
    execute_made(tx, &stage.analyze()).await?;
    let merges = operation.spec.as_import().filter(|import| import.duplicates == Duplicates::Merge);
    if let Some(import) = merges {
        return merged_stage::decide(tx, operation, import, data_type).await;
    }
    let there = tables::exists(tx, data_type).await?;
    let statement = tx.prepare(&Table::new(data_type).decide(&stage, there)).await.map_err(failed(what))?;
    let mode = operation.spec.as_import().map_or(Duplicates::Reject, |import| import.duplicates).as_str();
    let (id, name, examples) = (operation.id.as_uuid(), data_type.name.as_str(), i64::from(EXAMPLES));
    let params: &Params<'_> = &[&id, &name, &examples, &mode];
    let rows = tx.query(&statement, params).await.map_err(failed(what))?;
    let mut decided = TypeDecision::new(name);
    for row in rows {
        let counted: String = get(&row, "counted")?;
        let counted = Counted::parse(&counted).ok_or_else(|| internal(format!("counted as {counted:?}")))?;
        if get::<i64>(&row, "number")? == 1 {
            decided.add(counted, get_u64(&row, "total")?);
        }
        let position = Position::from_stored(get(&row, "position")?);
        decided.examples.push(Example { counted, position, key: get(&row, "key")? });
    }
    Ok(decided)
}

/// Makes the stage of a new operation.
pub(super) async fn create(tx: &Transaction<'_>, operation: OperationId, spec: &Spec) -> PortResult<()> {
    if !spec.is_staged() {
        return Ok(());
    }
    let compression = tables::compression(tx).await?;
    for data_type in spec.tables()? {
        execute_made(tx, &Table::stage(&data_type, spec, operation).create(compression)).await?;
    }
    Ok(())
}

/// Drops the stage of an operation that ends.
pub(super) async fn remove(tx: &Transaction<'_>, operation: OperationId, spec: &Spec) -> PortResult<()> {
    if !spec.is_staged() {
        return Ok(());
    }
    for data_type in spec.tables()? {
        execute_made(tx, &Table::stage(&data_type, spec, operation).drop()).await?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "DDL takes no parameters; the names are quoted identifiers")]
async fn execute_made(tx: &Transaction<'_>, sql: &str) -> PortResult<()> {
    tx.batch_execute(sql).await.map_err(failed("change a stage"))
}
