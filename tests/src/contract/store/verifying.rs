//! Verification: whatever was done to the rows of an import is found, and nothing else.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use carrack_shared::operation::{Operation, OperationId, State};
use carrack_shared::port::Store;
use carrack_shared::port::batches::Commit;
use carrack_shared::port::rejects::RejectPage;
use carrack_shared::port::verifying::VerifyEffect;
use carrack_shared::record::{Position, Rows};
use carrack_shared::spec::{Duplicates, Spec, Verifies, Work};
use carrack_shared::tally::{Counted, Tally};
use carrack_shared::verify::{self, Compared, Findings, Kind, Present, Rules, Side};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::Fresh;
use super::fixture::{CONTEXTS, Piece, Record, SESSIONS, cut, positions, records};
use super::import::{LEASE, Planned, done, tally};

async fn loaded(fresh: &Fresh, mode: Duplicates, input: &[Record], sizes: &[usize]) -> Planned {
    let import = Planned::import(&fresh.store(), mode, cut(input, sizes)).await;
    import.run().await;
    import
}

/// A verification of `parent`, cut in its own way.
async fn planned(fresh: &Fresh, parent: &Planned, pieces: Vec<Piece>) -> Planned {
    let Spec::V1(Work::Import(mut import)) = parent.operation.spec.clone() else { unreachable!() };
    import.undo = false;
    import.verifies = Some(Verifies {
        parent: parent.operation.id,
        started_at: parent.operation.created_at,
        by_key: false,
        stopped: false,
    });
    Planned::import_as(&fresh.store(), Spec::import(import), pieces).await
}

/// Executes a batch as a worker does.
async fn compare(verify: &Planned, batch: u32) -> Tally {
    let claim = verify.claim(batch, LEASE).await;
    done(commit(verify, &claim).await)
}

async fn commit(verify: &Planned, claim: &carrack_shared::segment::Claim) -> Commit {
    let (store, piece) = (&verify.store, &verify.pieces[claim.batch.number as usize]);
    let rules = Rules::of(verify.operation.spec.as_import().unwrap()).unwrap();
    let known = store.rejects(rules.parent, &RejectPage::first(1_000)).await.unwrap();
    let (mut rows, mut rejects) = ((*piece.rows).clone(), Vec::new());
    let of: HashMap<Position, usize> = (0..rows.len()).map(|row| (rows.origin(row).position, row)).collect();
    let mut out = BTreeMap::new();
    for reject in known {
        if let Some(row) = of.get(&reject.position) {
            out.insert(*row, reject.faults.clone());
            rejects.push(reject);
        }
    }
    rows.refuse(out);
    rejects.extend(piece.rejects.iter().cloned());
    let rows = Arc::new(rows);
    let compared = Arc::new({
        let mut compared = Compared::default();
        verify::compare(&rules, &rows, 0..rows.len(), &all(store, &rows).await, &mut compared);
        compared
    });
    let effect = VerifyEffect {
        data_type: piece.data_type(),
        compared: &compared,
        rejects: &rejects,
        filtered: piece.filtered,
        bytes: 9,
    };
    store.commit_verify(&verify.operation, claim, effect).await.unwrap()
}

/// All rows of these records.
pub(super) async fn all(store: &Arc<dyn Store>, records: &Arc<Rows>) -> Present {
    store.present(records, 0..records.len()).await.unwrap().expect("they are not too much")
}

async fn closed(verify: &Planned) -> (Operation, Findings) {
    let ended = verify.close().await;
    let findings = ended.decision.clone().and_then(|decision| decision.findings).expect("findings");
    findings.check(&ended.tally.unwrap()).unwrap();
    (ended, findings)
}

async fn verified(fresh: &Fresh, parent: &Planned, pieces: Vec<Piece>, order: &[u32]) -> (Tally, Findings) {
    let verify = planned(fresh, parent, pieces).await;
    for batch in order {
        compare(&verify, *batch).await;
    }
    let (ended, findings) = closed(&verify).await;
    (ended.tally.unwrap(), findings)
}

