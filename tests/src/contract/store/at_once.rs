//! Imports of the same keys at the same time: each goes by its own records, so every one counts each key once, and an
//! earlier record of one never goes over a later one of the same, whatever the others write in between.

use std::collections::BTreeMap;

use carrack_shared::operation::{OperationId, State};
use carrack_shared::port::rejects::RejectPage;
use carrack_shared::spec::Duplicates;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::Fresh;
use super::fixture::{CONTEXTS, Given, cut, records};
use super::import::{Planned, tally};
use super::loading::table;
use super::undo::{images, loaded, state, undone};

const MODES: [Duplicates; 3] = [Duplicates::Skip, Duplicates::Overwrite, Duplicates::Merge];

/// A row: its title, and from which record of which import it was written.
type Row = (String, usize, u64);

/// What an import holds of a key: the row before it, its best record, and the title by which it counts.
type Held = (Option<Row>, u64, String);

/// An import, and what it should come to.
struct Part {
    mode: Duplicates,
    words: Vec<(String, String)>,
    sizes: Vec<usize>,
    order: Vec<u32>,
    held: BTreeMap<String, Held>,
}

impl Part {
    fn generate(random: &mut StdRng, prefix: &str) -> Self {
        let count = random.random_range(1..=6);
        let word = |random: &mut StdRng| {
            let key = ["a", "b"][random.random_range(0..2)];
            (format!("{prefix}{key}"), random.random_range(1..=3).to_string())
        };
        let words: Vec<_> = (0..count).map(|_| word(random)).collect();
        let (mut sizes, mut left) = (Vec::new(), count);
        while left > 0 {
            let size = random.random_range(1..=left.min(2));
            sizes.push(size);
            left -= size;
        }
        let mut order: Vec<u32> = (0..).take(sizes.len()).collect();
        order.shuffle(random);
        let mode = MODES[random.random_range(0..MODES.len())];
        Self { mode, words, sizes, order, held: BTreeMap::new() }
    }

    fn notation(&self) -> String {
        self.words.iter().map(|(key, title)| format!("{key}={title} ")).collect()
    }

    /// Plays a batch on the rows.
    fn play(&mut self, number: usize, batch: u32, rows: &mut BTreeMap<String, Row>) {
        let batch = batch as usize;
        let first: usize = self.sizes[..batch].iter().sum();
        let span = first..first + self.sizes[batch];
        let mut bests = BTreeMap::new();
        for (record, (key, title)) in (1_u64..).zip(&self.words).skip(span.start).take(span.len()) {
            // Of one batch only the best record of a key comes to the table.
            match self.mode {
                Duplicates::Skip => drop(bests.entry(key).or_insert((record, title))),
                _ => drop(bests.insert(key, (record, title))),
            }
        }
        for (key, (record, title)) in bests {
            let (is_new, now) = (!self.held.contains_key(key), rows.get(key).cloned());
            let (before, best, held) =
                self.held.entry(key.clone()).or_insert_with(|| (now.clone(), record, title.clone()));
            let wins = if self.mode == Duplicates::Skip {
                // A row that is another's is left to it.
                before.is_none()
                    && (is_new || record < *best && now.as_ref().is_some_and(|now| now.1 == number))
            } else {
                is_new || record > *best
            };
            if wins {
                (*best, *held) = (record, title.clone());
                let unchanged = before.as_ref().is_some_and(|before| before.0 == *title);
                let same = now.as_ref().is_some_and(|now| now.0 == *title);
                if !same || !(unchanged || self.mode == Duplicates::Merge) {
                    rows.insert(key.clone(), (title.clone(), number, record));
                }
            } else if let (Duplicates::Merge, Some((now, ..))) = (self.mode, now) {
                // It counts as what became of the row, whoever did that.
                *held = now;
            }
        }
    }

    /// Created, updated, unchanged, skipped, rejected.
    fn counts(&self) -> [u64; 5] {
        let mut counts = [0, 0, 0, 0, 0];
        for (before, _, title) in self.held.values() {
            let place = match before {
                None => 0,
                Some(_) if self.mode == Duplicates::Skip => 3,
                Some((before, ..)) if before == title => 2,
                Some(_) => 1,
            };
            counts[place] += 1;
        }
        counts[3] += (self.words.len() - self.held.len()) as u64;
        counts
    }
}

