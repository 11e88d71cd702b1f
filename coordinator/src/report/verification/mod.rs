//! The report of a verification, whole: what was read, what was found, and the verdict; with a hash over all of it, so
//! that a copy shows whether it was changed. And the same for people, in [`markdown`].

mod markdown;

pub(super) use markdown::escaped;

use carrack_shared::operation::{Failure, Operation, OperationId, State};
use carrack_shared::tally::Tally;
use carrack_shared::verify::{Finding, Findings, Kind, Side};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::errors::source_name;
use crate::reject_lines::grouped;

/// The report. Its names are explained in docs/verify.md.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are explained in docs/verify.md, where users find them")]
pub struct Verification {
    pub operation_id: OperationId,
    pub import_id: OperationId,
    pub data_type: String,
    pub status: State,
    pub owner: String,
    pub imported_at: Timestamp,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub version: String,
    pub files: Vec<FileShown>,
    pub counts: Counts,
    /// Whether `read` is the sum of what became of the records.
    pub balanced: bool,
    pub types: Vec<TypeShown>,
    pub examples: Vec<FindingShown>,
    pub failure: Option<Failure>,
    pub verified: bool,
    pub verdict: String,
    /// SHA-256 of the other members: of the document without this one and without blanks, members sorted by name.
    #[serde(default)]
    pub report_hash: String,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileShown {
    pub name: String,
    pub bytes: u64,
    /// What the store, or the file system, says of its content.
    pub version: String,
}

/// The counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    pub read: u64,
    pub matched: u64,
    pub missing: u64,
    pub different: u64,
    pub skipped: u64,
    pub rejected: u64,
    /// Of the skipped ones.
    pub filtered: u64,
    /// Of the different ones.
    pub changed_later: u64,
    pub extra: u64,
}

/// What was found of a type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TypeShown {
    pub data_type: String,
    pub source: SideShown,
    pub target: SideShown,
    pub extra: u64,
    pub changed_later: u64,
}

/// How many records a side has, and their hash in any order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideShown {
    pub records: u64,
    pub hash: String,
}

