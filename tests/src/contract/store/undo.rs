//! Undo: what an import keeps for it, and that its tables are afterwards as if the import had not been.

use std::time::Duration;

use carrack_shared::fault::Frame;
use carrack_shared::operation::{Operation, OperationId, State};
use carrack_shared::port::batches::Commit;
use carrack_shared::port::operations::{Created, NewOperation};
use carrack_shared::port::rejects::RejectPage;
use carrack_shared::spec::{Duplicates, Spec};
use carrack_shared::undo::{Most, NotUndoable};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use super::fixture::{CONTEXTS, Record, SESSIONS, cut, json, records};
use super::import::{LEASE, Planned, done, tally};
use super::{Fresh, fixture};

const HOUR: Duration = Duration::from_secs(60 * 60);

pub(super) async fn images(fresh: &Fresh) -> i64 {
    fresh.integer(&format!("SELECT count(*) FROM {}", fresh.control("images"))).await
}

pub(super) async fn loaded(fresh: &Fresh, mode: Duplicates, notation: &str) -> Planned {
    let import = Planned::import(&fresh.store(), mode, cut(&records(notation), &[1, 1, 1, 1])).await;
    import.run().await;
    import
}

/// Not of what it creates or leaves as it is, and none where none are asked for.
pub(super) async fn overwriting_keeps_one_image_of_each_row_that_it_changes(fresh: Fresh) {
    let store = fresh.store();
    loaded(&fresh, Duplicates::Reject, "a=1 b=1 c=1").await;
    assert_eq!(images(&fresh).await, 0);
    for mode in [Duplicates::Skip, Duplicates::Reject] {
        loaded(&fresh, mode, "a=2 b=2").await;
        assert_eq!(images(&fresh).await, 0, "{mode:?}");
    }
    let pieces = cut(&records("a=2 b=2 c=2"), &[2]);
    Planned::import_for_good(&store, Duplicates::Overwrite, pieces).await.run().await;
    assert_eq!(images(&fresh).await, 0, "nobody asked for them");
    // `a` is changed twice, `b` changed and changed back, `c` left as it is, `d` created and changed.
    loaded(&fresh, Duplicates::Overwrite, "a=3 a=4 b=3 b=2 c=2 d=1 d=2").await;
    assert_eq!(images(&fresh).await, 2);
}

/// Nor does one that stays as it is, among many that leave one.
pub(super) async fn a_refused_row_leaves_no_image(fresh: Fresh) {
    const ROWS: usize = 40;
    let input = |title: fn(usize) -> &'static str| {
        let all: String = (0..ROWS).map(|row| format!("k{row:02}={} ", title(row))).collect();
        cut(&records(&all), &[])
    };
    Planned::import(&fresh.store(), Duplicates::Reject, input(|_| "1")).await.run().await;
    fresh.refuse_titles(CONTEXTS).await;
    let before = fresh.rows_as_they_stand(CONTEXTS).await;
    let title = |row: usize| match (row % 3, row % 5) {
        (0, _) => "refused",
        (_, 0) => "1",
        _ => "2",
    };
    let changed = (0..ROWS).filter(|row| title(*row) == "2").count();
    for mode in [Duplicates::Overwrite, Duplicates::Merge] {
        let images_before = images(&fresh).await;
        let parent = Planned::import(&fresh.store(), mode, input(title)).await;
        parent.run().await;
        assert_eq!(images(&fresh).await - images_before, changed as i64, "{mode:?}");
        undone(&fresh, &parent, false).await;
        assert_eq!(fresh.rows_as_they_stand(CONTEXTS).await, before, "{mode:?}");
    }
}

pub(super) async fn images_are_forgotten_some_time_after_the_end(fresh: Fresh) {
    let store = fresh.store();
    Planned::import(&store, Duplicates::Reject, cut(&records("a=1 b=1 c=1 d=1"), &[])).await.run().await;
    loaded(&fresh, Duplicates::Overwrite, "a=2 b=2 c=2").await;
    let running = Planned::import(&store, Duplicates::Overwrite, cut(&records("d=2"), &[])).await;
    running.load_all().await;
    assert_eq!(store.forget_images(HOUR).await.unwrap(), 0, "it has just ended");
    assert_eq!(store.forget_images(Duration::ZERO).await.unwrap(), 3);
    assert_eq!(store.forget_images(Duration::ZERO).await.unwrap(), 0, "they are gone");
    assert_eq!(images(&fresh).await, 1, "those of what still runs are not forgotten");
    running.close().await;
    assert_eq!(store.forget_images(Duration::ZERO).await.unwrap(), 1);
}

