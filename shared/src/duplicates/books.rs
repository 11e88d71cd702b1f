//! What each row of a batch came to be counted as, once the verdicts on its keys are known.

use std::collections::HashMap;

use super::merge::Merged;
use super::{Displaced, Verdict, merge};
use crate::fault::{Fault, Reject, Stage};
use crate::record::{Position, Rows};
use crate::spec::Duplicates;
use crate::tally::{Counted, Tally};

/// The books of one batch: what each accepted row came to be counted as, and the rejects that arise while
/// loading.
#[derive(Debug)]
pub struct Books<'batch> {
    rows: &'batch Rows,
    mode: Duplicates,
    stored_frames: &'batch HashMap<usize, String>,
    /// Counts of the settled rows.
    pub tally: Tally,
    /// Rejects that arose while loading.
    pub rejects: Vec<Reject>,
    /// Rows to be rejected whose frame is too long for the database and not yet an object: the batch must
    /// be undone and committed again with their frames in `stored_frames`.
    pub missing_frames: Vec<usize>,
    /// Where records are merged, those that were counted for their keys before: a row of each key, that record, and
    /// the one that counts now.
    pub displaced: Vec<(usize, Displaced, Position)>,
}

impl<'batch> Books<'batch> {
    /// Empty books. `stored_frames` names the objects that hold long frames, by row.
    pub fn new(rows: &'batch Rows, mode: Duplicates, stored_frames: &'batch HashMap<usize, String>) -> Self {
        let (tally, rejects, missing_frames) = (Tally::default(), Vec::new(), Vec::new());
        Self { rows, mode, stored_frames, tally, rejects, missing_frames, displaced: Vec::new() }
    }

    /// Enters a whole group: `best` was its first contender that the table did not refuse, with this
    /// verdict; `others` are the contenders behind it.
    pub fn settle(&mut self, best: usize, verdict: &Verdict, others: impl Iterator<Item = usize>) {
        let behind = match *verdict {
            Verdict::Insert => {
                self.tally.count(Counted::Created);
                Verdict::Lose { winner: self.rows.origin(best).position }
            }
            Verdict::Replace { counted, .. } => {
                self.tally.count(counted);
                Verdict::Lose { winner: self.rows.origin(best).position }
            }
            Verdict::Keep { .. } => {
                self.tally.count(Counted::Unchanged);
                Verdict::Lose { winner: self.rows.origin(best).position }
            }
            lost @ (Verdict::Taken | Verdict::Lose { .. }) => {
                self.lose(best, lost);
                lost
            }
        };
        for row in others {
            self.lose(row, behind);
        }
    }

    /// Enters what came of merging records of a key, of which `row` is one.
    pub fn merge(&mut self, row: usize, merged: &Merged) {
        let (position, counted) = merged.counted;
        self.tally.count(counted);
        self.tally.add(Counted::Skipped, merged.skipped);
        self.displaced.extend(merged.displaced.map(|displaced| (row, displaced, position)));
    }

    /// Enters a record that is not merged: see [`merge::LeftOut`].
    pub fn leave_out(&mut self, row: usize, faults: Vec<Fault>) {
        self.reject(row, faults, None);
    }

    /// Enters a row that the table refused.
    pub fn refuse(&mut self, row: usize, message: impl Into<String>) {
        self.reject(row, vec![refused(message)], None);
    }

    fn lose(&mut self, row: usize, verdict: Verdict) {
        if self.mode != Duplicates::Reject {
            self.tally.count(Counted::Skipped);
            return;
        }
        let key = String::from_utf8_lossy(self.rows.key(row));
        let (fault, winner) = match verdict {
            Verdict::Lose { winner } => (in_file(&key), Some(winner)),
            _ => (existing(&key), None),
        };
        let field = self.rows.data_type().key_field().name.as_str();
        self.reject(row, vec![fault.in_field(field)], winner);
    }

    fn reject(&mut self, row: usize, faults: Vec<Fault>, winner: Option<Position>) {
        self.tally.count(Counted::Rejected);
        let stored = self.stored_frames.get(&row).cloned();
        if self.rows.is_long(row) && stored.is_none() {
            self.missing_frames.push(row);
            return;
        }
        let mut reject = self.rows.reject(row, faults, stored);
        if winner.is_some() {
            reject.key = Some(String::from_utf8_lossy(self.rows.key(row)).into_owned());
        }
        reject.winner = winner;
        self.rejects.push(reject);
    }
}

/// The fault of a record that only its table refuses, or that would make its row too large.
pub fn refused(message: impl Into<String>) -> Fault {
    let message = message.into();
    let code = if message == merge::too_large() { "merge.too_large" } else { "table.refused" };
    Fault::new(Stage::Load, code, message)
}

/// The fault of a record whose key another record of the same import holds.
pub fn in_file(key: &str) -> Fault {
    let message = format!("the key {key:?} stands more than once in this import, expected it once");
    Fault::new(Stage::Duplicate, "duplicate.in_file", message)
}

/// The fault of a record whose key was in the table before the import.
pub fn existing(key: &str) -> Fault {
    let message = format!("the key {key:?} is in the table already, expected a new one");
    Fault::new(Stage::Duplicate, "duplicate.existing", message)
}
