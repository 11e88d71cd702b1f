//! Closing: only what is whole or stopped, by one finaliser, once, with books that can be checked.

use carrack_shared::duplicates;
use carrack_shared::operation::State;
use carrack_shared::port::finalising::Ending;
use carrack_shared::port::operations::Listing;
use carrack_shared::port::planning::{PlanEnd, PlanStep};
use carrack_shared::port::rejects::RejectPage;
use carrack_shared::reconcile::{Displacements, Evidence};
use carrack_shared::record::Position;
use carrack_shared::spec::Duplicates;
use carrack_shared::tally::Tally;
use uuid::Uuid;

use super::Fresh;
use super::fixture::{cut, records};
use super::import::{
    EXPIRED, LEASE, Planned, claim_plan, create, export_spec, import_spec, key_batches, part, plan_step,
    tally,
};
use super::model::refusals;
use super::operations::failure;

async fn import(fresh: &Fresh, mode: Duplicates, notation: &str, sizes: &[usize]) -> Planned {
    Planned::import(&fresh.store(), mode, cut(&records(notation), sizes)).await
}

async fn nothing_to_close(fresh: &Fresh, why: &str) {
    let claim = fresh.store().claim_finish(Uuid::now_v7(), LEASE).await.unwrap();
    assert!(claim.is_none(), "{why}: {claim:?}");
}

fn ending(state: State) -> Ending {
    Ending { state, tally: tally([1, 2, 3, 4, 5]), failure: None }
}

pub(super) async fn an_open_batch_keeps_an_operation_open(fresh: Fresh) {
    nothing_to_close(&fresh, "there is no operation").await;
    let import = import(&fresh, Duplicates::Skip, "a=1 b=2", &[1]).await;
    nothing_to_close(&fresh, "no batch is done").await;
    import.load(1).await;
    nothing_to_close(&fresh, "one batch is pending").await;
    let claim = import.claim(0, EXPIRED).await;
    nothing_to_close(&fresh, "one batch is leased, and the lease ran out").await;
    import.commit(&claim).await;
    let before = import.now().await;
    let closing = import.claim_finish(LEASE).await.operation;
    assert_eq!((before.state, closing.state), (State::Running, State::Finalising));
    assert!(closing.epoch > before.epoch);
    assert_eq!(import.now().await, closing);
}

pub(super) async fn an_unfinished_plan_keeps_an_operation_open(fresh: Fresh) {
    let store = fresh.store();
    let operation = create(&store, import_spec(Duplicates::Skip)).await;
    nothing_to_close(&fresh, "planning has not begun").await;
    let pieces = cut(&records("a=1"), &[]);
    let planner = claim_plan(&store, &operation, LEASE).await;
    let step = plan_step(&operation, &[pieces[0].batch.clone()]);
    assert!(store.append_plan(&planner, &step).await.unwrap());
    let import = Planned { store: store.clone(), operation, pieces: pieces.into() };
    import.load_all().await;
    nothing_to_close(&fresh, "more batches may come").await;
    assert!(
        store
            .end_plan(
                &planner,
                &PlanEnd { last: PlanStep { cursor: step.cursor, ..PlanStep::default() }, failure: None }
            )
            .await
            .unwrap()
    );
    assert_eq!(import.close().await.state, State::Succeeded);
}

pub(super) async fn an_empty_plan_can_be_closed(fresh: Fresh) {
    let ended = import(&fresh, Duplicates::Skip, "", &[]).await.close().await;
    assert_eq!((ended.state, ended.planned_records), (State::Succeeded, Some(0)));
    assert_eq!(ended.tally, Some(Tally::default()));
}

