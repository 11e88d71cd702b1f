//! Commits: the effect of a batch and its ledger row happen together, once, or not at all.

use carrack_shared::operation::{State, Totals};
use carrack_shared::port::batches::Commit;
use carrack_shared::port::finalising::Ending;
use carrack_shared::port::operations::{Created, Idempotency, NewOperation};
use carrack_shared::port::planning::{PlanEnd, PlanStep};
use carrack_shared::port::rejects::RejectPage;
use carrack_shared::reconcile::{self, Executed};
use carrack_shared::spec::Duplicates;
use carrack_shared::tally::Tally;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Fresh;
use super::fixture::{Piece, cut, many, records};
use super::import::{
    EXPIRED, LEASE, Planned, claim_plan, done, import_spec, new_operation, part, plan_step, tally, task,
};

/// What an operation has left behind: rows of its table, ledger, rejects.
async fn traces(fresh: &Fresh, import: &Planned) -> (i64, Totals, usize) {
    let rows = fresh.integer(&format!("SELECT count(*) FROM {}", fresh.table("contexts"))).await;
    let totals = import.store.totals(import.operation.id).await.unwrap();
    let rejects = import.store.rejects(import.operation.id, &RejectPage::first(100)).await.unwrap();
    assert_eq!(import.store.ledger(import.operation.id).await.unwrap().len() as u64, totals.batches);
    (rows, totals, rejects.len())
}

/// What an operation that did nothing leaves behind.
fn nothing() -> (i64, Totals, usize) {
    (0, Totals::default(), 0)
}

pub(super) async fn a_batch_commits_once(fresh: Fresh) {
    let pieces = cut(&records("a=1 b=2 !c=3 a=4"), &[]);
    let import = Planned::import(&fresh.store(), Duplicates::Reject, pieces).await;
    let claim = import.claim(0, LEASE).await;
    assert_eq!(done(import.commit(&claim).await), tally([2, 0, 0, 0, 2]));
    let once = traces(&fresh, &import).await;
    assert_eq!((once.0, once.1.batches, once.2), (2, 1, 2));
    for import in [import.clone(), import.through(&fresh.reopened().await)] {
        assert_eq!(import.commit(&claim).await, Commit::Before);
        assert_eq!(traces(&fresh, &import).await, once, "after a second commit");
    }
}

pub(super) async fn a_stale_lease_commits_nothing(fresh: Fresh) {
    let pieces = cut(&records("a=1 b=2 !c=3"), &[]);
    let import = Planned::import(&fresh.store(), Duplicates::Skip, pieces).await;
    let stale = import.claim(0, EXPIRED).await;
    let good = import.claim(0, LEASE).await;
    assert_eq!(import.commit(&stale).await, Commit::LeaseLost);
    assert_eq!(traces(&fresh, &import).await, nothing());
    done(import.commit(&good).await);
    let once = traces(&fresh, &import).await;
    let late = import.commit(&stale).await;
    assert!(matches!(late, Commit::Before | Commit::LeaseLost), "{late:?}");
    assert_eq!(traces(&fresh, &import).await, once);
}

pub(super) async fn a_stopped_operation_commits_nothing(fresh: Fresh) {
    let pieces = cut(&records("a=1 b=2 !c=3"), &[]);
    let import = Planned::import(&fresh.store(), Duplicates::Skip, pieces).await;
    let claim = import.claim(0, LEASE).await;
    import.store.cancel(import.operation.id).await.unwrap();
    assert_eq!(import.commit(&claim).await, Commit::Stopped(State::Cancelling));
    assert_eq!(traces(&fresh, &import).await, nothing());
    import.store.release(&import.operation, std::slice::from_ref(&claim), "cancelled").await.unwrap();
    assert_eq!(import.close().await.state, State::Cancelled);
    let late = import.commit(&claim).await;
    assert!(matches!(late, Commit::Stopped(State::Cancelled) | Commit::LeaseLost), "{late:?}");
    assert_eq!(traces(&fresh, &import).await, nothing());
}

pub(super) async fn an_empty_batch_commits(fresh: Fresh) {
    let mut pieces = cut(&records("a=1"), &[]);
    pieces[0] = Piece { rows: cut(&records("!b=2"), &[]).remove(0).rows, ..pieces[0].clone() };
    let import = Planned::import(&fresh.store(), Duplicates::Overwrite, pieces).await;
    assert_eq!(import.load(0).await, Tally::default());
    assert_eq!(traces(&fresh, &import).await.1.batches, 1);
    assert_eq!(import.steal(0, 1).await, []);
}

