//! What is known of a batch that keeps ending its workers, and what to try next.
//!
//! Whoever claims such a batch works on it with care: before each step it stores a mark that says what it is
//! about to do. If it dies, the mark tells the next one what ended it. The whole batch is read first, as one
//! piece; the piece that ends a worker is cut into [`limits::PROBE_PIECES`], and so on down to one record. A
//! record that ends [`limits::POISON_DEATHS`] workers by itself is poison: it is never read again and becomes
//! the reject `record.poison`. Each death then costs a restart and each mark a small write, so the search is
//! wide, not in halves: 50,000 records take four deaths to the record.
//!
//! A worker may also die of something else: a kill from outside, or a neighbour that it worked on at the same
//! time. So a search may end where it began. Then the batch is executed as any other, and its deaths so far
//! are forgiven; after [`limits::DEAD_ENDS`] such ends the batch is given up.
//!
//! All this is kept in one versioned document beside the batch, [`Suspicion`]. Deaths are its clock: a mark
//! that was made when there had been as many as now has been outlived.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::limits;

/// What the workers of a batch have found out so far. Records are counted from the batch's first, from 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspicion {
    version: Version,
    /// The records that ended the last worker; none while all are suspects.
    suspects: Option<Range<u32>>,
    /// Workers that these records have ended.
    strikes: u32,
    /// What a worker is about to do, or was when it died.
    mark: Option<Mark>,
    /// Records that are not to be read again.
    poison: Vec<u32>,
    /// Searches that led to nothing.
    dead_ends: u32,
    /// Deaths that are not held against the batch any more.
    forgiven: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Version {
    #[default]
    #[serde(rename = "1")]
    V1,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    /// None where the records are still to be fetched and framed.
    records: Option<Range<u32>>,
    /// The batch's deaths at that time.
    deaths: u32,
}

/// What is to be done with a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Execute it, without its poison.
    Execute,
    /// Read these pieces, each behind a mark of its own. If the worker outlives them all, see
    /// [`Suspicion::outlived`].
    Probe(Vec<Range<u32>>),
    /// Nothing: its deaths cannot be explained by few of its records.
    GiveUp,
}

impl Suspicion {
    /// Whether a batch with so many deaths has to be worked on with care, alone in its process.
    pub fn calls_for_care(&self, deaths: u32) -> bool {
        self.mark.is_some() || deaths.saturating_sub(self.forgiven) >= limits::BATCH_DEATHS
    }

    /// Concludes from the mark what the last worker died of, if it did.
    pub fn learn(&mut self, deaths: u32) {
        let Some(mark) = self.mark.take() else { return };
        if deaths <= mark.deaths {
            return;
        }
        let Some(records) = mark.records else {
            self.dead_ends += 1;
            return;
        };
        let again = self.suspects.as_ref() == Some(&records);
        self.strikes = if again { self.strikes + 1 } else { 1 };
        if records.len() == 1 && self.strikes >= limits::POISON_DEATHS {
            self.poison.push(records.start);
            self.suspects = None;
        } else {
            self.suspects = Some(records);
        }
    }

    /// What is to be done now with a batch of so many records and deaths.
    pub fn next(&self, records: u32, deaths: u32) -> Next {
        if !self.calls_for_care(deaths) {
            return Next::Execute;
        }
        if self.dead_ends >= limits::DEAD_ENDS || self.poison.len() > limits::POISON_RECORDS {
            return Next::GiveUp;
        }
        Next::Probe(match &self.suspects {
            None => vec![Range { start: 0, end: records }],
            Some(suspects) => cut(suspects),
        })
    }

    /// Marks what is done next: reading these records, or, with none, fetching and framing them. To be
    /// stored before it is done.
    pub fn mark(&mut self, records: Option<Range<u32>>, deaths: u32) {
        self.mark = Some(Mark { records, deaths });
    }

    /// The worker has outlived all pieces. If they were not all records, all are suspects again.
    pub fn outlived(&mut self, deaths: u32) {
        self.mark = None;
        self.dead_ends += 1;
        if self.suspects.take().is_none() {
            self.forgiven = deaths;
        }
    }

    /// Records that must not be read.
    pub fn poison(&self) -> &[u32] {
        &self.poison
    }

    /// The records that are about to be read, or were when the last worker died.
    pub fn probed(&self) -> Option<&Range<u32>> {
        self.mark.as_ref().and_then(|mark| mark.records.as_ref())
    }
}

