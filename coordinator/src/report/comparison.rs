//! The report of a comparison of two sets of records: in JSON, with a hash over all of it, and in Markdown.

use std::fmt::Write as _;

use carrack_shared::operation::{Operation, State};
use carrack_shared::verify::{Finding, Kind, Side};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::errors::source_name;
use super::verification::{SideShown, escaped, hash_of, printable, side};
use crate::reject_lines::grouped;

/// The report. Its names are explained in docs/verify.md.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are explained in docs/verify.md, where users find them")]
pub struct Comparison {
    pub data_type: String,
    pub compared_at: Option<Timestamp>,
    pub version: String,
    pub a: SetShown,
    pub b: SetShown,
    pub counts: CompareCounts,
    pub types: Vec<TypePair>,
    pub examples: Vec<PairShown>,
    pub equal: bool,
    pub verdict: String,
    /// As of a verification.
    #[serde(default)]
    pub report_hash: String,
}

/// One of the two sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetShown {
    /// What the user calls it.
    pub name: String,
    /// Its records.
    pub read: u64,
    /// Those that have the key of one before them.
    pub duplicates: u64,
    /// Those that cannot be read.
    pub rejected: u64,
}

/// The counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompareCounts {
    /// Records that are in both, with the same values.
    pub equal: u64,
    /// Records that are in both, with other values.
    pub different: u64,
    /// Records whose keys only the first set has.
    pub only_in_a: u64,
    /// Records whose keys only the second set has.
    pub only_in_b: u64,
}

/// A type on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TypePair {
    /// Its name.
    pub data_type: String,
    /// In the first set.
    pub a: SideShown,
    /// In the second set.
    pub b: SideShown,
}

/// A record that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PairShown {
    /// `different`, `only_in_a` or `only_in_b`.
    pub kind: String,
    /// Its type.
    pub data_type: String,
    /// Its key.
    pub key: String,
    /// Where it stands: in the second set, unless it is only in the first one.
    pub file: String,
    /// Its number there, from 1.
    pub record: u64,
    /// Fields that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldPair>,
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldPair {
    /// Its name.
    pub name: String,
    /// In the first set.
    pub a: Option<String>,
    /// In the second set.
    pub b: Option<String>,
}

/// The report of two sets: the import of the first one, and the verification of the second one against it, both of
/// which have ended. None if they have found nothing.
pub fn comparison(names: [&str; 2], first: &Operation, second: &Operation) -> Option<Comparison> {
    let findings = second.decision.as_ref()?.findings.as_ref()?;
    let (of_first, of_second) = (first.tally?, second.tally?);
    let counts = CompareCounts {
        equal: of_second.unchanged,
        different: of_second.updated,
        only_in_a: findings.extra(),
        only_in_b: of_second.created,
    };
    let [a, b] = [(names[0], of_first), (names[1], of_second)].map(|(name, tally)| SetShown {
        name: printable(name),
        read: tally.read,
        duplicates: tally.skipped,
        rejected: tally.rejected,
    });
    let types = findings.types.iter().map(|one| TypePair {
        data_type: one.data_type.clone(),
        a: of(&one.target),
        b: of(&one.source),
    });
    let equal = second.state == State::Succeeded && a.rejected + b.rejected == 0;
    let examples = findings.examples();
    let mut report = Comparison {
        data_type: second.spec.data_type().to_owned(),
        compared_at: second.finished_at,
        version: findings.version.clone(),
        verdict: verdict(equal, &counts, [&a, &b]),
        a,
        b,
        counts,
        types: types.collect(),
        examples: examples.into_iter().map(|(name, one)| shown([first, second], name, one)).collect(),
        equal,
        report_hash: String::new(),
    };
    report.report_hash = hash_of(&serde_json::to_value(&report).unwrap_or(Value::Null));
    Some(report)
}

fn of(one: &Side) -> SideShown {
    side(one)
}

