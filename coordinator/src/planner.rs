//! Plans imports: streams each source once through the splitter and stores the boundaries it finds, with
//! the tasks that announce them. Continues where another planner stopped.

use std::sync::Arc;

use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::format::SourceFacts;
use carrack_shared::limits;
use carrack_shared::operation::Failure;
use carrack_shared::pipeline::split::{Broken, Rules, Splitter};
use carrack_shared::port::planning::{Cursor, PlanClaim, PlanEnd, PlanStep};
use carrack_shared::segment::{Batch, Extent, Facts, Segment};
use carrack_shared::spec::{ImportSpec, Source, Work};
use carrack_shared::task::Task;
use futures_util::StreamExt;
use tokio_util::task::TaskTracker;

use crate::context::Context;
use crate::round::{Round, Turn};
use crate::{exporter, lease};

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
        }
    };
    // Boxed: a plan's state is large, and this task lives as long as an export.
    let renew = |lease| context.ports.store.renew_plan(&claim, lease);
    match Box::pin(lease::holding(&context, id, renew, work)).await {
        Some(Ok(())) => tracing::debug!(operation = %id, "planned"),
        Some(Err(error)) => {
            tracing::warn!(operation = %id, error = error.chain(), "planning was interrupted, it will be continued");
            context.trouble.send_replace(Some((&error).into()));
            if !error.try_again() {
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

/// Plans from the claim's cursor to the end of the last source, or to the first place that cannot be framed.
async fn plan_import(context: &Context, claim: &PlanClaim, spec: &ImportSpec) -> PortResult<()> {
    let mut draft = Draft::new(context, claim);
    let mut failure = None;
    while let Some(source) = spec.sources.get(draft.cursor.source as usize) {
        match plan_source(&mut draft, spec, source).await {
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

enum Planned {
    Whole,
    Broken(Broken),
    NotOurs,
}

async fn plan_source(draft: &mut Draft<'_>, spec: &ImportSpec, source: &Source) -> PortResult<Planned> {
    let number = draft.cursor.source;
    let rules = Rules {
        batch_records: spec.batch_size,
        batch_bytes: limits::BATCH_BYTES,
        record_bytes: limits::RECORD_BYTES,
    };
    // What was learned is stored before the cursor leaves the start.
    let mut told_facts = draft.cursor.byte > 0;
    let known = if told_facts { draft.facts_of(number).await? } else { None };
    let mut splitter = match &known {
        Some(facts) => Splitter::resume(number, facts, &draft.cursor, source.length, rules),
        None => Splitter::new(number, spec.format, source.length, rules),
    };
    let objects = &draft.context.ports.objects;
    let mut pieces = objects.stream(&source.key, draft.cursor.byte, &source.etag).await?;
    let mut segments = Vec::new();
    loop {
        let piece = pieces.next().await.transpose()?;
        let over = piece.is_none();
        let cut = match piece {
            Some(piece) => splitter.push(&piece, &mut segments),
            None => splitter.finish(&mut segments),
        };
        if !told_facts && let Some(facts) = splitter.facts() {
            draft.step.facts.push((number, Facts::File(facts)));
            told_facts = true;
        }
        for segment in segments.drain(..) {
            draft.add(segment);
        }
        if cut.is_ok() {
            splitter.mark(&mut draft.cursor);
        }
        // What stands behind a break is stored with the end of the plan, not before it.
        if cut.is_ok() && draft.is_full() && !draft.flush().await? {
            return Ok(Planned::NotOurs);
        }
        match cut {
            Err(broken) => return Ok(Planned::Broken(broken)),
            Ok(()) if over => return Ok(Planned::Whole),
            Ok(()) => {}
        }
    }
}

/// The part of the plan that is not stored yet.
struct Draft<'plan> {
    context: &'plan Context,
    claim: &'plan PlanClaim,
    cursor: Cursor,
    step: PlanStep,
    /// Bytes of the run of batches that the last task names.
    task_bytes: u64,
    bytes: u64,
}

impl<'plan> Draft<'plan> {
    fn new(context: &'plan Context, claim: &'plan PlanClaim) -> Self {
        let (cursor, step) = (claim.cursor.clone(), PlanStep::default());
        Self { context, claim, cursor, step, task_bytes: 0, bytes: 0 }
    }

    /// What an earlier planner learned of a source.
    async fn facts_of(&self, source: u32) -> PortResult<Option<SourceFacts>> {
        let facts = self.context.ports.store.facts(self.claim.operation.id, source).await?;
        Ok(facts.and_then(|facts| match facts {
            Facts::File(facts) => Some(facts),
            Facts::Table(_) => None,
        }))
    }

    /// Adds a batch, to the last task if it has room for it.
    fn add(&mut self, segment: Segment) {
        let number = self.cursor.next_batch;
        let bytes = segment.bytes.end - segment.bytes.start;
        self.cursor.next_batch += 1;
        self.cursor.total_records += u64::from(segment.records);
        self.bytes += bytes;
        match self.step.tasks.last_mut() {
            Some(task) if self.task_bytes + bytes <= limits::TASK_BYTES => {
                task.count += 1;
                self.task_bytes += bytes;
            }
            _ => {
                let (operation, generation) = (self.claim.operation.id, self.claim.operation.generation);
                self.step.tasks.push(Task { operation, generation, first: number, count: 1, sequence: 1 });
                self.task_bytes = bytes;
            }
        }
        self.step.batches.push(Batch { number, extent: Extent::Segment(segment) });
    }

    /// Whether there is enough to be worth a transaction.
    fn is_full(&self) -> bool {
        self.bytes >= limits::TASK_BYTES || self.step.batches.len() >= STEP_BATCHES
    }

    /// Stores what there is; false if the plan is not ours any more.
    async fn flush(&mut self) -> PortResult<bool> {
        let step = self.take_step();
        let ours = self.context.ports.store.append_plan(self.claim, &step).await?;
        self.context.tasks_waiting.notify_one();
        Ok(ours)
    }

    /// Takes what is not stored yet, with the place where planning stands.
    fn take_step(&mut self) -> PlanStep {
        (self.bytes, self.task_bytes) = (0, 0);
        PlanStep { cursor: self.cursor.clone(), ..std::mem::take(&mut self.step) }
    }

    fn next_source(&mut self) {
        self.cursor.source += 1;
        (self.cursor.byte, self.cursor.records, self.cursor.line) = (0, 0, 0);
    }
}

/// Batches stored in one transaction, at most.
const STEP_BATCHES: usize = 1_000;

/// A source that is gone or another one ends the plan; any other error is tried again.
fn source_failure(name: &str, error: PortError) -> PortResult<Failure> {
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
