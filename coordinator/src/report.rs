//! What an operation shows: the JSON documents of its progress and its result, with the guide's names beside
//! Carrack's own, made from the operation and its totals alone.

use carrack_shared::fault::{Frame, Reject, Stage};
use carrack_shared::format::Format;
use carrack_shared::operation::{Failure, Operation, OperationId, State, Totals};
use carrack_shared::spec::{ErrorHandling, Work};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Rejects that a document lists. All of them are in the NDJSON of the operation's rejects.
pub const ERRORS_SHOWN: u32 = 20;

/// Bytes of a rejected record that a document repeats.
const DATA_BYTES: usize = 4 * 1024;

/// The largest share that is said before everything is done.
const NEARLY_ALL: f64 = 0.999;

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
    pub bytes: u64,
    /// Bytes of all sources; none for exports.
    pub total_bytes: Option<u64>,
    pub failure: Option<Failure>,
    pub errors: Vec<ErrorEntry>,
}

/// A reject, as documents list it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorEntry {
    /// Number of the record in its file, from 1.
    pub record: u64,
    /// The file.
    pub file: String,
    /// The field, where the fault belongs to one.
    pub field: Option<String>,
    /// The stable code.
    pub code: String,
    /// What was found and expected.
    pub error: String,
    /// The same, by the name that the guide gives it in `validationErrors`.
    pub message: String,
    /// The record as it stood in the file: as JSON where it is JSON, as text otherwise; none if it is
    /// longer than 4 KiB or not UTF-8.
    pub data: Option<Box<RawValue>>,
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
    pub format: Format,
    /// Names of the input files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Where a finished export is to be fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
    pub successful_records: u64,
    pub validation_errors: Vec<ErrorEntry>,
}

/// The progress of an operation. `percent` is [`percent`], or what a watch has seen before if that is more.
pub fn progress(operation: &Operation, totals: &Totals, percent: f64, now: Timestamp) -> Progress {
    let tally = operation.tally.unwrap_or(totals.tally);
    let total_bytes = operation.spec.as_import().map(|_| operation.spec.source_bytes());
    Progress {
        operation_id: operation.id,
        kind: kind(operation).to_owned(),
        data_type: operation.spec.data_type().to_owned(),
        status: operation.state,
        progress: percent,
        current_step: step(operation).to_owned(),
        current_record: tally.read,
        total_records: total_records(operation, totals),
        total_records_exact: operation.planned_records.is_some(),
        start_time: operation.created_at,
        end_time: operation.finished_at,
        estimated_completion: estimated_completion(operation, percent, now),
        as_of: now,
        read: tally.read,
        created: tally.created,
        updated: tally.updated,
        unchanged: tally.unchanged,
        skipped: tally.skipped,
        rejected: tally.rejected,
        bytes: totals.bytes,
        total_bytes,
        failure: operation.failure.clone(),
        errors: Vec::new(),
    }
}

/// The whole report. `rejects` are the first ones; `download` is where a finished export is fetched.
pub fn report(
    operation: &Operation,
    mut progress: Progress,
    rejects: &[Reject],
    download: Option<String>,
) -> Report {
    let (validation, other): (Vec<_>, Vec<_>) =
        rejects.iter().partition(|reject| reject.faults.first().is_some_and(is_validation));
    progress.errors = errors(operation, other);
    let (import, format, files) = match operation.spec.work() {
        Work::Import(import) => {
            let names = import.sources.iter().map(|source| source.name.clone()).collect();
            (true, import.format, names)
        }
        Work::Export(export) => (false, export.format, Vec::new()),
    };
    Report {
        import_id: import.then_some(operation.id),
        export_id: (!import).then_some(operation.id),
        format,
        files,
        file_path: download.filter(|_| !import && operation.state == State::Succeeded),
        successful_records: progress.read - progress.rejected.min(progress.read),
        validation_errors: errors(operation, validation),
        progress,
    }
}

/// The entries of these rejects; none where the user asked to skip errors.
pub fn errors<'a>(operation: &Operation, rejects: impl IntoIterator<Item = &'a Reject>) -> Vec<ErrorEntry> {
    if !lists_errors(operation) {
        return Vec::new();
    }
    rejects.into_iter().map(|reject| entry(operation, reject)).collect()
}

