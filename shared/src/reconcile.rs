//! Closing the books: from what the database holds to the final tally, or to the reason why it cannot be
//! trusted. A mismatch ends in failed, never in success.

use crate::operation::{Failure, State};
use crate::spec::Duplicates;
use crate::tally::{Counted, Tally};

/// What the database holds of a finished operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Batches of the plan.
    pub planned_batches: u64,
    /// Records of the plan, as the planner counted them; none if planning did not end.
    pub planned_records: Option<u64>,
    /// Records of the stored batches.
    pub batch_records: u64,
    /// Ledger rows.
    pub ledger_batches: u64,
    /// Their sum.
    pub ledger: Tally,
    /// Records that won a key and lost it to a later batch.
    pub displaced: Displacements,
    /// Stored rejects.
    pub rejects: u64,
    /// Whether the ledger's created records are only staged, and what was decided on them.
    pub staged: Staged,
}

/// What is known of the records in the stage of an operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Staged {
    /// There is no stage.
    #[default]
    No,
    /// Nothing was decided.
    Undecided,
    /// What each counts as; `read` counts the records.
    Decided(Tally),
}

/// Records that won a key and lost it to a later batch, by what they were counted as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Displacements {
    /// Counted as created.
    pub created: u64,
    /// Counted as updated.
    pub updated: u64,
    /// Counted as unchanged.
    pub unchanged: u64,
}

impl Displacements {
    /// The ledger's counts, corrected by these.
    ///
    /// # Errors
    /// What more records were displaced from than there were, how many those are, and how many there were.
    pub fn correct(
        self,
        mut tally: Tally,
        duplicates: Option<Duplicates>,
    ) -> Result<Tally, (Counted, u64, u64)> {
        let to = match duplicates {
            Some(Duplicates::Reject) => Counted::Rejected,
            _ => Counted::Skipped,
        };
        let displaced = [
            (Counted::Created, self.created),
            (Counted::Updated, self.updated),
            (Counted::Unchanged, self.unchanged),
        ];
        for (from, count) in displaced {
            for moved in 0..count {
                if !tally.recount(from, to) {
                    return Err((from, count, moved));
                }
            }
        }
        Ok(tally)
    }
}

/// How much of its plan an operation has executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executed {
    /// It was cancelled, or has failed.
    Partly,
    /// All of it.
    Whole,
    /// All of it, but an export has left out what its filters ask to leave out, which nobody counts.
    Filtered,
}

/// The final counts: the ledger, corrected by the displaced records.
///
/// # Errors
/// Says which identity does not hold.
pub fn settle(
    evidence: &Evidence,
    duplicates: Option<Duplicates>,
    executed: Executed,
) -> Result<Tally, Failure> {
    let broken = |what: &str, found: u64, expected: u64| {
        Err(Failure::new("internal.reconcile", format!("{what}: found {found}, expected {expected}")))
    };
    let tally = match (evidence.staged, evidence.displaced.correct(evidence.ledger, duplicates)) {
        (Staged::No, Ok(tally)) => tally,
        (Staged::No, Err((from, found, most))) => {
            return broken(&format!("records displaced from {}", from.as_str()), found, most);
        }
        (Staged::Undecided, _) if executed != Executed::Partly => {
            return broken("decided records", 0, evidence.ledger.created);
        }
        (Staged::Undecided, _) => evidence.ledger.left_out(),
        (Staged::Decided(decided), _) if decided.read != evidence.ledger.created => {
            return broken("decided records", decided.read, evidence.ledger.created);
        }
        (Staged::Decided(decided), _) => {
            let read = evidence.ledger.read.saturating_sub(evidence.ledger.created);
            Tally { read, created: 0, ..evidence.ledger } + decided
        }
    };
    if !tally.reconciles() {
        let sum = tally.created + tally.updated + tally.unchanged + tally.skipped + tally.rejected;
        return broken("the sum of what became of the records", sum, tally.read);
    }
    if evidence.rejects != tally.rejected {
        return broken("stored rejects", evidence.rejects, tally.rejected);
    }
    if executed == Executed::Partly {
        return Ok(tally);
    }
    if evidence.ledger_batches != evidence.planned_batches {
        return broken("batches in the ledger", evidence.ledger_batches, evidence.planned_batches);
    }
    if evidence.planned_records != Some(evidence.batch_records) {
        let planned = evidence.planned_records.unwrap_or_default();
        return broken("records of the batches", evidence.batch_records, planned);
    }
    let may_be_fewer = executed == Executed::Filtered && tally.read < evidence.batch_records;
    if tally.read != evidence.batch_records && !may_be_fewer {
        return broken("records read", tally.read, evidence.batch_records);
    }
    Ok(tally)
}

