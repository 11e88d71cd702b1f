//! What an operation shows: the JSON documents of its progress and its result, with the guide's names beside
//! Carrack's own, made from the operation and its totals alone.

mod by_type;
mod comparison;
mod errors;
#[cfg(test)]
pub(crate) mod fixture;
mod layers;
mod prediction;
mod share;
mod verification;

use carrack_shared::fault::Reject;
use carrack_shared::filter::Filter;
use carrack_shared::format::Format;
use carrack_shared::operation::{Failure, Operation, OperationId, State, Totals};
use carrack_shared::port::workers::WorkerShare;
use carrack_shared::spec::{ErrorHandling, ImportSpec, Source, Work};
use carrack_shared::verify::Findings;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use by_type::{TypeTally, by_type};
pub use comparison::{Comparison, comparison};
pub use errors::{ERRORS_SHOWN, ErrorEntry, errors, lists_errors, source_name};
pub use layers::{LayersShown, SourceShown};
pub use prediction::{ExampleShown, Prediction, prediction};
pub use share::percent;
pub use verification::{Verification, verification};

/// How far an operation is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are explained in docs/api.md, where users find them")]
pub struct Progress {
    pub operation_id: OperationId,
    #[serde(rename = "type")]
    pub kind: String,
    pub data_type: String,
    pub status: State,
    /// Percent; 100 only when the operation has succeeded.
    pub progress: f64,
    pub current_step: String,
    pub current_record: u64,
    pub total_records: Option<u64>,
    pub total_records_exact: bool,
    pub start_time: Timestamp,
    pub end_time: Option<Timestamp>,
    pub estimated_completion: Option<Timestamp>,
    pub as_of: Timestamp,
    pub read: u64,
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub skipped: u64,
    pub rejected: u64,
    /// Of the skipped ones, those that the filters left out; imports with filters only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filtered_records: Option<u64>,
    pub bytes: u64,
    /// Where the operation has several types: the counts of each, once it has ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_type: Vec<TypeTally>,
    /// Undos only: the counts of what is in the place of `created`, `updated` and `rejected`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflicts: Option<u64>,
    /// Verifications only: the counts of what is in the place of `unchanged`, `created` and `updated`; and, once it
    /// has ended, the rows that no record explains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub different: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<u64>,
    /// The report of a verification that has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Box<Verification>>,
    /// Bytes of all sources; none for exports.
    pub total_bytes: Option<u64>,
    /// The import whose rejects a retry reads, that an undo takes back, or that is verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<OperationId>,
    /// By what the type was told, where the user left it open; imports only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_evidence: Option<String>,
    /// What looks like a slip in the mapping; imports only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// The template by which records are checked, or through which rows go: `NAME@VERSION`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Which records were asked for, where not all were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filters: Option<Value>,
    /// What stands between two cells; imports of CSV only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// Whether it only tells what would become of the records; imports only.
    #[serde(default, skip_serializing_if = "is_no")]
    pub dry_run: bool,
    /// The first records of each count of a dry run that has ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<ExampleShown>,
    /// What an earlier dry run of the same has foretold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Prediction>,
    pub failure: Option<Failure>,
    pub errors: Vec<ErrorEntry>,
}

/// An operation, whole.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are explained in docs/api.md, where users find them")]
pub struct Report {
    #[serde(flatten)]
    pub progress: Progress,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import_id: Option<OperationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub export_id: Option<OperationId>,
    /// The format of the files; none of undos.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// What becomes of bad records; imports only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_handling: Option<ErrorHandling>,
    /// Names of the input files, or of those that an export of several has made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// What each of them holds, where they differ in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub file_types: Vec<String>,
    /// The same files of an import, with what they hold and are wrapped in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceShown>,
    /// What is around the text of an export.
    #[serde(flatten)]
    pub layers: LayersShown,
    /// Where a finished export is to be fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
    pub successful_records: u64,
    /// How the batches were shared.
    pub workers: Vec<WorkerShare>,
    pub validation_errors: Vec<ErrorEntry>,
}