/// The rows of both types.
async fn rows(fresh: &Fresh) -> Vec<String> {
    let mut rows = fresh.rows_as_they_stand(CONTEXTS).await;
    rows.extend(fresh.rows_as_they_stand(SESSIONS).await);
    rows
}

async fn import(fresh: &Fresh, mode: Duplicates, records: &[Record], order: &[u32]) -> Planned {
    let sizes = vec![1; records.len()];
    let import = Planned::import(&fresh.store(), mode, cut(records, &sizes)).await;
    for &batch in order {
        import.load(batch).await;
    }
    import.close().await;
    import
}

/// Every type has a table, with rows that have something in every column.
async fn prepare(fresh: &Fresh, notation: &str) -> Planned {
    let sessions = carrack_shared::schema::built_in(SESSIONS).unwrap();
    let with = |record: Record, number: usize| {
        let more = record.with("extra", json(&format!("{{\"n\":{number},\"old\":null}}")));
        if number.is_multiple_of(2) { more.with("metadata", json("{\"a\":[1.50,\"x\"]}")) } else { more }
    };
    let of_both: Vec<Record> = records(notation);
    let of_both =
        of_both.into_iter().enumerate().map(|(number, record)| with(record, number)).collect::<Vec<_>>();
    Planned::import(&fresh.store(), Duplicates::Reject, cut(&of_both, &[])).await.run().await;
    let session = Record::new("s", "before").of(&sessions);
    Planned::import(&fresh.store(), Duplicates::Reject, cut(&[session], &[])).await
}

/// The undo of `parent`, run to its end.
pub(super) async fn undone(fresh: &Fresh, parent: &Planned, force: bool) -> Operation {
    let undo = Planned::undo(&fresh.store(), parent.operation.id, force, 2).await;
    undo.undo_all().await;
    undo.close().await
}

pub(super) async fn state(fresh: &Fresh, planned: &Planned) -> State {
    fresh.store().get(planned.operation.id).await.unwrap().unwrap().state
}

pub(super) async fn an_undone_import_leaves_every_row_as_it_was(fresh: Fresh) {
    prepare(&fresh, "a=1 b=1 c=1 d=1").await.run().await;
    let before = rows(&fresh).await;
    let input = records("a=2 b=1 c=2 c=1 e=1 e=2 f=1 |sessions s=after t=new |");
    let orders = [[0, 1, 2, 3, 4, 5, 6, 7, 8], [8, 7, 6, 5, 4, 3, 2, 1, 0]];
    let modes = [Duplicates::Overwrite, Duplicates::Merge];
    for (mode, order) in modes.into_iter().flat_map(|mode| orders.map(|order| (mode, order))) {
        let parent = import(&fresh, mode, &input, &order).await;
        assert_ne!(rows(&fresh).await, before);
        let ended = undone(&fresh, &parent, false).await;
        assert_eq!(rows(&fresh).await, before, "{mode:?} {order:?}");
        assert_eq!((ended.state, ended.failure), (State::Succeeded, None));
        // Removed: e, f, t. Restored: a, s, and b and c, which merging leaves as they are unless c=2 comes first.
        let restored = match (mode, order[0]) {
            (Duplicates::Merge, 0) => 3,
            (Duplicates::Merge, _) => 2,
            _ => 4,
        };
        assert_eq!(ended.tally, Some(tally([3, restored, 0, 0, 0])), "{mode:?} {order:?}");
        assert_eq!(state(&fresh, &parent).await, State::Undone);
    }
}

