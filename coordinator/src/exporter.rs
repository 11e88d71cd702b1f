//! Plans exports: opens one snapshot, cuts the table into key ranges as it shows them, and holds it until
//! the operation has ended. When its holder dies the snapshot is gone, and the export starts again as the
//! next generation.

use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::limits;
use carrack_shared::port::planning::{Cursor, PlanClaim, PlanEnd, PlanStep};
use carrack_shared::port::records::TablePlan;
use carrack_shared::schema;
use carrack_shared::segment::{Batch, Extent, Facts, TableFacts};
use carrack_shared::spec::ExportSpec;
use carrack_shared::task::Task;

use crate::context::Context;

/// Plans the export and keeps its snapshot; ends well when the operation has ended.
pub(crate) async fn plan_and_hold(context: &Context, claim: &PlanClaim, spec: &ExportSpec) -> PortResult<()> {
    let store = &context.ports.store;
    let data_type = schema::built_in(&spec.data_type).ok_or_else(|| {
        let message = format!("the data type {:?} is not known here", spec.data_type);
        PortError::new(ErrorKind::Internal, "coordinator", message)
    })?;
    let mut snapshot = store.snapshot().await?;
    let table = snapshot.plan(&data_type, limits::EXPORT_ROWS).await?;
    let facts = TableFacts { snapshot: snapshot.id().to_owned(), has_extra: table.has_extra };
    let step = step(claim, facts, table);
    if !store.append_plan(claim, &step).await? {
        return Ok(());
    }
    let end = PlanEnd { last: PlanStep { cursor: step.cursor, ..PlanStep::default() }, failure: None };
    if !store.end_plan(claim, &end).await? {
        return Ok(());
    }
    context.tasks_waiting.notify_one();
    hold(context, claim, &mut *snapshot).await
}

fn step(claim: &PlanClaim, facts: TableFacts, table: TablePlan) -> PlanStep {
    let (operation, generation) = (claim.operation.id, claim.operation.generation);
    let mut step = PlanStep { facts: vec![(0, Facts::Table(facts))], ..PlanStep::default() };
    let mut cursor = Cursor::default();
    for keys in table.ranges {
        let number = cursor.next_batch;
        cursor.next_batch += 1;
        cursor.total_records += u64::from(keys.rows);
        step.batches.push(Batch { number, extent: Extent::Keys(keys) });
        step.tasks.push(Task { operation, generation, first: number, count: 1, sequence: 1 });
    }
    step.cursor = cursor;
    step
}

/// Keeps the snapshot while the operation runs. The lease is kept beside this; a broken snapshot gives it
/// up, and the next planner begins again.
async fn hold(
    context: &Context,
    claim: &PlanClaim,
    snapshot: &mut dyn carrack_shared::port::records::Snapshot,
) -> PortResult<()> {
    loop {
        tokio::time::sleep(context.settings.poll()).await;
        let operation = match context.ports.store.get(claim.operation.id).await {
            Ok(operation) => operation,
            // A hiccup of the pool does not take the snapshot, which has a connection of its own.
            Err(error) if error.try_again() => {
                snapshot.alive().await?;
                continue;
            }
            Err(error) => return Err(error),
        };
        let runs = operation.is_some_and(|operation| {
            !operation.state.is_terminal() && operation.generation == claim.operation.generation
        });
        if !runs {
            return Ok(());
        }
        snapshot.alive().await?;
    }
}
