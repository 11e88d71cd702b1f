//! Verification: the records of an import's sources, read again, against the rows that its tables hold now; one rule
//! for every database.
//!
//! A record is *matched* where the row of its key has its values, *missing* where there is no row, and *different*
//! where the row has others. Compared are values, not the hashes that stand beside them, so that a row is judged by
//! what is in it. A record that has lost its key to another one of the file, or whose key was taken before the import,
//! is *skipped*, as the import did. A row of the import that no record explains is *extra*.
//!
//! In a [`Tally`] a matched record counts as unchanged, a missing one as created, a different one as updated: as what
//! importing it once more would do.
//!
//! Who holds a key is known at once where the row says that it was written from this very record. Other records are
//! *candidates*: of several with one key only the winner is told, which is decided when all batches are done.

mod finding;
mod findings;

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use finding::{Differing, Finding, Kind};
pub use findings::{Findings, Side, TypeFindings};

use crate::format::json::Canonical;
use crate::limits::FINDINGS;
use crate::operation::OperationId;
use crate::record::{Checksum, Position, Rows, Value, utf8};
use crate::spec::{Duplicates, ImportSpec, Verifies};
use crate::tally::{Counted, Tally};

/// The rows that a table holds under some keys.
#[derive(Debug, Clone)]
pub struct Present {
    /// The rows, each with its `_position`.
    pub rows: Rows,
    /// Who has written each of them.
    pub writers: Vec<OperationId>,
}

/// By which rules records are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// The import.
    pub parent: OperationId,
    /// Who wins a key.
    pub duplicates: Duplicates,
    /// Whether only keys say which row is whose: see [`Verifies::by_key`].
    pub by_key: bool,
    /// Whether any record of a key may hold it: see [`Verifies::stopped`].
    pub stopped: bool,
}

/// What is known of the records whose keys they hold for certain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The records.
    pub source: Side,
    /// Their rows.
    pub target: Side,
    /// The first ones that are different.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// A record that holds its key unless another one does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The record.
    pub position: Position,
    /// Its key.
    pub key: String,
    /// What it counts as.
    pub counted: Counted,
    /// Its hash.
    pub source: Checksum,
    /// The hash of its row, if there is one.
    pub target: Option<Checksum>,
    /// Whether the import itself has written the row.
    pub own: bool,
    /// Whether the row was written by a later operation.
    pub later: bool,
    /// What is to be told of it; nothing where it is matched.
    pub finding: Option<Finding>,
}

/// What came of comparing a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// What its records count as.
    pub tally: Tally,
    /// The keys of the rows that were written from them.
    pub keys: Vec<String>,
    /// What is known for certain.
    pub settled: Settled,
    /// The others, in the order of the input.
    pub candidates: Vec<Candidate>,
}

impl Rules {
    /// Those of a verification; none if it is none.
    pub fn of(spec: &ImportSpec) -> Option<Self> {
        let Verifies { parent, by_key, stopped, .. } = spec.verifies?;
        Some(Self { parent, duplicates: spec.duplicates, by_key, stopped })
    }

    /// Whether the last record of several wins a key.
    pub fn last_wins(&self) -> bool {
        self.duplicates == Duplicates::Overwrite
    }

    fn loses(&self, record: Position, holder: Position) -> bool {
        if self.stopped {
            // What would have taken the key from its holder was not come to.
            true
        } else if self.last_wins() {
            record < holder
        } else {
            record > holder
        }
    }
}

/// Compares a portion of a batch's records with the rows of their keys, and adds what came of it.
pub fn compare(
    rules: &Rules,
    records: &Rows,
    portion: Range<usize>,
    present: &Present,
    compared: &mut Compared,
) {
    let mut rows = Lookup { rows: &present.rows, next: 0, by_key: OnceCell::new() };
    let mut told = Teller { records, counted: 0, line: records.first_line() };
    for record in portion {
        let position = records.origin(record).position;
        let row = rows.find(records.key(record));
        let writer = row
            .filter(|_| !rules.by_key)
            .map(|row| (present.writers[row], present.rows.origin(row).position));
        match writer {
            Some((writer, holder)) if writer == rules.parent && holder == position => {
                settle(compared, &mut told, present, record, row.unwrap_or_default());
            }
            Some((writer, holder)) if writer == rules.parent && rules.loses(position, holder) => {
                compared.tally.count(Counted::Skipped);
            }
            // It was there before, and has kept the record out.
            Some((writer, _)) if rules.duplicates == Duplicates::Skip && writer < rules.parent => {
                compared.tally.count(Counted::Skipped);
            }
            _ => {
                let candidate = candidate(rules, &mut told, present, record, row);
                compared.tally.count(candidate.counted);
                compared.candidates.push(candidate);
            }
        }
    }
}

