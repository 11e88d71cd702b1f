//! Plans exports: opens one snapshot, cuts table after table into key ranges as it shows them, step by step, and
//! holds it until the operation has ended. When its holder dies the snapshot is gone, and the export starts again as the
//! next generation.

use std::sync::Arc;

use carrack_shared::error::PortResult;
use carrack_shared::limits;
use carrack_shared::port::planning::{PlanClaim, PlanEnd, PlanStep};
use carrack_shared::port::records::Snapshot;
use carrack_shared::schema::DataType;
use carrack_shared::segment::{Batch, Extent, Facts, KeyRange, TableFacts};
use carrack_shared::spec::ExportSpec;
use carrack_shared::task::Task;

use crate::context::Context;

/// Ranges that are stored together. Few, for the workers begin with the first ones while the rest is cut.
const RANGES_AT_A_TIME: usize = 16;

/// Plans the export and keeps its snapshot; ends well when the operation has ended.
pub(crate) async fn plan_and_hold(context: &Context, claim: &PlanClaim, spec: &ExportSpec) -> PortResult<()> {
    let tables = (0..).take(spec.names().len()).map(|table| spec.type_of(table));
    let tables = tables.collect::<Result<Vec<_>, _>>()?;
    let mut snapshot = context.ports.store.snapshot().await?;
    if plan(context, claim, &tables, &mut *snapshot).await? {
        hold(context, claim, &mut *snapshot).await?;
    }
    Ok(())
}

/// Cuts each table from its first key to its last. False if the lease is lost.
async fn plan(
    context: &Context,
    claim: &PlanClaim,
    tables: &[Arc<DataType>],
    snapshot: &mut dyn Snapshot,
) -> PortResult<bool> {
    let store = &context.ports.store;
    let mut step = PlanStep::default();
    for (table, data_type) in (0..).zip(tables) {
        let has_extra = snapshot.has_extra(data_type).await?;
        let facts = TableFacts { snapshot: snapshot.id().to_owned(), has_extra };
        step.facts.push((table, Facts::Table(facts)));
        let mut behind: Option<KeyRange> = None;
        while let Some(keys) = snapshot.next_range(data_type, behind.as_ref(), limits::EXPORT_ROWS).await? {
            behind = Some(keys.clone());
            add(&mut step, claim, KeyRange { table, ..keys });
            if step.batches.len() >= RANGES_AT_A_TIME {
                if !store.append_plan(claim, &step).await? {
                    return Ok(false);
                }
                context.tasks_waiting.notify_one();
                step = PlanStep { cursor: step.cursor, ..PlanStep::default() };
            }
        }
    }
    let end = PlanEnd { last: step, failure: None };
    let planned = store.end_plan(claim, &end).await?;
    context.tasks_waiting.notify_one();
    Ok(planned)
}

/// Adds the range as a batch with a task of its own.
fn add(step: &mut PlanStep, claim: &PlanClaim, keys: KeyRange) {
    let (operation, generation) = (claim.operation.id, claim.operation.generation);
    let number = step.cursor.next_batch;
    step.cursor.next_batch += 1;
    step.cursor.total_records += u64::from(keys.rows);
    step.batches.push(Batch { number, extent: Extent::Keys(keys) });
    step.tasks.push(Task { operation, generation, first: number, count: 1, sequence: 1 });
}

/// Keeps the snapshot while the operation runs. The lease is kept beside this; a broken snapshot gives it
/// up, and the next planner begins again.
async fn hold(context: &Context, claim: &PlanClaim, snapshot: &mut dyn Snapshot) -> PortResult<()> {
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