/// Verifies an import with its own batches.
async fn found(fresh: &Fresh, parent: &Planned) -> (Tally, Findings) {
    let order: Vec<u32> = parent.pieces.iter().map(|piece| piece.batch.number).collect();
    verified(fresh, parent, parent.pieces.to_vec(), &order).await
}

async fn execute(fresh: &Fresh, sql: &str) {
    let sql = sql.replace("TABLE", &fresh.table(CONTEXTS));
    fresh.execute(&sql).await.unwrap();
}

fn examples(findings: &Findings) -> Vec<(Kind, String, u64)> {
    let told = findings.examples();
    told.iter().map(|(_, one)| (one.kind, one.key.clone(), one.position.record())).collect()
}

/// The row is of the last of them, whichever brought it back.
pub(super) async fn what_was_changed_back_twice_is_matched_once(fresh: Fresh) {
    loaded(&fresh, Duplicates::Reject, &records("a=1"), &[]).await;
    let parent = loaded(&fresh, Duplicates::Overwrite, &records("a=2 a=1 a=1"), &[1, 1]).await;
    assert_eq!(found(&fresh, &parent).await.0, tally([0, 0, 1, 2, 0]));
}

pub(super) async fn an_import_that_nobody_touched_is_matched(fresh: Fresh) {
    for (mode, expected) in [
        (Duplicates::Reject, [0, 0, 3, 0, 2]),
        (Duplicates::Skip, [0, 0, 3, 1, 1]),
        (Duplicates::Overwrite, [0, 0, 3, 1, 1]),
    ] {
        for sizes in [&[1, 1, 1, 1][..], &[2, 3], &[5]] {
            let words = ["a=1", "b=2", "!c=3", "a=4", "d=5"];
            let named = |word: &str| match word.strip_prefix('!') {
                Some(word) => format!("!{mode:?}{}{word} ", sizes.len()),
                None => format!("{mode:?}{}{word} ", sizes.len()),
            };
            let input = records(&words.map(named).concat());
            let parent = loaded(&fresh, mode, &input, sizes).await;
            let (tally, findings) = found(&fresh, &parent).await;
            assert_eq!(tally, super::import::tally(expected), "{mode:?} {sizes:?}");
            assert!(findings.is_clean(&tally), "{mode:?} {sizes:?}: {findings:?}");
            let one = &findings.types[0];
            assert_eq!((one.source, one.source.records), (one.target, 3), "{mode:?} {sizes:?}");
        }
    }
}

pub(super) async fn what_others_have_done_to_the_rows_is_found(fresh: Fresh) {
    let input = records("a=1 b=2 c=3 d=4 e=5 f=6");
    let parent = loaded(&fresh, Duplicates::Reject, &input, &[2, 2]).await;
    let later = loaded(&fresh, Duplicates::Overwrite, &records("e=9 f=6"), &[]).await;
    execute(&fresh, "DELETE FROM TABLE WHERE \"id\" = 'a'").await;
    execute(&fresh, "UPDATE TABLE SET \"title\" = 'x' WHERE \"id\" = 'b'").await;
    execute(&fresh, "UPDATE TABLE SET \"id\" = 'n' WHERE \"id\" = 'c'").await;
    let (tally, findings) = found(&fresh, &parent).await;
    assert_eq!(tally, super::import::tally([2, 2, 2, 0, 0]));
    assert_eq!((findings.extra(), findings.later()), (1, 1), "an extra row, and one of a later operation");
    let told = |kind, key: &str, record| (kind, key.to_owned(), record);
    let expected = [
        told(Kind::Missing, "a", 1),
        told(Kind::Missing, "c", 3),
        told(Kind::Different, "b", 2),
        told(Kind::Different, "e", 5),
        told(Kind::Extra, "n", 3),
    ];
    assert_eq!(examples(&findings), expected);
    let all = findings.examples();
    let (b, e) = (all[2].1, all[3].1);
    assert_eq!((b.writer, e.writer), (None, Some(later.operation.id)));
    for (finding, [source, target]) in [(b, ["2", "x"]), (e, ["5", "9"])] {
        let [field] = &finding.fields[..] else { panic!("{finding:?}") };
        assert_eq!((field.name.as_str(), field.source.as_deref()), ("title", Some(source)));
        assert_eq!(field.target.as_deref(), Some(target));
        assert!(finding.line > 0);
    }
    let one = &findings.types[0];
    assert_eq!((one.source.records, one.target.records), (6, 5));
    // Put right again, all is as it was.
    execute(&fresh, "UPDATE TABLE SET \"title\" = '2' WHERE \"id\" = 'b'").await;
    execute(&fresh, "UPDATE TABLE SET \"id\" = 'c' WHERE \"id\" = 'n'").await;
    execute(&fresh, "UPDATE TABLE SET \"title\" = '5' WHERE \"id\" = 'e'").await;
    let (tally, findings) = found(&fresh, &parent).await;
    assert_eq!((tally.created, tally.updated, findings.extra()), (1, 0, 0));
}