pub(super) async fn each_import_counts_each_key_once_and_goes_by_its_own_order(fresh: Fresh) {
    let store = fresh.store();
    let seed = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    let mut rows = BTreeMap::new();
    for case in 0..fresh.cases() {
        let prefix = format!("case{case:05}/");
        let mut parts: Vec<Part> =
            (0..random.random_range(2..=3)).map(|_| Part::generate(&mut random, &prefix)).collect();
        let told = parts.iter().map(|part| (part.mode, part.notation(), &part.sizes, &part.order));
        let told = format!("seed {seed}, case {case}: {:?}", told.collect::<Vec<_>>());
        let mut imports = Vec::new();
        for part in &parts {
            let pieces = cut(&records(&part.notation()), &part.sizes);
            imports.push(Planned::import(&store, part.mode, pieces).await);
        }
        let mut played = Vec::new();
        let mut turns: Vec<usize> =
            parts.iter().enumerate().flat_map(|(number, part)| vec![number; part.order.len()]).collect();
        turns.shuffle(&mut random);
        for number in turns {
            let batch = parts[number].order.remove(0);
            imports[number].load(batch).await;
            parts[number].play(number, batch, &mut rows);
            played.push((number, batch));
            if parts[number].order.is_empty() {
                let ended = imports[number].close().await;
                let expected = tally(parts[number].counts());
                assert_eq!(ended.tally, Some(expected), "import {number}; {played:?} of {told}");
            }
        }
        let titles: BTreeMap<String, String> =
            table(&store).await.into_iter().map(|(key, values)| (key, title(&values))).collect();
        let expected: BTreeMap<String, String> =
            rows.iter().map(|(key, (title, ..))| (key.clone(), title.clone())).collect();
        assert_eq!(titles, expected, "{played:?} of {told}");
    }
}

fn title(values: &[Given]) -> String {
    match &values[1] {
        Given::Text(title) => title.clone(),
        other => panic!("found {other:?}, expected a title"),
    }
}

/// Each as in the order of its batches: the row is created by the first import, overwritten by the second, and then
/// by the first again.
async fn in_turns(fresh: &Fresh, mode: Duplicates, key: &str, other: &str) -> (Planned, OperationId) {
    let own = records(&format!("{key}=own1 {key}=own2"));
    let first = Planned::import(&fresh.store(), mode, cut(&own, &[1, 1])).await;
    first.load(0).await;
    let second = loaded(fresh, mode, &format!("{key}={other}")).await;
    first.load(1).await;
    first.close().await;
    (first, second.operation.id)
}

/// Each import finds the keys that others have taken from it, however often these went over each other.
pub(super) async fn an_undo_finds_what_two_others_wrote_in_turns(fresh: Fresh) {
    for mode in [Duplicates::Overwrite, Duplicates::Merge] {
        let key = mode.as_str();
        let first = loaded(&fresh, Duplicates::Reject, &format!("{key}=first")).await;
        let one = |title: &str| records(&format!("{key}={title}1 {key}={title}2 {key}={title}3"));
        let mut others = Vec::new();
        for title in ["one", "other"] {
            others.push(Planned::import(&fresh.store(), mode, cut(&one(title), &[1, 1, 1])).await);
        }
        let before = images(&fresh).await;
        for batch in 0..3 {
            for other in &others {
                other.load(batch).await;
            }
        }
        assert_eq!(images(&fresh).await - before, 2, "{mode:?}: the first image of each is kept");
        for other in &others {
            assert_eq!(other.close().await.tally, Some(tally([0, 1, 0, 2, 0])), "{mode:?}");
        }
        let now = fresh.rows_as_they_stand(CONTEXTS).await;
        for import in others.iter().chain([&first]) {
            assert_eq!(undone(&fresh, import, false).await.tally, Some(tally([0, 0, 0, 0, 1])), "{mode:?}");
        }
        assert_eq!(fresh.rows_as_they_stand(CONTEXTS).await, now);
        assert_eq!(undone(&fresh, &first, true).await.tally, Some(tally([1, 0, 0, 0, 0])), "{mode:?}");
    }
}

