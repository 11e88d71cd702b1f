//! A database that kills whoever uses it. A worker, as soon as it has said that it is about to read a record
//! that is poison, or wants to commit what it has read of it; a planner, with every piece of its plan. It gets no
//! answer any more and is told to die.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::fault::Reject;
use carrack_shared::filter::Condition;
use carrack_shared::operation::{Failure, Operation, OperationId, Totals};
use carrack_shared::port::batches::{Commit, ExportEffect, ImportEffect, Part, Renewal};
use carrack_shared::port::finalising::{Ending, FinishClaim, Loser};
use carrack_shared::port::operations::{Created, Listing, NewOperation};
use carrack_shared::port::outbox::Outgoing;
use carrack_shared::port::planning::{PlanClaim, PlanEnd, PlanStep};
use carrack_shared::port::progress::BatchTotals;
use carrack_shared::port::records::{RowStream, Snapshot};
use carrack_shared::port::rejects::{RejectKind, RejectPage};
use carrack_shared::port::staging::Publication;
use carrack_shared::port::templates::{Added, NewTemplate, StoredTemplate, TemplateEffect};
use carrack_shared::port::verifying::VerifyEffect;
use carrack_shared::port::workers::{SourceShare, WorkerShare};
use carrack_shared::port::{
    Batches, Finalising, Operations, Outbox, Planning, Records, Rejects, Staging, Store, Templates, Tokens,
    Undoing, Verifying, Workers,
};
use carrack_shared::reconcile::Evidence;
use carrack_shared::record::{Position, Rows};
use carrack_shared::schema::DataType;
use carrack_shared::segment::{Batch, Claim, ClaimedRun, Extent, Facts, KeyRange, Segment};
use carrack_shared::staging::Decision;
use carrack_shared::suspicion::Suspicion;
use carrack_shared::task::Task;
use carrack_shared::undo::Most;
use carrack_shared::verify::{Findings, Present};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::port::port;

/// What kills, and whom it has killed.
#[derive(Debug, Default)]
pub struct Poison {
    /// Whoever reads these records dies.
    pub read: BTreeSet<Position>,
    /// Whoever loads these records dies; reading them harms nobody.
    pub loaded: BTreeSet<Position>,
    /// Whoever commits a part of an export dies.
    pub exported: bool,
    /// Whoever stores a piece of a plan dies: in turns before it is stored and behind it, so that every piece is
    /// lost once.
    pub planned: bool,
    /// The operation whose records these are.
    pub operation: Mutex<Option<OperationId>>,
    /// What was seen, in its order.
    pub seen: Mutex<Vec<Seen>>,
}

/// Something that a worker did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It died reading a piece of so many records.
    DiedReading(u32),
    /// It died working on a batch as on any other, while it held so many.
    DiedWorking(usize),
    /// It planned up to this byte of the text, and its piece was stored or not.
    DiedPlanning {
        /// Where it stood.
        byte: u64,
        /// Whether anybody knows of it.
        stored: bool,
        /// Whether the text of its batches had to be put elsewhere.
        staged: bool,
    },
    /// It worked on a batch with care and held others beside it.
    NotAlone(BTreeSet<(OperationId, u32)>),
}

/// The database as one worker sees it.
pub struct Deadly {
    inner: Arc<dyn Store>,
    poison: Arc<Poison>,
    /// Cancelled when the worker has to die.
    death: CancellationToken,
    held: Mutex<BTreeSet<(OperationId, u32)>>,
}

impl Deadly {
    /// Wraps the database of one worker, which has to die when `death` is cancelled.
    pub fn new(inner: Arc<dyn Store>, poison: Arc<Poison>, death: CancellationToken) -> Self {
        Self { inner, poison, death, held: Mutex::default() }
    }

    fn is_poisoned(&self, operation: &Operation) -> bool {
        *self.poison.operation.lock().unwrap() == Some(operation.id)
    }

    fn note(&self, seen: Seen) {
        self.poison.seen.lock().unwrap().push(seen);
    }

    async fn die(&self, of: Seen) {
        self.note(of);
        self.death.cancel();
        std::future::pending::<()>().await;
    }

    fn let_go(&self, operation: &Operation, claims: &[Claim]) {
        let mut held = self.held.lock().unwrap();
        for claim in claims {
            held.remove(&(operation.id, claim.batch.number));
        }
    }
}