/// Everything a lost answer can make planner, worker and finaliser do again, done again.
pub(super) async fn every_step_twice_counts_once(fresh: Fresh) {
    let store = fresh.store();
    let pieces = cut(&records("a=1 b=2 a=3 !c=4 d=5"), &[2, 2]);
    let idempotency = Some(Idempotency { key: "key".into(), request: [1; 32] });
    let asked = NewOperation { idempotency, ..new_operation(import_spec(Duplicates::Reject)) };
    assert!(matches!(store.create(&asked).await.unwrap(), Created::New(_)));
    let Created::Before(operation) = store.create(&asked).await.unwrap() else { panic!("expected it") };
    let batches: Vec<_> = pieces.iter().map(|piece| piece.batch.clone()).collect();
    let step = plan_step(&operation, &batches);
    let end =
        PlanEnd { last: PlanStep { cursor: step.cursor.clone(), ..PlanStep::default() }, failure: None };
    let stale = claim_plan(&store, &operation, EXPIRED).await;
    let planner = claim_plan(&store, &operation, LEASE).await;
    assert!(store.append_plan(&planner, &step).await.unwrap());
    assert!(!store.append_plan(&stale, &step).await.unwrap());
    assert!(store.end_plan(&planner, &end).await.unwrap());
    assert!(!store.end_plan(&stale, &end).await.unwrap());

    let import = Planned { store: store.clone(), operation, pieces: pieces.into() };
    for batch in [2, 1, 0] {
        import.claim(batch, EXPIRED).await;
        let claim = import.claim(batch, LEASE).await;
        done(import.commit(&claim).await);
        assert_eq!(import.commit(&claim).await, Commit::Before);
    }
    let stale = import.claim_finish(EXPIRED).await;
    let finish = import.claim_finish(LEASE).await;
    let losers = store.losers(&finish, 9).await.unwrap();
    assert_eq!(losers.len(), 1);
    import.reject_losers(&finish).await;
    import.reject_losers(&finish).await;
    let evidence = store.evidence(&finish).await.unwrap();
    assert_eq!(store.evidence(&finish).await.unwrap(), evidence);
    let settled = reconcile::settle(&evidence, Some(Duplicates::Reject), Executed::Whole).unwrap();
    assert_eq!(settled, tally([3, 0, 0, 0, 2]));
    let ending = Ending { state: State::SucceededWithRejects, tally: settled, failure: None };
    assert!(!store.end(&stale, &ending).await.unwrap());
    assert!(store.end(&finish, &ending).await.unwrap());
    assert!(!store.end(&finish, &ending).await.unwrap());
    let (rows, _, rejects) = traces(&fresh, &import).await;
    assert_eq!((rows, rejects), (3, 2));
}

pub(super) async fn every_effect_happens_once_when_executions_race(fresh: Fresh) {
    let store = fresh.store();
    let import = Planned::import(&store, Duplicates::Skip, cut(&many("k", 120), &[6; 20])).await;
    let elsewhere = import.through(&fresh.reopened().await);
    fresh.log_effects("contexts").await;
    let mut commits = JoinSet::new();
    for batch in 0..20 {
        let stale = import.claim(batch, EXPIRED).await;
        let good = import.claim(batch, LEASE).await;
        for (import, claim) in
            [(import.clone(), stale), (import.clone(), good.clone()), (elsewhere.clone(), good)]
        {
            commits.spawn(async move { import.commit(&claim).await });
        }
    }
    let done =
        commits.join_all().await.into_iter().filter(|commit| matches!(commit, Commit::Done(_))).count();
    assert_eq!(done, 20, "commits that were done");
    assert_eq!(elsewhere.steal(0, 20).await, [], "batches that are given out again");
    assert_eq!(fresh.integer("SELECT count(*) FROM effects").await, 120);
    assert_eq!(fresh.integer("SELECT count(DISTINCT id) FROM effects").await, 120);
    assert_eq!(traces(&fresh, &import).await.1.tally, tally([120, 0, 0, 0, 0]));
}

pub(super) async fn the_ledger_refuses_sums_that_do_not_add_up(fresh: Fresh) {
    let pieces = cut(&records("a=1 b=2"), &[]);
    Planned::import(&fresh.store(), Duplicates::Skip, pieces).await.load_all().await;
    let ledger = fresh.control("ledger");
    fresh.execute(&format!("UPDATE {ledger} SET bytes = bytes")).await.expect("a change of nothing");
    for count in ["read", "created", "updated", "unchanged", "skipped", "rejected"] {
        let change = format!("UPDATE {ledger} SET {count} = {count} + 1");
        assert!(fresh.execute(&change).await.is_err(), "the ledger took one more {count}");
    }
}

pub(super) async fn an_export_batch_commits_once(fresh: Fresh) {
    let export = Planned::export(&fresh.store(), 2).await;
    let claims = export.try_claim(0, 2, LEASE).await;
    let counted = done(export.commit_part(&claims[1]).await);
    assert!(counted.read == 10 && counted.reconciles(), "{counted:?}");
    let once = export.store.totals(export.operation.id).await.unwrap();
    assert_eq!(once, Totals { tally: counted, bytes: 1_000, batches: 1 });
    assert_eq!(export.commit_part(&claims[1]).await, Commit::Before);
    assert_eq!(export.store.totals(export.operation.id).await.unwrap(), once);
    let parts = export.store.parts(export.operation.id).await.unwrap();
    assert_eq!(
        parts.iter().map(|found| (found.batch, found.effect.clone())).collect::<Vec<_>>(),
        [(1, part(1))]
    );
}

pub(super) async fn a_stale_or_stopped_export_batch_commits_nothing(fresh: Fresh) {
    let export = Planned::export(&fresh.store(), 2).await;
    let stale = export.claim(0, EXPIRED).await;
    let claims = export.try_claim(0, 2, LEASE).await;
    assert_eq!(export.commit_part(&stale).await, Commit::LeaseLost);
    export.store.cancel(export.operation.id).await.unwrap();
    assert_eq!(export.commit_part(&claims[1]).await, Commit::Stopped(State::Cancelling));
    assert_eq!(export.store.parts(export.operation.id).await.unwrap(), []);
    assert_eq!(export.store.totals(export.operation.id).await.unwrap(), Totals::default());
    let task = task(&export.operation, 0, 2);
    assert!(export.store.claim(&task, true, Uuid::now_v7(), LEASE).await.unwrap().is_none());
}