pub(super) async fn one_finaliser_at_a_time_and_the_next_takes_over(fresh: Fresh) {
    let import = import(&fresh, Duplicates::Reject, "a=1 !b=2", &[]).await;
    import.load_all().await;
    let first = import.claim_finish(EXPIRED).await;
    let second = import.claim_finish(LEASE).await;
    assert!(second.lease_epoch > first.lease_epoch);
    assert_eq!(second.operation.state, State::Finalising);
    nothing_to_close(&fresh, "the second finaliser holds it").await;
    let reject = import.pieces[0].reject(Position::new(0, 1), vec![duplicates::in_file("a")]);
    assert!(!import.store.add_rejects(&first, &[reject]).await.unwrap());
    assert_eq!(import.store.rejects(import.operation.id, &RejectPage::first(9)).await.unwrap().len(), 1);
    assert!(!import.store.end(&first, &ending(State::Succeeded)).await.unwrap());
    assert_eq!(import.now().await.state, State::Finalising);
    assert!(import.store.end(&second, &ending(State::Succeeded)).await.unwrap());
}

pub(super) async fn a_closing_that_is_kept_is_not_taken_and_one_given_back_is(fresh: Fresh) {
    let import = import(&fresh, Duplicates::Skip, "a=1", &[]).await;
    import.load_all().await;
    let first = import.claim_finish(EXPIRED).await;
    assert!(import.store.renew_finish(&first, LEASE).await.unwrap());
    nothing_to_close(&fresh, "the lease was prolonged").await;
    assert!(import.store.renew_finish(&first, EXPIRED).await.unwrap());
    let second = import.claim_finish(LEASE).await;
    assert!(!import.store.renew_finish(&first, EXPIRED).await.unwrap(), "it is lost");
    nothing_to_close(&fresh, "who lost a lease cannot give it back").await;
    assert!(import.store.end(&second, &ending(State::Succeeded)).await.unwrap());
    assert!(!import.store.renew_finish(&second, LEASE).await.unwrap(), "the operation has ended");
}

pub(super) async fn an_operation_ends_once_and_keeps_its_ending(fresh: Fresh) {
    let store = fresh.store();
    for state in [State::Succeeded, State::SucceededWithRejects, State::Failed] {
        let import = import(&fresh, Duplicates::Skip, "a=1", &[]).await;
        import.load_all().await;
        let claim = import.claim_finish(LEASE).await;
        let failure = (state == State::Failed).then(|| failure("all of it"));
        let ending = Ending { failure, ..ending(state) };
        assert!(store.end(&claim, &ending).await.unwrap());
        let ended = import.now().await;
        assert_eq!((ended.state, ended.tally, &ended.failure), (state, Some(ending.tally), &ending.failure));
        assert!(ended.epoch > claim.operation.epoch);
        assert!(ended.finished_at.expect("a time") >= ended.created_at);
        let other = Ending { tally: Tally::default(), ..self::ending(State::Cancelled) };
        assert!(!store.end(&claim, &other).await.unwrap());
        assert_eq!(fresh.reopened().await.get(ended.id).await.unwrap(), Some(ended));
        nothing_to_close(&fresh, "it has ended").await;
        assert_eq!(store.list(Listing::Active).await.unwrap(), []);
    }
}

pub(super) async fn a_finalising_operation_is_not_cancelled(fresh: Fresh) {
    let import = import(&fresh, Duplicates::Skip, "a=1", &[]).await;
    import.load_all().await;
    let claim = import.claim_finish(LEASE).await;
    assert_eq!(import.store.cancel(import.operation.id).await.unwrap(), Some(claim.operation.clone()));
    assert!(import.store.end(&claim, &ending(State::Succeeded)).await.unwrap());
}

pub(super) async fn a_cancelled_operation_waits_for_live_leases(fresh: Fresh) {
    let import = import(&fresh, Duplicates::Skip, "a=1 b=2 c=3 !d=4", &[1, 1, 1]).await;
    import.load(3).await;
    let claims = import.try_claim(0, 2, LEASE).await;
    import.store.cancel(import.operation.id).await.unwrap();
    nothing_to_close(&fresh, "two leases are live").await;
    import.store.release(&import.operation, &claims[..1], "cancelled").await.unwrap();
    nothing_to_close(&fresh, "one lease is live").await;
    import.store.renew(&import.operation, &claims[1..], EXPIRED).await.unwrap();
    let ended = import.close().await;
    assert_eq!((ended.state, ended.tally), (State::Cancelled, Some(tally([0, 0, 0, 0, 1]))));
}

