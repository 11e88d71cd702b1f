//! The part of a plan that is not stored yet.

use carrack_shared::error::PortResult;
use carrack_shared::format::SourceFacts;
use carrack_shared::limits;
use carrack_shared::port::planning::{Cursor, PlanClaim, PlanStep};
use carrack_shared::segment::{Batch, Extent, Facts, Segment};
use carrack_shared::task::Task;

use crate::context::Context;

/// Batches stored in one transaction, at most.
const STEP_BATCHES: usize = 1_000;

/// What has been planned and not stored.
pub(super) struct Draft<'plan> {
    pub(super) context: &'plan Context,
    pub(super) claim: &'plan PlanClaim,
    pub(super) cursor: Cursor,
    step: PlanStep,
    /// Bytes of the run of batches that the last task names.
    task_bytes: u64,
    bytes: u64,
}

impl<'plan> Draft<'plan> {
    pub(super) fn new(context: &'plan Context, claim: &'plan PlanClaim) -> Self {
        let (cursor, step) = (claim.cursor.clone(), PlanStep::default());
        Self { context, claim, cursor, step, task_bytes: 0, bytes: 0 }
    }

    /// What an earlier planner learned of the source at which the plan stands; none at its first byte.
    pub(super) async fn known_facts(&self) -> PortResult<Option<SourceFacts>> {
        if self.cursor.byte == 0 {
            return Ok(None);
        }
        let facts = self.context.ports.store.facts(self.claim.operation.id, self.cursor.source).await?;
        Ok(facts.and_then(|facts| match facts {
            Facts::File(facts) => Some(facts),
            Facts::Table(_) => None,
        }))
    }

    /// Notes what was learned of the source. It is stored before the cursor leaves its start.
    pub(super) fn learn(&mut self, facts: SourceFacts) {
        self.step.facts.push((self.cursor.source, Facts::File(facts)));
    }

    /// Adds a batch, to the last task if it has room for it.
    pub(super) fn add(&mut self, segment: Segment) {
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

    /// The segments of the source at which the plan stands whose text lies nowhere yet: in groups that workers
    /// read together, with at most `gap` bytes between two, and those that are refused unread by themselves.
    pub(super) fn homeless(&mut self, gap: u64) -> Vec<Vec<&mut Segment>> {
        let Self { step, cursor, .. } = self;
        let tasks: Vec<u32> = step.tasks.iter().map(|task| task.first).collect();
        let mut groups: Vec<(usize, Vec<&mut Segment>)> = Vec::new();
        for batch in &mut step.batches {
            let Extent::Segment(segment) = &mut batch.extent else { continue };
            if segment.source != cursor.source || segment.packing.is_some() {
                continue;
            }
            let task = tasks.partition_point(|first| *first <= batch.number);
            let joins = |group: &[&mut Segment]| {
                group
                    .last()
                    .is_some_and(|last| last.fault.is_none() && segment.bytes.start - last.bytes.end <= gap)
            };
            match groups.last_mut() {
                Some((of, group)) if *of == task && segment.fault.is_none() && joins(group) => {
                    group.push(segment);
                }
                _ => groups.push((task, vec![segment])),
            }
        }
        groups.into_iter().map(|(_, group)| group).collect()
    }

    /// Whether there is enough to be worth a transaction.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= limits::TASK_BYTES || self.step.batches.len() >= STEP_BATCHES
    }

    /// Stores what there is; false if the plan is not ours any more.
    pub(super) async fn flush(&mut self) -> PortResult<bool> {
        let step = self.take_step();
        let ours = self.context.ports.store.append_plan(self.claim, &step).await?;
        self.context.tasks_waiting.notify_one();
        Ok(ours)
    }

    /// Takes what is not stored yet, with the place where planning stands.
    pub(super) fn take_step(&mut self) -> PlanStep {
        (self.bytes, self.task_bytes) = (0, 0);
        PlanStep { cursor: self.cursor.clone(), ..std::mem::take(&mut self.step) }
    }

    pub(super) fn next_source(&mut self) {
        self.cursor.source += 1;
        (self.cursor.byte, self.cursor.records, self.cursor.line) = (0, 0, 0);
    }
}
