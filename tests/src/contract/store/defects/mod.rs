//! Stores with one deliberate defect each, to show that the checks can fail: a wrapper that passes every
//! call on, but for the one that it gets wrong.

mod list;
mod templates;
mod undo;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::fault::Reject;
use carrack_shared::filter::Condition;
use carrack_shared::operation::{Failure, Operation, OperationId, State, Totals};
use carrack_shared::port::batches::{Commit, ExportEffect, ImportEffect, Part, Renewal};
use carrack_shared::port::finalising::{Ending, FinishClaim, Loser};
use carrack_shared::port::operations::{Created, Listing, NewOperation};
use carrack_shared::port::outbox::Outgoing;
use carrack_shared::port::planning::{Cursor, PlanClaim, PlanEnd, PlanStep};
use carrack_shared::port::progress::BatchTotals;
use carrack_shared::port::records::{RowStream, Snapshot};
use carrack_shared::port::rejects::{RejectKind, RejectPage};
use carrack_shared::port::staging::Publication;
use carrack_shared::port::workers::{SourceShare, WorkerShare};
use carrack_shared::port::{
    Batches, Finalising, Operations, Outbox, Planning, Records, Rejects, Staging, Store, Workers,
};
use carrack_shared::reconcile::Evidence;
use carrack_shared::schema::DataType;
use carrack_shared::segment::{Claim, ClaimedRun, Facts, KeyRange, Segment};
use carrack_shared::spec::{ImportSpec, OwnTypes, Spec};
use carrack_shared::staging::Decision;
use carrack_shared::suspicion::Suspicion;
use carrack_shared::tally::Tally;
use carrack_shared::task::Task;
use futures_util::{StreamExt, stream};
use uuid::Uuid;

use super::{Bench, Fresh, StoreUnderTest};
use crate::port::port;

pub use list::{ALL, Defect};

/// A bench whose stores have a defect.
pub struct DefectiveBench<B> {
    /// Makes the stores.
    pub bench: B,
    /// What they get wrong.
    pub defect: Defect,
}

#[async_trait]
impl<B: Bench> Bench for DefectiveBench<B> {
    async fn store(&self) -> Fresh {
        Arc::new(DefectiveUnderTest {
            inner: self.bench.store().await,
            defect: self.defect,
            late_cancel: Arc::default(),
        })
    }
}

/// Commits that still happen after a late cancel was answered.
const LATE_COMMITS: u32 = 10;

/// An operation whose cancel was answered and did not happen, and the commits until it does. One for all
/// handles of a store.
type LateCancel = Arc<Mutex<Option<(OperationId, u32)>>>;

struct DefectiveUnderTest {
    inner: Fresh,
    defect: Defect,
    late_cancel: LateCancel,
}

impl DefectiveUnderTest {
    fn wrap(&self, inner: Arc<dyn Store>) -> Arc<dyn Store> {
        Arc::new(Defective { inner, defect: self.defect, late_cancel: Arc::clone(&self.late_cancel) })
    }
}

#[async_trait]
impl StoreUnderTest for DefectiveUnderTest {
    fn store(&self) -> Arc<dyn Store> {
        self.wrap(self.inner.store())
    }
    async fn reopened(&self) -> Arc<dyn Store> {
        self.wrap(self.inner.reopened().await)
    }
    async fn execute(&self, sql: &str) -> Result<(), String> {
        self.inner.execute(sql).await
    }
    async fn rows_as_they_stand(&self, data_type: &str) -> Vec<String> {
        self.inner.rows_as_they_stand(data_type).await
    }
    async fn integer(&self, sql: &str) -> i64 {
        self.inner.integer(sql).await
    }
    async fn texts(&self, sql: &str) -> Vec<String> {
        self.inner.texts(sql).await
    }
    async fn stages(&self) -> Vec<String> {
        self.inner.stages().await
    }
    fn table(&self, data_type: &str) -> String {
        self.inner.table(data_type)
    }
    fn control(&self, table: &str) -> String {
        self.inner.control(table)
    }
    async fn refuse_titles(&self, data_type: &str) {
        self.inner.refuse_titles(data_type).await;
    }
    async fn log_effects(&self, data_type: &str) {
        self.inner.log_effects(data_type).await;
    }
    fn shares_snapshots(&self) -> bool {
        self.inner.shares_snapshots()
    }
    fn cases(&self) -> u64 {
        self.inner.cases()
    }
    async fn close(&self) {
        self.inner.close().await;
    }
}

struct Defective {
    inner: Arc<dyn Store>,
    defect: Defect,
    late_cancel: LateCancel,
}