pub(super) async fn a_broken_plan_is_closed_with_its_reason(fresh: Fresh) {
    let store = fresh.store();
    let operation = create(&store, import_spec(Duplicates::Skip)).await;
    let planner = claim_plan(&store, &operation, LEASE).await;
    let pieces = cut(&records("a=1 b=2"), &[]);
    let step = plan_step(&operation, &[pieces[0].batch.clone()]);
    assert!(store.append_plan(&planner, &step).await.unwrap());
    let end = PlanEnd {
        last: PlanStep { cursor: step.cursor, ..PlanStep::default() },
        failure: Some(failure("the plan")),
    };
    assert!(store.end_plan(&planner, &end).await.unwrap());
    let import = Planned { store: store.clone(), operation, pieces: pieces.into() };
    nothing_to_close(&fresh, "what was planned is loaded first").await;
    import.load_all().await;
    let ended = import.close().await;
    assert_eq!(
        (ended.state, ended.failure, ended.tally),
        (State::Failed, end.failure, Some(tally([2, 0, 0, 0, 0])))
    );
}

pub(super) async fn losers_come_in_order_and_only_until_they_are_rejects(fresh: Fresh) {
    let import = import(&fresh, Duplicates::Reject, "k=1 k=2 | k=3 j=4 j=5 k=6", &[1, 1, 1, 1]).await;
    for batch in [4, 2, 1, 0, 3] {
        import.load(batch).await;
    }
    let claim = import.claim_finish(LEASE).await;
    let losers = async |limit| import.store.losers(&claim, limit).await.unwrap();
    let all = losers(9).await;
    let found: Vec<_> =
        all.iter().map(|loser| (loser.position, &*loser.key, loser.loss.winner().unwrap())).collect();
    let at = Position::new;
    let expected = [
        (at(0, 2), "k", at(0, 1)),
        (at(1, 1), "k", at(0, 1)),
        (at(1, 3), "j", at(1, 2)),
        (at(1, 4), "k", at(0, 1)),
    ];
    assert_eq!(found, expected);
    for (loser, batch) in all.iter().zip([1, 2, 4, 4]) {
        assert_eq!(&loser.segment, import.pieces[batch].segment());
    }
    assert_eq!(losers(2).await, all[..2]);
    let reject = import.pieces[2].reject(at(1, 1), vec![duplicates::in_file("k").in_field("id")]);
    assert!(import.store.add_rejects(&claim, &[reject]).await.unwrap());
    assert_eq!(losers(9).await, [all[0].clone(), all[2].clone(), all[3].clone()]);
    import.reject_losers(&claim).await;
    import.store.evidence(&claim).await.unwrap();
    let refused: Vec<_> = refusals(&import).await.into_iter().map(|(loser, ..)| loser).collect();
    assert_eq!(refused, expected.map(|(loser, ..)| loser));
}

pub(super) async fn a_stored_reject_is_left_as_it_is(fresh: Fresh) {
    let import = import(&fresh, Duplicates::Reject, "k=1 k=2", &[1]).await;
    import.load(1).await;
    import.load(0).await;
    let claim = import.claim_finish(LEASE).await;
    let reject = |key: &str| import.pieces[1].reject(Position::new(0, 2), vec![duplicates::in_file(key)]);
    for key in ["k", "another", "k"] {
        assert!(import.store.add_rejects(&claim, &[reject(key)]).await.unwrap());
    }
    let stored = import.store.rejects(import.operation.id, &RejectPage::first(9)).await.unwrap();
    assert_eq!(stored.into_iter().map(|reject| reject.faults).collect::<Vec<_>>(), [reject("k").faults]);
    assert_eq!(import.store.evidence(&claim).await.unwrap().rejects, 1);
}

