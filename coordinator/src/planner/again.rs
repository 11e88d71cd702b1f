//! Plans a source of a verification as it was planned for the import, whose segments are still stored. Workers find
//! the very bytes in them, by their hash, or the operation fails.
//!
//! Where the text of a source was staged, it is not there any more: such a source is read again.

use carrack_shared::error::PortResult;
use carrack_shared::operation::OperationId;
use carrack_shared::segment::Facts;
use carrack_shared::spec::{ImportSpec, Verifies};

use super::Planned;
use super::draft::Draft;
use crate::context::Context;

/// Segments read at once.
const PAGE: u32 = 1_000;

/// The import that a verification reads again, if all of it was planned.
pub(super) async fn planned(context: &Context, spec: &ImportSpec) -> PortResult<Option<OperationId>> {
    let Some(Verifies { parent, by_key: false, .. }) = spec.verifies else { return Ok(None) };
    let found = context.ports.store.get(parent).await?;
    let whole = found.filter(|import| import.planned_at.is_some() && import.failure.is_none());
    Ok(whole.map(|import| import.id))
}

/// Plans the rest of the source at which the draft stands.
pub(super) async fn plan(draft: &mut Draft<'_>, import: OperationId) -> PortResult<Planned> {
    let (store, source) = (&draft.context.ports.store, draft.cursor.source);
    if draft.cursor.byte == 0
        && let Some(Facts::File(facts)) = store.facts(import, source).await?
    {
        draft.learn(facts);
    }
    loop {
        let page = store.segments(import, source, draft.cursor.records + 1, PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        for segment in page {
            draft.cursor.byte = segment.bytes.end;
            draft.cursor.records = segment.first_record + u64::from(segment.records) - 1;
            draft.add(segment);
        }
        if is_last {
            return Ok(Planned::Whole);
        }
        if !draft.flush().await? {
            return Ok(Planned::NotOurs);
        }
    }
}
