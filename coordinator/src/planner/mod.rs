//! Plans imports: finds where the records of each source begin and end and stores it, with the tasks that
//! announce the batches. Continues where another planner stopped.
//!
//! A source is read whole, once ([`text`]), unless it is one of Carrack's own exports, whose index says where
//! its frames are ([`index`]), or was read so for the import that is to be verified ([`again`]).

mod again;
mod draft;
mod index;
mod stage;
mod text;

use std::sync::Arc;

use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::layer::Trouble;
use carrack_shared::layer::source::Reader;
use carrack_shared::operation::{Failure, OperationId};
use carrack_shared::pipeline::split::Broken;
use carrack_shared::port::planning::{PlanClaim, PlanEnd};
use carrack_shared::spec::{ImportSpec, Source, Work};
use tokio_util::task::TaskTracker;

use self::draft::Draft;
use crate::context::Context;
use crate::round::{Round, Turn};
use crate::{auditor, exporter, lease, undoer};

/// Takes operations that need a plan, each into a task of its own: a large source must not hold up a small
/// one.
pub(crate) struct Planner {
    pub planners: TaskTracker,
}

impl Round for Planner {
    const NAME: &'static str = "planner";

    async fn turn(&self, context: &Arc<Context>) -> PortResult<Turn> {
        let lease = context.settings.lease();
        let Some(claim) = context.ports.store.claim_plan(context.owner, lease).await? else {
            return Ok(Turn::Idle);
        };
        self.planners.spawn(plan(context.clone(), claim));
        Ok(Turn::Busy)
    }
}

async fn plan(context: Arc<Context>, claim: PlanClaim) {
    let id = claim.operation.id;
    let work = async {
        match claim.operation.spec.work() {
            Work::Import(spec) => plan_import(&context, &claim, spec).await,
            Work::Export(spec) => exporter::plan_and_hold(&context, &claim, spec).await,
            Work::Undo(spec) => undoer::plan(&context, &claim, spec).await,
        }
    };
    // Boxed: a plan's state is large, and this task lives as long as an export.
    let renew = |lease| context.ports.store.renew_plan(&claim, lease);
    match Box::pin(lease::holding(&context, id, renew, work)).await {
        Some(Ok(())) => {
            context.is_fine(id);
            tracing::debug!(operation = %id, "planned");
        }
        Some(Err(error)) => {
            let hopeless = context.is_hopeless(id, &error) && give_up(&context, &claim, &error).await;
            if !hopeless {
                tracing::warn!(operation = %id, error = error.chain(), "planning was interrupted, it will be continued");
                context.trouble.send_replace(Some((&error).into()));
            }
            if !hopeless && !error.try_again() {
                // Kept, so that the next try comes when the lease runs out and not at once.
                return;
            }
            tokio::time::sleep(context.settings.poll()).await;
        }
        None => tracing::debug!(operation = %id, "planning is left to somebody else"),
    }
    if let Err(error) = context.ports.store.release_plan(&claim).await {
        // Harmless: the lease runs out.
        tracing::debug!(operation = %id, error = error.chain(), "the plan's lease could not be given back");
    }
}

/// Stops what can never be planned, and answers whether that could be done.
async fn give_up(context: &Context, claim: &PlanClaim, error: &PortError) -> bool {
    let failure = Failure::new("internal.planning", error.chain());
    let stopped = auditor::stop(context, claim.operation.id, &failure).await;
    stopped.inspect_err(|error| tracing::warn!(operation = %claim.operation.id, error = error.chain(), "cannot stop the operation yet")).is_ok()
}

/// Plans from the claim's cursor to the end of the last source, or to the first place that cannot be framed.
async fn plan_import(context: &Context, claim: &PlanClaim, spec: &ImportSpec) -> PortResult<()> {
    let mut draft = Draft::new(context, claim);
    let mut failure = None;
    let verified = again::planned(context, spec).await?;
    while let Some(source) = spec.sources.get(draft.cursor.source as usize) {
        match plan_source(&mut draft, spec, source, verified).await {
            Ok(Planned::Whole) => draft.next_source(),
            Ok(Planned::Broken(broken)) => failure = Some(told(&source.name, &broken)),
            Ok(Planned::NotOurs) => return Ok(()),
            Err(error) => failure = Some(source_failure(&source.name, error)?),
        }
        if failure.is_some() {
            break;
        }
    }
    let end = PlanEnd { last: draft.take_step(), failure };
    context.ports.store.end_plan(claim, &end).await?;
    context.tasks_waiting.notify_one();
    Ok(())
}

/// What became of a source.
enum Planned {
    Whole,
    Broken(Broken),
    NotOurs,
}

async fn plan_source(
    draft: &mut Draft<'_>,
    spec: &ImportSpec,
    source: &Source,
    verified: Option<OperationId>,
) -> Result<Planned, Trouble> {
    let ports = &draft.context.ports;
    let reader = Reader::new(ports.objects.clone(), source, ports.master_key.as_deref())?;
    if let (Some(import), Some(_)) = (verified, reader.text_length()) {
        return Ok(again::plan(draft, import).await?);
    }
    match reader.index().await? {
        Some(found) if index::is_usable(&found, spec) => index::plan(draft, spec, &reader, &found).await,
        _ => Ok(text::plan(draft, spec, &reader).await?),
    }
}

/// A source that is gone, another one, or not what it says it is ends the plan; any other error is tried
/// again.
fn source_failure(name: &str, trouble: Trouble) -> PortResult<Failure> {
    let error = match trouble {
        Trouble::Port(error) => error,
        Trouble::Fault(fault) => return Ok(Failure::new(fault.code, format!("{name}: {}", fault.message))),
    };
    let code = match error.kind {
        ErrorKind::Changed => "source.changed",
        ErrorKind::NotFound => "source.gone",
        ErrorKind::Refused => "source.refused",
        _ => return Err(error),
    };
    Ok(Failure::new(code, format!("{name}: {}", error.chain())))
}

fn told(name: &str, broken: &Broken) -> Failure {
    let Broken { fault, record, line, byte } = broken;
    let place = format!("{name}: record {record} (line {line}, byte {byte})");
    Failure::new(fault.code.clone(), format!("{place}: {}", fault.message))
}
