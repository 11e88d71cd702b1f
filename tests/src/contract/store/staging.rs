//! Staging: what is decided on rows that were put aside is what loading them does, and nothing else happens.

use std::time::Duration;

use carrack_shared::operation::State;
use carrack_shared::port::finalising::{FinishClaim, Loss};
use carrack_shared::port::staging::Publication;
use carrack_shared::spec::Duplicates;
use carrack_shared::tally::{Counted, Tally};
use rand::rngs::StdRng;
use rand::{SeedableRng, random};

use super::Fresh;
use super::duplicates::{MODES, generate};
use super::fixture::{Record, cut, prefixed, records};
use super::import::{EXPIRED, LEASE, Planned, create, import_spec};
use super::model::{outcome, refusals, rows_of, sequential_by_type};
use super::operations::failure;

pub(super) async fn a_dry_run_tells_what_the_import_then_does(fresh: Fresh) {
    let seed = random();
    let mut random = StdRng::seed_from_u64(seed);
    for (number, mode) in (0..fresh.cases()).zip(MODES.into_iter().cycle()) {
        let case = generate(mode, &["| ", "|sessions "], &mut random);
        let prefix = format!("{number}/");
        let (before, input) = (prefixed(&case.before, &prefix), prefixed(&case.records, &prefix));
        let store = fresh.store();
        Planned::import(&store, Duplicates::Reject, cut(&before, &[])).await.run().await;
        let was = rows_of(&fresh, &prefix).await;
        let dry = Planned::dry_run(&store, mode, cut(&input, &case.cut)).await;
        for &batch in &case.order {
            assert_eq!(dry.load(batch).await.skipped, 0, "all that is accepted is staged");
        }
        let ended = dry.close().await;
        let expected = sequential_by_type(mode, &before, &input);
        let told = (ended.tally.unwrap(), refusals(&dry).await);
        assert!(
            told == (expected.tally, expected.rejects.clone()),
            "seed {seed}: {case:?}\n{told:?}\n{expected:?}"
        );
        assert_eq!(rows_of(&fresh, &prefix).await, was, "seed {seed}: {case:?}: the table is as it was");
        let real = Planned::import(&store, mode, cut(&input, &case.cut)).await;
        let done = real.run().await;
        let found = outcome(&fresh, &real, &done, &prefix).await;
        assert!(found == expected, "seed {seed}: {case:?}\nfound    {found:?}\nexpected {expected:?}");
        let dry_run = store.predicted(&done).await.unwrap().expect("the dry run of it");
        assert_eq!((dry_run.id, dry_run.tally), (ended.id, done.tally), "seed {seed}: {case:?}");
    }
    assert_eq!(fresh.stages().await, Vec::<String>::new());
}

pub(super) async fn a_dry_run_shows_the_first_of_each_count(fresh: Fresh) {
    let store = fresh.store();
    let before = records("a=same b=other");
    Planned::import(&store, Duplicates::Reject, cut(&before, &[])).await.run().await;
    let input = records("n=1 a=same b=new !x=1 n=2");
    let dry = Planned::dry_run(&store, Duplicates::Overwrite, cut(&input, &[2])).await;
    dry.load(1).await;
    dry.load(0).await;
    let ended = dry.close().await;
    let decision = ended.decision.expect("it was decided");
    assert_eq!(
        decision.tally(),
        Tally { read: 4, created: 1, updated: 1, unchanged: 1, skipped: 1, rejected: 0, filtered: 0 }
    );
    let examples: Vec<_> =
        decision.examples().iter().map(|one| (one.counted, one.position.record(), &*one.key)).collect();
    let expected = [
        (Counted::Skipped, 1, "n"),
        (Counted::Unchanged, 2, "a"),
        (Counted::Updated, 3, "b"),
        (Counted::Created, 5, "n"),
    ];
    assert_eq!(examples, expected);
}

pub(super) async fn a_dry_run_makes_no_table(fresh: Fresh) {
    let store = fresh.store();
    let input = records("a=1 b=1 a=2");
    let dry = Planned::dry_run(&store, Duplicates::Reject, cut(&input, &[])).await;
    let ended = dry.run().await;
    assert_eq!(ended.tally.unwrap(), Tally { read: 3, created: 2, rejected: 1, ..Tally::default() });
    let table = fresh.table("contexts");
    assert!(fresh.execute(&format!("SELECT * FROM {table}")).await.is_err(), "there is a table {table}");
}

