//! Plans undos: cuts the keys that the import has touched into ranges, table after table. A plan that breaks off is
//! continued behind its last range.

use carrack_shared::error::PortResult;
use carrack_shared::limits;
use carrack_shared::port::planning::{PlanClaim, PlanEnd, PlanStep};
use carrack_shared::segment::{Batch, Extent, KeyRange};
use carrack_shared::spec::UndoSpec;
use carrack_shared::task::Task;
use carrack_shared::undo::Most;

use crate::context::Context;

/// Ranges that are stored together. Few, for the workers begin with the first ones while the rest is looked for.
const RANGES_AT_A_TIME: usize = 16;

/// What one batch holds.
const MOST: Most = Most { rows: limits::UNDO_ROWS, bytes: limits::UNDO_BYTES };

/// Plans from the claim's cursor to the end of the last table.
pub(crate) async fn plan(context: &Context, claim: &PlanClaim, spec: &UndoSpec) -> PortResult<()> {
    let store = &context.ports.store;
    let mut step = PlanStep { cursor: claim.cursor.clone(), ..PlanStep::default() };
    while (step.cursor.source as usize) < spec.data_types.len() {
        let table = step.cursor.source;
        let data_type = spec.type_of(table)?;
        let behind = step.cursor.key.as_deref();
        match store.next_touched(spec.parent, &data_type, behind, MOST).await? {
            Some(keys) => add(&mut step, claim, KeyRange { table, ..keys }),
            None => {
                let cursor = &mut step.cursor;
                (cursor.source, cursor.records, cursor.key) = (table + 1, 0, None);
            }
        }
        if step.batches.len() >= RANGES_AT_A_TIME {
            if !store.append_plan(claim, &step).await? {
                return Ok(());
            }
            context.tasks_waiting.notify_one();
            step = PlanStep { cursor: step.cursor, ..PlanStep::default() };
        }
    }
    store.end_plan(claim, &PlanEnd { last: step, failure: None }).await?;
    context.tasks_waiting.notify_one();
    Ok(())
}

/// Adds the range as a batch with a task of its own.
fn add(step: &mut PlanStep, claim: &PlanClaim, keys: KeyRange) {
    let (operation, generation) = (claim.operation.id, claim.operation.generation);
    let cursor = &mut step.cursor;
    let number = cursor.next_batch;
    let keys = KeyRange { first: cursor.records + 1, ..keys };
    cursor.next_batch += 1;
    cursor.records += u64::from(keys.rows);
    cursor.total_records += u64::from(keys.rows);
    cursor.key = Some(keys.to.clone());
    step.batches.push(Batch { number, extent: Extent::Keys(keys) });
    step.tasks.push(Task { operation, generation, first: number, count: 1, sequence: 1 });
}