/// Whether documents of this operation list its errors.
pub fn lists_errors(operation: &Operation) -> bool {
    operation.spec.as_import().is_some_and(|import| import.error_handling == ErrorHandling::Lenient)
}

/// The share that is done, in percent with one decimal: by bytes until the plan is whole, then by records.
/// 100 only when the operation has succeeded.
pub fn percent(operation: &Operation, totals: &Totals) -> f64 {
    if matches!(operation.state, State::Succeeded | State::SucceededWithRejects) {
        return 100.0;
    }
    let share = match operation.planned_records {
        Some(0) => 1.0,
        Some(records) => ratio(totals.tally.read, records),
        None => ratio(totals.bytes, operation.spec.source_bytes()),
    };
    (share.min(NEARLY_ALL) * 1000.0).floor() / 10.0
}

/// `import` or `export`.
pub fn kind(operation: &Operation) -> &'static str {
    match operation.spec.work() {
        Work::Import(_) => "import",
        Work::Export(_) => "export",
    }
}

/// The name of the source with this number.
pub fn source_name(operation: &Operation, source: u32) -> &str {
    let sources = operation.spec.as_import().map_or(&[][..], |import| &import.sources);
    sources.get(source as usize).map_or("", |source| &source.name)
}

#[expect(clippy::cast_precision_loss, reason = "a share for people needs no more than 52 bits")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn total_records(operation: &Operation, totals: &Totals) -> Option<u64> {
    if operation.planned_records.is_some() {
        return operation.planned_records;
    }
    let (read, bytes) = (u128::from(totals.tally.read), u128::from(totals.bytes));
    let estimate = (read * u128::from(operation.spec.source_bytes())).checked_div(bytes)?;
    u64::try_from(estimate.max(read)).ok()
}

/// From the time that the done share took; none before anything is done and after the end.
fn estimated_completion(operation: &Operation, percent: f64, now: Timestamp) -> Option<Timestamp> {
    if operation.state.is_terminal() || percent <= 0.0 {
        return None;
    }
    let elapsed = now.duration_since(operation.created_at).as_secs_f64().max(0.0);
    let left = elapsed * (100.0 - percent) / percent;
    now.checked_add(SignedDuration::try_from_secs_f64(left).ok()?).ok()
}

fn step(operation: &Operation) -> &'static str {
    let import = operation.spec.as_import().is_some();
    match (operation.state, operation.planned_at.is_some()) {
        (State::Running, false) if import => "finding and importing records",
        (State::Running, true) if import => "importing records",
        (State::Running, false) => "planning",
        (State::Running, true) => "exporting records",
        (State::Finalising, _) => "closing the books",
        (State::Cancelling, _) => "cancelling",
        (State::Succeeded | State::SucceededWithRejects, _) => "done",
        (State::Failed, _) => "failed",
        (State::Cancelled, _) => "cancelled",
    }
}

fn is_validation(fault: &carrack_shared::fault::Fault) -> bool {
    fault.stage == Stage::Validate
}

fn entry(operation: &Operation, reject: &Reject) -> ErrorEntry {
    let fault = reject.faults.first();
    let message = fault.map(|fault| fault.message.clone()).unwrap_or_default();
    ErrorEntry {
        record: reject.position.record(),
        file: source_name(operation, reject.position.source()).to_owned(),
        field: fault.and_then(|fault| fault.field.clone()),
        code: fault.map(|fault| fault.code.to_string()).unwrap_or_default(),
        error: message.clone(),
        message,
        data: data(reject),
    }
}

