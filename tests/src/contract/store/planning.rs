//! Plans: one planner at a time, fenced, continued where the last one stopped; a plan is stored whole.

use std::time::Duration;

use std::sync::Arc;

use carrack_shared::fault::{Fault, Stage};
use carrack_shared::format::{SourceFacts, json};
use carrack_shared::operation::State;
use carrack_shared::port::planning::{Cursor, PlanEnd, PlanStep};
use carrack_shared::segment::{Batch, Extent, Facts, Segment, TableFacts};
use carrack_shared::spec::Duplicates;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Fresh;
use super::fixture::{cut, facts, records};
use super::import::{
    EXPIRED, LEASE, Planned, claim_plan, create, export_spec, import_spec, key_batches, part, plan_step, task,
};
use super::operations::failure;

/// Three batches of an import, the last one refused as a whole.
fn batches() -> Vec<Batch> {
    let mut batches: Vec<Batch> =
        cut(&records("a=1 b=2 c=3 d=4"), &[1, 2]).into_iter().map(|piece| piece.batch).collect();
    if let Extent::Segment(last) = &mut batches[2].extent {
        let what = "a record of 17 MiB, expected at most 16 MiB";
        let fault = Fault::new(Stage::Frame, "record.too_large", what);
        (last.fault, last.hash) = (Some(fault), None);
    }
    batches
}

fn end_at(cursor: &Cursor) -> PlanEnd {
    PlanEnd { last: PlanStep { cursor: cursor.clone(), ..PlanStep::default() }, failure: None }
}

pub(super) async fn an_operation_has_one_planner(fresh: Fresh) {
    let store = fresh.store();
    assert!(store.claim_plan(Uuid::now_v7(), LEASE).await.unwrap().is_none(), "there is no operation");
    let operation = create(&store, import_spec(Duplicates::Skip)).await;
    let claim = claim_plan(&store, &operation, LEASE).await;
    assert_eq!(claim.cursor, Cursor::default());
    assert_eq!(claim.operation, operation);
    for store in [store, fresh.reopened().await] {
        assert!(store.claim_plan(Uuid::now_v7(), LEASE).await.unwrap().is_none());
    }
}