/// The progress of an operation. `percent` is [`percent`], or what a watch has seen before if that is more.
pub fn progress(operation: &Operation, totals: &Totals, percent: f64, now: Timestamp) -> Progress {
    let tally = operation.tally.unwrap_or(totals.tally);
    let filtered = operation.spec.as_import().and_then(|_| operation.spec.filter());
    let total_bytes = operation.spec.as_import().map(|_| operation.spec.source_bytes());
    let (undo, import) = (operation.spec.as_undo(), operation.spec.as_import());
    let verifies = operation.spec.verifies();
    // What an undo takes back, and what a verification finds, is told in words of their own.
    let own = |count: u64| if undo.is_some() || verifies.is_some() { 0 } else { count };
    let findings = operation.decision.as_ref().and_then(|decision| decision.findings.as_ref());
    Progress {
        operation_id: operation.id,
        kind: kind(operation).to_owned(),
        data_type: operation.spec.data_type().to_owned(),
        status: operation.state,
        progress: percent,
        current_step: step(operation).to_owned(),
        current_record: tally.read,
        total_records: share::total_records(operation, totals),
        total_records_exact: share::is_exact(operation),
        start_time: operation.created_at,
        end_time: operation.finished_at,
        estimated_completion: share::estimated_completion(operation, percent, now),
        as_of: now,
        read: tally.read,
        created: own(tally.created),
        updated: own(tally.updated),
        unchanged: if verifies.is_some() { 0 } else { tally.unchanged },
        skipped: tally.skipped,
        rejected: tally.rejected,
        filtered_records: filtered.map(|_| tally.filtered),
        bytes: totals.bytes,
        by_type: Vec::new(),
        removed: undo.map(|_| tally.created),
        restored: undo.map(|_| tally.updated),
        conflicts: undo.map(|_| tally.rejected),
        matched: verifies.map(|_| tally.unchanged),
        missing: verifies.map(|_| tally.created),
        different: verifies.map(|_| tally.updated),
        extra: findings.map(Findings::extra),
        verification: None,
        total_bytes,
        parent_id: parent(operation),
        type_evidence: import.and_then(|import| import.type_evidence.clone()),
        remarks: import.map(|import| import.remarks.clone()).unwrap_or_default(),
        template: template(operation.spec.work()),
        filters: operation.spec.filter().map(Filter::document),
        delimiter: operation.spec.as_import().and_then(delimiter),
        dry_run: operation.spec.is_dry_run(),
        examples: prediction::examples(operation),
        prediction: None,
        failure: operation.failure.clone(),
        errors: Vec::new(),
    }
}

fn parent(operation: &Operation) -> Option<OperationId> {
    let spec = &operation.spec;
    let undone = spec.as_undo().map(|undo| undo.parent);
    let retried = spec.as_import().and_then(|import| import.retry).map(|retry| retry.parent);
    undone.or(retried).or(spec.verifies().map(|verifies| verifies.parent))
}

fn template(work: &Work) -> Option<String> {
    let origin = match work {
        Work::Import(import) => import.template.as_ref(),
        Work::Export(export) => export.template.as_ref().map(|template| &template.origin),
        Work::Undo(_) => None,
    };
    origin.map(|template| format!("{}@{}", template.name, template.version))
}

/// The whole report. `rejects` are the first ones; `download` is where a finished export is fetched.
pub fn report(
    operation: &Operation,
    mut progress: Progress,
    rejects: &[Reject],
    download: Option<String>,
) -> Report {
    let (validation, other): (Vec<_>, Vec<_>) =
        rejects.iter().partition(|reject| errors::is_validation(reject));
    progress.errors = errors(operation, other);
    let (format, sources, layers) = match operation.spec.work() {
        Work::Import(import) => (Some(import.format), sources(import), LayersShown::default()),
        Work::Export(export) => (Some(export.format), Vec::new(), LayersShown::of_export(&export.packaging)),
        Work::Undo(_) => (None, Vec::new(), LayersShown::default()),
    };
    let is = |kind: &str| progress.kind == kind;
    let own = operation.spec.as_import().map_or(&[][..], |import| &import.sources);
    let file_types = own.iter().filter_map(|source| source.data_type.clone()).collect();
    Report {
        import_id: is("import").then_some(operation.id),
        export_id: is("export").then_some(operation.id),
        format,
        error_handling: operation.spec.as_import().map(|import| import.error_handling),
        files: sources.iter().map(|source| source.name.clone()).collect(),
        file_types,
        sources,
        layers,
        file_path: download.filter(|_| is("export") && operation.state == State::Succeeded),
        successful_records: successful(operation, &progress),
        workers: Vec::new(),
        validation_errors: errors(operation, validation),
        progress,
    }
}

/// All that were accepted; none where one that was not kept all out.
fn successful(operation: &Operation, progress: &Progress) -> u64 {
    let kept_out =
        matches!(operation.state, State::Failed | State::Cancelled) && operation.spec.is_all_or_nothing();
    if let Some(matched) = progress.matched {
        return matched;
    }
    if kept_out { 0 } else { progress.read - progress.rejected.min(progress.read) }
}

