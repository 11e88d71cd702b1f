//! Who wins a key: one rule for every database, so that cutting the input differently, more workers or
//! another store never change the result.
//!
//! Per key and operation there is one winner among the records that were accepted: the lowest position
//! where duplicates are skipped or rejected, the highest where they overwrite. The winner is counted
//! against the row as it was before the operation; every other record is skipped, or rejected.
//!
//! A batch meets the rows of its own operation by `_operation` and `_position`. When it beats one, it
//! writes the loser down as *displaced*, in the same transaction; the ledger rows of other batches are
//! never edited, the finaliser adds the displaced records up. Overwriting leaves a *takeover* for every
//! row that existed before, for such a row may be left as it is and would then not show who won it.

use std::collections::HashMap;
use std::ops::Range;

use crate::fault::{Fault, Reject, Stage};
use crate::operation::OperationId;
use crate::record::{Position, RecordHash, Rows};
use crate::spec::Duplicates;
use crate::tally::{Counted, Tally};

/// The row that holds the key in the table now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Existing {
    /// The operation that wrote it last.
    pub operation: OperationId,
    /// The record it was written from.
    pub position: Position,
    /// Its hash.
    pub hash: RecordHash,
}

/// What this operation remembers of a row that existed before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takeover {
    /// The record that holds the key so far.
    pub position: Position,
    /// The row's hash before the operation.
    pub before: RecordHash,
    /// What the holder was counted as.
    pub counted: Counted,
}

/// A record of this operation that had won a key and lost it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Displaced {
    /// The record.
    pub position: Position,
    /// What its own batch counted it as.
    pub counted: Counted,
}

/// What is to be done for the best contender of a batch for one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The key is free: insert the row.
    Insert,
    /// Overwrite the row.
    Replace {
        /// What the record counts as.
        counted: Counted,
        /// The record of this operation that loses the key.
        displaced: Option<Displaced>,
        /// To be remembered, where the row existed before the operation.
        takeover: Option<Takeover>,
    },
    /// The row has these values already: leave it, remember who won.
    Keep {
        /// The record of this operation that loses the key.
        displaced: Option<Displaced>,
        /// To be remembered.
        takeover: Takeover,
    },
    /// The key was taken before the operation.
    Taken,
    /// Another record of this operation holds the key.
    Lose {
        /// That record.
        winner: Position,
    },
}

/// Decides for one record against what the table holds under its key.
pub fn decide(
    mode: Duplicates,
    operation: OperationId,
    position: Position,
    hash: RecordHash,
    existing: Option<&Existing>,
    takeover: Option<&Takeover>,
) -> Verdict {
    let Some(existing) = existing else { return Verdict::Insert };
    let own = existing.operation == operation;
    match (mode, takeover) {
        (Duplicates::Skip | Duplicates::Reject, _) if !own => Verdict::Taken,
        (Duplicates::Skip | Duplicates::Reject, _) if existing.position < position => {
            Verdict::Lose { winner: existing.position }
        }
        (Duplicates::Overwrite, Some(holder)) if holder.position > position => {
            Verdict::Lose { winner: holder.position }
        }
        (Duplicates::Overwrite, None) if own && existing.position > position => {
            Verdict::Lose { winner: existing.position }
        }
        (Duplicates::Overwrite, None) if !own => overwrite(position, hash, existing, existing.hash, None),
        (Duplicates::Overwrite, Some(holder)) => {
            let displaced = Displaced { position: holder.position, counted: holder.counted };
            overwrite(position, hash, existing, holder.before, Some(displaced))
        }
        _ => Verdict::Replace {
            counted: Counted::Created,
            displaced: Some(Displaced { position: existing.position, counted: Counted::Created }),
            takeover: None,
        },
    }
}

/// The record wins a row that existed before the operation, with the hash `before`.
fn overwrite(
    position: Position,
    hash: RecordHash,
    existing: &Existing,
    before: RecordHash,
    displaced: Option<Displaced>,
) -> Verdict {
    let counted = if hash == before { Counted::Unchanged } else { Counted::Updated };
    let takeover = Takeover { position, before, counted };
    if hash == existing.hash && counted == Counted::Unchanged {
        return Verdict::Keep { displaced, takeover };
    }
    Verdict::Replace { counted, displaced, takeover: Some(takeover) }
}

/// The rows of a batch, grouped by key. Groups are in the order of their keys, which is the order in which
/// every transaction must take its locks; within a group the best contender comes first.
#[derive(Debug)]
pub struct Contests {
    order: Vec<u32>,
    starts: Vec<u32>,
}

