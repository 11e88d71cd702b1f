//! An import or export under test, driven through the ports as planner, worker and finaliser do.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use carrack_shared::duplicates;
use carrack_shared::format::Format;
use carrack_shared::layer::source::Layers;
use carrack_shared::operation::{Failure, Operation, OperationId, State};
use carrack_shared::port::Store;
use carrack_shared::port::batches::{Commit, ExportEffect};
use carrack_shared::port::finalising::{Ending, FinishClaim, Loser, Loss};
use carrack_shared::port::operations::{Created, NewOperation};
use carrack_shared::port::planning::{Cursor, PlanClaim, PlanEnd, PlanStep};
use carrack_shared::port::staging::Publication;
use carrack_shared::reconcile::{self, Executed};
use carrack_shared::record::Position;
use carrack_shared::schema::{self, DataType};
use carrack_shared::segment::{Batch, Claim, Extent, KeyRange};
use carrack_shared::spec::{Duplicates, ErrorHandling, ExportSpec, ImportSpec, OwnTypes, Source, Spec, Work};
use carrack_shared::tally::Tally;
use carrack_shared::task::Task;
use uuid::Uuid;

use super::fixture::{CONTEXTS, Piece, facts};

/// A lease that does not run out while a test runs.
pub(super) const LEASE: Duration = Duration::from_secs(600);

/// A lease that has run out as soon as it is given.
pub(super) const EXPIRED: Duration = Duration::ZERO;

/// Rounds after which a loop that must end is broken.
const ROUNDS: usize = 1_000;

pub(super) fn import_spec(duplicates: Duplicates) -> Spec {
    Spec::import(ImportSpec {
        batch_size: 5,
        duplicates,
        sources: vec![Source {
            data_type: None,
            name: "Büro.json".into(),
            key: "k".into(),
            etag: "e".into(),
            length: 99,
            layers: Layers::default(),
        }],
        ..ImportSpec::new("contexts", Format::Json)
    })
}

/// The same for these pieces, each source of which may have a type of its own, built in or not.
pub(super) fn import_spec_of(duplicates: Duplicates, pieces: &[Piece]) -> Spec {
    let Spec::V1(Work::Import(mut import)) = import_spec(duplicates) else { unreachable!("it is an import") };
    let mut types: Vec<_> = pieces.iter().map(Piece::data_type).collect();
    types.dedup();
    let own = |data_type: &&&Arc<DataType>| schema::built_in(data_type.name.as_str()).is_none();
    import.types = OwnTypes(types.iter().filter(own).map(|own| (***own).clone()).collect());
    match &types[..] {
        [] => {}
        [one] if one.name.as_str() == CONTEXTS || !import.types.0.is_empty() => {
            one.name.as_str().clone_into(&mut import.data_type);
        }
        _ => {
            let source = import.sources.remove(0);
            let last = pieces.iter().map(|piece| piece.segment().source).max().unwrap_or_default();
            let type_of = |number| {
                let mine = pieces.iter().find(|piece| piece.segment().source == number);
                mine.map_or(CONTEXTS, |piece| piece.data_type().name.as_str()).to_owned()
            };
            let typed = |number| Source { data_type: Some(type_of(number)), ..source.clone() };
            import.sources = (0..=last).map(typed).collect();
            import.data_type = schema::ALL.into();
        }
    }
    Spec::import(import)
}

pub(super) fn export_spec() -> Spec {
    Spec::export(ExportSpec::new("contexts", Format::Csv))
}

pub(super) fn new_operation(spec: Spec) -> NewOperation {
    let id = OperationId::from_uuid(Uuid::now_v7());
    NewOperation { id, owner: "ada".into(), spec, idempotency: None }
}

/// Creates an operation of its own.
pub(super) async fn create(store: &Arc<dyn Store>, spec: Spec) -> Operation {
    match store.create(&new_operation(spec)).await.unwrap() {
        Created::New(operation) => operation,
        other => panic!("expected a new operation, found {other:?}"),
    }
}

