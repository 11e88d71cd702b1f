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
//!
//! Imports of the same keys may run at the same time. Each goes by its own records: the row that one has created and
//! another has overwritten still counts as created by the first. So who goes over a row of an operation that has not
//! ended leaves that operation a takeover of it, unless it has one.
//!
//! Where records are merged nobody wins a key; that is told in [`merge`].

mod books;
mod contests;
pub mod merge;

use crate::operation::OperationId;
use crate::record::{Position, RecordHash};
use crate::spec::Duplicates;
use crate::tally::Counted;

pub use books::{Books, existing, in_file, refused};
pub use contests::Contests;

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

/// What an operation remembers of a row: of one that existed before it, or of its own that another operation has
/// overwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takeover {
    /// The record that holds the key so far.
    pub position: Position,
    /// The row's hash before the operation; nothing where the operation has created it.
    pub before: RecordHash,
    /// What the holder was counted as; of a row that the operation has created always that.
    pub counted: Counted,
    /// The record of another operation from which the row was written that is met now; none for a row of
    /// this operation.
    pub from: Option<(OperationId, Position)>,
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
    /// The row, which is another operation's, has these values already: leave it, remember who won.
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

/// Decides for one record against what the table holds under its key. Not where records are merged.
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
        (Duplicates::Merge, _) => Verdict::Lose { winner: existing.position },
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
        (Duplicates::Overwrite, None) if !own => {
            overwrite(operation, position, hash, existing, Some(existing.hash), None)
        }
        (Duplicates::Overwrite, Some(holder)) => {
            let displaced = Displaced { position: holder.position, counted: holder.counted };
            let before = (holder.counted != Counted::Created).then_some(holder.before);
            overwrite(operation, position, hash, existing, before, Some(displaced))
        }
        _ => Verdict::Replace {
            counted: Counted::Created,
            displaced: Some(Displaced { position: existing.position, counted: Counted::Created }),
            takeover: None,
        },
    }
}

/// The record wins a row that had the hash `before` the operation, if it was there.
fn overwrite(
    operation: OperationId,
    position: Position,
    hash: RecordHash,
    existing: &Existing,
    before: Option<RecordHash>,
    displaced: Option<Displaced>,
) -> Verdict {
    let counted = match before {
        None => Counted::Created,
        Some(before) if before == hash => Counted::Unchanged,
        Some(_) => Counted::Updated,
    };
    let from = (existing.operation != operation).then_some((existing.operation, existing.position));
    let takeover = Takeover { position, before: before.unwrap_or_default(), counted, from };
    // A row of its own says from which record it is, so it is written again.
    if from.is_some() && hash == existing.hash && counted == Counted::Unchanged {
        return Verdict::Keep { displaced, takeover };
    }
    Verdict::Replace { counted, displaced, takeover: Some(takeover) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Tally;

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
        let from = Some((OperationId::from_u128(OTHER), at(1)));
        let take =
            |record, before, counted| Takeover { position: at(record), before: hash(before), counted, from };
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
            Verdict::Replace {
                counted: Counted::Unchanged,
                displaced: lost,
                takeover: Some(Takeover { from: None, ..unchanged })
            }
        );
        // Another operation has gone over the row that this one has created.
        let holder = Takeover { from: None, ..take(4, 0, Counted::Created) };
        assert_eq!(
            verdict(mode, 3, 1, Some(row(OTHER, 1, 2)), Some(holder)),
            Verdict::Lose { winner: at(4) },
            "an earlier record does not go over what came after a later one"
        );
        assert_eq!(
            verdict(mode, 5, 2, Some(row(OTHER, 1, 2)), Some(holder)),
            Verdict::Replace {
                counted: Counted::Created,
                displaced: Some(created),
                takeover: Some(take(5, 0, Counted::Created))
            }
        );
        // Once more: the row says from which record it is.
        let (holder, lost) =
            (take(4, 1, Counted::Unchanged), Displaced { position: at(4), counted: Counted::Unchanged });
        assert_eq!(
            verdict(mode, 5, 1, Some(row(ME, 4, 1)), Some(holder)),
            Verdict::Replace {
                counted: Counted::Unchanged,
                displaced: Some(lost),
                takeover: Some(Takeover { from: None, ..unchanged })
            }
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