impl Contests {
    /// Groups `rows` for `mode`.
    pub fn new(rows: &Rows, mode: Duplicates) -> Self {
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let mut order: Vec<u32> = (0..count).collect();
        let position = |row: u32| rows.origin(row as usize).position;
        order.sort_unstable_by(|&a, &b| {
            let by_position = match mode {
                Duplicates::Overwrite => position(b).cmp(&position(a)),
                Duplicates::Skip | Duplicates::Reject => position(a).cmp(&position(b)),
            };
            rows.key(a as usize).cmp(rows.key(b as usize)).then(by_position)
        });
        let mut starts = Vec::with_capacity(order.len() + 1);
        for (at, &row) in (0_u32..).zip(&order) {
            let same_key = at > 0 && rows.key(order[at as usize - 1] as usize) == rows.key(row as usize);
            if !same_key {
                starts.push(at);
            }
        }
        Self { order, starts }
    }

    /// How many different keys there are.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Whether no key stands twice.
    pub fn are_single(&self) -> bool {
        self.starts.len() == self.order.len()
    }

    /// The rows of group `group`, best contender first.
    pub fn group(&self, group: usize) -> impl ExactSizeIterator<Item = usize> + '_ {
        let end = self.starts.get(group + 1).map_or(self.order.len(), |&next| next as usize);
        let range: Range<usize> = self.starts[group] as usize..end;
        self.order[range].iter().map(|&row| row as usize)
    }

    /// All rows in the order of their keys.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.order.iter().map(|&row| row as usize)
    }
}

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
}

