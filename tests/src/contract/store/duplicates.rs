//! Duplicates: where the input is cut and in which order its batches run never changes the result.

use carrack_shared::spec::Duplicates;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::Fresh;
use super::fixture::{Record, cut, prefixed, records};
use super::import::Planned;
use super::model::{outcome, sequential_by_type};

pub(super) const MODES: [Duplicates; 4] =
    [Duplicates::Reject, Duplicates::Skip, Duplicates::Overwrite, Duplicates::Merge];

/// One import: what stood in the table, what comes, where it is cut, and in which order the batches run.
#[derive(Debug, Clone)]
pub(super) struct Case {
    mode: Duplicates,
    /// In the notation of [`records`], as below.
    pub(super) before: String,
    pub(super) records: String,
    pub(super) cut: Vec<usize>,
    pub(super) order: Vec<u32>,
}

/// Runs the cases, each with ids of its own, and compares each with the sequential model.
async fn all_end_as_in_a_sequential_run(fresh: &Fresh, cases: &[Case], seed: u64) {
    let store = fresh.store();
    let prefix = |number: usize| format!("case{number:05}/");
    let mut before: Vec<Record> =
        cases.iter().enumerate().flat_map(|(number, case)| prefixed(&case.before, &prefix(number))).collect();
    before.sort_by_key(Record::source);
    Planned::import(&store, Duplicates::Reject, cut(&before, &[])).await.run().await;
    for (number, case) in cases.iter().enumerate() {
        let prefix = prefix(number);
        let (input, before) = (prefixed(&case.records, &prefix), prefixed(&case.before, &prefix));
        let import = Planned::import(&store, case.mode, cut(&input, &case.cut)).await;
        for &batch in &case.order {
            import.load(batch).await;
        }
        let ended = import.close().await;
        let found = outcome(fresh, &import, &ended, &prefix).await;
        let expected = sequential_by_type(case.mode, &before, &input);
        assert!(found == expected, "seed {seed}: {case:?}\nfound    {found:?}\nexpected {expected:?}");
    }
}

pub(super) async fn every_case_of_two_records_ends_as_in_a_sequential_run(fresh: Fresh) {
    let mut cases = Vec::new();
    for mode in MODES {
        for before in ["", "k=first", "k=second", "k=other"] {
            let patches = ["k=first ?k=second", "?k=first k=second", "?k=first ?k=second"];
            let patches = if mode == Duplicates::Merge { &patches[..] } else { &[] };
            let whole = &["k=first k=second", "k=first k=first", "!k=first k=second"][..];
            for &input in whole.iter().chain(patches) {
                for (cut, order) in [(vec![2], vec![0]), (vec![1], vec![0, 1]), (vec![1], vec![1, 0])] {
                    let (before, records) = (before.into(), input.into());
                    cases.push(Case { mode, before, records, cut, order });
                }
            }
        }
    }
    all_end_as_in_a_sequential_run(&fresh, &cases, 0).await;
}

pub(super) async fn three_records_of_one_key_end_alike_in_every_order(fresh: Fresh) {
    let mut cases = Vec::new();
    for mode in MODES {
        for before in ["", "k=first", "k=second"] {
            for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
                let (before, records) = (before.into(), "k=first k=second k=first".into());
                cases.push(Case { mode, before, records, cut: vec![1, 1], order: order.into() });
            }
        }
    }
    all_end_as_in_a_sequential_run(&fresh, &cases, 0).await;
}

pub(super) async fn skipping_never_depends_on_cut_or_order(fresh: Fresh) {
    generated(fresh, Duplicates::Skip).await;
}

pub(super) async fn rejecting_never_depends_on_cut_or_order(fresh: Fresh) {
    generated(fresh, Duplicates::Reject).await;
}

pub(super) async fn overwriting_never_depends_on_cut_or_order(fresh: Fresh) {
    generated(fresh, Duplicates::Overwrite).await;
}

pub(super) async fn merging_never_depends_on_cut_or_order(fresh: Fresh) {
    generated(fresh, Duplicates::Merge).await;
}

async fn generated(fresh: Fresh, mode: Duplicates) {
    let seed = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    let cases: Vec<Case> = (0..fresh.cases()).map(|_| generate(mode, &["| "], &mut random)).collect();
    all_end_as_in_a_sequential_run(&fresh, &cases, seed).await;
}

/// The same key in another type is another row, and neither wins against the other.
pub(super) async fn each_type_has_keys_of_its_own(fresh: Fresh) {
    let seed = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    let mut cases = Vec::new();
    for mode in MODES {
        for before in ["", "k=first", "|sessions k=first", "k=first |sessions k=second"] {
            let records = "k=first k=second |sessions k=first k=second k=first";
            for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3], [1, 3, 0, 4, 2]] {
                let (before, records) = (before.into(), records.into());
                cases.push(Case { mode, before, records, cut: vec![1; 5], order: order.into() });
            }
        }
        cases.extend((0..fresh.cases() / 3).map(|_| generate(mode, &["| ", "|sessions "], &mut random)));
    }
    all_end_as_in_a_sequential_run(&fresh, &cases, seed).await;
}

/// Few keys and few titles, so that most records meet another one.
pub(super) fn generate(mode: Duplicates, sources: &[&str], random: &mut StdRng) -> Case {
    let mut before = String::new();
    for key in ["a", "b", "c", "d"] {
        if random.random_bool(0.4) {
            before.push_str(&format!("{key}={} ", random.random_range(1..=3)));
        }
    }
    let mut input = String::new();
    for _ in 0..random.random_range(1..=12) {
        let next = sources[random.random_range(0..sources.len())];
        let source = if random.random_range(0..10) < sources.len() { next } else { "" };
        let patch = if mode == Duplicates::Merge && random.random_bool(0.3) { "?" } else { "" };
        let refused = if random.random_bool(0.1) { "!" } else { patch };
        let key = ["a", "b", "c", "d", "e"][random.random_range(0..5)];
        input.push_str(&format!("{source}{refused}{key}={} ", random.random_range(1..=3)));
    }
    let sizes: Vec<usize> = (0..12).map(|_| random.random_range(1..=5)).collect();
    let batches = cut(&records(&input), &sizes).len();
    let mut order: Vec<u32> = (0..).take(batches).collect();
    order.shuffle(random);
    Case { mode, before, records: input, cut: sizes, order }
}
