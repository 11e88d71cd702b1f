//! Who has done what, and what became of what.

use carrack_shared::port::workers::{SourceShare, WorkerShare};
use carrack_shared::reconcile::Displacements;
use carrack_shared::spec::Duplicates;
use uuid::Uuid;

use super::Fresh;
use super::fixture::{cut, many};
use super::import::{EXPIRED, LEASE, Planned, done, tally, task};

/// A batch counts for whoever commits it, not for those who held it before.
pub(super) async fn each_batch_is_counted_for_the_worker_that_committed_it(fresh: Fresh) {
    let store = fresh.store();
    let pieces = cut(&many("a", 5), &[1; 5]);
    let import = Planned::import(&store, Duplicates::Reject, pieces).await;
    assert_eq!(store.workers(import.operation.id).await.unwrap(), []);
    let [busy, other, dead] = [1, 2, 3].map(Uuid::from_u128);
    for (batch, worker, lease) in
        [(0, dead, EXPIRED), (0, busy, LEASE), (1, other, LEASE), (2, busy, LEASE), (3, busy, LEASE)]
    {
        let run = store.claim(&task(&import.operation, batch, 1), false, worker, lease).await.unwrap();
        let claim = run.unwrap().claims.remove(0);
        if worker != dead {
            done(import.commit(&claim).await);
        }
    }
    let share = |worker, batches| WorkerShare { worker, batches };
    let reopened = fresh.reopened().await;
    assert_eq!(reopened.workers(import.operation.id).await.unwrap(), [share(busy, 3), share(other, 1)]);
    import.load(4).await;
    let shares = store.workers(import.operation.id).await.unwrap();
    assert_eq!(shares.iter().map(|share| share.batches).collect::<Vec<_>>(), [3, 1, 1]);
    let nobody = Planned::export(&store, 1).await;
    assert_eq!(store.workers(nobody.operation.id).await.unwrap(), []);
    let claim = nobody.claim(0, LEASE).await;
    done(nobody.commit_part(&claim).await);
    assert_eq!(store.workers(nobody.operation.id).await.unwrap()[0].batches, 1);
}

/// Of imports the checks of duplicates ask for it. Tables without a committed batch are in none.
pub(super) async fn the_rows_of_each_table_are_counted(fresh: Fresh) {
    let store = fresh.store();
    let export = Planned::export(&store, 5).await;
    for batch in [4, 0, 1, 3] {
        let claim = export.claim(batch, LEASE).await;
        done(export.commit_part(&claim).await);
    }
    let share = |source, rows| {
        let ledger = tally([0, 0, rows, 0, 0]);
        SourceShare { source, ledger, displaced: Displacements::default() }
    };
    let shares = fresh.reopened().await.sources(export.operation.id).await.unwrap();
    assert_eq!(shares, [share(0, 20), share(1, 20)], "batch 2 is of table 2");
}