/// The terminal state that follows from a settled tally.
pub fn terminal_state(tally: &Tally, failure: Option<&Failure>, cancelled: bool) -> State {
    match (failure, cancelled) {
        (Some(_), _) => State::Failed,
        (None, true) => State::Cancelled,
        (None, false) if tally.rejected > 0 => State::SucceededWithRejects,
        (None, false) => State::Succeeded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Evidence {
        let ledger =
            Tally { read: 10, created: 6, updated: 1, unchanged: 1, skipped: 0, rejected: 2, filtered: 0 };
        Evidence {
            planned_batches: 3,
            planned_records: Some(10),
            batch_records: 10,
            ledger_batches: 3,
            ledger,
            rejects: 2,
            ..Evidence::default()
        }
    }

    #[test]
    fn displaced_records_move_to_what_the_mode_asks() {
        let displaced =
            Evidence { displaced: Displacements { created: 2, updated: 1, unchanged: 0 }, ..good() };
        let skipped = settle(&displaced, Some(Duplicates::Skip), Executed::Whole).unwrap();
        assert_eq!((skipped.created, skipped.updated, skipped.skipped), (4, 0, 3));
        let with_rejects = Evidence { rejects: 5, ..displaced };
        let rejected = settle(&with_rejects, Some(Duplicates::Reject), Executed::Whole).unwrap();
        assert_eq!((rejected.created, rejected.rejected), (4, 5));
    }

    #[test]
    fn every_broken_identity_is_named() {
        let broken: [(&str, Evidence); 6] = [
            ("stored rejects", Evidence { rejects: 1, ..good() }),
            ("batches in the ledger", Evidence { ledger_batches: 2, ..good() }),
            ("records of the batches", Evidence { planned_records: Some(11), ..good() }),
            ("records of the batches", Evidence { planned_records: None, ..good() }),
            (
                "records displaced",
                Evidence { displaced: Displacements { updated: 2, ..Displacements::default() }, ..good() },
            ),
            ("the sum", Evidence { ledger: Tally { created: 7, ..good().ledger }, ..good() }),
        ];
        for (what, evidence) in broken {
            let failure = settle(&evidence, None, Executed::Whole).unwrap_err();
            assert!(failure.message.contains(what), "{}", failure.message);
        }
    }

    #[test]
    fn only_filters_may_leave_records_out() {
        for (batch_records, executed, expected) in [
            (11, Executed::Whole, false),
            (11, Executed::Filtered, true),
            (10, Executed::Filtered, true),
            (9, Executed::Filtered, false),
            (9, Executed::Partly, true),
        ] {
            let evidence = Evidence { batch_records, planned_records: Some(batch_records), ..good() };
            assert_eq!(settle(&evidence, None, executed).is_ok(), expected, "{batch_records} {executed:?}");
        }
    }

    #[test]
    fn what_was_decided_takes_the_place_of_what_was_staged() {
        let staged =
            Evidence { ledger: Tally { read: 10, created: 8, rejected: 2, ..Tally::default() }, ..good() };
        let decided =
            Tally { read: 8, created: 3, updated: 1, unchanged: 1, skipped: 2, rejected: 1, filtered: 0 };
        let left_out = Tally { read: 10, skipped: 8, rejected: 2, ..Tally::default() };
        let settled = Tally { read: 10, rejected: 3, ..decided };
        for (what, rejects, executed, expected) in [
            (Staged::Decided(decided), 3, Executed::Whole, Ok(settled)),
            (Staged::Decided(decided), 2, Executed::Whole, Err("stored rejects")),
            (Staged::Decided(Tally { read: 9, ..decided }), 3, Executed::Whole, Err("decided records")),
            (Staged::Undecided, 2, Executed::Partly, Ok(left_out)),
            (Staged::Undecided, 2, Executed::Whole, Err("decided records")),
        ] {
            let evidence = Evidence { staged: what, rejects, ..staged.clone() };
            match (settle(&evidence, Some(Duplicates::Skip), executed), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{what:?}"),
                (Err(found), Err(expected)) => assert!(found.message.contains(expected), "{}", found.message),
                (found, expected) => panic!("{what:?}: {found:?}, expected {expected:?}"),
            }
        }
    }

    #[test]
    fn what_filters_leave_out_stays_so_when_the_rest_is_decided() {
        let ledger = Tally { read: 10, created: 5, skipped: 3, rejected: 2, filtered: 3, ..Tally::default() };
        let decided = Tally { read: 5, created: 1, skipped: 4, ..Tally::default() };
        for (staged, executed, expected) in [
            (Staged::Decided(decided), Executed::Whole, Tally { created: 1, skipped: 7, ..ledger }),
            (Staged::Undecided, Executed::Partly, Tally { created: 0, skipped: 8, ..ledger }),
        ] {
            let evidence = Evidence { ledger, staged, ..good() };
            assert_eq!(settle(&evidence, Some(Duplicates::Skip), executed), Ok(expected), "{staged:?}");
        }
    }

    #[test]
    fn a_stopped_operation_is_settled_without_its_whole_plan() {
        let partial = Evidence { ledger_batches: 1, planned_records: None, ..good() };
        let tally = settle(&partial, Some(Duplicates::Skip), Executed::Partly).unwrap();
        assert_eq!(terminal_state(&tally, None, true), State::Cancelled);
        assert_eq!(terminal_state(&tally, None, false), State::SucceededWithRejects);
        assert_eq!(terminal_state(&tally, Some(&Failure::new("x", "y")), true), State::Failed);
    }
}