/// Imports with any cut and order, another one over it, and its undo: each key is as the other has left it, or
/// as it was before both.
pub(super) async fn undoing_never_depends_on_cut_or_order(fresh: Fresh) {
    let seed = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    let words = |random: &mut StdRng, most: usize| -> String {
        let word = |random: &mut StdRng| {
            let key = ["a", "b", "c", "d", "e"][random.random_range(0..5)];
            format!("{key}={} ", random.random_range(1..=3))
        };
        (0..random.random_range(1..=most)).map(|_| word(random)).collect()
    };
    for case in 0..fresh.cases() / 8 {
        let prefix = format!("case{case:05}/");
        let named = |words: &str| -> Vec<Record> {
            records(&words.split_whitespace().map(|word| format!("{prefix}{word} ")).collect::<String>())
        };
        let mine = |rows: Vec<String>| -> Vec<String> {
            rows.into_iter().filter(|row| row.starts_with(&prefix)).collect()
        };
        let [before, first, second] = [4, 8, 3].map(|most| words(&mut random, most));
        import_shuffled(&fresh, Duplicates::Skip, &named(&before), &mut random).await;
        let at_first = mine(fresh.rows_as_they_stand(CONTEXTS).await);
        let mode = if random.random_bool(0.5) { Duplicates::Overwrite } else { Duplicates::Merge };
        let parent = import_shuffled(&fresh, mode, &named(&first), &mut random).await;
        let loaded = mine(fresh.rows_as_they_stand(CONTEXTS).await);
        let other = random.random_bool(0.7);
        if other {
            let mode = if random.random_bool(0.5) { Duplicates::Overwrite } else { Duplicates::Merge };
            import_shuffled(&fresh, mode, &named(&second), &mut random).await;
        }
        let changed = mine(fresh.rows_as_they_stand(CONTEXTS).await);
        let ended = undone(&fresh, &parent, false).await;
        let found = mine(fresh.rows_as_they_stand(CONTEXTS).await);
        // What the second import has written stays; the rest is as at first.
        let key = |row: &String| row.split(' ').next().unwrap_or_default().to_owned();
        let by_others: Vec<String> = changed.iter().filter(|row| !loaded.contains(row)).map(key).collect();
        let mut expected: Vec<String> =
            at_first.iter().filter(|row| !by_others.contains(&key(row))).cloned().collect();
        expected.extend(changed.iter().filter(|row| by_others.contains(&key(row))).cloned());
        expected.sort();
        let told = format!("seed {seed}: {before:?}, then {first:?} ({mode:?}), then {second:?} ({other})");
        assert_eq!(found, expected, "{told}");
        let touched: Vec<String> = loaded.iter().filter(|row| !at_first.contains(row)).map(key).collect();
        let conflicts = by_others.iter().filter(|key| touched.contains(key)).count() as u64;
        let tally = ended.tally.unwrap();
        assert_eq!((tally.rejected, tally.read), (conflicts, touched.len() as u64), "{told}: {tally:?}");
    }
}

async fn import_shuffled(fresh: &Fresh, mode: Duplicates, input: &[Record], random: &mut StdRng) -> Planned {
    let mut order: Vec<u32> = (0..).take(input.len()).collect();
    order.shuffle(random);
    import(fresh, mode, input, &order).await
}