/// An import goes on from the rows as it met them, so it counts each key once, and can be undone itself.
pub(super) async fn an_undo_leaves_what_an_import_works_on(fresh: Fresh) {
    let change = [Duplicates::Overwrite, Duplicates::Merge];
    for (number, (mode, force)) in change.iter().flat_map(|mode| [(*mode, false), (*mode, true)]).enumerate()
    {
        let told = format!("{mode:?}, force {force}");
        // One row is left as it is, one is overwritten, one is gone and created anew.
        let keys = ["kept", "changed", "gone"].map(|key| format!("{key}{number}"));
        let [kept, changed, gone] = &keys;
        loaded(&fresh, Duplicates::Reject, &format!("{gone}=0")).await;
        let first = loaded(&fresh, Duplicates::Overwrite, &format!("{kept}=1 {changed}=1 {gone}=1")).await;
        let sql = format!("DELETE FROM {} WHERE \"id\" = '{gone}'", fresh.table(CONTEXTS));
        fresh.execute(&sql).await.unwrap();
        let before = fresh.rows_as_they_stand(CONTEXTS).await;
        let words = format!("{kept}=1 {changed}=2 {gone}=2 {kept}=3 {changed}=3 {gone}=3");
        let running = Planned::import(&fresh.store(), mode, cut(&records(&words), &[3, 3])).await;
        running.load(0).await;
        let now = fresh.rows_as_they_stand(CONTEXTS).await;
        let ended = undone(&fresh, &first, force).await;
        assert_eq!(ended.tally, Some(tally([0, 0, 0, 0, 3])), "{told}");
        assert_eq!(fresh.rows_as_they_stand(CONTEXTS).await, now, "{told}");
        for reject in fresh.store().rejects(ended.id, &RejectPage::first(9)).await.unwrap() {
            let fault = &reject.faults[0];
            assert_eq!(fault.code, "undo.changed");
            let holder = format!("operation {} works on", running.operation.id);
            assert!(fault.message.contains(&holder), "{fault:?}");
        }
        running.load(1).await;
        assert_eq!(running.close().await.tally, Some(tally([1, 2, 0, 3, 0])), "{told}");
        assert_eq!(undone(&fresh, &running, false).await.tally, Some(tally([1, 2, 0, 0, 0])), "{told}");
        assert_eq!(fresh.rows_as_they_stand(CONTEXTS).await, before, "{told}");
        let expected = if force { [2, 1, 0, 0, 0] } else { [2, 0, 0, 0, 1] };
        assert_eq!(undone(&fresh, &first, force).await.tally, Some(tally(expected)), "{told}");
    }
}

/// For what it wrote would be lost without a word.
pub(super) async fn an_undo_leaves_what_another_import_wrote_in_between(fresh: Fresh) {
    loaded(&fresh, Duplicates::Reject, "overwritten=before merged=before").await;
    for (mode, there, created) in
        [(Duplicates::Overwrite, "overwritten", "new1"), (Duplicates::Merge, "merged", "new2")]
    {
        for (key, counts) in [(there, [0, 1, 0, 1, 0]), (created, [1, 0, 0, 1, 0])] {
            let before = fresh.rows_as_they_stand(CONTEXTS).await;
            let (first, second) = in_turns(&fresh, mode, key, "other").await;
            assert_eq!(first.now().await.tally, Some(tally(counts)), "{mode:?} {key}");
            let now = fresh.rows_as_they_stand(CONTEXTS).await;
            let ended = undone(&fresh, &first, false).await;
            assert_eq!(ended.tally, Some(tally([0, 0, 0, 0, 1])), "{mode:?} {key}");
            let rejects = fresh.store().rejects(ended.id, &RejectPage::first(9)).await.unwrap();
            let fault = &rejects[0].faults[0];
            assert_eq!(fault.code, "undo.changed");
            assert!(fault.message.contains(&format!("written by operation {second} while")), "{fault:?}");
            assert_eq!(fresh.rows_as_they_stand(CONTEXTS).await, now);
            undone(&fresh, &first, true).await;
            assert_eq!(fresh.rows_as_they_stand(CONTEXTS).await, before, "{mode:?} {key}");
            assert_eq!(state(&fresh, &first).await, State::Undone);
        }
    }
}