/// The record of a batch with this number in it, from 0.
fn position(claim: &Claim, record: u32) -> Position {
    match &claim.batch.extent {
        Extent::Segment(segment) => Position::new(segment.source, segment.first_record + u64::from(record)),
        Extent::Keys(_) => panic!("a batch of an import"),
    }
}

port! {
    Deadly: Batches {
        fn renew(operation: &Operation, claims: &[Claim], lease: Duration) -> Renewal;
    }

    async fn claim(
        &self,
        task: &Task,
        redelivered: bool,
        owner: Uuid,
        lease: Duration,
    ) -> PortResult<Option<ClaimedRun>> {
        let run = self.inner.claim(task, redelivered, owner, lease).await?;
        for claim in run.iter().flat_map(|run| &run.claims) {
            self.held.lock().unwrap().insert((task.operation, claim.batch.number));
        }
        Ok(run)
    }

    async fn suspect(&self, operation: &Operation, claim: &Claim, suspicion: &Suspicion) -> PortResult<bool> {
        let noted = self.inner.suspect(operation, claim, suspicion).await?;
        let held = self.held.lock().unwrap().clone();
        if held.iter().any(|other| *other != (operation.id, claim.batch.number)) {
            self.note(Seen::NotAlone(held));
        }
        let Some(probed) = suspicion.probed() else { return Ok(noted) };
        let dies = probed.clone().any(|record| {
            !suspicion.poison().contains(&record) && self.poison.read.contains(&position(claim, record))
        });
        if dies && self.is_poisoned(operation) {
            self.die(Seen::DiedReading(probed.end - probed.start)).await;
        }
        Ok(noted)
    }

    async fn commit_import(
        &self,
        operation: &Operation,
        claim: &Claim,
        effect: ImportEffect<'_>,
    ) -> PortResult<Commit> {
        let kills = |row| {
            let position = effect.rows.origin(row).position;
            self.poison.read.contains(&position) || self.poison.loaded.contains(&position)
        };
        if self.is_poisoned(operation) && (0..effect.rows.len()).any(kills) {
            let held = self.held.lock().unwrap().len();
            self.die(Seen::DiedWorking(held)).await;
        }
        let commit = self.inner.commit_import(operation, claim, effect).await?;
        self.let_go(operation, std::slice::from_ref(claim));
        Ok(commit)
    }

    async fn commit_export(
        &self,
        operation: &Operation,
        claim: &Claim,
        effect: &ExportEffect,
    ) -> PortResult<Commit> {
        if self.poison.exported {
            let held = self.held.lock().unwrap().len();
            self.die(Seen::DiedWorking(held)).await;
        }
        let commit = self.inner.commit_export(operation, claim, effect).await?;
        self.let_go(operation, std::slice::from_ref(claim));
        Ok(commit)
    }

    async fn release(&self, operation: &Operation, claims: &[Claim], reason: &str) -> PortResult<()> {
        self.inner.release(operation, claims, reason).await?;
        self.let_go(operation, claims);
        Ok(())
    }

    async fn fail(&self, operation: &Operation, claim: &Claim, failure: &Failure) -> PortResult<bool> {
        let is_ours = self.inner.fail(operation, claim, failure).await?;
        self.let_go(operation, std::slice::from_ref(claim));
        Ok(is_ours)
    }
}

port! {
    Deadly: Operations {
        fn create(new: &NewOperation) -> Created;
        fn get(id: OperationId) -> Option<Operation>;
        fn list(listing: Listing) -> Vec<Operation>;
        fn cancel(id: OperationId) -> Option<Operation>;
        fn stop(id: OperationId, failure: &Failure) -> Option<Operation>;
        fn totals(id: OperationId) -> Totals;
        fn ledger(id: OperationId) -> Vec<BatchTotals>;
    }
}

port! {
    Deadly: Rejects {
        fn rejects(id: OperationId, page: &RejectPage) -> Vec<Reject>;
        fn reject_kinds(id: OperationId, limit: u32) -> Vec<RejectKind>;
    }
}