impl<'batch> Books<'batch> {
    /// Empty books. `stored_frames` names the objects that hold long frames, by row.
    pub fn new(rows: &'batch Rows, mode: Duplicates, stored_frames: &'batch HashMap<usize, String>) -> Self {
        let (tally, rejects, missing_frames) = (Tally::default(), Vec::new(), Vec::new());
        Self { rows, mode, stored_frames, tally, rejects, missing_frames }
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

    /// Enters a row that the table refused.
    pub fn refuse(&mut self, row: usize, message: impl Into<String>) {
        self.reject(row, Fault::new(Stage::Load, "table.refused", message), None);
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
        self.reject(row, fault.in_field(field), winner);
    }

    fn reject(&mut self, row: usize, fault: Fault, winner: Option<Position>) {
        self.tally.count(Counted::Rejected);
        let stored = self.stored_frames.get(&row).cloned();
        if self.rows.is_long(row) && stored.is_none() {
            self.missing_frames.push(row);
            return;
        }
        let mut reject = self.rows.reject(row, vec![fault], stored);
        if winner.is_some() {
            reject.key = Some(String::from_utf8_lossy(self.rows.key(row)).into_owned());
        }
        reject.winner = winner;
        self.rejects.push(reject);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    const ME: u128 = 1;
    const OTHER: u128 = 2;

    fn hash(value: u8) -> RecordHash {
        [value; 16]
    }

    fn at(record: u64) -> Position {
        Position::new(0, record)
    }

    fn row(operation: u128, record: u64, value: u8) -> Existing {
        Existing { operation: OperationId::from_u128(operation), position: at(record), hash: hash(value) }
    }

    fn verdict(
        mode: Duplicates,
        record: u64,
        value: u8,
        existing: Option<Existing>,
        takeover: Option<Takeover>,
    ) -> Verdict {
        let me = OperationId::from_u128(ME);
        decide(mode, me, at(record), hash(value), existing.as_ref(), takeover.as_ref())
    }

    #[test]
    fn a_free_key_is_inserted_in_every_mode() {
        for mode in [Duplicates::Reject, Duplicates::Skip, Duplicates::Overwrite] {
            assert_eq!(verdict(mode, 5, 1, None, None), Verdict::Insert);
        }
    }

    #[test]
    fn the_lowest_position_wins_when_skipping_or_rejecting() {
        for mode in [Duplicates::Reject, Duplicates::Skip] {
            assert_eq!(verdict(mode, 5, 1, Some(row(OTHER, 9, 1)), None), Verdict::Taken);
            let lost = Verdict::Lose { winner: at(4) };
            assert_eq!(verdict(mode, 5, 1, Some(row(ME, 4, 1)), None), lost);
            let displaced = Some(Displaced { position: at(6), counted: Counted::Created });
            let won = Verdict::Replace { counted: Counted::Created, displaced, takeover: None };
            assert_eq!(verdict(mode, 5, 1, Some(row(ME, 6, 1)), None), won);
        }
    }

    #[test]
    fn the_highest_position_wins_when_overwriting() {
        let mode = Duplicates::Overwrite;
        let take = |record, before, counted| Takeover { position: at(record), before: hash(before), counted };
        let unchanged = take(5, 1, Counted::Unchanged);
        let updated = take(5, 2, Counted::Updated);

        let keep = Verdict::Keep { displaced: None, takeover: unchanged };
        assert_eq!(verdict(mode, 5, 1, Some(row(OTHER, 1, 1)), None), keep);
        let replace =
            Verdict::Replace { counted: Counted::Updated, displaced: None, takeover: Some(updated) };
        assert_eq!(verdict(mode, 5, 1, Some(row(OTHER, 1, 2)), None), replace);

        // A row of our own that did not exist before: later wins, earlier loses.
        assert_eq!(
            verdict(mode, 5, 1, Some(row(ME, 6, 1)), None),
            Verdict::Lose { winner: at(6) },
            "an earlier record never overwrites a later one"
        );
        let created = Displaced { position: at(4), counted: Counted::Created };
        assert_eq!(
            verdict(mode, 5, 1, Some(row(ME, 4, 1)), None),
            Verdict::Replace { counted: Counted::Created, displaced: Some(created), takeover: None }
        );

        // The holder left the row as it was; a later record changes it.
        let holder = take(4, 2, Counted::Unchanged);
        let lost = Some(Displaced { position: at(4), counted: Counted::Unchanged });
        assert_eq!(
            verdict(mode, 5, 1, Some(row(OTHER, 1, 2)), Some(holder)),
            Verdict::Replace { counted: Counted::Updated, displaced: lost, takeover: Some(updated) }
        );
        // The holder changed the row; a later record brings the old values back.
        let holder = take(4, 1, Counted::Updated);
        let lost = Some(Displaced { position: at(4), counted: Counted::Updated });
        assert_eq!(
            verdict(mode, 5, 1, Some(row(ME, 4, 2)), Some(holder)),
            Verdict::Replace { counted: Counted::Unchanged, displaced: lost, takeover: Some(unchanged) }
        );
        let later = take(8, 1, Counted::Unchanged);
        assert_eq!(verdict(mode, 5, 1, Some(row(OTHER, 1, 1)), Some(later)), Verdict::Lose { winner: at(8) });
    }

    /// The last word on order: whatever order the records of one key come in, the counts and the winner
    /// are those of the sequential run.
    #[test]
    fn order_never_matters() {
        let values = [1_u8, 2, 1, 3];
        let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]];
        for mode in [Duplicates::Reject, Duplicates::Skip, Duplicates::Overwrite] {
            for before in [None, Some(row(OTHER, 1, 3)), Some(row(OTHER, 1, 1))] {
                let ends = orders.map(|order| {
                    play(mode, before, &order.map(|i| (i + 1, values[usize::try_from(i).unwrap()])))
                });
                assert!(ends.iter().all(|end| *end == ends[0]), "{mode:?} {before:?}: {ends:?}");
                assert!(ends[0].0.reconciles());
            }
        }
    }

    fn play(mode: Duplicates, before: Option<Existing>, arrivals: &[(u64, u8)]) -> (Tally, u8, Option<u64>) {
        let (mut table, mut takeover, mut tally) = (before, None, Tally::default());
        for &(record, value) in arrivals {
            let lost = if mode == Duplicates::Reject { Counted::Rejected } else { Counted::Skipped };
            let (counted, displaced, taken, write) = match verdict(mode, record, value, table, takeover) {
                Verdict::Insert => (Counted::Created, None, None, true),
                Verdict::Replace { counted, displaced, takeover } => (counted, displaced, takeover, true),
                Verdict::Keep { displaced, takeover } => {
                    (Counted::Unchanged, displaced, Some(takeover), false)
                }
                Verdict::Taken | Verdict::Lose { .. } => (lost, None, None, false),
            };
            tally.count(counted);
            if let Some(displaced) = displaced {
                assert!(tally.recount(displaced.counted, lost));
            }
            takeover = taken.or(takeover);
            if write {
                table = Some(row(ME, record, value));
            }
        }
        let end = table.unwrap();
        let winner = takeover.map(|takeover| takeover.position.record());
        (tally, end.hash[0], winner.or(before.is_none().then(|| end.position.record())))
    }
}