fn data(reject: &Reject) -> Option<Box<RawValue>> {
    let Frame::Inline(bytes) = &reject.frame else { return None };
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= DATA_BYTES)?;
    let as_json = |text: &str| RawValue::from_string(text.to_owned()).ok();
    as_json(text.trim())
        .filter(|json| json.get().starts_with('{'))
        .or_else(|| as_json(&serde_json::to_string(text).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use carrack_shared::fault::Fault;
    use carrack_shared::record::Position;
    use carrack_shared::spec::{Duplicates, ImportSpec, Source, Spec};
    use carrack_shared::tally::Tally;

    fn operation(state: State, planned: Option<u64>) -> Operation {
        let source = Source { name: "a.json".into(), key: "k".into(), etag: "e".into(), length: 1000 };
        Operation {
            id: OperationId::from_u128(7),
            state,
            epoch: 1,
            owner: "o".into(),
            spec: Spec::import(ImportSpec {
                data_type: "contexts".into(),
                format: Format::Json,
                batch_size: 10,
                error_handling: ErrorHandling::Lenient,
                duplicates: Duplicates::Reject,
                validate_schema: true,
                sources: vec![source],
            }),
            generation: 1,
            created_at: at(0),
            planned_at: planned.map(|_| at(1)),
            finished_at: state.is_terminal().then(|| at(9)),
            planned_records: planned,
            tally: None,
            failure: None,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn totals(read: u64, bytes: u64) -> Totals {
        Totals { tally: Tally { read, created: read, ..Tally::default() }, bytes, batches: 1 }
    }

    fn reject(stage: Stage, frame: &'static [u8]) -> Reject {
        Reject {
            position: Position::new(0, 3),
            line: 5,
            byte_start: 10,
            byte_length: frame.len() as u64,
            sha256: [0; 32],
            faults: vec![Fault::new(stage, "x.y", "expected a").in_field("f")],
            key: None,
            winner: None,
            frame: Frame::Inline(Bytes::from_static(frame)),
        }
    }

    #[test]
    fn a_hundred_percent_is_said_only_of_a_success() {
        let cases = [
            (State::Running, None, totals(0, 0), 0.0),
            (State::Running, None, totals(5, 500), 50.0),
            (State::Running, None, totals(9, 1000), 99.9),
            (State::Running, Some(20), totals(5, 900), 25.0),
            (State::Running, Some(20), totals(20, 1000), 99.9),
            (State::Running, Some(0), totals(0, 0), 99.9),
            (State::Finalising, Some(20), totals(20, 1000), 99.9),
            (State::Failed, Some(20), totals(20, 1000), 99.9),
            (State::Cancelled, None, totals(1, 100), 10.0),
            (State::SucceededWithRejects, Some(20), totals(20, 1000), 100.0),
        ];
        for (state, planned, totals, expected) in cases {
            let found = percent(&operation(state, planned), &totals);
            assert!((found - expected).abs() < 1e-9, "{state:?} {planned:?}: {found}, expected {expected}");
        }
    }

    #[test]
    fn totals_are_estimated_by_bytes_until_they_are_known() {
        let running = operation(State::Running, None);
        let early = progress(&running, &totals(10, 250), 25.0, at(100));
        assert_eq!((early.total_records, early.total_records_exact), (Some(40), false));
        assert_eq!(early.estimated_completion, Some(at(400)));
        let nothing = progress(&running, &totals(0, 0), 0.0, at(100));
        assert_eq!((nothing.total_records, nothing.estimated_completion), (None, None));
        let planned = progress(&operation(State::Running, Some(33)), &totals(10, 250), 30.3, at(100));
        assert_eq!((planned.total_records, planned.total_records_exact), (Some(33), true));
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
            "validationErrors",
            "failure",
            "read",
            "rejected",
            "bytes",
        ] {
            assert!(document.get(name).is_some(), "{name} is missing in {document}");
        }
        assert_eq!(document["status"], "succeeded_with_rejects");
        assert_eq!(document["type"], "import");
        assert_eq!(document["validationErrors"][0]["data"]["id"], 1.5);
        assert_eq!(document["errors"][0]["data"], "1,\"b\n");
        assert_eq!(document["errors"][0]["record"], 3);
        assert!(document.get("exportId").is_none());
    }

    #[test]
    fn skipped_errors_are_counted_and_not_listed() {
        let mut quiet = operation(State::SucceededWithRejects, Some(3));
        let Spec::V1(Work::Import(import)) = &mut quiet.spec else { unreachable!() };
        import.error_handling = ErrorHandling::SkipErrors;
        assert!(errors(&quiet, &[reject(Stage::Load, b"x")]).is_empty());
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