impl Defective {
    fn gets_wrong(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    /// Cancels at last what was cancelled some commits ago.
    async fn cancel_late(&self) -> PortResult<()> {
        let due = {
            let mut late = self.late_cancel.lock().unwrap();
            let counted = late.map(|(id, commits)| (id, commits - 1));
            *late = counted.filter(|(_, commits)| *commits > 0);
            counted.filter(|(_, commits)| *commits == 0)
        };
        match due {
            Some((id, _)) => self.inner.cancel(id).await.map(drop),
            None => Ok(()),
        }
    }
}

port! {
    Defective: Operations {
        fn get(id: OperationId) -> Option<Operation>;
        fn list(listing: Listing) -> Vec<Operation>;
        fn totals(id: OperationId) -> Totals;
        fn ledger(id: OperationId) -> Vec<BatchTotals>;
    }

    async fn create(&self, new: &NewOperation) -> PortResult<Created> {
        if self.gets_wrong(Defect::ForgetsTheRequest) {
            return self.inner.create(&NewOperation { idempotency: None, ..new.clone() }).await;
        }
        let created = self.inner.create(new).await?;
        match (&created, new.spec.as_import()) {
            (Created::TypeChanged(_), Some(import)) if self.gets_wrong(Defect::IgnoresTheShape) => {
                let types = OwnTypes(self.inner.data_types().await?);
                let spec = Spec::import(ImportSpec { types, ..import.clone() });
                self.inner.create(&NewOperation { spec, ..new.clone() }).await
            }
            _ => Ok(created),
        }
    }

    async fn stop(&self, id: OperationId, failure: &Failure) -> PortResult<Option<Operation>> {
        let unsaid = Failure::new(&*failure.code, "");
        self.inner.stop(id, if self.gets_wrong(Defect::ForgetsWhyItStopped) { &unsaid } else { failure }).await
    }

    async fn cancel(&self, id: OperationId) -> PortResult<Option<Operation>> {
        if !self.gets_wrong(Defect::CancelsLater) {
            return self.inner.cancel(id).await;
        }
        let operation = self.inner.get(id).await?;
        *self.late_cancel.lock().unwrap() = Some((id, LATE_COMMITS));
        Ok(operation.map(|running| Operation { state: State::Cancelling, epoch: running.epoch + 1, ..running }))
    }
}

port! {
    Defective: Planning {
        fn claim_plan(owner: Uuid, lease: Duration) -> Option<PlanClaim>;
        fn renew_plan(claim: &PlanClaim, lease: Duration) -> bool;
        fn end_plan(claim: &PlanClaim, end: &PlanEnd) -> bool;
        fn facts(operation: OperationId, source: u32) -> Option<Facts>;
        fn segments(operation: OperationId, source: u32, first: u64, limit: u32) -> Vec<Segment>;
        fn release_plan(claim: &PlanClaim) -> ();
    }

    async fn append_plan(&self, claim: &PlanClaim, step: &PlanStep) -> PortResult<bool> {
        let mut step = step.clone();
        if self.gets_wrong(Defect::ForgetsTheCursor) {
            step.cursor = Cursor::default();
        }
        self.inner.append_plan(claim, &step).await
    }
}

port! {
    Defective: Batches {
        fn claim(task: &Task, redelivered: bool, owner: Uuid, lease: Duration) -> Option<ClaimedRun>;
        fn commit_export(operation: &Operation, claim: &Claim, effect: &ExportEffect) -> Commit;
        fn release(operation: &Operation, claims: &[Claim], reason: &str) -> ();
        fn fail(operation: &Operation, claim: &Claim, failure: &Failure) -> bool;
    }

    async fn suspect(&self, operation: &Operation, claim: &Claim, suspicion: &Suspicion) -> PortResult<bool> {
        if self.gets_wrong(Defect::ForgetsSuspicions) {
            return Ok(true);
        }
        Ok(self.inner.suspect(operation, claim, suspicion).await? || self.gets_wrong(Defect::NotesForAnybody))
    }

    async fn renew(&self, operation: &Operation, claims: &[Claim], lease: Duration) -> PortResult<Renewal> {
        if self.gets_wrong(Defect::HangsInRenew) {
            std::future::pending::<()>().await;
        }
        self.inner.renew(operation, claims, lease).await
    }

    async fn commit_import(
        &self,
        operation: &Operation,
        claim: &Claim,
        effect: ImportEffect<'_>,
    ) -> PortResult<Commit> {
        self.cancel_late().await?;
        let dropped = usize::from(self.gets_wrong(Defect::DropsAReject)).min(effect.rejects.len());
        let ImportEffect { rows, rejects, stored_frames, filtered, bytes } = effect;
        let filtered = filtered * u64::from(!self.gets_wrong(Defect::ForgetsTheFiltered));
        let effect = || ImportEffect { rows, rejects: &rejects[dropped..], stored_frames, filtered, bytes };
        match self.inner.commit_import(operation, claim, effect()).await? {
            Commit::Before if self.gets_wrong(Defect::IgnoresTheLedger) => Ok(Commit::Done(Tally::default())),
            Commit::LeaseLost if self.gets_wrong(Defect::IgnoresTheLease) => {
                let task = Task {
                    operation: operation.id,
                    generation: operation.generation,
                    first: claim.batch.number,
                    count: 1,
                    sequence: 1,
                };
                let lease = Duration::from_secs(60);
                match self.inner.claim(&task, true, Uuid::now_v7(), lease).await? {
                    Some(run) => self.inner.commit_import(operation, &run.claims[0], effect()).await,
                    None => Ok(Commit::LeaseLost),
                }
            }
            commit => Ok(commit),
        }
    }
}

port! {
    Defective: Outbox {
        fn sent(tasks: &[Outgoing]) -> ();
        fn restart() -> u64;
    }

    async fn due(&self, window: u32, most: u32, hold: Duration) -> PortResult<Vec<Outgoing>> {
        let window = if self.gets_wrong(Defect::IgnoresTheWindow) { 1_000 } else { window };
        self.inner.due(window, most, hold).await
    }

    async fn rescue(&self, lost_after: Duration) -> PortResult<u64> {
        let rescued = self.inner.rescue(lost_after).await?;
        Ok(if self.gets_wrong(Defect::RescuesTooMuch) { rescued + 1 } else { rescued })
    }
}

port! {
    Defective: Finalising {
        fn claim_finish(owner: Uuid, lease: Duration) -> Option<FinishClaim>;
        fn renew_finish(claim: &FinishClaim, lease: Duration) -> bool;
        fn add_rejects(claim: &FinishClaim, rejects: &[Reject]) -> bool;
        fn evidence(claim: &FinishClaim) -> Evidence;
        fn end(claim: &FinishClaim, ending: &Ending) -> bool;
    }

    async fn losers(&self, claim: &FinishClaim, limit: u32) -> PortResult<Vec<Loser>> {
        let losers = self.inner.losers(claim, limit).await?;
        Ok(if self.gets_wrong(Defect::ForgetsLosers) { Vec::new() } else { losers })
    }

    async fn parts(&self, operation: OperationId) -> PortResult<Vec<Part>> {
        let mut parts = self.inner.parts(operation).await?;
        if self.gets_wrong(Defect::ReordersParts) {
            parts.reverse();
        }
        Ok(parts)
    }
}

port! {
    Defective: Staging {
        fn publish(claim: &FinishClaim) -> Publication;
        fn predicted(operation: &Operation) -> Option<Operation>;
    }

    async fn decide(&self, claim: &FinishClaim) -> PortResult<Option<Decision>> {
        let decision = self.inner.decide(claim).await?;
        Ok(if self.gets_wrong(Defect::DecidesNothing) { decision.map(|_| Decision::default()) } else { decision })
    }
}

port! {
    Defective: Records {
        fn snapshot() -> Box<dyn Snapshot>;
        fn ready() -> ();
    }

    async fn scan(
        &self,
        data_type: &Arc<DataType>,
        range: &KeyRange,
        conditions: &[Condition],
        snapshot: &str,
    ) -> PortResult<RowStream> {
        let conditions = if self.gets_wrong(Defect::ForgetsConditions) { &[] } else { conditions };
        if self.gets_wrong(Defect::ForgetsTheSnapshot) {
            let now = self.inner.snapshot().await?;
            let rows: Vec<_> = self.inner.scan(data_type, range, conditions, now.id()).await?.collect().await;
            return Ok(stream::iter(rows).boxed());
        }
        self.inner.scan(data_type, range, conditions, snapshot).await
    }
}

port! {
    Defective: Rejects {}

    async fn rejects(&self, id: OperationId, page: &RejectPage) -> PortResult<Vec<Reject>> {
        let mut rejects = self.inner.rejects(id, page).await?;
        if self.gets_wrong(Defect::MixesTypes) {
            let won: Vec<_> = rejects.iter().map(|reject| (reject.key.clone(), reject.winner)).collect();
            for reject in rejects.iter_mut().filter(|reject| reject.winner.is_some()) {
                let of_key = won.iter().filter(|(key, _)| *key == reject.key);
                reject.winner = of_key.filter_map(|(_, winner)| *winner).min();
            }
        }
        Ok(rejects)
    }

    async fn reject_kinds(&self, id: OperationId, limit: u32) -> PortResult<Vec<RejectKind>> {
        let kinds = self.inner.reject_kinds(id, limit).await?;
        let sampled = |kind: RejectKind| RejectKind { records: 1, ..kind };
        Ok(if self.gets_wrong(Defect::CountsASample) { kinds.into_iter().map(sampled).collect() } else { kinds })
    }
}

port! {
    Defective: Workers {
        fn sources(id: OperationId) -> Vec<SourceShare>;
    }

    async fn workers(&self, id: OperationId) -> PortResult<Vec<WorkerShare>> {
        let mut shares = self.inner.workers(id).await?;
        if self.gets_wrong(Defect::CountsForTheFirst) {
            let batches = shares.iter().map(|share| share.batches).sum();
            shares.truncate(1);
            shares.iter_mut().for_each(|share| share.batches = batches);
        }
        Ok(shares)
    }
}