pub(super) async fn evidence_adds_everything_up(fresh: Fresh) {
    import(&fresh, Duplicates::Skip, "x=0 y=0 z=0", &[]).await.run().await;
    let rejecting = import(&fresh, Duplicates::Reject, "a=1 b=2 a=3 !c=4 b=5 b=6 x=7", &[2, 2]).await;
    for batch in [2, 1, 0] {
        rejecting.load(batch).await;
    }
    let claim = rejecting.claim_finish(LEASE).await;
    let expected = Evidence {
        planned_batches: 3,
        planned_records: Some(7),
        batch_records: 7,
        ledger_batches: 3,
        ledger: tally([4, 0, 0, 0, 3]),
        displaced: Displacements { created: 2, updated: 0, unchanged: 0 },
        rejects: 3,
        ..Evidence::default()
    };
    assert_eq!(rejecting.store.evidence(&claim).await.unwrap(), expected);
    rejecting.reject_losers(&claim).await;
    let evidence = rejecting.store.evidence(&claim).await.unwrap();
    assert_eq!(evidence, Evidence { rejects: 5, ..expected });
    let winners: Vec<_> = refusals(&rejecting).await.into_iter().map(|(_, _, winner)| winner).collect();
    let winner = |record| Some(Position::new(0, record));
    assert_eq!(winners, [winner(1), None, winner(2), winner(2), None], "the final winners are named");
    assert!(rejecting.store.end(&claim, &ending(State::Succeeded)).await.unwrap());

    let overwriting = import(&fresh, Duplicates::Overwrite, "x=1 y=0 n=1 x=0 y=2 n=2", &[3]).await;
    overwriting.load_all().await;
    let claim = overwriting.claim_finish(LEASE).await;
    let evidence = overwriting.store.evidence(&claim).await.unwrap();
    assert_eq!(evidence.ledger, tally([2, 2, 2, 0, 0]));
    assert_eq!(evidence.displaced, Displacements { created: 1, updated: 1, unchanged: 1 });
    assert!(overwriting.store.end(&claim, &ending(State::Succeeded)).await.unwrap());

    let stopped = create(&fresh.store(), import_spec(Duplicates::Skip)).await;
    fresh.store().cancel(stopped.id).await.unwrap();
    let claim = fresh.store().claim_finish(Uuid::now_v7(), LEASE).await.unwrap().expect("the stopped one");
    assert_eq!(fresh.store().evidence(&claim).await.unwrap(), Evidence::default());
}

pub(super) async fn parts_are_of_the_current_generation_in_order(fresh: Fresh) {
    let store = fresh.store();
    let operation = create(&store, export_spec()).await;
    let first = claim_plan(&store, &operation, LEASE).await;
    assert!(store.append_plan(&first, &plan_step(&operation, &key_batches(4))).await.unwrap());
    let export = Planned { store: store.clone(), operation, pieces: std::sync::Arc::default() };
    export.commit_part(&export.claim(3, LEASE).await).await;
    assert!(store.renew_plan(&first, EXPIRED).await.unwrap());

    let second = claim_plan(&store, &export.operation, LEASE).await;
    let step = plan_step(&second.operation, &key_batches(3));
    assert!(store.append_plan(&second, &step).await.unwrap());
    assert!(
        store
            .end_plan(
                &second,
                &PlanEnd { last: PlanStep { cursor: step.cursor, ..PlanStep::default() }, failure: None }
            )
            .await
            .unwrap()
    );
    let export = Planned { operation: second.operation, ..export };
    for batch in [2, 0, 1] {
        export.commit_part(&export.claim(batch, LEASE).await).await;
    }
    let parts = store.parts(export.operation.id).await.unwrap();
    let found: Vec<_> = parts.into_iter().map(|found| (found.batch, found.effect)).collect();
    assert_eq!(found, [0, 1, 2].map(|number| (number, part(number))));
    let claim = export.claim_finish(LEASE).await;
    let evidence = store.evidence(&claim).await.unwrap();
    assert_eq!((evidence.planned_batches, evidence.ledger_batches), (3, 3));
    assert_eq!((evidence.planned_records, evidence.batch_records, evidence.ledger.read), (Some(30), 30, 30));
}