/// A record or a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FindingShown {
    pub kind: Kind,
    pub data_type: String,
    pub key: String,
    pub file: String,
    pub record: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_by: Option<OperationId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldShown>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_fields: usize,
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldShown {
    pub name: String,
    pub source: Option<String>,
    pub target: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The report of a verification that has ended.
pub fn verification(operation: &Operation) -> Option<Verification> {
    let verifies = operation.spec.verifies()?;
    let tally = operation.tally.filter(|_| operation.state.is_terminal())?;
    let none = Findings::new(Vec::new());
    let found = operation.decision.as_ref().and_then(|decision| decision.findings.as_ref());
    let findings = found.unwrap_or(&none);
    let counts = Counts::of(&tally, findings);
    let verified = operation.state == State::Succeeded;
    let sources = operation.spec.as_import().map_or(&[][..], |import| &import.sources);
    let files = sources.iter().map(|source| FileShown {
        name: printable(&source.name),
        bytes: source.length,
        version: source.etag.clone(),
    });
    let types = findings.types.iter().map(|one| TypeShown {
        data_type: one.data_type.clone(),
        source: side(&one.source),
        target: side(&one.target),
        extra: one.extra,
        changed_later: one.later,
    });
    let examples = findings.examples();
    let mut report = Verification {
        operation_id: operation.id,
        import_id: verifies.parent,
        data_type: operation.spec.data_type().to_owned(),
        status: operation.state,
        owner: operation.owner.clone(),
        imported_at: verifies.started_at,
        started_at: operation.created_at,
        finished_at: operation.finished_at,
        version: findings.version.clone(),
        files: files.collect(),
        counts,
        balanced: tally.reconciles(),
        types: types.collect(),
        examples: examples.into_iter().map(|(name, finding)| shown(operation, name, finding)).collect(),
        failure: operation.failure.clone(),
        verified,
        verdict: verdict(operation, &counts),
        report_hash: String::new(),
    };
    report.report_hash = report.hash();
    Some(report)
}

impl Counts {
    fn of(tally: &Tally, findings: &Findings) -> Self {
        Self {
            read: tally.read,
            matched: tally.unchanged,
            missing: tally.created,
            different: tally.updated,
            skipped: tally.skipped,
            rejected: tally.rejected,
            filtered: tally.filtered,
            changed_later: findings.later(),
            extra: findings.extra(),
        }
    }
}

pub(super) fn side(side: &Side) -> SideShown {
    SideShown { records: side.records, hash: side.hash() }
}

fn shown(operation: &Operation, data_type: &str, finding: &Finding) -> FindingShown {
    let fields = finding.fields.iter().map(|field| FieldShown {
        name: field.name.clone(),
        source: field.source.as_deref().map(printable),
        target: field.target.as_deref().map(printable),
    });
    FindingShown {
        kind: finding.kind,
        data_type: data_type.to_owned(),
        key: printable(&finding.key),
        file: printable(source_name(operation, finding.position.source())),
        record: finding.position.record(),
        line: (finding.line > 0).then_some(finding.line),
        written_by: finding.writer,
        fields: fields.collect(),
        more_fields: finding.more_fields,
    }
}

/// Tools do not agree on how DEL is written in JSON, and the hash must not depend on the tool.
pub(super) fn printable(text: &str) -> String {
    text.replace('\u{7f}', "\u{2421}")
}

fn verdict(operation: &Operation, counts: &Counts) -> String {
    let stopped = operation.spec.verifies().is_some_and(|verifies| verifies.stopped);
    let note = if stopped { "; the import had not come to its end" } else { "" };
    format!("{}{note}", judgement(operation, counts))
}

fn judgement(operation: &Operation, counts: &Counts) -> String {
    match operation.state {
        State::Succeeded if counts.matched == 0 => {
            "verified: there is no record that should be in the table".into()
        }
        State::Succeeded => format!("verified: all {} records are in the table", grouped(counts.matched)),
        State::Cancelled => "not verified: the verification was cancelled".into(),
        State::Failed => {
            let why = operation.failure.as_ref().map_or("", |failure| failure.message.as_str());
            format!("not verified: the verification failed: {why}")
        }
        _ => {
            let wrong = [
                (counts.missing, "missing from the table"),
                (counts.different, "different there"),
                (counts.extra, "in the table without a record"),
            ];
            let wrong = wrong.iter().filter(|(count, _)| *count > 0);
            let told: Vec<String> =
                wrong.map(|(count, what)| format!("{} {what}", grouped(*count))).collect();
            let should = counts.matched + counts.missing + counts.different;
            format!("not verified: of {} records {}", grouped(should), told.join(", "))
        }
    }
}

impl Verification {
    /// The hash of all other members.
    pub fn hash(&self) -> String {
        hash_of(&serde_json::to_value(self).unwrap_or_default())
    }
}

/// SHA-256 of a report without its own hash.
pub(super) fn hash_of(report: &Value) -> String {
    let mut document = report.clone();
    if let Some(members) = document.as_object_mut() {
        members.remove("reportHash");
    }
    document.sort_all_objects();
    let digest = Sha256::digest(document.to_string());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl FindingShown {
    /// Which record or row it is.
    pub fn sentence(&self) -> String {
        let line = self.line.map(|line| format!(" (line {})", grouped(line))).unwrap_or_default();
        let by = self.written_by.map(|by| format!(", the row was written by {by}")).unwrap_or_default();
        let more = match self.more_fields {
            0 => String::new(),
            more => format!(", {} fields differ", more + self.fields.len()),
        };
        let (key, file, record) = (&self.key, &self.file, grouped(self.record));
        match self.kind {
            Kind::Extra => format!("key {key:?}, said to be written from {file}: record {record}"),
            _ => format!("key {key:?}, {file}: record {record}{line}{by}{more}"),
        }
    }
}

impl FieldShown {
    /// What it is on both sides.
    pub fn sentence(&self) -> String {
        let told =
            |value: &Option<String>| value.as_ref().map_or("nothing".to_owned(), |text| format!("{text:?}"));
        format!("{}: found {}, expected {}", self.name, told(&self.target), told(&self.source))
    }
}

#[cfg(test)]
mod tests {
    use carrack_shared::record::Position;
    use carrack_shared::spec::{Spec, Verifies, Work};
    use carrack_shared::staging::Decision;
    use carrack_shared::verify::{Differing, TypeFindings};

    use super::super::fixture::{at, operation};
    use super::*;

    fn finding(kind: Kind, record: u64) -> Finding {
        Finding {
            kind,
            position: Position::new(0, record),
            line: if kind == Kind::Extra { 0 } else { record + 1 },
            key: "a|b".into(),
            writer: (kind == Kind::Different).then(|| OperationId::from_u128(9)),
            fields: Vec::new(),
            more_fields: 0,
        }
    }

    fn ended(state: State, tally: Tally, findings: Vec<Finding>) -> Operation {
        let mut done = operation(state, Some(tally.read));
        let Spec::V1(Work::Import(import)) = &mut done.spec else { unreachable!() };
        import.verifies = Some(Verifies {
            parent: OperationId::from_u128(5),
            started_at: at(0),
            by_key: false,
            stopped: false,
        });
        let extra = findings.iter().filter(|one| one.kind == Kind::Extra).count() as u64;
        let found = TypeFindings { findings, extra, ..TypeFindings::new("contexts") };
        done.decision = Some(Decision { types: Vec::new(), findings: Some(Findings::new(vec![found])) });
        done.tally = Some(tally);
        done
    }

    #[test]
    fn the_verdict_says_what_is_wrong() {
        let tally = |unchanged, created, updated| Tally {
            read: unchanged + created + updated,
            unchanged,
            created,
            updated,
            ..Tally::default()
        };
        for (state, tally, findings, expected) in [
            (State::Succeeded, tally(1234, 0, 0), vec![], "verified: all 1,234 records are in the table"),
            (
                State::Succeeded,
                tally(0, 0, 0),
                vec![],
                "verified: there is no record that should be in the table",
            ),
            (
                State::SucceededWithRejects,
                tally(5, 2, 1),
                vec![finding(Kind::Extra, 1)],
                "not verified: of 8 records 2 missing from the table, 1 different there, 1 in the table without a \
                 record",
            ),
            (State::Cancelled, tally(1, 0, 0), vec![], "not verified: the verification was cancelled"),
        ] {
            let found = verification(&ended(state, tally, findings)).unwrap();
            assert_eq!((found.verdict.as_str(), found.verified), (expected, state == State::Succeeded));
        }
        assert_eq!(verification(&operation(State::Succeeded, Some(1))), None, "an import");
        let mut of_stopped = ended(State::Succeeded, tally(1, 0, 0), vec![]);
        let Spec::V1(Work::Import(import)) = &mut of_stopped.spec else { panic!("an import") };
        import.verifies = import.verifies.map(|verifies| Verifies { stopped: true, ..verifies });
        let told = verification(&of_stopped).unwrap().verdict;
        assert_eq!(told, "verified: all 1 records are in the table; the import had not come to its end");
    }

    #[test]
    fn the_hash_shows_every_change() {
        let tally = Tally { read: 2, unchanged: 1, updated: 1, ..Tally::default() };
        let done = ended(State::SucceededWithRejects, tally, vec![finding(Kind::Different, 2)]);
        let report = verification(&done).unwrap();
        assert_eq!(report.hash(), report.report_hash);
        let text = serde_json::to_string_pretty(&report).unwrap();
        let back: Verification = serde_json::from_str(&text).unwrap();
        assert_eq!(back, report);
        let changed = Verification { counts: Counts { different: 0, ..report.counts }, ..report.clone() };
        assert_ne!(changed.hash(), report.report_hash);
        // As `jq -cSj 'del(.reportHash)'` prints it.
        let mut document: Value = serde_json::from_str(&text).unwrap();
        document.as_object_mut().unwrap().remove("reportHash");
        document.sort_all_objects();
        let sorted = document.to_string();
        assert!(
            sorted.starts_with(r#"{"balanced":true,"counts":{"changedLater":0,"different":1,"#),
            "{sorted}"
        );
        assert!(sorted.contains(r#""examples":[{"dataType":"contexts","file":"a.json","key":"a|b","kind":"#));
    }

    #[test]
    fn markdown_tells_the_same() {
        let tally =
            Tally { read: 30, unchanged: 1, created: 25, updated: 1, rejected: 3, ..Tally::default() };
        let mut different = finding(Kind::Different, 2);
        let [source, target] = ["a_b", "c"].map(|text| Some(text.to_owned()));
        different.fields = vec![Differing { name: "title".into(), source, target }];
        let done = ended(
            State::SucceededWithRejects,
            tally,
            vec![finding(Kind::Missing, 1), different, finding(Kind::Extra, 7)],
        );
        let report = verification(&done).unwrap();
        let text = report.markdown();
        for expected in [
            "# Verification of import 00000000-0000-0000-0000-000000000005\n",
            "**not verified: of 27 records 25 missing from the table, 1 different there, 1 in the table without a",
            "| a.json | 1,000 | e |\n",
            "| missing | 25 |\n",
            "\n30 = 1 + 25 + 1 + 0 + 3\n",
            "## Examples: missing, the first 1 of 25\n\n- key \"a\\|b\", a.json: record 1 (line 2)\n",
            "a.json: record 2 (line 3), the row was written by 00000000-0000-0000-0000-000000000009\n",
            "  - title: found \"c\", expected \"a\\_b\"\n",
            "## Examples: extra\n\n- key \"a\\|b\", said to be written from a.json: record 7\n",
            &format!("SHA-256 of the report: `{}`\n", report.report_hash),
        ] {
            assert!(text.contains(expected), "{expected} is missing in {text}");
        }
    }
}