pub(super) async fn a_stage_lives_as_long_as_its_operation(fresh: Fresh) {
    let store = fresh.store();
    for stopped in [false, true] {
        let dry = Planned::dry_run(&store, Duplicates::Skip, cut(&records("a=1 b=1"), &[1])).await;
        assert_eq!(fresh.stages().await.len(), 1);
        dry.load(0).await;
        if stopped {
            store.cancel(dry.operation.id).await.unwrap();
        } else {
            dry.load(1).await;
        }
        let tally = dry.close().await.tally.unwrap();
        let expected = if stopped { [1, 0, 1] } else { [2, 2, 0] };
        assert_eq!([tally.read, tally.created, tally.skipped], expected, "stopped: {stopped}");
        assert_eq!(fresh.stages().await, Vec::<String>::new(), "stopped: {stopped}");
    }
    create(&store, import_spec(Duplicates::Skip)).await;
    assert_eq!(fresh.stages().await, Vec::<String>::new(), "an import without a stage");
}

pub(super) async fn a_stage_is_decided_on_once(fresh: Fresh) {
    let store = fresh.store();
    let dry = Planned::dry_run(&store, Duplicates::Reject, cut(&records("a=1 b=1"), &[])).await;
    dry.load_all().await;
    let dead = dry.claim_finish(EXPIRED).await;
    let first = store.decide(&dead).await.unwrap().expect("the lease is nobody else's");
    assert_eq!(first.tally().created, 2);
    let claim = dry.claim_finish(LEASE).await;
    assert_eq!(store.decide(&dead).await.unwrap(), None, "the lease is another one's");
    // Whatever has happened to the table meanwhile.
    let other = Planned::import(&store, Duplicates::Reject, cut(&records("a=1"), &[])).await;
    other.load_all().await;
    assert_eq!(store.decide(&claim).await.unwrap(), Some(first));
}

pub(super) async fn publishing_ends_as_loading_does_or_changes_nothing(fresh: Fresh) {
    let seed = random();
    let mut random = StdRng::seed_from_u64(seed);
    for (number, mode) in (0..fresh.cases()).zip(MODES.into_iter().cycle()) {
        let case = generate(mode, &["| ", "|sessions "], &mut random);
        let prefix = format!("{number}/");
        let (before, input) = (prefixed(&case.before, &prefix), prefixed(&case.records, &prefix));
        let store = fresh.store();
        Planned::import(&store, Duplicates::Reject, cut(&before, &[])).await.run().await;
        let strict = Planned::strict(&store, mode, cut(&input, &case.cut)).await;
        for &batch in &case.order {
            strict.load(batch).await;
        }
        let ended = strict.close().await;
        let expected = sequential_by_type(mode, &before, &input);
        let found = (
            outcome(&fresh, &strict, &ended, &prefix).await.rows,
            ended.tally.unwrap(),
            refusals(&strict).await,
        );
        let expected = match expected.tally.rejected {
            0 => (expected.rows, expected.tally, expected.rejects),
            // Nothing but the rejects is told of it.
            _ => {
                let tables = strict.operation.spec.tables().unwrap();
                let of_tables =
                    |one: &&Record| tables.iter().any(|table| table.name.as_str() == one.data_type());
                let before: Vec<Record> = before.iter().filter(of_tables).cloned().collect();
                let rows = sequential_by_type(mode, &before, &[]).rows;
                (rows, expected.tally.left_out(), expected.rejects)
            }
        };
        assert!(found == expected, "seed {seed}: {case:?}\nfound    {found:?}\nexpected {expected:?}");
        let claims = format!(
            "SELECT count(*) FROM {} WHERE operation = '{}' AND counted <> 'created'",
            fresh.control("claims"),
            ended.id
        );
        let Tally { updated, unchanged, .. } = ended.tally.unwrap();
        assert_eq!(fresh.integer(&claims).await.unsigned_abs(), updated + unchanged, "seed {seed}: {case:?}");
    }
    assert_eq!(fresh.stages().await, Vec::<String>::new());
}

/// A strict import of these records, loaded and decided on, with the claim to close it.
async fn decided(fresh: &Fresh, mode: Duplicates, notation: &str, lease: Duration) -> (Planned, FinishClaim) {
    let strict = Planned::strict(&fresh.store(), mode, cut(&records(notation), &[2])).await;
    strict.load_all().await;
    let claim = strict.claim_finish(lease).await;
    let decision = strict.store.decide(&claim).await.unwrap().expect("the lease is ours");
    assert_eq!(decision.tally().rejected, 0);
    (strict, claim)
}

