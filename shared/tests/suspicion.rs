//! The search for poison, whatever the records and whoever else kills workers: it ends, in few deaths, and
//! condemns no record but those that end their readers.

use std::collections::BTreeSet;

use carrack_shared::limits::{BATCH_DEATHS, DEAD_ENDS, POISON_DEATHS, POISON_RECORDS, PROBE_PIECES};
use carrack_shared::suspicion::{Next, Suspicion};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

/// How the search ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Done,
    GivenUp,
}

/// A batch, the workers that it meets, and what is stored of it between them.
struct Batch {
    records: u32,
    poison: BTreeSet<u32>,
    /// Kills from outside: after so many more steps each.
    kills: Vec<u32>,
    stored: Suspicion,
    deaths: u32,
}

impl Batch {
    fn new(records: u32, poison: &BTreeSet<u32>, kills: &[u32]) -> Self {
        let poison = poison.iter().copied().filter(|&record| record < records).collect();
        Self { records, poison, kills: kills.to_vec(), stored: Suspicion::default(), deaths: 0 }
    }

    /// Whether the worker is killed from outside now.
    fn is_killed(&mut self) -> bool {
        let Some(steps) = self.kills.last_mut() else { return false };
        let now = *steps == 0;
        *steps = steps.saturating_sub(1);
        if now {
            self.kills.pop();
        }
        now
    }

    /// Reads these records; false if the worker dies of it.
    fn reads(&mut self, mut records: impl Iterator<Item = u32>, skipped: &[u32]) -> bool {
        let dies = records.any(|record| self.poison.contains(&record) && !skipped.contains(&record));
        !dies && !self.is_killed()
    }

    /// One worker's turn; none if it dies.
    fn worker(&mut self) -> Option<End> {
        let (records, deaths) = (self.records, self.deaths);
        let mut suspicion = self.stored.clone();
        suspicion.learn(deaths);
        loop {
            match suspicion.next(records, deaths) {
                Next::Execute => {
                    self.stored = suspicion.clone();
                    return self.reads(0..records, suspicion.poison()).then_some(End::Done);
                }
                Next::GiveUp => return Some(End::GivenUp),
                Next::Probe(pieces) => {
                    suspicion.mark(None, deaths);
                    self.stored = suspicion.clone();
                    if !self.reads(std::iter::empty(), &[]) {
                        return None;
                    }
                    for piece in pieces {
                        suspicion.mark(Some(piece.clone()), deaths);
                        self.stored = suspicion.clone();
                        if !self.reads(piece, suspicion.poison()) {
                            return None;
                        }
                    }
                    suspicion.outlived(deaths);
                }
            }
        }
    }

    fn run(&mut self) -> End {
        for _ in 0..1_000 {
            if let Some(end) = self.worker() {
                return end;
            }
            self.deaths += 1;
        }
        panic!("still searching after {} deaths: {:?}", self.deaths, self.stored);
    }

    fn condemned(&self) -> BTreeSet<u32> {
        self.stored.poison().iter().copied().collect()
    }
}

/// Deaths until a record of so many is read alone for the first time.
fn levels(records: u32) -> u32 {
    let cuts = (0..).find(|&cuts| PROBE_PIECES.pow(cuts) >= records).unwrap_or_default();
    cuts + 1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn exactly_the_poison_is_found_in_few_deaths(
        records in prop_oneof![1..200_u32, 1..=50_000_u32],
        poison in btree_set(0..50_000_u32, 0..=POISON_RECORDS),
    ) {
        let mut batch = Batch::new(records, &poison, &[]);
        prop_assert_eq!(batch.run(), End::Done);
        prop_assert_eq!(batch.condemned(), batch.poison.clone());
        let found = u32::try_from(batch.poison.len()).unwrap();
        let most = BATCH_DEATHS + found * (levels(records) + POISON_DEATHS - 1);
        prop_assert!(batch.deaths <= most, "{} deaths, expected at most {most}", batch.deaths);
    }

    /// Fewer kills from outside than condemn a record: none that is good is condemned, and no batch given up.
    #[test]
    fn kills_from_outside_condemn_nobody(
        records in 1..5_000_u32,
        poison in btree_set(0..5_000_u32, 0..3_usize),
        kills in vec(0..100_u32, 0..POISON_DEATHS as usize),
    ) {
        let mut batch = Batch::new(records, &poison, &kills);
        prop_assert_eq!(batch.run(), End::Done);
        prop_assert_eq!(batch.condemned(), batch.poison.clone());
    }

    /// Any number of kills: the search ends, and a record is good or needed that many kills.
    #[test]
    fn the_search_ends_whatever_happens(
        records in 1..5_000_u32,
        poison in btree_set(0..5_000_u32, 0..3_usize),
        kills in vec(0..40_u32, 0..60_usize),
    ) {
        let mut batch = Batch::new(records, &poison, &kills);
        batch.run();
        let killed = kills.len() - batch.kills.len();
        let innocent = batch.condemned().difference(&batch.poison).count();
        prop_assert!(innocent * POISON_DEATHS as usize <= killed, "{innocent} condemned by {killed} kills");
    }
}

#[test]
fn a_batch_that_dies_as_a_whole_and_in_no_piece_is_given_up() {
    let (mut suspicion, mut deaths) = (Suspicion::default(), BATCH_DEATHS);
    let mut ends = 0;
    while ends <= DEAD_ENDS && deaths <= 2 * BATCH_DEATHS {
        suspicion.learn(deaths);
        match suspicion.next(5_000, deaths) {
            Next::GiveUp => break,
            Next::Execute => panic!("nothing speaks for this batch: {suspicion:?}"),
            Next::Probe(pieces) if pieces.len() == 1 => {
                suspicion.mark(Some(0..5_000), deaths);
                deaths += 1;
            }
            Next::Probe(_) => {
                suspicion.outlived(deaths);
                ends += 1;
            }
        }
    }
    assert_eq!((ends, deaths), (DEAD_ENDS, BATCH_DEATHS + DEAD_ENDS));
}
