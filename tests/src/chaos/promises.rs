//! What must hold after a round, wherever it ran: what an undisturbed run would have left, told by the
//! generator.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, bail, ensure};
use carrack_shared::spec::Duplicates;
use serde::Deserialize;

use super::Report;
use super::case::Case;
use super::load::Load;
use crate::generate;

/// What a round left behind.
#[derive(Debug, Clone)]
pub(super) struct Left {
    pub(super) report: Report,
    /// The whole table.
    pub(super) rows: Vec<Row>,
    /// Every change of the table.
    pub(super) effects: Vec<Effect>,
    /// Stored rejects.
    pub(super) rejects: u64,
    /// Records by the ledger.
    pub(super) read: u64,
    /// Batches with two ledger rows.
    pub(super) doubled: u64,
    /// The rejects that the user was given.
    pub(super) rejects_file: String,
}

impl Left {
    /// How many records had won a key and lost it to one that was loaded later.
    pub(super) fn displaced(&self) -> u64 {
        self.effects.iter().filter(|effect| effect.kind == "UPDATE").count() as u64
    }
}

/// A row of the table.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) key: String,
    pub(super) title: String,
    /// The record that it says it was written from.
    pub(super) record: u64,
}

/// A change of the table, as the trigger saw it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Effect {
    pub(super) key: String,
    /// `INSERT`, `UPDATE` or `DELETE`.
    pub(super) kind: String,
    /// The record that the row was then written from.
    pub(super) record: u64,
}

/// A line of the rejects file.
#[derive(Debug, Deserialize)]
struct Reject {
    record: u64,
    code: String,
    winner: Option<Winner>,
}

#[derive(Debug, Deserialize)]
struct Winner {
    file: String,
    record: u64,
}

/// Everything that the round promises.
pub(super) fn verify(load: &Load, case: Case, left: &Left) -> anyhow::Result<()> {
    let promises = Promises { load, case, left };
    promises.counts()?;
    promises.rows().context("the rows")?;
    promises.effects().context("the effects")?;
    promises.rejects().context("the rejects file")
}

struct Promises<'round> {
    load: &'round Load,
    case: Case,
    left: &'round Left,
}

impl Promises<'_> {
    fn counts(&self) -> anyhow::Result<()> {
        let (expected, report) = (&self.load.expected, &self.left.report);
        let (rejected, skipped) = match self.case.duplicates {
            Duplicates::Reject => (expected.rejected() + expected.duplicates, 0),
            Duplicates::Skip | Duplicates::Overwrite | Duplicates::Merge => {
                (expected.rejected(), expected.duplicates)
            }
        };
        ensure!(report.status == "succeeded_with_rejects", "the operation ended {}", report.status);
        for (what, found, expected) in [
            ("read", report.read, expected.records),
            ("created", report.created, expected.good),
            ("updated", report.updated, 0),
            ("unchanged", report.unchanged, 0),
            ("skipped", report.skipped, skipped),
            ("rejected", report.rejected, rejected),
            ("rows", self.left.rows.len() as u64, expected.good),
            ("stored rejects", self.left.rejects, rejected),
            ("lines in the rejects file", self.left.rejects_file.lines().count() as u64, rejected),
            ("records in the ledger", self.left.read, expected.records),
            ("batches with two ledger rows", self.left.doubled, 0),
        ] {
            ensure!(found == expected, "{what}: found {found}, expected {expected}");
        }
        Ok(())
    }

    /// Every row is the record that wins its key, with that record's contents.
    fn rows(&self) -> anyhow::Result<()> {
        for Row { key, title, record } in &self.left.rows {
            match self.winner(key) {
                Some(winner) => ensure!(
                    *record == winner,
                    "the key {key:?}: found record {record}, expected record {winner} of {:?}",
                    self.load.expected.repeated[key]
                ),
                None => self.must_be_alone(key, *record)?,
            }
            let expected = self.load.generator.context(record - 1).title;
            ensure!(
                Some(title) == expected.as_ref(),
                "the key {key:?}: found the title {title:?}, expected {expected:?} of record {record}"
            );
        }
        Ok(())
    }

    /// Every key was inserted once; no record had its effect twice; only the records of the key had any.
    fn effects(&self) -> anyhow::Result<()> {
        let mut seen = HashSet::new();
        let (mut inserted, mut keys) = (0, HashSet::new());
        for effect in &self.left.effects {
            let Effect { key, kind, record } = effect;
            ensure!(seen.insert((key, record)), "a second effect of one record: {effect:?}");
            let others = self.load.expected.repeated.get(key);
            match (kind.as_str(), others) {
                ("INSERT", _) => inserted += 1,
                ("UPDATE", Some(_)) => {}
                _ => bail!("found {effect:?}, expected inserts, and updates of repeated keys"),
            }
            match others {
                Some(records) => ensure!(records.contains(record), "found {effect:?}, expected {records:?}"),
                None => self.must_be_alone(key, *record)?,
            }
            keys.insert(key);
        }
        let (found, good) = ((inserted, keys.len() as u64), self.load.expected.good);
        ensure!(found == (good, good), "(inserts, keys): found {found:?}, expected {good} of both");
        Ok(())
    }

    /// Every record that must be there is there once; a duplicate names the record that holds its key.
    fn rejects(&self) -> anyhow::Result<()> {
        let expected = &self.load.expected;
        let mut open: BTreeMap<u64, Option<u64>> =
            expected.bad.keys().map(|&record| (record, None)).collect();
        if self.case.duplicates == Duplicates::Reject {
            for records in expected.repeated.values() {
                open.extend(records[1..].iter().map(|&record| (record, Some(records[0]))));
            }
        }
        let name = self.load.file.file_name().and_then(|name| name.to_str());
        for line in self.left.rejects_file.lines() {
            let reject: Reject = serde_json::from_str(line).with_context(|| line.to_owned())?;
            let winner = open.remove(&reject.record).with_context(|| format!("not expected: {reject:?}"))?;
            let found = reject.winner.as_ref().map(|winner| winner.record);
            ensure!(found == winner, "found {reject:?}, expected the winner {winner:?}");
            ensure!(winner.is_some() == (reject.code == "duplicate.in_file"), "the code of {reject:?}");
            let file = reject.winner.as_ref().map(|winner| winner.file.as_str());
            ensure!(file.is_none() || file == name, "found {reject:?}, expected the file {name:?}");
        }
        ensure!(open.is_empty(), "not found, with their winners: {open:?}");
        Ok(())
    }

    /// The record that wins a repeated key.
    fn winner(&self, key: &str) -> Option<u64> {
        let records = self.load.expected.repeated.get(key)?;
        match self.case.duplicates {
            Duplicates::Reject | Duplicates::Skip => records.first().copied(),
            // Every record has every field.
            Duplicates::Overwrite | Duplicates::Merge => records.last().copied(),
        }
    }

    /// Of a key that is not repeated: the record is the key's own, and good.
    fn must_be_alone(&self, key: &str, record: u64) -> anyhow::Result<()> {
        let own = record.checked_sub(1).map(generate::key);
        let bad = self.load.expected.bad.get(&record);
        ensure!(
            own.as_deref() == Some(key) && bad.is_none(),
            "the key {key:?}: found record {record} ({bad:?})"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests;
