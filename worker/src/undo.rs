//! Executes a run of undo batches: all of their work is the database's.

use carrack_shared::limits;
use carrack_shared::segment::ClaimedRun;

use crate::context::Context;
use crate::export::deadly;
use crate::import::record_progress;
use crate::task::{Interrupted, after_commit, failed};

pub(crate) async fn run(context: &Context, run: &ClaimedRun) -> Result<(), Interrupted> {
    if let Some(claim) = run.claims.iter().find(|claim| claim.deaths >= limits::EXPORT_DEATHS) {
        return Err(deadly(claim));
    }
    for claim in &run.claims {
        let commit = context.ports.store.commit_undo(&run.operation, claim).await.map_err(failed(claim))?;
        record_progress(context, run, claim, &commit, 0).await;
        after_commit(&commit)?;
    }
    Ok(())
}