fn sources(import: &ImportSpec) -> Vec<SourceShown> {
    let shown = |source: &Source| SourceShown {
        name: source.name.clone(),
        format: import.format,
        layers: LayersShown::of_source(&source.layers),
    };
    import.sources.iter().map(shown).collect()
}

fn delimiter(import: &ImportSpec) -> Option<char> {
    (import.format == Format::Csv).then(|| char::from(import.reading.dialect().delimiter))
}

/// `import`, `export`, `undo` or `verify`.
pub fn kind(operation: &Operation) -> &'static str {
    match operation.spec.work() {
        Work::Import(import) if import.verifies.is_some() => "verify",
        Work::Import(_) => "import",
        Work::Export(_) => "export",
        Work::Undo(_) => "undo",
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_no(flag: &bool) -> bool {
    !*flag
}

fn step(operation: &Operation) -> &'static str {
    let import = operation.spec.as_import().is_some();
    let staged = operation.spec.is_staged();
    let undo = operation.spec.as_undo().is_some();
    let verify = operation.spec.verifies().is_some();
    match (operation.state, operation.planned_at.is_some()) {
        (State::Running, false) if staged => "finding and checking records",
        (State::Running, true) if staged => "checking records",
        (State::Running, false) if verify => "finding and comparing records",
        (State::Running, true) if verify => "comparing records",
        (State::Running, false) if import => "finding and importing records",
        (State::Running, true) if import => "importing records",
        (State::Running, false) if undo => "finding and undoing records",
        (State::Running, true) if undo => "undoing records",
        (State::Running, false) => "planning",
        (State::Running, true) => "exporting records",
        (State::Finalising, _) if operation.spec.is_all_or_nothing() => "publishing",
        (State::Finalising, _) if verify => "looking for rows without a record",
        (State::Finalising, _) => "closing the books",
        (State::Cancelling, _) => "cancelling",
        (State::Succeeded | State::SucceededWithRejects, _) => "done",
        (State::Failed, _) => "failed",
        (State::Cancelled, _) => "cancelled",
        (State::Undone, _) => "undone",
        (State::PartlyUndone, _) => "partly undone",
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::{at, operation, reject, totals};
    use super::*;
    use carrack_shared::fault::Stage;

    #[test]
    fn a_total_is_exact_once_it_is_planned() {
        for planned in [None, Some(33)] {
            let shown = progress(&operation(State::Running, planned), &totals(10, 250), 25.0, at(100));
            assert_eq!(shown.total_records_exact, planned.is_some());
        }
    }

    #[test]
    fn documents_have_the_names_of_the_guide() {
        let done = operation(State::SucceededWithRejects, Some(3));
        let rejects = [reject(Stage::Validate, b"{\"id\": 1.50}"), reject(Stage::Load, b"1,\"b\n")];
        let shown = progress(&done, &totals(3, 1000), 100.0, at(10));
        let document = serde_json::to_value(report(&done, shown, &rejects, None)).unwrap();
        for name in [
            "operationId",
            "importId",
            "status",
            "progress",
            "currentStep",
            "currentRecord",
            "totalRecords",
            "totalRecordsExact",
            "startTime",
            "estimatedCompletion",
            "errors",
            "asOf",
            "successfulRecords",
            "workers",
            "validationErrors",
            "failure",
            "read",
            "rejected",
            "bytes",
        ] {
            assert!(document.get(name).is_some(), "{name} is missing in {document}");
        }
        assert_eq!(document["status"], "succeeded_with_rejects");
        assert_eq!((&document["type"], &document["errorHandling"]), (&"import".into(), &"lenient".into()));
        assert_eq!(document["sources"], serde_json::json!([{ "name": "a.json", "format": "json" }]));
        assert_eq!(document["validationErrors"][0]["data"]["id"], 1.5);
        assert_eq!(document["errors"][0]["data"], "1,\"b\n");
        assert_eq!(document["errors"][0]["record"], 3);
        assert!(document.get("exportId").is_none());
    }

    #[test]
    fn progress_reads_back() {
        let mut sent = progress(&operation(State::Running, Some(33)), &totals(10, 250), 30.3, at(100));
        sent.errors = errors(&operation(State::Running, None), &[reject(Stage::Load, b"{\"a\":1e400}")]);
        let text = serde_json::to_string(&sent).unwrap();
        let back: Progress = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), text);
    }
}
