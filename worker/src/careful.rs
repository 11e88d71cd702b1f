//! Works on a batch that keeps ending its workers: reads its records piece by piece, each behind a mark in
//! the database, so that whoever comes after a death knows what caused it. What is read is thrown away; once
//! nothing is suspected any more the batch is executed as any other, without the records that were condemned.

use std::borrow::Cow;

use carrack_shared::limits;
use carrack_shared::operation::Failure;
use carrack_shared::segment::{Claim, ClaimedRun};
use carrack_shared::spec::{ImportSpec, Work};
use carrack_shared::suspicion::{Next, Suspicion};

use crate::context::Context;
use crate::task::Interrupted;
use crate::trial::Trial;

/// Whether any batch of the run has to be worked on alone. The records of an export and of an undo are not looked
/// at: they were read before; but alone it shows whether it was it that died.
pub(crate) fn is_called_for(run: &ClaimedRun) -> bool {
    match run.operation.spec.work() {
        Work::Import(_) => run.claims.iter().any(calls_for_care),
        Work::Export(_) | Work::Undo(_) => {
            run.claims.iter().any(|claim| claim.deaths >= limits::BATCH_DEATHS)
        }
    }
}

/// The run as it can be executed: every batch is above suspicion, or its poison is known.
pub(crate) async fn clear<'run>(
    context: &Context,
    run: &'run ClaimedRun,
    spec: &ImportSpec,
) -> Result<Cow<'run, ClaimedRun>, Interrupted> {
    let mut cleared = Cow::Borrowed(run);
    for (index, claim) in run.claims.iter().enumerate().filter(|(_, claim)| calls_for_care(claim)) {
        cleared.to_mut().claims[index].suspicion = search(context, run, spec, claim).await?;
    }
    Ok(cleared)
}

fn calls_for_care(claim: &Claim) -> bool {
    claim.suspicion.calls_for_care(claim.deaths)
}

async fn search(
    context: &Context,
    run: &ClaimedRun,
    spec: &ImportSpec,
    claim: &Claim,
) -> Result<Suspicion, Interrupted> {
    let (operation, batch, deaths) = (run.operation.id, claim.batch.number, claim.deaths);
    let mut suspicion = claim.suspicion.clone();
    suspicion.learn(deaths);
    tracing::warn!(%operation, batch, deaths, ?suspicion, "looking for a record that ends workers");
    loop {
        match suspicion.next(claim.batch.extent.records(), deaths) {
            Next::Execute => {
                note(context, run, claim, &suspicion).await?;
                return Ok(suspicion);
            }
            Next::GiveUp => return Err(deadly(claim)),
            Next::Probe(pieces) => {
                suspicion.mark(None, deaths);
                note(context, run, claim, &suspicion).await?;
                let trial = Trial::open(context, run, spec, claim).await?;
                for piece in pieces {
                    suspicion.mark(Some(piece.clone()), deaths);
                    note(context, run, claim, &suspicion).await?;
                    if let Some(trial) = &trial {
                        trial.read(piece, suspicion.poison()).await?;
                    }
                }
                suspicion.outlived(deaths);
            }
        }
    }
}

/// Says what is known, durably; ends the work if the batch is no longer ours.
async fn note(
    context: &Context,
    run: &ClaimedRun,
    claim: &Claim,
    suspicion: &Suspicion,
) -> Result<(), Interrupted> {
    let ours = context.ports.store.suspect(&run.operation, claim, suspicion).await?;
    if ours { Ok(()) } else { Err(Interrupted::NotOurs) }
}

fn deadly(claim: &Claim) -> Interrupted {
    let message = format!(
        "batch {} ended {} workers without an answer, expected one of its records to be the cause",
        claim.batch.number, claim.deaths
    );
    Interrupted::Hopeless(Box::new(claim.clone()), Failure::new("batch.deadly", message))
}
