//! A tally: how many records were read and what became of each.

use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// Counts of records. `read` always equals the sum of the five others; the database checks it per batch
/// and the finaliser per operation.
///
/// An undo counts what it takes back: rows that it has removed as created, rows that it has restored as updated,
/// what was as before the import as unchanged, conflicts as rejected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Records found in the input.
    pub read: u64,
    /// Rows that did not exist before the operation.
    pub created: u64,
    /// Rows that existed with other values and were overwritten.
    pub updated: u64,
    /// Rows that existed with equal values and were not rewritten.
    pub unchanged: u64,
    /// Records left out because their key was already taken and the user asked to skip, to overwrite or to merge.
    pub skipped: u64,
    /// Records refused, each with a stored reject.
    pub rejected: u64,
    /// Of the skipped ones, those that the filters left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub filtered: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What became of one accepted record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// See [`Tally::created`].
    Created,
    /// See [`Tally::updated`].
    Updated,
    /// See [`Tally::unchanged`].
    Unchanged,
    /// See [`Tally::skipped`].
    Skipped,
    /// See [`Tally::rejected`].
    Rejected,
}

impl Counted {
    /// The name under which the count is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Skipped => "skipped",
            Self::Rejected => "rejected",
        }
    }

    /// Reads back [`Counted::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Created, Self::Updated, Self::Unchanged, Self::Skipped, Self::Rejected]
            .into_iter()
            .find(|counted| counted.as_str() == name)
    }
}

impl Tally {
    /// Adds one record that was read and counted as `counted`.
    pub fn count(&mut self, counted: Counted) {
        self.add(counted, 1);
    }

    /// Adds `records` that were read and counted as `counted`.
    pub fn add(&mut self, counted: Counted, records: u64) {
        self.read += records;
        *self.slot(counted) += records;
    }

    /// The same where nothing was loaded in the end: what was accepted counts as skipped.
    #[must_use]
    pub fn left_out(self) -> Self {
        let skipped = self.created + self.updated + self.unchanged + self.skipped;
        Self { skipped, created: 0, updated: 0, unchanged: 0, ..self }
    }

    /// Adds records that were read and left out by the filters.
    pub fn leave_out(&mut self, records: u64) {
        self.read += records;
        self.skipped += records;
        self.filtered += records;
    }

    /// Moves one record from one count to another; `read` stays.
    ///
    /// Returns false, changing nothing, when there is no record to move.
    pub fn recount(&mut self, from: Counted, to: Counted) -> bool {
        let Some(fewer) = self.slot(from).checked_sub(1) else { return false };
        *self.slot(from) = fewer;
        *self.slot(to) += 1;
        true
    }

    /// Whether `read` equals the sum of what became of the records, and the filters left no more out than were.
    pub fn reconciles(&self) -> bool {
        let sum = self.created + self.updated + self.unchanged + self.skipped + self.rejected;
        self.read == sum && self.filtered <= self.skipped
    }

    fn slot(&mut self, counted: Counted) -> &mut u64 {
        match counted {
            Counted::Created => &mut self.created,
            Counted::Updated => &mut self.updated,
            Counted::Unchanged => &mut self.unchanged,
            Counted::Skipped => &mut self.skipped,
            Counted::Rejected => &mut self.rejected,
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.skipped += other.skipped;
        self.rejected += other.rejected;
        self.filtered += other.filtered;
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_keeps_the_sum() {
        let mut tally = Tally::default();
        for counted in [Counted::Created, Counted::Updated, Counted::Unchanged, Counted::Skipped] {
            tally.count(counted);
            assert_eq!(Counted::parse(counted.as_str()), Some(counted));
        }
        assert!(tally.recount(Counted::Created, Counted::Rejected));
        assert!(tally.reconciles());
        assert_eq!((tally.read, tally.created, tally.rejected), (4, 0, 1));
        tally.leave_out(3);
        assert!(tally.reconciles() && tally.read == 7 && tally.skipped == 4);
        assert!(!Tally { filtered: 5, ..tally }.reconciles(), "more than were skipped");
        assert!(!tally.recount(Counted::Created, Counted::Skipped), "nothing is left to move");
    }
}