pub(super) async fn a_stage_is_published_once(fresh: Fresh) {
    Planned::import(&fresh.store(), Duplicates::Skip, Vec::new()).await.run().await;
    fresh.log_effects("contexts").await;
    let (strict, dead) = decided(&fresh, Duplicates::Skip, "a=1 b=1 c=1 a=2", EXPIRED).await;
    let claim = strict.claim_finish(LEASE).await;
    assert_eq!(strict.store.publish(&dead).await.unwrap(), Publication::NotOurs);
    assert_eq!(fresh.integer("SELECT count(*) FROM effects").await, 0);
    for _ in 0..2 {
        assert_eq!(strict.store.publish(&claim).await.unwrap(), Publication::Done);
        assert_eq!(fresh.texts("SELECT id FROM effects ORDER BY id").await, ["a", "b", "c"]);
    }
    let now = strict.store.cancel(strict.operation.id).await.unwrap().unwrap();
    assert_eq!(now.state, State::Finalising, "what is published cannot be cancelled");
    assert_eq!(strict.store.publish(&claim).await.unwrap(), Publication::Done);
}

pub(super) async fn a_cancel_keeps_out_what_is_not_published(fresh: Fresh) {
    let (strict, claim) = decided(&fresh, Duplicates::Skip, "a=1 b=1 c=1", LEASE).await;
    let now = strict.store.cancel(strict.operation.id).await.unwrap().unwrap();
    assert_eq!(now.state, State::Cancelling);
    assert_eq!(strict.store.publish(&claim).await.unwrap(), Publication::NotOurs);
    let ended = strict.close().await;
    let left_out = Tally { read: 3, skipped: 3, ..Tally::default() };
    assert_eq!((ended.state, ended.tally), (State::Cancelled, Some(left_out)));
    assert_eq!(rows_of(&fresh, "").await, Vec::<String>::new());
}

pub(super) async fn what_is_given_up_before_it_is_published_ends_with_its_reason(fresh: Fresh) {
    let (strict, claim) = decided(&fresh, Duplicates::Skip, "a=1 b=1 c=1", LEASE).await;
    let now = strict.store.stop(strict.operation.id, &failure("the table")).await.unwrap().unwrap();
    assert_eq!((now.state, now.failure), (State::Cancelling, Some(failure("the table"))));
    assert_eq!(strict.store.publish(&claim).await.unwrap(), Publication::NotOurs);
    assert_eq!(strict.store.stop(strict.operation.id, &failure("again")).await.unwrap(), None);
    let ended = strict.close().await;
    assert_eq!((ended.state, ended.failure), (State::Failed, Some(failure("the table"))));
    assert_eq!(rows_of(&fresh, "").await, Vec::<String>::new());

    let (strict, claim) = decided(&fresh, Duplicates::Skip, "a=1", LEASE).await;
    assert_eq!(strict.store.publish(&claim).await.unwrap(), Publication::Done);
    assert_eq!(strict.store.stop(strict.operation.id, &failure("late")).await.unwrap(), None);
    let now = strict.now().await;
    assert_eq!((now.state, now.failure), (State::Finalising, None), "what is published stays");
}

pub(super) async fn a_key_that_was_taken_meanwhile_is_found(fresh: Fresh) {
    let (strict, claim) = decided(&fresh, Duplicates::Reject, "a=1 b=1 c=1", LEASE).await;
    Planned::import(&fresh.store(), Duplicates::Reject, cut(&records("b=other"), &[])).await.run().await;
    assert_eq!(strict.store.publish(&claim).await.unwrap(), Publication::Changed);
    assert_eq!(rows_of(&fresh, "").await, ["b=other"]);
    let decision = strict.store.decide(&claim).await.unwrap().unwrap();
    assert_eq!(decision.tally(), Tally { read: 3, created: 2, rejected: 1, ..Tally::default() });
    let losers = strict.store.losers(&claim, 9).await.unwrap();
    assert_eq!(losers.iter().map(|one| (&*one.key, &one.loss)).collect::<Vec<_>>(), [("b", &Loss::Existing)]);
}

pub(super) async fn a_record_that_its_table_refuses_keeps_all_out(fresh: Fresh) {
    Planned::import(&fresh.store(), Duplicates::Skip, Vec::new()).await.run().await;
    fresh.refuse_titles("contexts").await;
    let (strict, claim) = decided(&fresh, Duplicates::Skip, "z=1 b=refused a=1 c=refused", LEASE).await;
    assert_eq!(strict.store.publish(&claim).await.unwrap(), Publication::Changed);
    assert_eq!(rows_of(&fresh, "").await, Vec::<String>::new());
    let decision = strict.store.decide(&claim).await.unwrap().unwrap();
    assert_eq!(decision.tally(), Tally { read: 4, skipped: 2, rejected: 2, ..Tally::default() });
    let losers = strict.store.losers(&claim, 9).await.unwrap();
    assert_eq!(losers.iter().map(|one| one.position.record()).collect::<Vec<_>>(), [2, 4]);
    assert!(losers.iter().all(|one| matches!(one.loss, Loss::Refused(_))), "{losers:?}");
}