fn cut(suspects: &Range<u32>) -> Vec<Range<u32>> {
    let size = (suspects.end - suspects.start).div_ceil(limits::PROBE_PIECES).max(1);
    let starts = suspects.clone().step_by(size as usize);
    starts.map(|start| start..suspects.end.min(start.saturating_add(size))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{BATCH_DEATHS, DEAD_ENDS, POISON_DEATHS, POISON_RECORDS, PROBE_PIECES};

    /// A suspicion whose last mark has ended its worker.
    fn died_at(mut suspicion: Suspicion, records: Option<Range<u32>>, deaths: &mut u32) -> Suspicion {
        suspicion.mark(records, *deaths);
        *deaths += 1;
        suspicion.learn(*deaths);
        suspicion
    }

    #[test]
    fn the_stored_form_stays() {
        let suspicion = Suspicion {
            version: Version::V1,
            suspects: Some(64..128),
            strikes: 1,
            mark: Some(Mark { records: Some(64..65), deaths: 6 }),
            poison: vec![3],
            dead_ends: 1,
            forgiven: 5,
        };
        let golden = concat!(
            r#"{"version":"1","suspects":{"start":64,"end":128},"strikes":1,"#,
            r#""mark":{"records":{"start":64,"end":65},"deaths":6},"poison":[3],"dead_ends":1,"forgiven":5}"#
        );
        assert_eq!(serde_json::to_string(&suspicion).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Suspicion>(golden).unwrap(), suspicion);
        assert!(serde_json::from_str::<Suspicion>(&golden.replace(r#""1""#, r#""2""#)).is_err());
    }

    #[test]
    fn care_begins_at_the_limit_of_deaths_and_lasts_while_there_is_a_mark() {
        let forgiven = |forgiven| Suspicion { forgiven, ..Suspicion::default() };
        let mut marked = Suspicion::default();
        marked.mark(None, 0);
        for (suspicion, deaths, care) in [
            (forgiven(0), BATCH_DEATHS - 1, false),
            (forgiven(0), BATCH_DEATHS, true),
            (forgiven(0), BATCH_DEATHS + 1, true),
            (forgiven(7), 7 + BATCH_DEATHS - 1, false),
            (forgiven(7), 7 + BATCH_DEATHS, true),
            (forgiven(7), 6, false),
            (marked, 0, true),
        ] {
            assert_eq!(suspicion.calls_for_care(deaths), care, "{suspicion:?} after {deaths}");
            assert_eq!(suspicion.next(9, deaths) == Next::Execute, !care, "{suspicion:?} after {deaths}");
        }
    }

    #[test]
    fn pieces_cover_the_suspects_once_and_are_few() {
        let most = PROBE_PIECES;
        for (suspects, pieces) in
            [(7..8, 1), (0..most - 1, most - 1), (5..5 + most, most), (0..most + 1, most / 2 + 1), (9..9, 0)]
        {
            let cut = cut(&suspects);
            assert_eq!(cut.len(), pieces as usize, "{suspects:?}");
            assert_eq!(cut.into_iter().flatten().collect::<Vec<_>>(), suspects.collect::<Vec<_>>());
        }
        assert_eq!(cut(&(0..50_000)).len(), 64);
    }

    #[test]
    fn a_record_is_condemned_by_its_last_strike_and_not_before() {
        let mut deaths = BATCH_DEATHS;
        let mut suspicion = Suspicion::default();
        for strikes in 1..=POISON_DEATHS {
            assert_eq!(suspicion.poison(), [0; 0], "after {} strikes", strikes - 1);
            suspicion = died_at(suspicion, Some(7..8), &mut deaths);
        }
        assert_eq!(suspicion.poison(), [7]);
        for _ in 0..=POISON_DEATHS {
            suspicion = died_at(suspicion, Some(2..4), &mut deaths);
        }
        assert_eq!(suspicion.poison(), [7], "two are not one");
        suspicion.suspects = None;
        assert_eq!(suspicion.next(9, deaths), Next::Probe(vec![Range { start: 0, end: 9 }]), "all again");
    }

    #[test]
    fn a_mark_that_was_outlived_says_nothing() {
        for (deaths_before, deaths_now, suspects) in [(6, 6, None), (6, 5, None), (6, 7, Some(2..4))] {
            let mut suspicion = Suspicion::default();
            suspicion.mark(Some(2..4), deaths_before);
            suspicion.learn(deaths_now);
            assert_eq!(suspicion.suspects, suspects, "{deaths_before} then {deaths_now}");
            assert_eq!(suspicion.mark, None);
        }
    }

    #[test]
    fn a_batch_is_given_up_after_dead_ends_and_yet_more_deaths() {
        for dead_ends in [DEAD_ENDS - 1, DEAD_ENDS, DEAD_ENDS + 1] {
            let suspicion = Suspicion { dead_ends, ..Suspicion::default() };
            let given_up = suspicion.next(9, BATCH_DEATHS) == Next::GiveUp;
            assert_eq!(given_up, dead_ends >= DEAD_ENDS, "{dead_ends}");
            assert_eq!(suspicion.next(9, BATCH_DEATHS - 1), Next::Execute);
        }
        let mut deaths = BATCH_DEATHS;
        let mut unread = Suspicion::default();
        for _ in 0..DEAD_ENDS {
            assert!(matches!(unread.next(9, deaths), Next::Probe(_)));
            unread = died_at(unread, None, &mut deaths);
        }
        assert_eq!(unread.next(9, deaths), Next::GiveUp, "it dies before it reads a record");
    }

    #[test]
    fn a_batch_with_too_much_poison_is_given_up() {
        for records in [POISON_RECORDS - 1, POISON_RECORDS, POISON_RECORDS + 1] {
            let poison = (0..).take(records).collect();
            let suspicion = Suspicion { poison, ..Suspicion::default() };
            let given_up = suspicion.next(99, BATCH_DEATHS) == Next::GiveUp;
            assert_eq!(given_up, records > POISON_RECORDS, "{records}");
        }
    }
}