/// Values, not the hashes that stand beside them, and JSON by value.
pub(super) async fn rows_are_judged_by_their_values(fresh: Fresh) {
    let input: Vec<Record> = ["a", "b"]
        .map(|id| Record::new(id, "t").with("metadata", super::fixture::json(r#"{"a":1,"bb":[1.5,"x"]}"#)))
        .into();
    let parent = loaded(&fresh, Duplicates::Reject, &input, &[]).await;
    for (sql, different) in [
        ("UPDATE TABLE SET \"metadata\" = '{ \"bb\": [1.50, \"x\"], \"a\": 1.0 }' WHERE \"id\" = 'a'", 0),
        ("UPDATE TABLE SET _hash = (SELECT _hash FROM TABLE WHERE \"id\" = 'b') WHERE \"id\" = 'a'", 0),
        ("UPDATE TABLE SET \"metadata\" = '{\"a\":1,\"bb\":[1.5,\"y\"]}' WHERE \"id\" = 'a'", 1),
        ("UPDATE TABLE SET \"metadata\" = NULL, \"extra\" = '{\"metadata\":null}' WHERE \"id\" = 'b'", 2),
    ] {
        execute(&fresh, sql).await;
        let (tally, findings) = found(&fresh, &parent).await;
        assert_eq!((tally.updated, tally.unchanged), (different, 2 - different), "{sql}");
        let fields: usize = findings.examples().iter().map(|(_, one)| one.fields.len()).sum();
        assert_eq!(fields, [0, 1, 3][usize::try_from(different).unwrap()], "{sql}");
    }
}

pub(super) async fn each_type_is_verified_for_itself(fresh: Fresh) {
    let input = records("a=1 b=2 |sessions a=3 s=4 | c=5");
    let parent = loaded(&fresh, Duplicates::Reject, &input, &[1, 1, 1, 1]).await;
    let sessions = fresh.table(SESSIONS);
    fresh.execute(&format!("DELETE FROM {sessions} WHERE \"id\" = 's'")).await.unwrap();
    execute(&fresh, "UPDATE TABLE SET \"id\" = 's' WHERE \"id\" = 'b'").await;
    let (tally, findings) = found(&fresh, &parent).await;
    assert_eq!((tally.created, tally.unchanged), (2, 3));
    let told = |name: &str| {
        let one = findings.types.iter().find(|one| one.data_type == name).unwrap();
        (one.source.records, one.target.records, one.extra)
    };
    assert_eq!((told(CONTEXTS), told(SESSIONS)), ((3, 3, 1), (2, 1, 0)));
}

pub(super) async fn a_table_that_is_not_there_has_no_rows(fresh: Fresh) {
    let rules = Rules {
        parent: OperationId::from_u128(1),
        duplicates: Duplicates::Skip,
        by_key: false,
        stopped: false,
    };
    let pieces = cut(&records("a=1"), &[]);
    let present = all(&fresh.store(), &pieces[0].rows).await;
    assert!(present.rows.is_empty() && present.writers.is_empty());
    let mut compared = Compared::default();
    verify::compare(&rules, &pieces[0].rows, 0..1, &present, &mut compared);
    assert_eq!(compared.tally, tally([1, 0, 0, 0, 0]));
}

pub(super) async fn a_batch_of_a_verification_commits_once(fresh: Fresh) {
    let parent = loaded(&fresh, Duplicates::Reject, &records("a=1 b=2 c=3 d=4"), &[2]).await;
    let verify = planned(&fresh, &parent, parent.pieces.to_vec()).await;
    let stale = verify.claim(0, std::time::Duration::ZERO).await;
    let claim = verify.steal(0, 1).await.remove(0);
    assert_eq!(commit(&verify, &stale).await, Commit::LeaseLost);
    assert_eq!(done(commit(&verify, &claim).await), tally([0, 0, 2, 0, 0]));
    assert_eq!(commit(&verify, &claim).await, Commit::Before);
    let second = verify.claim(1, LEASE).await;
    verify.store.cancel(verify.operation.id).await.unwrap();
    assert_eq!(commit(&verify, &second).await, Commit::Stopped(State::Cancelling));
    verify.store.release(&verify.operation, std::slice::from_ref(&second), "cancelled").await.unwrap();
    let ended = verify.close().await;
    assert_eq!((ended.state, ended.decision), (State::Cancelled, None));
    for table in ["compared_batches", "compared_records"] {
        let left = fresh.integer(&format!("SELECT count(*) FROM {}", fresh.control(table))).await;
        assert_eq!(left, 0, "{table} of what has ended");
    }
    assert_eq!(found(&fresh, &parent).await.0, tally([0, 0, 4, 0, 0]));
}

/// What was found is found once, whoever asks again; and the tables stay as they are.
pub(super) async fn a_verification_adds_up_once_and_changes_no_row(fresh: Fresh) {
    let parent = loaded(&fresh, Duplicates::Skip, &records("a=1 b=2 b=3"), &[1, 1]).await;
    execute(&fresh, "DELETE FROM TABLE WHERE \"id\" = 'b'").await;
    let rows = fresh.rows_as_they_stand(CONTEXTS).await;
    let verify = planned(&fresh, &parent, parent.pieces.to_vec()).await;
    for batch in 0..3 {
        compare(&verify, batch).await;
    }
    let claim = verify.claim_finish(LEASE).await;
    let first = verify.store.find(&claim).await.unwrap().unwrap();
    execute(&fresh, "DELETE FROM TABLE").await;
    assert_eq!(verify.store.find(&claim).await.unwrap().unwrap(), first);
    let stale = carrack_shared::port::finalising::FinishClaim {
        lease_epoch: claim.lease_epoch - 1,
        operation: claim.operation.clone(),
    };
    assert!(verify.store.find(&stale).await.unwrap().is_some_and(|found| found == first), "found before");
    assert!(verify.store.renew_finish(&claim, std::time::Duration::ZERO).await.unwrap());
    let (ended, findings) = closed(&verify).await;
    assert_eq!((ended.tally, &findings), (Some(tally([1, 0, 1, 1, 0])), &first));
    assert_eq!(rows.len(), 1);
}

/// Any import, cut in any way, with any other before and behind it, and rows changed by hand: each record is told as
/// a look at the whole input and at the whole table would tell it, cut and in whatever order it is verified.
pub(super) async fn verifying_never_depends_on_cut_or_order(fresh: Fresh) {
    let seed = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    for case in 0..fresh.cases() / 8 {
        let words = |random: &mut StdRng, most: usize| -> Vec<Record> {
            let word = |random: &mut StdRng| {
                let key = ["a", "b", "c", "d", "e", "!f"][random.random_range(0..6)];
                let (bad, key) = if let Some(key) = key.strip_prefix('!') { ("!", key) } else { ("", key) };
                format!("{bad}case{case:05}{key}={} ", random.random_range(1..=2))
            };
            records(&(0..random.random_range(1..=most)).map(|_| word(random)).collect::<String>())
        };
        let sizes =
            |random: &mut StdRng| -> Vec<usize> { (0..8).map(|_| random.random_range(1..=3)).collect() };
        let modes = [Duplicates::Reject, Duplicates::Skip, Duplicates::Overwrite];
        let mode = modes[random.random_range(0..3)];
        if random.random_bool(0.5) {
            loaded(&fresh, Duplicates::Skip, &words(&mut random, 3), &sizes(&mut random)).await;
        }
        let input = words(&mut random, 9);
        let parent = loaded(&fresh, mode, &input, &sizes(&mut random)).await;
        if random.random_bool(0.4) {
            loaded(&fresh, Duplicates::Overwrite, &words(&mut random, 2), &sizes(&mut random)).await;
        }
        for (chance, sql) in [
            (0.3, "DELETE FROM TABLE WHERE \"id\" = 'casea'"),
            (0.3, "UPDATE TABLE SET \"title\" = 'changed' WHERE \"id\" = 'caseb'"),
            (0.3, "UPDATE TABLE SET \"id\" = 'casex' WHERE \"id\" = 'casec'"),
        ] {
            if random.random_bool(chance) {
                execute(&fresh, &sql.replace("case", &format!("case{case:05}"))).await;
            }
        }
        let expected = model(&fresh, mode, &input, &parent).await;
        let pieces = cut(&input, &sizes(&mut random));
        let mut order: Vec<u32> = pieces.iter().map(|piece| piece.batch.number).collect();
        order.shuffle(&mut random);
        let (tally, findings) = verified(&fresh, &parent, pieces, &order).await;
        let told = format!("seed {seed}, case {case}: {mode:?}");
        assert_eq!((tally, findings.extra(), examples(&findings)), expected, "{told}");
        let one = &findings.types[0];
        let equal = tally.created + tally.updated + findings.extra() == 0;
        assert_eq!(one.source == one.target, equal, "{told}");
        assert_ne!((one.source, tally.unchanged > 0), (Side::default(), true), "{told}");
    }
}

/// What is to be found: the counts, the extra rows, the examples.
async fn model(
    fresh: &Fresh,
    mode: Duplicates,
    input: &[Record],
    parent: &Planned,
) -> (Tally, u64, Vec<(Kind, String, u64)>) {
    let sql =
        format!("SELECT \"id\" || ' ' || \"title\" || ' ' || _operation FROM {}", fresh.table(CONTEXTS));
    let mut table = BTreeMap::new();
    for row in fresh.texts(&sql).await {
        let mut words = row.split(' ').map(str::to_owned);
        let (id, title, writer) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        table.insert(id, (title, writer));
    }
    let me = parent.operation.id.to_string();
    let rejected = fresh.store().rejects(parent.operation.id, &RejectPage::first(1_000)).await.unwrap();
    let rejected: BTreeSet<Position> = rejected.iter().map(|reject| reject.position).collect();
    let (mut keys, mut tally) = (BTreeMap::<&str, Vec<(Position, &Record)>>::new(), Tally::default());
    tally.add(Counted::Rejected, rejected.len() as u64);
    for (position, record) in positions(input).into_iter().zip(input) {
        if !rejected.contains(&position) {
            keys.entry(record.id()).or_default().push((position, record));
        }
    }
    let mut told = Vec::new();
    for (key, contenders) in &keys {
        let last = mode == Duplicates::Overwrite;
        let winner = if last { contenders.last() } else { contenders.first() };
        let (position, record) = winner.unwrap();
        let counted = match table.get(*key) {
            None => Counted::Created,
            Some((_, writer)) if mode == Duplicates::Skip && *writer < me => Counted::Skipped,
            Some((title, _)) if title == record.title() => Counted::Unchanged,
            Some(_) => Counted::Updated,
        };
        tally.count(counted);
        tally.add(Counted::Skipped, contenders.len() as u64 - 1);
        let kind = match counted {
            Counted::Created => Kind::Missing,
            Counted::Updated => Kind::Different,
            _ => continue,
        };
        told.push((kind, (*key).to_owned(), position.record()));
    }
    let mine = table.iter().filter(|(key, (_, writer))| *writer == me && !keys.contains_key(key.as_str()));
    let mut extra: Vec<_> = Vec::new();
    for (key, _) in mine {
        let sql = format!("SELECT _position FROM {} WHERE \"id\" = '{key}'", fresh.table(CONTEXTS));
        extra.push((Kind::Extra, key.clone(), Position::from_stored(fresh.integer(&sql).await).record()));
    }
    let count = extra.len() as u64;
    told.extend(extra);
    told.sort_by_key(|(kind, _, record)| (*kind, *record));
    (tally, count, told)
}