fn shown([first, second]: [&Operation; 2], data_type: &str, finding: &Finding) -> PairShown {
    let (kind, holder) = match finding.kind {
        Kind::Missing => ("only_in_b", second),
        Kind::Different => ("different", second),
        Kind::Extra => ("only_in_a", first),
    };
    let fields = finding.fields.iter().map(|field| FieldPair {
        name: field.name.clone(),
        a: field.target.as_deref().map(printable),
        b: field.source.as_deref().map(printable),
    });
    PairShown {
        kind: kind.to_owned(),
        data_type: data_type.to_owned(),
        key: printable(&finding.key),
        file: printable(source_name(holder, finding.position.source())),
        record: finding.position.record(),
        fields: fields.collect(),
    }
}

fn verdict(equal: bool, counts: &CompareCounts, sets: [&SetShown; 2]) -> String {
    if equal {
        return format!("equal: both hold the same {} records", grouped(counts.equal));
    }
    let [a, b] = sets.map(|set| set.rejected);
    let told = [
        (counts.different, "differ"),
        (counts.only_in_a, "only in A"),
        (counts.only_in_b, "only in B"),
        (a, "of A not readable"),
        (b, "of B not readable"),
    ];
    let told = told.iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = told.map(|(count, what)| format!("{} {what}", grouped(*count))).collect();
    format!("not equal: {}", told.join(", "))
}

impl Comparison {
    /// The report in Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("# Comparison\n\n**{}**\n\n", escaped(&self.verdict));
        let _ = writeln!(text, "| set | | read | duplicates | not readable |\n|---|---|---:|---:|---:|");
        for (letter, set) in [("A", &self.a), ("B", &self.b)] {
            let [read, duplicates, rejected] = [set.read, set.duplicates, set.rejected].map(grouped);
            let name = escaped(&set.name);
            let _ = writeln!(text, "| {letter} | {name} | {read} | {duplicates} | {rejected} |");
        }
        let _ = writeln!(text, "\n## Records\n\n| | |\n|---|---:|");
        for (name, count) in self.named_counts() {
            let _ = writeln!(text, "| {name} | {} |", grouped(count));
        }
        let _ = writeln!(text, "\n## Hashes\n\n| type | set | records | hash |\n|---|---|---:|---|");
        for one in &self.types {
            for (letter, of) in [("A", &one.a), ("B", &one.b)] {
                let (name, records) = (&one.data_type, grouped(of.records));
                let _ = writeln!(text, "| {name} | {letter} | {records} | `{}` |", of.hash);
            }
        }
        if !self.examples.is_empty() {
            let _ = writeln!(text, "\n## Examples\n");
        }
        for example in &self.examples {
            let _ = writeln!(text, "- {}", escaped(&example.sentence()));
            for field in &example.fields {
                let _ = writeln!(text, "  - {}", escaped(&field.sentence()));
            }
        }
        let at = self.compared_at.map(|at| at.to_string()).unwrap_or_default();
        let _ = writeln!(text, "\n## Sign-off\n\n{}  ", escaped(&self.verdict));
        let _ = writeln!(text, "at {at}, by Carrack {}  ", self.version);
        let _ = writeln!(text, "SHA-256 of the report: `{}`", self.report_hash);
        text
    }

    /// The counts with their names for people.
    pub fn named_counts(&self) -> [(&'static str, u64); 4] {
        let CompareCounts { equal, different, only_in_a, only_in_b } = self.counts;
        [("equal", equal), ("different", different), ("only in A", only_in_a), ("only in B", only_in_b)]
    }
}

impl PairShown {
    /// Which record it is.
    pub fn sentence(&self) -> String {
        let (kind, key, file) = (self.kind.replace('_', " "), &self.key, &self.file);
        let kind = kind.replace(" a", " A").replace(" b", " B");
        format!("{kind}: key {key:?}, {file}: record {}", grouped(self.record))
    }
}

impl FieldPair {
    /// What it is on both sides.
    pub fn sentence(&self) -> String {
        let told =
            |value: &Option<String>| value.as_ref().map_or("nothing".to_owned(), |text| format!("{text:?}"));
        format!("{}: {} in A, {} in B", self.name, told(&self.a), told(&self.b))
    }
}