/// Claims the planning of `operation`, which is the only one to be planned.
pub(super) async fn claim_plan(store: &Arc<dyn Store>, operation: &Operation, lease: Duration) -> PlanClaim {
    let claim = store.claim_plan(Uuid::now_v7(), lease).await.unwrap().expect("something to plan");
    assert_eq!(claim.operation.id, operation.id);
    claim
}

/// A piece of a plan that begins at batch `first`, with one task for each batch.
pub(super) fn plan_step(operation: &Operation, batches: &[Batch]) -> PlanStep {
    let task = |batch: &Batch| task(operation, batch.number, 1);
    let (mut cursor, mut sources) = (Cursor::default(), 0);
    for batch in batches {
        cursor.next_batch = batch.number + 1;
        cursor.total_records += u64::from(batch.extent.records());
        if let Extent::Segment(segment) = &batch.extent {
            cursor.source = segment.source;
            cursor.byte = segment.bytes.end;
            cursor.records = segment.first_record - 1 + u64::from(segment.records);
            cursor.line = segment.first_line;
            sources = segment.source + 1;
        }
    }
    let learned = (0..sources).map(|source| (source, facts())).collect();
    PlanStep { facts: learned, batches: batches.to_vec(), tasks: batches.iter().map(task).collect(), cursor }
}

/// The first sending of `count` batches from `first` on.
pub(super) fn task(operation: &Operation, first: u32, count: u32) -> Task {
    Task { operation: operation.id, generation: operation.generation, first, count, sequence: 1 }
}

/// Batches of an export: `count` ranges of ten rows.
pub(super) fn key_batches(count: u32) -> Vec<Batch> {
    let range = |number| KeyRange {
        table: number % 3,
        from: format!("ä{number}"),
        to: format!("ä{number} z"),
        first: 1 + 10 * u64::from(number),
        rows: 10,
    };
    (0..count).map(|number| Batch { number, extent: Extent::Keys(range(number)) }).collect()
}

/// What a worker stored for batch `number` of an export.
pub(super) fn part(number: u32) -> ExportEffect {
    let (key, etag) = (format!("parts/{number}"), format!("\"{number}\""));
    ExportEffect { key, etag, bytes: 1_000, rows: 10, frames: vec![1, 0, number.to_be_bytes()[3]] }
}

/// An operation whose batches are all planned.
#[derive(Clone)]
pub(super) struct Planned {
    pub(super) store: Arc<dyn Store>,
    pub(super) operation: Operation,
    pub(super) pieces: Arc<Vec<Piece>>,
}

impl Planned {
    /// An import of these pieces.
    pub(super) async fn import(store: &Arc<dyn Store>, mode: Duplicates, pieces: Vec<Piece>) -> Self {
        let spec = import_spec_of(mode, &pieces);
        Self::import_as(store, spec, pieces).await
    }

    /// An import as this document says.
    pub(super) async fn import_as(store: &Arc<dyn Store>, spec: Spec, pieces: Vec<Piece>) -> Self {
        let batches: Vec<Batch> = pieces.iter().map(|piece| piece.batch.clone()).collect();
        let operation = Self::plan(store, spec, &batches).await;
        Self { store: Arc::clone(store), operation, pieces: Arc::new(pieces) }
    }

    /// A dry run of the same import.
    pub(super) async fn dry_run(store: &Arc<dyn Store>, mode: Duplicates, pieces: Vec<Piece>) -> Self {
        Self::changed(store, mode, pieces, |import| import.dry_run = true).await
    }

    /// The same import of all or nothing.
    pub(super) async fn strict(store: &Arc<dyn Store>, mode: Duplicates, pieces: Vec<Piece>) -> Self {
        Self::changed(store, mode, pieces, |import| import.error_handling = ErrorHandling::Strict).await
    }

    async fn changed(
        store: &Arc<dyn Store>,
        mode: Duplicates,
        pieces: Vec<Piece>,
        change: impl FnOnce(&mut ImportSpec),
    ) -> Self {
        let Spec::V1(Work::Import(mut import)) = import_spec_of(mode, &pieces) else { unreachable!() };
        change(&mut import);
        let batches: Vec<Batch> = pieces.iter().map(|piece| piece.batch.clone()).collect();
        let operation = Self::plan(store, Spec::import(import), &batches).await;
        Self { store: Arc::clone(store), operation, pieces: Arc::new(pieces) }
    }