port! {
    Deadly: Planning {
        fn claim_plan(owner: Uuid, lease: Duration) -> Option<PlanClaim>;
        fn renew_plan(claim: &PlanClaim, lease: Duration) -> bool;
        fn end_plan(claim: &PlanClaim, end: &PlanEnd) -> bool;
        fn facts(operation: OperationId, source: u32) -> Option<Facts>;
        fn segments(operation: OperationId, source: u32, first: u64, limit: u32) -> Vec<Segment>;
        fn release_plan(claim: &PlanClaim) -> ();
    }

    async fn append_plan(&self, claim: &PlanClaim, step: &PlanStep) -> PortResult<bool> {
        if !self.poison.planned || !self.is_poisoned(&claim.operation) {
            return self.inner.append_plan(claim, step).await;
        }
        let stored = matches!(
            self.poison.seen.lock().unwrap().last(),
            Some(Seen::DiedPlanning { stored: false, .. })
        );
        if stored {
            self.inner.append_plan(claim, step).await?;
        }
        let is_staged = |batch: &Batch| match &batch.extent {
            Extent::Segment(segment) => segment.packing.as_ref().is_some_and(|packing| packing.staged.is_some()),
            Extent::Keys(_) => false,
        };
        let staged = step.batches.iter().any(is_staged);
        self.die(Seen::DiedPlanning { byte: step.cursor.byte, stored, staged }).await;
        Ok(stored)
    }
}

port! {
    Deadly: Outbox {
        fn due(window: u32, most: u32, hold: Duration) -> Vec<Outgoing>;
        fn sent(tasks: &[Outgoing]) -> ();
        fn rescue(lost_after: Duration) -> u64;
        fn restart() -> u64;
    }
}

port! {
    Deadly: Finalising {
        fn claim_finish(owner: Uuid, lease: Duration) -> Option<FinishClaim>;
        fn renew_finish(claim: &FinishClaim, lease: Duration) -> bool;
        fn losers(claim: &FinishClaim, limit: u32) -> Vec<Loser>;
        fn add_rejects(claim: &FinishClaim, rejects: &[Reject]) -> bool;
        fn evidence(claim: &FinishClaim) -> Evidence;
        fn end(claim: &FinishClaim, ending: &Ending) -> bool;
        fn parts(operation: OperationId) -> Vec<Part>;
    }
}

port! {
    Deadly: Staging {
        fn decide(claim: &FinishClaim) -> Option<Decision>;
        fn publish(claim: &FinishClaim) -> Publication;
        fn predicted(operation: &Operation) -> Option<Operation>;
    }
}

port! {
    Deadly: Records {
        fn snapshot() -> Box<dyn Snapshot>;
        fn scan(
            data_type: &Arc<DataType>,
            range: &KeyRange,
            conditions: &[Condition],
            snapshot: &str
        ) -> RowStream;
        fn ready() -> ();
    }
}

port! {
    Deadly: Templates {
        fn template(reference: &str) -> Option<StoredTemplate>;
        fn templates() -> Vec<StoredTemplate>;
        fn data_types() -> Vec<DataType>;
        fn add_template(new: &NewTemplate) -> Added;
        fn commit_template(operation: &Operation, claim: &Claim, effect: TemplateEffect<'_>) -> Commit;
    }
}

port! {
    Deadly: Tokens {
        fn add_token(owner: &str, sha256: [u8; 32]) -> ();
        fn token_owner(sha256: [u8; 32]) -> Option<String>;
    }
}

port! {
    Deadly: Undoing {
        fn next_touched(
            parent: OperationId,
            data_type: &Arc<DataType>,
            behind: Option<&str>,
            most: Most
        ) -> Option<KeyRange>;
        fn commit_undo(operation: &Operation, claim: &Claim) -> Commit;
        fn forget_images(keep: Duration) -> u64;
    }
}

port! {
    Deadly: Verifying {
        fn present(records: &Arc<Rows>, portion: Range<usize>) -> Option<Present>;
        fn commit_verify(operation: &Operation, claim: &Claim, effect: VerifyEffect<'_>) -> Commit;
        fn find(claim: &FinishClaim) -> Option<Findings>;
    }
}

port! {
    Deadly: Workers {
        fn workers(id: OperationId) -> Vec<WorkerShare>;
        fn sources(id: OperationId) -> Vec<SourceShare>;
    }
}
