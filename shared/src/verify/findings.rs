//! What a verification has found, added up over all batches.

use serde::{Deserialize, Serialize};

use super::{Candidate, Finding, Kind, Settled};
use crate::limits::FINDINGS;
use crate::operation::{Failure, State};
use crate::record::{Checksum, Position};
use crate::tally::{Counted, Tally};

/// How many records there are, and the sum of their hashes modulo 2^128. Two sides are equal, in whatever order their
/// records come, exactly when count and sum are: hashes are those of [`crate::record`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Records.
    pub records: u64,
    /// The sum.
    #[serde(with = "hex")]
    pub sum: u128,
}

impl Side {
    /// Adds a record.
    pub fn add(&mut self, hash: Checksum) {
        self.records += 1;
        self.sum = self.sum.wrapping_add(u128::from_be_bytes(hash));
    }

    /// Adds the records of another side.
    pub fn add_all(&mut self, other: Self) {
        self.records += other.records;
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// The sum as 32 hexadecimal digits.
    pub fn hash(&self) -> String {
        format!("{:032x}", self.sum)
    }
}

/// What was found of one type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeFindings {
    /// Its name.
    pub data_type: String,
    /// The records that should be in the table: those that are matched, missing or different.
    pub source: Side,
    /// The rows that are there: of the records that are matched or different, and the extra ones.
    pub target: Side,
    /// Rows of the import that no record explains.
    pub extra: u64,
    /// Of the different ones, those whose rows were written by later operations.
    pub later: u64,
    /// The first of each kind, in the order of the input.
    pub findings: Vec<Finding>,
}

/// What a verification has found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// The release that has looked.
    pub version: String,
    /// Each type of the import.
    pub types: Vec<TypeFindings>,
}

impl TypeFindings {
    /// Nothing yet.
    pub fn new(data_type: &str) -> Self {
        Self {
            data_type: data_type.to_owned(),
            source: Side::default(),
            target: Side::default(),
            extra: 0,
            later: 0,
            findings: Vec::new(),
        }
    }

    /// Adds what is known for certain of a batch.
    pub fn add_settled(&mut self, settled: Settled) {
        self.source.add_all(settled.source);
        self.target.add_all(settled.target);
        settled.findings.into_iter().for_each(|finding| self.tell(finding));
    }

    /// Adds a candidate that holds its key.
    pub fn add_winner(&mut self, winner: Candidate) {
        self.source.add(winner.source);
        winner.target.into_iter().for_each(|hash| self.target.add(hash));
        self.later += u64::from(winner.later && winner.counted == Counted::Updated);
        winner.finding.into_iter().for_each(|finding| self.tell(finding));
    }

    /// Adds a row of the import that no record explains.
    pub fn add_extra(&mut self, position: Position, key: String, hash: Checksum) {
        self.target.add(hash);
        self.extra += 1;
        let finding = Finding {
            kind: Kind::Extra,
            position,
            line: 0,
            key,
            writer: None,
            fields: Vec::new(),
            more_fields: 0,
        };
        self.tell(finding);
    }

    /// The same, with no more findings than are told.
    #[must_use]
    pub fn done(mut self) -> Self {
        self.thin_out();
        self
    }

    fn tell(&mut self, finding: Finding) {
        self.findings.push(finding);
        if self.findings.len() > 10 * FINDINGS {
            self.thin_out();
        }
    }

    fn thin_out(&mut self) {
        self.findings.sort_by(|a, b| (a.kind, a.position, &a.key).cmp(&(b.kind, b.position, &b.key)));
        let first =
            self.findings.chunk_by(|a, b| a.kind == b.kind).flat_map(|of_one| of_one.iter().take(FINDINGS));
        self.findings = first.cloned().collect();
    }
}

impl Findings {
    /// What this release has found.
    pub fn new(types: Vec<TypeFindings>) -> Self {
        Self { version: env!("CARGO_PKG_VERSION").to_owned(), types }
    }

    /// Rows that no record explains.
    pub fn extra(&self) -> u64 {
        self.types.iter().map(|one| one.extra).sum()
    }

    /// Of the different ones, those that later operations have written.
    pub fn later(&self) -> u64 {
        self.types.iter().map(|one| one.later).sum()
    }

    /// Whether every record that should be in a table is there as it was read, and nothing else of the import is.
    pub fn is_clean(&self, tally: &Tally) -> bool {
        tally.created == 0 && tally.updated == 0 && self.extra() == 0
    }

    /// The state in which a verification ends that was not stopped.
    pub fn state(&self, tally: &Tally) -> State {
        if self.is_clean(tally) { State::Succeeded } else { State::SucceededWithRejects }
    }

    /// Compares the findings with the counts: each is made of other numbers.
    ///
    /// # Errors
    /// Says which two do not agree.
    pub fn check(&self, tally: &Tally) -> Result<(), Failure> {
        let sum = |of: fn(&TypeFindings) -> u64| self.types.iter().map(of).sum::<u64>();
        let rows = tally.unchanged + tally.updated;
        let equal = self.types.iter().all(|one| one.source == one.target);
        let identities = [
            ("records that should be in the tables", sum(|one| one.source.records), rows + tally.created),
            ("rows that are in the tables", sum(|one| one.target.records), rows + self.extra()),
            ("tables with the hash of their records", u64::from(equal), u64::from(self.is_clean(tally))),
        ];
        let broken = identities.iter().find(|(_, found, expected)| found != expected);
        broken.map_or(Ok(()), |(what, found, expected)| {
            Err(Failure::new("internal.reconcile", format!("{what}: found {found}, expected {expected}")))
        })
    }

    /// The first findings of each kind over all types, with the name of the type.
    pub fn examples(&self) -> Vec<(&str, &Finding)> {
        let mut all: Vec<(&str, &Finding)> = self
            .types
            .iter()
            .flat_map(|one| one.findings.iter().map(|finding| (one.data_type.as_str(), finding)))
            .collect();
        all.sort_by_key(|(_, finding)| (finding.kind, finding.position));
        all.chunk_by(|a, b| a.1.kind == b.1.kind)
            .flat_map(|of_one| of_one.iter().take(FINDINGS))
            .copied()
            .collect()
    }
}

mod hex {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(sum: &u128, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{sum:032x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
        let text = String::deserialize(from)?;
        u128::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}