    /// An export of `count` batches, whose planner keeps its lease.
    pub(super) async fn export(store: &Arc<dyn Store>, count: u32) -> Self {
        let operation = Self::plan(store, export_spec(), &key_batches(count)).await;
        Self { store: Arc::clone(store), operation, pieces: Arc::default() }
    }

    async fn plan(store: &Arc<dyn Store>, spec: Spec, batches: &[Batch]) -> Operation {
        let operation = create(store, spec).await;
        let claim = claim_plan(store, &operation, LEASE).await;
        let step = plan_step(&operation, batches);
        assert!(store.append_plan(&claim, &step).await.unwrap());
        let end = PlanEnd { last: PlanStep { cursor: step.cursor, ..PlanStep::default() }, failure: None };
        assert!(store.end_plan(&claim, &end).await.unwrap());
        operation
    }

    /// The same operation through another handle.
    pub(super) fn through(&self, store: &Arc<dyn Store>) -> Self {
        Self { store: Arc::clone(store), ..self.clone() }
    }

    pub(super) async fn now(&self) -> Operation {
        self.store.get(self.operation.id).await.unwrap().expect("the operation")
    }

    /// Claims what is free of `count` batches from `first` on.
    pub(super) async fn try_claim(&self, first: u32, count: u32, lease: Duration) -> Vec<Claim> {
        self.claim_task(first, count, false, lease).await
    }

    /// As [`Self::try_claim`], for a task that the broker redelivered.
    pub(super) async fn steal(&self, first: u32, count: u32) -> Vec<Claim> {
        self.claim_task(first, count, true, LEASE).await
    }

    async fn claim_task(&self, first: u32, count: u32, redelivered: bool, lease: Duration) -> Vec<Claim> {
        let task = task(&self.operation, first, count);
        let run = self.store.claim(&task, redelivered, Uuid::now_v7(), lease).await.unwrap();
        let Some(run) = run else { return Vec::new() };
        assert_eq!((run.operation.id, run.operation.state), (self.operation.id, State::Running));
        assert!(!run.claims.is_empty(), "a run without claims, expected none");
        run.claims
    }

    /// Claims one batch that must be free.
    pub(super) async fn claim(&self, batch: u32, lease: Duration) -> Claim {
        let claims = self.try_claim(batch, 1, lease).await;
        claims.into_iter().next().unwrap_or_else(|| panic!("batch {batch} is not free"))
    }

    /// Executes a claimed batch.
    pub(super) async fn commit(&self, claim: &Claim) -> Commit {
        self.commit_with(claim, &HashMap::new()).await
    }

    /// As [`Self::commit`], with frames that were stored as objects.
    pub(super) async fn commit_with(&self, claim: &Claim, frames: &HashMap<usize, String>) -> Commit {
        let piece = &self.pieces[claim.batch.number as usize];
        self.store.commit_import(&self.operation, claim, piece.effect(frames)).await.unwrap()
    }

    pub(super) async fn commit_part(&self, claim: &Claim) -> Commit {
        self.store.commit_export(&self.operation, claim, &part(claim.batch.number)).await.unwrap()
    }

    /// Claims and executes one batch.
    pub(super) async fn load(&self, batch: u32) -> Tally {
        let claim = self.claim(batch, LEASE).await;
        done(self.commit(&claim).await)
    }

    /// Claims and executes every batch in its order.
    pub(super) async fn load_all(&self) -> Tally {
        let mut tally = Tally::default();
        for piece in self.pieces.iter() {
            tally += self.load(piece.batch.number).await;
        }
        tally
    }

    /// Executes every batch in its order and closes the books.
    pub(super) async fn run(&self) -> Operation {
        self.load_all().await;
        self.close().await
    }

    /// Claims the closing, which must be possible.
    pub(super) async fn claim_finish(&self, lease: Duration) -> FinishClaim {
        let claim = self.store.claim_finish(Uuid::now_v7(), lease).await.unwrap();
        let claim = claim.expect("an operation to be closed");
        assert_eq!(claim.operation.id, self.operation.id);
        claim
    }