pub(super) async fn what_others_changed_since_is_left_alone_unless_forced(fresh: Fresh) {
    let store = fresh.store();
    prepare(&fresh, "a=1 b=1 c=1").await.run().await;
    let before = rows(&fresh).await;
    let parent = loaded(&fresh, Duplicates::Overwrite, "a=2 b=2 c=2 d=2 e=2").await;
    let other = loaded(&fresh, Duplicates::Overwrite, "c=3").await;
    let changed = rows(&fresh).await;
    let ended = undone(&fresh, &parent, false).await;
    assert_eq!(ended.tally, Some(tally([2, 2, 0, 0, 1])));
    assert_eq!(ended.state, State::SucceededWithRejects);
    assert_eq!(state(&fresh, &parent).await, State::PartlyUndone);
    let rejects = store.rejects(ended.id, &RejectPage::first(9)).await.unwrap();
    let [reject] = &rejects[..] else { panic!("found {rejects:?}, expected one") };
    assert_eq!((reject.faults[0].code.as_ref(), reject.key.as_deref()), ("undo.changed", Some("c")));
    assert_eq!(reject.position, fixture::positions(&records("a=2 b=2 c=2"))[2]);
    assert_eq!(reject.frame, Frame::Inline(r#"{"id":"c"}"#.into()));
    assert!(reject.faults[0].message.contains(&other.operation.id.to_string()), "{:?}", reject.faults);
    let found = rows(&fresh).await;
    let of = |rows: &[String], key: &str| rows.iter().find(|row| row.starts_with(key)).cloned();
    assert_eq!(of(&found, "c "), of(&changed, "c "));
    assert_eq!((of(&found, "a "), of(&found, "d ")), (of(&before, "a "), None));
    let forced = undone(&fresh, &parent, true).await;
    assert_eq!(forced.tally, Some(tally([0, 1, 2, 0, 0])));
    assert_eq!(rows(&fresh).await, before);
    assert_eq!(state(&fresh, &parent).await, State::Undone);
}

/// A row that the import has created and another one has overwritten, and one that is gone.
pub(super) async fn what_an_undo_left_out_is_undone_by_the_next_one(fresh: Fresh) {
    prepare(&fresh, "a=1 b=1").await.run().await;
    let before = rows(&fresh).await;
    let parent = loaded(&fresh, Duplicates::Overwrite, "a=2 b=2 c=2").await;
    let other = loaded(&fresh, Duplicates::Overwrite, "c=3").await;
    fresh.execute(&format!("DELETE FROM {} WHERE \"id\" = 'b'", fresh.table(CONTEXTS))).await.unwrap();
    let ended = undone(&fresh, &parent, false).await;
    assert_eq!(ended.tally, Some(tally([0, 1, 0, 0, 2])), "b is gone, c is another's");
    assert_eq!(undone(&fresh, &other, false).await.tally, Some(tally([0, 1, 0, 0, 0])));
    let ended = undone(&fresh, &parent, false).await;
    assert_eq!(ended.tally, Some(tally([1, 0, 1, 0, 1])), "c is the import's again");
    let ended = undone(&fresh, &parent, true).await;
    assert_eq!(ended.tally.unwrap().updated, 1, "b is brought back");
    assert_eq!(rows(&fresh).await, before);
}

pub(super) async fn only_an_import_that_has_ended_and_kept_its_images_is_undone(fresh: Fresh) {
    let store = fresh.store();
    let parent = loaded(&fresh, Duplicates::Reject, "a=1 b=1").await;
    let refused = async |spec: Spec| {
        let id = OperationId::from_uuid(Uuid::now_v7());
        let new = NewOperation { id, owner: "ada".into(), spec, idempotency: None };
        let created = fresh.store().create(&new).await.unwrap();
        assert!(!matches!(created, Created::New(_)) || fresh.store().get(id).await.unwrap().is_some());
        match created {
            Created::NotUndoable(reason) => reason,
            other => panic!("found {other:?}, expected a refusal"),
        }
    };
    let undo_of = |operation: &Operation| Spec::undo(operation, false).unwrap().expect("an import");

    let running = Planned::import(&store, Duplicates::Skip, cut(&records("r=1"), &[])).await;
    let id = running.operation.id;
    assert_eq!(refused(undo_of(&running.operation)).await, NotUndoable::Running(id, State::Running));
    running.run().await;
    let for_good = Planned::import_for_good(&store, Duplicates::Skip, cut(&records("g=1"), &[])).await;
    for_good.run().await;
    assert_eq!(refused(undo_of(&for_good.operation)).await, NotUndoable::NotKept(for_good.operation.id));
    let export = Planned::export(&store, 1).await;
    assert!(Spec::undo(&export.operation, false).unwrap().is_none(), "an export has nothing to be undone");
    let mut unknown = parent.operation.clone();
    unknown.id = OperationId::from_u128(1);
    assert_eq!(refused(undo_of(&unknown)).await, NotUndoable::Unknown(unknown.id));
    fresh.execute(&format!("UPDATE {} SET images = NULL", fresh.control("operations"))).await.unwrap();
    assert_eq!(refused(undo_of(&parent.operation)).await, NotUndoable::Earlier(parent.operation.id));
    fresh.execute(&format!("UPDATE {} SET images = 'kept'", fresh.control("operations"))).await.unwrap();

    let undo = Planned::undo(&store, parent.operation.id, false, 9).await;
    assert_eq!(refused(undo_of(&parent.operation)).await, NotUndoable::Underway(parent.operation.id));
    assert!(Spec::undo(&undo.operation, false).unwrap().is_none(), "nor has an undo");
    undo.undo_all().await;
    undo.close().await;
    assert_eq!(refused(undo_of(&parent.operation)).await, NotUndoable::Before(parent.operation.id));
    store.forget_images(Duration::ZERO).await.unwrap();
    assert_eq!(refused(undo_of(&running.operation)).await, NotUndoable::Forgotten(running.operation.id));
}

pub(super) async fn a_batch_of_an_undo_commits_once(fresh: Fresh) {
    let store = fresh.store();
    prepare(&fresh, "a=1 b=1 c=1").await.run().await;
    let before = rows(&fresh).await;
    let parent = loaded(&fresh, Duplicates::Overwrite, "a=2 b=2 c=2 d=2").await;
    let undo = Planned::undo(&store, parent.operation.id, false, 2).await;
    let stale = undo.claim(0, Duration::ZERO).await;
    let claim = undo.steal(0, 1).await.remove(0);
    assert_eq!(store.commit_undo(&undo.operation, &stale).await.unwrap(), Commit::LeaseLost);
    assert_eq!(done(store.commit_undo(&undo.operation, &claim).await.unwrap()), tally([0, 2, 0, 0, 0]));
    assert_eq!(store.commit_undo(&undo.operation, &claim).await.unwrap(), Commit::Before);
    let second = undo.claim(1, LEASE).await;
    store.cancel(undo.operation.id).await.unwrap();
    let stopped = Commit::Stopped(State::Cancelling);
    assert_eq!(store.commit_undo(&undo.operation, &second).await.unwrap(), stopped);
    store.release(&undo.operation, std::slice::from_ref(&second), "cancelled").await.unwrap();
    assert_eq!(undo.close().await.state, State::Cancelled);
    assert_eq!(state(&fresh, &parent).await, State::PartlyUndone);
    let rest = undone(&fresh, &parent, false).await;
    assert_eq!(rest.tally, Some(tally([1, 1, 2, 0, 0])), "what was undone is left");
    assert_eq!(rows(&fresh).await, before);
}

/// A key at least, and the one that goes beyond.
pub(super) async fn a_batch_of_an_undo_is_bounded_in_bytes(fresh: Fresh) {
    let store = fresh.store();
    // Of a text that no database makes smaller.
    let mut random = StdRng::seed_from_u64(1);
    let text: String = (0..30_000).map(|_| random.random_range('0'..='z')).collect();
    let large = |title: &str| -> Vec<Record> {
        let records = "abcdefghij".chars().map(|key| Record::new(&key.to_string(), title));
        records.map(|record| record.with("content", fixture::text(&text))).collect()
    };
    Planned::import(&store, Duplicates::Reject, cut(&large("before"), &[])).await.run().await;
    let before = fresh.rows_as_they_stand(CONTEXTS).await;
    let pieces = cut(&large("after"), &[]);
    let parent = Planned::import(&store, Duplicates::Overwrite, pieces).await;
    parent.run().await;
    // Each is a row and its image.
    for (bytes, batches) in [(1, 10), (130_000, 4), (1_000_000, 1)] {
        let mut found = Vec::new();
        let mut behind: Option<String> = None;
        let data_type = carrack_shared::schema::built_in(CONTEXTS).unwrap();
        let most = Most { rows: 100, bytes };
        while let Some(keys) =
            store.next_touched(parent.operation.id, &data_type, behind.as_deref(), most).await.unwrap()
        {
            behind = Some(keys.to.clone());
            found.push(keys.rows);
        }
        assert_eq!((found.len(), found.iter().sum::<u32>()), (batches, 10), "{bytes}: {found:?}");
    }
    let undo =
        Planned::undo_within(&store, parent.operation.id, false, Most { rows: 100, bytes: 130_000 }).await;
    undo.undo_all().await;
    undo.close().await;
    assert_eq!(fresh.rows_as_they_stand(CONTEXTS).await, before);
}

pub(super) async fn a_row_that_the_table_does_not_take_back_is_a_reject(fresh: Fresh) {
    prepare(&fresh, "a=1 b=refused c=1").await.run().await;
    let parent = loaded(&fresh, Duplicates::Overwrite, "a=2 b=2 c=2 d=2").await;
    fresh.refuse_titles(CONTEXTS).await;
    let ended = undone(&fresh, &parent, false).await;
    assert_eq!(ended.tally, Some(tally([1, 2, 0, 0, 1])));
    let rejects = fresh.store().rejects(ended.id, &RejectPage::first(9)).await.unwrap();
    assert_eq!(rejects[0].faults[0].code, "table.refused");
    assert!(rejects[0].faults[0].message.contains("refuse"), "{:?}", rejects[0].faults);
}

pub(super) async fn images_stay_while_they_are_needed(fresh: Fresh) {
    let store = fresh.store();
    loaded(&fresh, Duplicates::Reject, "a=1 b=1 c=1").await;
    let parent = loaded(&fresh, Duplicates::Overwrite, "a=2 b=2 c=2").await;
    let other = loaded(&fresh, Duplicates::Overwrite, "c=3").await;
    let undo = Planned::undo(&store, parent.operation.id, false, 2).await;
    assert_eq!(store.forget_images(HOUR).await.unwrap(), 0);
    assert_eq!(store.forget_images(Duration::ZERO).await.unwrap(), 1, "those of the other one");
    assert_eq!(images(&fresh).await, 3);
    undo.undo_all().await;
    undo.close().await;
    assert_eq!(store.forget_images(HOUR).await.unwrap(), 0, "it is undone in part");
    assert_eq!(undone(&fresh, &parent, true).await.state, State::Succeeded);
    assert_eq!(store.forget_images(HOUR).await.unwrap(), 3, "they are of no more use");
    assert_eq!(state(&fresh, &other).await, State::Succeeded);
}