pub(super) async fn two_planners_at_once_never_share_an_operation(fresh: Fresh) {
    let handles = [fresh.store(), fresh.reopened().await];
    for _ in 0..3 {
        create(&handles[0], import_spec(Duplicates::Skip)).await;
    }
    let mut claiming = JoinSet::new();
    for number in 0..12 {
        let store = handles[number % 2].clone();
        claiming.spawn(async move { store.claim_plan(Uuid::now_v7(), LEASE).await.unwrap() });
    }
    let claims = claiming.join_all().await;
    let mut ids: Vec<_> = claims.into_iter().flatten().map(|claim| claim.operation.id).collect();
    // A claimer that met another one may leave empty-handed; what it left is there for the next.
    while let Some(claim) = handles[0].claim_plan(Uuid::now_v7(), LEASE).await.unwrap() {
        ids.push(claim.operation.id);
        assert!(ids.len() <= 3, "{ids:?}");
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

pub(super) async fn an_expired_planner_is_continued_where_it_stopped(fresh: Fresh) {
    let store = fresh.store();
    let operation = create(&store, import_spec(Duplicates::Skip)).await;
    let first = claim_plan(&store, &operation, LEASE).await;
    let step = plan_step(&operation, &batches()[..2]);
    assert!(store.append_plan(&first, &step).await.unwrap());
    assert!(store.renew_plan(&first, EXPIRED).await.unwrap());
    let second = claim_plan(&fresh.reopened().await, &operation, LEASE).await;
    assert!(second.lease_epoch > first.lease_epoch);
    assert_eq!(second.cursor, step.cursor);
    assert_eq!(second.operation.generation, 1, "the plan of an import is continued, not repeated");
    let cursor = plan_step(&operation, &batches()).cursor;
    let rest = PlanStep { facts: Vec::new(), cursor, ..plan_step(&operation, &batches()[2..]) };
    assert!(store.append_plan(&second, &rest).await.unwrap());
    assert!(store.renew_plan(&second, EXPIRED).await.unwrap());
    let third = claim_plan(&store, &operation, LEASE).await;
    assert_eq!(third.cursor, rest.cursor);
    let run = store.claim(&task(&operation, 0, 3), false, Uuid::now_v7(), LEASE).await.unwrap().unwrap();
    assert_eq!(run.claims.len(), 3);
}

pub(super) async fn what_is_learned_of_sources_is_kept_by_number(fresh: Fresh) {
    let store = fresh.store();
    let operation = create(&store, import_spec(Duplicates::Skip)).await;
    let claim = claim_plan(&store, &operation, LEASE).await;
    let json = |shape: json::Shape| Facts::File(SourceFacts::Json(shape.into()));
    let learned = [facts(), json(json::Shape::Lines), json(json::Shape::Array), facts()];
    let mut cursor = Cursor::default();
    for numbers in [0..0_u32, 0..1, 1..3, 3..4] {
        let end = numbers.end;
        cursor.source = end.saturating_sub(1);
        let facts = numbers.map(|number| (number, learned[number as usize].clone())).collect();
        let step = PlanStep { facts, cursor: cursor.clone(), ..PlanStep::default() };
        assert!(store.append_plan(&claim, &step).await.unwrap());
        for store in [store.clone(), fresh.reopened().await] {
            for number in 0..5 {
                let expected = learned.get(number as usize).filter(|_| number < end);
                assert_eq!(store.facts(operation.id, number).await.unwrap().as_ref(), expected, "{number}");
            }
        }
    }
    let another = create(&store, import_spec(Duplicates::Skip)).await;
    assert_eq!(store.facts(another.id, 0).await.unwrap(), None);
}

pub(super) async fn segments_are_read_again_by_source_and_record(fresh: Fresh) {
    let store = fresh.store();
    let operation = create(&store, import_spec(Duplicates::Skip)).await;
    let claim = claim_plan(&store, &operation, LEASE).await;
    // Two sources, each with records from 1 on.
    let segments = |source: u32| {
        batches().into_iter().filter_map(move |batch| match batch.extent {
            Extent::Segment(segment) => Some(Segment { source, ..segment }),
            Extent::Keys(_) => None,
        })
    };
    let numbered = |(number, segment)| Batch { number, extent: Extent::Segment(segment) };
    let all: Vec<Batch> = (0..).zip(segments(0).chain(segments(1))).map(numbered).collect();
    assert!(store.append_plan(&claim, &plan_step(&operation, &all)).await.unwrap());
    let another = create(&store, import_spec(Duplicates::Skip)).await;
    for (source, first, limit, expected) in
        [(0, 1, 9, 0..3), (1, 1, 9, 0..3), (1, 2, 9, 1..3), (1, 1, 2, 0..2), (0, 9, 9, 0..0), (2, 1, 9, 0..0)]
    {
        let skipped = if expected.is_empty() { usize::MAX } else { expected.start };
        let expected: Vec<Segment> = segments(source).skip(skipped).take(expected.len()).collect();
        let found = store.segments(operation.id, source, first, limit).await.unwrap();
        assert_eq!(found, expected, "{source}, {first}, {limit}");
        assert_eq!(store.segments(another.id, source, first, limit).await.unwrap(), []);
    }
}

pub(super) async fn a_released_plan_is_taken_at_once(fresh: Fresh) {
    let store = fresh.store();
    let operation = create(&store, import_spec(Duplicates::Skip)).await;
    let first = claim_plan(&store, &operation, LEASE).await;
    store.release_plan(&first).await.unwrap();
    let second = claim_plan(&store, &operation, LEASE).await;
    assert!(!store.append_plan(&first, &plan_step(&operation, &batches())).await.unwrap());
    store.release_plan(&first).await.unwrap();
    assert!(
        store.claim_plan(Uuid::now_v7(), LEASE).await.unwrap().is_none(),
        "a late release took the lease from the next planner"
    );
    assert!(store.renew_plan(&second, LEASE).await.unwrap());
}

pub(super) async fn a_fenced_out_planner_changes_nothing(fresh: Fresh) {
    let store = fresh.store();
    let operation = create(&store, import_spec(Duplicates::Skip)).await;
    let first = claim_plan(&store, &operation, EXPIRED).await;
    let second = claim_plan(&store, &operation, LEASE).await;
    let step = plan_step(&operation, &batches());
    assert!(!store.append_plan(&first, &step).await.unwrap());
    assert!(!store.end_plan(&first, &end_at(&step.cursor)).await.unwrap());
    assert!(!store.renew_plan(&first, EXPIRED).await.unwrap());
    assert_eq!(store.get(operation.id).await.unwrap(), Some(operation.clone()));
    assert_eq!(store.due(9, 9, LEASE).await.unwrap(), []);
    assert!(store.claim_plan(Uuid::now_v7(), LEASE).await.unwrap().is_none());
    assert!(store.append_plan(&second, &step).await.unwrap(), "the one who holds the lease goes on");
    assert!(store.renew_plan(&second, EXPIRED).await.unwrap());
    assert_eq!(claim_plan(&store, &operation, LEASE).await.cursor, step.cursor);
}

pub(super) async fn a_piece_of_a_plan_is_stored_whole(fresh: Fresh) {
    let store = fresh.store();
    let operation = create(&store, import_spec(Duplicates::Skip)).await;
    let claim = claim_plan(&store, &operation, LEASE).await;
    let step = plan_step(&operation, &batches());
    assert!(store.append_plan(&claim, &step).await.unwrap());
    let store = fresh.reopened().await;
    let due: Vec<_> = store.due(9, 9, LEASE).await.unwrap().into_iter().map(|out| out.task).collect();
    assert_eq!(due, step.tasks);
    let run = store.claim(&task(&operation, 0, 9), false, Uuid::now_v7(), LEASE).await.unwrap().unwrap();
    assert_eq!(store.facts(operation.id, 0).await.unwrap(), Some(facts()));
    let found: Vec<_> = run.claims.into_iter().map(|claim| claim.batch).collect();
    assert_eq!(found, step.batches);
}

pub(super) async fn a_piece_that_fails_leaves_nothing_behind(fresh: Fresh) {
    let store = fresh.store();
    let operation = create(&store, import_spec(Duplicates::Skip)).await;
    let claim = claim_plan(&store, &operation, LEASE).await;
    let mut step = plan_step(&operation, &batches());
    step.batches[2].number = 1;
    assert!(store.append_plan(&claim, &step).await.is_err(), "the batch 1 stands there twice");
    assert_eq!(store.due(9, 9, LEASE).await.unwrap(), []);
    let run = store.claim(&task(&operation, 0, 9), false, Uuid::now_v7(), LEASE).await.unwrap();
    assert!(run.is_none(), "{run:?}");
    assert!(store.renew_plan(&claim, EXPIRED).await.unwrap());
    let next = claim_plan(&store, &operation, LEASE).await;
    assert_eq!((next.cursor, store.facts(operation.id, 0).await.unwrap()), (Cursor::default(), None));
}

pub(super) async fn the_end_of_a_plan_sets_time_and_counts(fresh: Fresh) {
    let store = fresh.store();
    let operation = create(&store, import_spec(Duplicates::Skip)).await;
    let claim = claim_plan(&store, &operation, LEASE).await;
    let step = plan_step(&operation, &batches());
    assert!(store.append_plan(&claim, &step).await.unwrap());
    let now = store.get(operation.id).await.unwrap().unwrap();
    assert_eq!((now.planned_at, now.planned_records), (None, None));
    assert!(store.end_plan(&claim, &end_at(&step.cursor)).await.unwrap());
    let now = store.get(operation.id).await.unwrap().unwrap();
    assert!(now.planned_at.is_some());
    assert_eq!((now.planned_records, now.state), (Some(4), State::Running));
    store.release_plan(&claim).await.unwrap();
    assert!(store.claim_plan(Uuid::now_v7(), LEASE).await.unwrap().is_none(), "it is planned");
}

pub(super) async fn a_plan_that_breaks_off_keeps_its_reason(fresh: Fresh) {
    let store = fresh.store();
    let operation = create(&store, import_spec(Duplicates::Skip)).await;
    let claim = claim_plan(&store, &operation, LEASE).await;
    let step = plan_step(&operation, &batches());
    assert!(store.append_plan(&claim, &step).await.unwrap());
    let end = PlanEnd { failure: Some(failure("source 0")), ..end_at(&step.cursor) };
    assert!(store.end_plan(&claim, &end).await.unwrap());
    let now = store.get(operation.id).await.unwrap().unwrap();
    assert_eq!((now.state, &now.failure), (State::Running, &end.failure));
    let run = store.claim(&task(&operation, 0, 3), false, Uuid::now_v7(), LEASE).await.unwrap();
    assert_eq!(run.expect("what is planned is loaded").claims.len(), 3);
}

pub(super) async fn the_last_piece_is_stored_with_the_end(fresh: Fresh) {
    let store = fresh.store();
    let operation = create(&store, import_spec(Duplicates::Skip)).await;
    let step = plan_step(&operation, &batches());
    let end = PlanEnd { last: step.clone(), failure: Some(failure("source 0")) };
    // A planner whose lease is lost stores neither: who comes next would store the piece a second time.
    let fenced_out = claim_plan(&store, &operation, Duration::ZERO).await;
    let claim = claim_plan(&store, &operation, LEASE).await;
    assert!(!store.end_plan(&fenced_out, &end).await.unwrap());
    let task = task(&operation, 0, 3);
    assert!(store.claim(&task, false, Uuid::now_v7(), LEASE).await.unwrap().is_none());
    assert!(store.end_plan(&claim, &end).await.unwrap());
    let run = store.claim(&task, false, Uuid::now_v7(), LEASE).await.unwrap().expect("the last piece");
    assert_eq!((run.claims.len(), run.operation.failure), (3, end.failure));
    assert_eq!(store.due(9, 9, LEASE).await.unwrap().len(), step.tasks.len());
}

pub(super) async fn a_cancelled_operation_is_not_planned_further(fresh: Fresh) {
    let store = fresh.store();
    let operation = create(&store, import_spec(Duplicates::Skip)).await;
    let claim = claim_plan(&store, &operation, LEASE).await;
    store.cancel(operation.id).await.unwrap();
    let step = plan_step(&operation, &batches());
    assert!(!store.append_plan(&claim, &step).await.unwrap());
    assert!(!store.end_plan(&claim, &end_at(&step.cursor)).await.unwrap());
    assert_eq!(store.due(9, 9, LEASE).await.unwrap(), []);
    assert_eq!(store.get(operation.id).await.unwrap().unwrap().planned_at, None);
    store.release_plan(&claim).await.unwrap();
    assert!(store.claim_plan(Uuid::now_v7(), LEASE).await.unwrap().is_none());
}

/// What the planner of an export learns.
fn seen_as(snapshot: &str) -> Facts {
    Facts::Table(TableFacts { snapshot: snapshot.into(), has_extra: true })
}

pub(super) async fn an_export_planned_again_starts_the_next_generation(fresh: Fresh) {
    let store = fresh.store();
    let operation = create(&store, export_spec()).await;
    claim_plan(&store, &operation, EXPIRED).await;
    let first = claim_plan(&store, &operation, LEASE).await;
    assert_eq!(first.operation.generation, 1, "nothing was planned yet");
    let step = PlanStep { facts: vec![(0, seen_as("one"))], ..plan_step(&operation, &key_batches(3)) };
    assert!(store.append_plan(&first, &step).await.unwrap());
    let run = store.claim(&task(&operation, 0, 1), false, Uuid::now_v7(), LEASE).await.unwrap().unwrap();
    assert_eq!(run.operation.generation, 1);
    assert_eq!(store.facts(operation.id, 0).await.unwrap(), Some(seen_as("one")));
    store.commit_export(&operation, &run.claims[0], &part(0)).await.unwrap();
    assert_eq!(store.parts(operation.id).await.unwrap().len(), 1);
    assert!(store.end_plan(&first, &end_at(&step.cursor)).await.unwrap());
    assert!(store.renew_plan(&first, EXPIRED).await.unwrap(), "an export keeps its planner");

    let second = claim_plan(&store, &operation, LEASE).await;
    assert_eq!((second.operation.generation, &second.cursor), (2, &Cursor::default()));
    assert_eq!(store.parts(operation.id).await.unwrap(), []);
    assert_eq!(store.totals(operation.id).await.unwrap().batches, 0);
    assert_eq!(store.ledger(operation.id).await.unwrap(), []);
    let stale = store.claim(&task(&operation, 1, 2), true, Uuid::now_v7(), LEASE).await.unwrap();
    assert!(stale.is_none(), "batches of generation 1 are given out: {stale:?}");
    assert!(!store.append_plan(&first, &step).await.unwrap());

    let facts = vec![(0, seen_as("another"))];
    let step = PlanStep { facts, ..plan_step(&second.operation, &key_batches(1)) };
    assert!(store.append_plan(&second, &step).await.unwrap());
    let task = task(&second.operation, 0, 3);
    let run = store.claim(&task, false, Uuid::now_v7(), LEASE).await.unwrap().unwrap();
    assert_eq!((run.claims.len(), run.claims[0].deaths), (1, 0));
    let known = store.facts(operation.id, 0).await.unwrap();
    assert_eq!(known, Some(seen_as("another")), "the snapshot of the first planner is gone");
    store.commit_export(&second.operation, &run.claims[0], &part(0)).await.unwrap();
    let closing = store.claim_finish(Uuid::now_v7(), LEASE).await.unwrap();
    assert!(closing.is_none(), "the second plan is not whole yet");
    assert!(store.end_plan(&second, &end_at(&step.cursor)).await.unwrap());
    assert!(store.claim_finish(Uuid::now_v7(), LEASE).await.unwrap().is_some());
}

pub(super) async fn an_export_keeps_its_planner_until_it_ends(fresh: Fresh) {
    let store = fresh.store();
    let operation = create(&store, export_spec()).await;
    let claim = claim_plan(&store, &operation, LEASE).await;
    let step = plan_step(&operation, &[]);
    assert!(store.append_plan(&claim, &step).await.unwrap());
    assert!(store.end_plan(&claim, &end_at(&step.cursor)).await.unwrap());
    assert!(store.renew_plan(&claim, LEASE).await.unwrap());
    assert!(store.claim_plan(Uuid::now_v7(), LEASE).await.unwrap().is_none());
    let export = Planned { store: store.clone(), operation: operation.clone(), pieces: Arc::default() };
    assert_eq!(export.close().await.state, State::Succeeded);
    assert!(!store.renew_plan(&claim, LEASE).await.unwrap(), "the operation has ended");
    store.release_plan(&claim).await.unwrap();
    assert!(store.claim_plan(Uuid::now_v7(), LEASE).await.unwrap().is_none());
}