    /// Closes the books as the finaliser does.
    pub(super) async fn close(&self) -> Operation {
        let claim = self.claim_finish(LEASE).await;
        let complete = claim.operation.state == State::Finalising;
        let (mut tally, mut failure) = (self.settle(&claim).await, claim.operation.failure.clone());
        if self.operation.spec.is_all_or_nothing() {
            if complete && tally.rejected == 0 {
                assert_eq!(self.store.publish(&claim).await.unwrap(), Publication::Done);
                tally = self.settle(&claim).await;
            } else {
                tally = tally.left_out();
                failure =
                    failure.or_else(|| complete.then(|| Failure::new("strict.rejected", "one of them")));
            }
        }
        let state = reconcile::terminal_state(&tally, failure.as_ref(), !complete);
        assert!(self.store.end(&claim, &Ending { state, tally, failure }).await.unwrap());
        self.now().await
    }

    /// Adds everything up, with what was decided on what is staged.
    async fn settle(&self, claim: &FinishClaim) -> Tally {
        let mode = self.operation.spec.as_import().map(|import| import.duplicates);
        let complete = claim.operation.state == State::Finalising;
        let is_staged = self.operation.spec.is_staged();
        if is_staged && complete {
            let decided = self.store.decide(claim).await.unwrap();
            assert_eq!(decided, self.now().await.decision, "what was decided is stored");
        }
        if self.operation.spec.verifies().is_some() && complete {
            let found = self.store.find(claim).await.unwrap();
            assert_eq!(found, self.now().await.decision.and_then(|decision| decision.findings));
        }
        if is_staged || mode == Some(Duplicates::Reject) {
            self.reject_losers(claim).await;
        }
        let evidence = self.store.evidence(claim).await.unwrap();
        let executed = if complete { Executed::Whole } else { Executed::Partly };
        reconcile::settle(&evidence, mode, executed).unwrap()
    }

    /// Turns displaced records into rejects, two at a time.
    pub(super) async fn reject_losers(&self, claim: &FinishClaim) {
        for _ in 0..ROUNDS {
            let losers = self.store.losers(claim, 2).await.unwrap();
            assert!(losers.len() <= 2, "{} losers, expected at most 2", losers.len());
            if losers.is_empty() {
                return;
            }
            let type_of = |position: Position| {
                let import = claim.operation.spec.as_import().expect("an import");
                import.type_of(position.source()).unwrap()
            };
            let reject = |loser: &Loser| {
                let winner = loser.loss.winner().unwrap_or(loser.position);
                assert_eq!(type_of(winner), type_of(loser.position), "{loser:?}");
                let mine = |piece: &&Piece| *piece.segment() == loser.segment;
                let piece = self.pieces.iter().find(mine).expect("the segment of a batch");
                let faults = match &loser.loss {
                    Loss::InFile(_) => vec![duplicates::in_file(&loser.key).in_field("id")],
                    Loss::Existing => vec![duplicates::existing(&loser.key).in_field("id")],
                    Loss::Refused(reason) => vec![duplicates::refused(reason)],
                    Loss::Lacking => piece.lacking(loser.position),
                };
                let mut reject = piece.reject(loser.position, faults);
                reject.key = loser.loss.winner().map(|_| loser.key.clone());
                reject.winner = loser.loss.winner();
                reject
            };
            let rejects: Vec<_> = losers.iter().map(reject).collect();
            assert!(self.store.add_rejects(claim, &rejects).await.unwrap());
        }
        panic!("losers are still left after {ROUNDS} rounds");
    }
}

/// The tally of a commit that happened.
pub(super) fn done(commit: Commit) -> Tally {
    match commit {
        Commit::Done(tally) => tally,
        other => panic!("expected the commit to happen, found {other:?}"),
    }
}

/// A tally from its counts: created, updated, unchanged, skipped, rejected.
pub(super) fn tally([created, updated, unchanged, skipped, rejected]: [u64; 5]) -> Tally {
    let read = created + updated + unchanged + skipped + rejected;
    Tally { read, created, updated, unchanged, skipped, rejected, filtered: 0 }
}