/// Finds rows by their keys: most of them one behind the other, for stores look them up in the order of the input.
struct Lookup<'rows> {
    rows: &'rows Rows,
    next: usize,
    by_key: OnceCell<HashMap<&'rows [u8], usize>>,
}

impl Lookup<'_> {
    fn find(&mut self, key: &[u8]) -> Option<usize> {
        let row = if self.next < self.rows.len() && self.rows.key(self.next) == key {
            self.next
        } else {
            let by_key = || (0..self.rows.len()).map(|row| (self.rows.key(row), row)).collect();
            *self.by_key.get_or_init(by_key).get(key)?
        };
        self.next = row + 1;
        Some(row)
    }
}

/// A record from which its row was written.
fn settle(compared: &mut Compared, told: &mut Teller<'_>, present: &Present, record: usize, row: usize) {
    let records = told.records;
    compared.keys.push(text(records.key(record)));
    let hash = records.checksum(record);
    compared.settled.source.add(hash);
    if are_equal(records, record, &present.rows, row) {
        compared.settled.target.add(hash);
        compared.tally.count(Counted::Unchanged);
        return;
    }
    compared.settled.target.add(present.rows.checksum(row));
    compared.tally.count(Counted::Updated);
    if compared.settled.findings.len() < FINDINGS {
        let finding = told.finding(Kind::Different, record).with_fields(records, record, &present.rows, row);
        compared.settled.findings.push(finding);
    }
}

fn candidate(
    rules: &Rules,
    told: &mut Teller<'_>,
    present: &Present,
    record: usize,
    row: Option<usize>,
) -> Candidate {
    let records = told.records;
    let source = records.checksum(record);
    let (position, key) = (records.origin(record).position, text(records.key(record)));
    let Some(row) = row else {
        let finding = Some(told.finding(Kind::Missing, record));
        let counted = Counted::Created;
        return Candidate { position, key, counted, source, target: None, own: false, later: false, finding };
    };
    let writer = present.writers[row];
    let (own, later) = (writer == rules.parent, writer > rules.parent);
    if are_equal(records, record, &present.rows, row) {
        let (counted, target) = (Counted::Unchanged, Some(source));
        return Candidate { position, key, counted, source, target, own, later, finding: None };
    }
    let mut finding = told.finding(Kind::Different, record).with_fields(records, record, &present.rows, row);
    finding.writer = (!own).then_some(writer);
    let (counted, target) = (Counted::Updated, Some(present.rows.checksum(row)));
    Candidate { position, key, counted, source, target, own, later, finding: Some(finding) }
}

/// Whether a record and a row have the same values.
fn are_equal(records: &Rows, record: usize, rows: &Rows, row: usize) -> bool {
    (0..records.width()).all(|slot| is_same(&records.value(record, slot), &rows.value(row, slot)))
}

/// Whether a record's value is the one of a row. JSON that others have written into the row need not be canonical.
fn is_same(value: &Value<'_>, stored: &Value<'_>) -> bool {
    match (value, stored) {
        _ if value == stored => true,
        (Value::Json(canonical), Value::Json(other)) => rewritten(other).as_deref() == Some(*canonical),
        _ => false,
    }
}

/// JSON in its canonical form; none if it is no JSON, or none that a record may hold.
fn rewritten(json: &[u8]) -> Option<Vec<u8>> {
    let json: &RawValue = serde_json::from_slice(json).ok()?;
    let (mut canonical, mut out) = (Canonical::default(), Vec::new());
    canonical.next_record(json.get().len());
    canonical.write(json.get(), &mut out).ok()?;
    Some(out)
}

/// Says where records of a portion stand. They come in the order of the input, so no line is counted twice.
struct Teller<'rows> {
    records: &'rows Rows,
    counted: usize,
    line: u64,
}

impl Teller<'_> {
    fn finding(&mut self, kind: Kind, record: usize) -> Finding {
        let origin = self.records.origin(record);
        let start = origin.frame.start as usize;
        if start > self.counted {
            self.line += self.records.lines_ended(self.counted..start);
            self.counted = start;
        }
        Finding {
            kind,
            position: origin.position,
            line: self.line,
            key: text(self.records.key(record)),
            writer: None,
            fields: Vec::new(),
            more_fields: 0,
        }
    }
}

fn text(key: &[u8]) -> String {
    utf8(key).into_owned()
}

#[cfg(test)]
mod tests;
