//! An operation as a row of `carrack.operations`.

use carrack_shared::error::PortResult;
use carrack_shared::operation::{Failure, Operation, OperationId, State};
use carrack_shared::spec::Spec;
use carrack_shared::staging::Decision;
use carrack_shared::tally::Tally;
use deadpool_postgres::GenericClient;
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use super::error::internal;
use super::sql::{get, get_u32, get_u64, get_u64_opt, query_opt};

/// The columns that [`read`] needs.
macro_rules! operation_columns {
    () => {
        "id, state, epoch, owner, spec, generation, created_at, planned_at, finished_at, planned_records, \
         read, created, updated, unchanged, skipped, rejected, filtered, failure_code, failure_message, decision"
    };
}
pub(super) use operation_columns;

/// The operation; none if there is none.
pub(super) async fn find(client: &impl GenericClient, id: OperationId) -> PortResult<Option<Operation>> {
    const SQL: &str = concat!("SELECT ", operation_columns!(), " FROM carrack.operations WHERE id = $1");
    let row = query_opt(client, "look up an operation", SQL, &[&id.as_uuid()]).await?;
    row.as_ref().map(read).transpose()
}

/// Reads the columns of [`operation_columns`].
pub(super) fn read(row: &Row) -> PortResult<Operation> {
    let Json(spec): Json<Spec> = get(row, "spec")?;
    let failure = match get::<Option<String>>(row, "failure_code")? {
        Some(code) => Some(Failure { code, message: get(row, "failure_message")? }),
        None => None,
    };
    let tally = match get::<Option<i64>>(row, "read")? {
        Some(_) => Some(read_tally(row)?),
        None => None,
    };
    Ok(Operation {
        id: OperationId::from_uuid(get(row, "id")?),
        state: read_state(row)?,
        epoch: get(row, "epoch")?,
        owner: get(row, "owner")?,
        spec,
        generation: get_u32(row, "generation")?,
        created_at: get(row, "created_at")?,
        planned_at: get(row, "planned_at")?,
        finished_at: get(row, "finished_at")?,
        planned_records: get_u64_opt(row, "planned_records")?,
        tally,
        decision: get::<Option<Json<Decision>>>(row, "decision")?.map(|Json(decision)| decision),
        failure,
    })
}

/// Reads the column `state`.
pub(super) fn read_state(row: &Row) -> PortResult<State> {
    let name: String = get(row, "state")?;
    State::parse(&name).ok_or_else(|| internal(format!("an operation in the unknown state {name:?}")))
}

/// Reads the counts. Operations that ended in an earlier release have left nothing out.
pub(super) fn read_tally(row: &Row) -> PortResult<Tally> {
    Ok(Tally {
        read: get_u64(row, "read")?,
        created: get_u64(row, "created")?,
        updated: get_u64(row, "updated")?,
        unchanged: get_u64(row, "unchanged")?,
        skipped: get_u64(row, "skipped")?,
        rejected: get_u64(row, "rejected")?,
        filtered: get_u64_opt(row, "filtered")?.unwrap_or_default(),
    })
}
