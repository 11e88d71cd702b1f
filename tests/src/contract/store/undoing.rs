//! Undos by hand: planned and executed without a coordinator and workers.

use std::sync::Arc;

use carrack_shared::limits::UNDO_BYTES;
use carrack_shared::operation::OperationId;
use carrack_shared::port::Store;
use carrack_shared::port::planning::{PlanEnd, PlanStep};
use carrack_shared::segment::{Batch, Extent, KeyRange};
use carrack_shared::spec::{Duplicates, ImportSpec, Spec, Work};
use carrack_shared::undo::Most;

use super::fixture::Piece;
use super::import::{LEASE, Planned, claim_plan, create, done, import_spec_of, plan_step};

impl Planned {
    /// An import of which no images are to be kept.
    pub(super) async fn import_for_good(
        store: &Arc<dyn Store>,
        mode: Duplicates,
        pieces: Vec<Piece>,
    ) -> Self {
        let Spec::V1(Work::Import(import)) = import_spec_of(mode, &pieces) else {
            unreachable!("it is an import")
        };
        Self::import_as(store, Spec::import(ImportSpec { undo: false, ..import }), pieces).await
    }

    /// The undo of `parent`, in batches of `rows` keys.
    pub(super) async fn undo(store: &Arc<dyn Store>, parent: OperationId, force: bool, rows: u32) -> Self {
        Self::undo_within(store, parent, force, Most { rows, bytes: UNDO_BYTES }).await
    }

    /// The same in batches of so much.
    pub(super) async fn undo_within(
        store: &Arc<dyn Store>,
        parent: OperationId,
        force: bool,
        most: Most,
    ) -> Self {
        let parent = store.get(parent).await.unwrap().expect("the import");
        let spec = Spec::undo(&parent, force).unwrap().expect("the undo of an import");
        let tables = spec.tables().unwrap();
        let operation = create(store, spec).await;
        let claim = claim_plan(store, &operation, LEASE).await;
        let mut batches = Vec::new();
        for (table, data_type) in (0..).zip(&tables) {
            let mut behind: Option<String> = None;
            loop {
                let next = store.next_touched(parent.id, data_type, behind.as_deref(), most).await.unwrap();
                let Some(keys) = next else { break };
                assert!(
                    (1..=most.rows).contains(&keys.rows) && Some(&keys.from) > behind.as_ref(),
                    "{keys:?}"
                );
                behind = Some(keys.to.clone());
                let number = u32::try_from(batches.len()).unwrap();
                batches.push(Batch { number, extent: Extent::Keys(KeyRange { table, ..keys }) });
            }
        }
        let step = plan_step(&operation, &batches);
        assert!(store.append_plan(&claim, &step).await.unwrap());
        let end = PlanEnd { last: PlanStep { cursor: step.cursor, ..PlanStep::default() }, failure: None };
        assert!(store.end_plan(&claim, &end).await.unwrap());
        Self { store: Arc::clone(store), operation, pieces: Arc::default() }
    }

    /// Claims and executes every batch of an undo, the last one first.
    pub(super) async fn undo_all(&self) {
        let mut claims = self.try_claim(0, 1_000, LEASE).await;
        claims.reverse();
        for claim in claims {
            done(self.store.commit_undo(&self.operation, &claim).await.unwrap());
        }
    }
}
