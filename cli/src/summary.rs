//! The last word on an operation: the report for people and the object for programs.

use std::fmt::Write as _;
use std::path::PathBuf;

use carrack_coordinator::reject_lines::grouped;
use carrack_coordinator::report::{ExampleShown, Prediction, Progress, TypeTally};
use carrack_shared::operation::{Failure, OperationId, State};
use carrack_shared::schema::ALL;
use carrack_shared::tally::{Counted, Tally};
use serde::Serialize;

use crate::rejects;

/// Kinds of rejects that the report tells.
const KINDS_SHOWN: usize = 10;

/// Conflicts of an undo that the report names.
const CONFLICTS_SHOWN: usize = 5;

/// What `--json` prints. Its names are part of the interface.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    operation_id: OperationId,
    status: State,
    read: u64,
    created: u64,
    updated: u64,
    unchanged: u64,
    skipped: u64,
    rejected: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    filtered_records: Option<u64>,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<OperationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restored: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conflicts: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    by_type: &'a [TypeTally],
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    delimiter: Option<char>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<bool>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    examples: &'a [ExampleShown],
    #[serde(skip_serializing_if = "Option::is_none")]
    prediction: Option<&'a Prediction>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    remarks: &'a [String],
    rejects_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a Failure>,
}

/// The object for programs, on one line. `file` is what an export wrote.
pub fn json(progress: &Progress, rejects: Option<&rejects::Summary>, file: Option<&PathBuf>) -> String {
    let object = Object {
        operation_id: progress.operation_id,
        status: progress.status,
        read: progress.read,
        created: progress.created,
        updated: progress.updated,
        unchanged: progress.unchanged,
        skipped: progress.skipped,
        rejected: progress.rejected,
        filtered_records: progress.filtered_records,
        bytes: progress.bytes,
        parent_id: progress.parent_id,
        removed: progress.removed,
        restored: progress.restored,
        conflicts: progress.conflicts,
        by_type: &progress.by_type,
        seconds: seconds(progress),
        delimiter: progress.delimiter,
        dry_run: progress.dry_run.then_some(true),
        examples: &progress.examples,
        prediction: progress.prediction.as_ref(),
        remarks: &progress.remarks,
        rejects_file: rejects.map(|rejects| rejects.file.display().to_string()),
        file: file.map(|file| file.display().to_string()),
        failure: progress.failure.as_ref(),
    };
    serde_json::to_string(&object).unwrap_or_default()
}

/// The report for people.
pub fn text(progress: &Progress, rejects: Option<&rejects::Summary>, file: Option<&PathBuf>) -> String {
    let mut text = headline(progress);
    for (name, count) in counts(progress) {
        let _ = write!(text, "\n  {name:<10}{:>14}", grouped(count));
    }
    if let Some(filtered) = progress.filtered_records {
        let _ = write!(text, "\n  {} left out by the filters, counted as skipped", grouped(filtered));
    }
    progress.by_type.iter().for_each(|one| tell_type(&mut text, one, is_import(progress)));
    let _ = write!(text, "\n  {:<10}{:>12.2} s", "time", seconds(progress));
    if !is_undo(progress) {
        let _ = write!(text, "\n  {:<10}{:>9.1} MB/s", "speed", megabytes_per_second(progress));
    }
    if let Some(template) = &progress.template {
        let done = if is_import(progress) { "checked by" } else { "made through" };
        let _ = write!(text, "\n  {done} the template {template}");
    }
    if let Some(parent) = progress.parent_id.filter(|_| !is_undo(progress)) {
        let _ = write!(text, "\n  retries the rejects of {parent}");
    }
    if let Some(evidence) = &progress.type_evidence {
        let _ = write!(text, "\n  how the type was told: {evidence}");
    }
    for remark in &progress.remarks {
        let _ = write!(text, "\n  note: {remark}");
    }
    if let Some(delimiter) = progress.delimiter.filter(|delimiter| *delimiter != ',') {
        let shown = if delimiter == '\t' { "tab".into() } else { format!("\"{delimiter}\"") };
        let _ = write!(text, "\n  {:<10}{shown:>14}", "delimiter");
    }
    if let Some(remark) = remark(progress) {
        let _ = write!(text, "\n{remark}");
    }
    tell_examples(&mut text, progress);
    if let Some(prediction) = &progress.prediction {
        tell_prediction(&mut text, progress, prediction);
    }
    if is_undo(progress) {
        tell_conflicts(&mut text, progress);
    }
    if let Some(rejects) = rejects {
        tell_rejects(&mut text, rejects);
    }
    if let Some(file) = file {
        let _ = write!(text, "\nwritten to {}", file.display());
    }
    text
}

fn headline(progress: &Progress) -> String {
    let (id, data_type) = (progress.operation_id, &progress.data_type);
    let status = progress.status.as_str().replace('_', " ");
    let about = match progress.parent_id.filter(|_| is_undo(progress)) {
        Some(parent) => format!("of import {parent} into {data_type}"),
        None if is_import(progress) => format!("into {data_type}"),
        None => format!("of {data_type}"),
    };
    let kind = kind(progress);
    let mut text = format!("{kind} {id} {about}: {status}");
    if let Some(failure) = &progress.failure {
        let _ = write!(text, "\n  {} ({})", failure.message, failure.code);
    }
    text
}

fn counts(progress: &Progress) -> Vec<(&'static str, u64)> {
    if is_undo(progress) {
        return vec![
            ("read", progress.read),
            ("removed", progress.removed.unwrap_or_default()),
            ("restored", progress.restored.unwrap_or_default()),
            ("unchanged", progress.unchanged),
            ("conflicts", progress.conflicts.unwrap_or_default()),
        ];
    }
    if !is_import(progress) {
        return vec![("records", progress.read), ("bytes", progress.bytes)];
    }
    vec![
        ("read", progress.read),
        ("created", progress.created),
        ("updated", progress.updated),
        ("unchanged", progress.unchanged),
        ("skipped", progress.skipped),
        ("rejected", progress.rejected),
    ]
}

/// The counts of one type of several, those that are not zero.
fn tell_type(text: &mut String, TypeTally { data_type, tally }: &TypeTally, import: bool) {
    let Tally { read, created, updated, unchanged, skipped, rejected, filtered } = *tally;
    let counts = [
        (created, "created"),
        (updated, "updated"),
        (unchanged, "unchanged"),
        (skipped, "skipped"),
        (filtered, "of them left out by the filters"),
        (rejected, "rejected"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0 && import);
    let _ = write!(text, "\n  of {data_type}: {} {}", grouped(read), if import { "read" } else { "records" });
    for (count, name) in counts {
        let _ = write!(text, ", {} {name}", grouped(count));
    }
}

/// What is being done.
pub fn kind(progress: &Progress) -> &str {
    if progress.dry_run { "dry run" } else { &progress.kind }
}

/// The first records of each count of a dry run.
fn tell_examples(text: &mut String, progress: &Progress) {
    if !progress.dry_run {
        return;
    }
    let _ = write!(text, "\nnothing was changed");
    for (counted, total) in [
        (Counted::Created, progress.created),
        (Counted::Updated, progress.updated),
        (Counted::Unchanged, progress.unchanged),
        (Counted::Skipped, progress.skipped),
    ] {
        let examples: Vec<_> = progress.examples.iter().filter(|one| one.counted == counted).collect();
        let (name, shown) = (counted.as_str(), examples.len() as u64);
        match total {
            _ if shown == 0 => {}
            _ if shown == total => drop(write!(text, "\nwould be {name}:")),
            _ => drop(write!(text, "\nwould be {name}, the first {shown} of {}:", grouped(total))),
        }
        for ExampleShown { file, record, key, .. } in examples {
            let _ = write!(text, "\n  {file}: record {}, key {key:?}", grouped(*record));
        }
    }
}

/// Whether it came as the dry run before it had said.
fn tell_prediction(text: &mut String, progress: &Progress, prediction: &Prediction) {
    let (id, said) = (prediction.operation_id, prediction.tally);
    if prediction.came_true {
        let _ = write!(text, "\nas the dry run {id} said");
        return;
    }
    let said = [said.read, said.created, said.updated, said.unchanged, said.skipped, said.rejected];
    let differs = counts(progress).into_iter().zip(said).filter(|((_, found), said)| found != said);
    let told: Vec<String> = differs.map(|((name, _), said)| format!("{} {name}", grouped(said))).collect();
    let _ = write!(text, "\ndiffers from the dry run {id}, which said {}", told.join(", "));
}

/// What the counts alone would leave unclear.
fn remark(progress: &Progress) -> Option<String> {
    let succeeded = matches!(progress.status, State::Succeeded | State::SucceededWithRejects);
    match progress {
        Progress { conflicts: Some(_), status: State::Cancelled | State::Failed, .. } => Some(
            "what is undone stays so; `carrack operations undo` of the same import undoes the rest".into(),
        ),
        Progress { conflicts: Some(_), read: 0, .. } => {
            Some("the import has left no rows to be undone".into())
        }
        Progress { conflicts: Some(_), .. } => None,
        Progress { status: State::Cancelled, created: 0, updated: 0, unchanged: 0, .. }
            if is_import(progress) =>
        {
            Some("nothing was imported".into())
        }
        Progress { status: State::Cancelled, dry_run: false, .. } if is_import(progress) => {
            Some("what is loaded stays; to go on, run the same import again with --skip-duplicates".into())
        }
        Progress { failure: Some(failure), dry_run: false, .. } if failure.code.starts_with("budget.") => {
            Some(
                "what is loaded stays; for the rest, run the same import again with --skip-duplicates, and with another budget \
                 or none".into(),
            )
        }
        _ if !succeeded => None,
        Progress { read: 0, .. } if is_import(progress) => {
            Some("no record was found: the input holds an empty list, or only a header row".into())
        }
        Progress { read: 0, filters: Some(_), .. } if !is_import(progress) => {
            Some("no record matches the filters".into())
        }
        Progress { read: 0, .. } if progress.data_type == ALL => Some("no table has any rows".into()),
        Progress { read: 0, .. } => Some(format!("the table {} has no rows", progress.data_type)),
        Progress { read, filtered_records: Some(filtered), .. } if read == filtered => {
            Some("no record matches the filters".into())
        }
        Progress { read, skipped, filtered_records: Some(filtered), .. } if read == skipped => {
            let taken = grouped(skipped - filtered);
            Some(format!(
                "all were skipped: of those that match the filters, {taken}, the keys are taken already"
            ))
        }
        Progress { read, skipped, .. } if read == skipped => {
            Some(format!("all {} were skipped: their keys are taken already", grouped(*read)))
        }
        _ => None,
    }
}

/// What others have changed since, and what to do about it.
fn tell_conflicts(text: &mut String, progress: &Progress) {
    let conflicts = progress.conflicts.unwrap_or_default();
    if conflicts == 0 {
        return;
    }
    for error in progress.errors.iter().take(CONFLICTS_SHOWN) {
        let _ = write!(text, "\n  {} ({})", error.error, error.code);
    }
    if conflicts > CONFLICTS_SHOWN as u64 {
        let _ = write!(text, "\n  and {} more", grouped(conflicts - CONFLICTS_SHOWN as u64));
    }
    text.push_str("\nconflicts were left alone; --force goes over what others have changed since");
}

fn tell_rejects(text: &mut String, rejects: &rejects::Summary) {
    if rejects.count == 0 {
        let _ = write!(text, "\nno rejects: {} is empty", rejects.file.display());
        return;
    }
    let _ = write!(text, "\nrejects are in {}", rejects.file.display());
    if rejects.only_counted {
        return;
    }
    for sentence in &rejects.first {
        let _ = write!(text, "\n  {sentence}");
    }
    let more = rejects.count - rejects.first.len() as u64;
    if more > 0 {
        let _ = write!(text, "\n  and {} more", grouped(more));
    }
    if let Some(kinds) = &rejects.kinds {
        let _ = write!(text, "; all {}:", grouped(rejects.count));
        kinds.kinds.iter().take(KINDS_SHOWN).for_each(|kind| {
            let _ = write!(text, "\n  {}", kind.sentence());
        });
        if kinds.more_kinds || kinds.kinds.len() > KINDS_SHOWN {
            let id = kinds.operation_id;
            let _ = write!(text, "\n  and other kinds: `carrack operations rejects {id}` tells them");
        }
    }
}

fn is_undo(progress: &Progress) -> bool {
    progress.kind == "undo"
}

fn is_import(progress: &Progress) -> bool {
    progress.kind == "import"
}

/// From its creation to its end, by the database's clock, to the millisecond.
pub fn seconds(progress: &Progress) -> f64 {
    let end = progress.end_time.unwrap_or(progress.as_of);
    let seconds = end.duration_since(progress.start_time).as_secs_f64().max(0.0);
    (seconds * 1e3).round() / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "a speed for people needs no more than 52 bits")]
fn megabytes_per_second(progress: &Progress) -> f64 {
    let seconds = seconds(progress);
    if seconds > 0.0 { progress.bytes as f64 / 1e6 / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn progress(changes: &Value) -> Progress {
        let mut document = json!({
            "operationId": "00000000-0000-0000-0000-000000000007", "type": "import", "dataType": "contexts",
            "status": "succeeded", "progress": 100.0, "currentStep": "done", "currentRecord": 0,
            "totalRecords": 0, "totalRecordsExact": true, "startTime": "2024-01-01T00:00:00Z",
            "endTime": "2024-01-01T00:00:02Z", "estimatedCompletion": null, "asOf": "2024-01-01T00:00:09Z",
            "read": 1000, "created": 1000, "updated": 0, "unchanged": 0, "skipped": 0, "rejected": 0,
            "bytes": 5_000_000, "totalBytes": 5_000_000, "failure": null, "errors": [],
        });
        for (name, value) in changes.as_object().unwrap() {
            document[name] = value.clone();
        }
        serde_json::from_str(&document.to_string()).unwrap()
    }

    fn rejects(count: u64) -> rejects::Summary {
        rejects::Summary {
            file: "a.csv.rejects.ndjson".into(),
            count,
            only_counted: false,
            first: vec!["a.csv: record 17 (line 19, byte 4,211): expected a date".into()],
            kinds: serde_json::from_value(json!({
                "operationId": "00000000-0000-0000-0000-000000000007", "rejected": count, "moreKinds": false,
                "kinds": [{"code": "date.invalid", "field": "createdAt", "count": count,
                    "first": {"file": "a.csv", "record": 17, "line": 19, "position": "1:17"}}],
            }))
            .unwrap(),
        }
    }

    #[test]
    fn the_report_has_a_fixed_form() {
        let expected = "\
import 00000000-0000-0000-0000-000000000007 into contexts: succeeded with rejects
  read               1,000
  created              988
  updated                0
  unchanged              0
  skipped                0
  rejected              12
  time              2.00 s
  speed           2.5 MB/s
rejects are in a.csv.rejects.ndjson
  a.csv: record 17 (line 19, byte 4,211): expected a date
  and 11 more; all 12:
  12 × date.invalid in \"createdAt\", e.g. line 19 of a.csv";
        let changes = json!({"status": "succeeded_with_rejects", "created": 988, "rejected": 12});
        assert_eq!(text(&progress(&changes), Some(&rejects(12)), None), expected);
    }

    #[test]
    fn what_the_counts_leave_unclear_is_explained() {
        let cases = [
            (json!({"read": 0, "created": 0}), "no record was found: the input holds an empty list"),
            (json!({"read": 0, "type": "export"}), "the table contexts has no rows"),
            (json!({"read": 0, "type": "export", "dataType": "all"}), "no table has any rows"),
            (
                json!({"read": 0, "type": "export", "filters": {"tags": ["a"]}}),
                "no record matches the filters",
            ),
            (
                json!({"read": 7, "created": 0, "skipped": 7, "filteredRecords": 7}),
                "  7 left out by the filters, counted as skipped\n  time",
            ),
            (
                json!({"read": 7, "created": 0, "skipped": 7, "filteredRecords": 7}),
                "no record matches the filters",
            ),
            (
                json!({"read": 7, "created": 0, "skipped": 7, "filteredRecords": 5}),
                "of those that match the filters, 2, the keys are taken already",
            ),
            (json!({"status": "cancelled"}), "to go on, run the same import again with --skip-duplicates"),
            (json!({"read": 7, "created": 0, "skipped": 7}), "all 7 were skipped: their keys are taken"),
            (
                json!({"status": "failed", "failure": {"code": "json.cut", "message": "a.json: cut"}}),
                "a.json: cut (json.cut)",
            ),
        ];
        for (changes, expected) in cases {
            let text = text(&progress(&changes), None, None);
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn rejects_are_listed_where_there_are_any_and_they_are_wanted() {
        let told = |rejects: rejects::Summary| text(&progress(&json!({})), Some(&rejects), None);
        assert!(told(rejects(0)).ends_with("no rejects: a.csv.rejects.ndjson is empty"));
        let counted = rejects::Summary { only_counted: true, ..rejects(12) };
        assert!(told(counted).ends_with("rejects are in a.csv.rejects.ndjson"));
    }

    #[test]
    fn a_dry_run_tells_what_would_be_and_an_import_what_was_foretold() {
        let example = |counted: &str, record: u64| json!({"counted": counted, "file": "a.csv", "record": record, "key": "k"});
        let changes = json!({
            "created": 998, "skipped": 2, "dryRun": true,
            "examples": [example("created", 1), example("created", 2), example("skipped", 7), example("skipped", 9)],
        });
        let expected = "\
nothing was changed
would be created, the first 2 of 998:
  a.csv: record 1, key \"k\"
  a.csv: record 2, key \"k\"
would be skipped:
  a.csv: record 7, key \"k\"
  a.csv: record 9, key \"k\"";
        let told = text(&progress(&changes), None, None);
        assert!(told.starts_with("dry run ") && told.ends_with(expected), "{told}");
        let object: Value = serde_json::from_str(&json(&progress(&changes), None, None)).unwrap();
        assert_eq!((&object["dryRun"], &object["examples"]), (&true.into(), &changes["examples"]));
        for (created, came_true, expected) in
            [(1000, true, "\nas the dry run 0"), (998, false, ", which said 998 created, 2 skipped")]
        {
            let prediction = json!({
                "operationId": "00000000-0000-0000-0000-000000000006", "cameTrue": came_true, "read": 1000,
                "created": created, "updated": 0, "unchanged": 0, "skipped": 1000 - created, "rejected": 0,
            });
            let told = text(&progress(&json!({"prediction": prediction})), None, None);
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn programs_get_one_object() {
        let expected = concat!(
            r#"{"operationId":"00000000-0000-0000-0000-000000000007","status":"succeeded","read":1000,"#,
            r#""created":1000,"updated":0,"unchanged":0,"skipped":0,"rejected":0,"bytes":5000000,"#,
            r#""seconds":2.0,"rejectsFile":null}"#
        );
        assert_eq!(json(&progress(&json!({})), None, None), expected);
        let told = json(&progress(&json!({"delimiter": ";"})), None, None);
        assert!(told.contains(r#""delimiter":";""#), "{told}");
    }

    #[test]
    fn types_are_told_apart_where_there_are_several() {
        let types = json!([
            {"dataType": "contexts", "read": 1000, "created": 998, "updated": 0, "unchanged": 0, "skipped": 0,
             "rejected": 2},
            {"dataType": "sessions", "read": 0, "created": 0, "updated": 0, "unchanged": 0, "skipped": 0,
             "rejected": 0}
        ]);
        for (kind, expected) in [
            ("import", "\n  of contexts: 1,000 read, 998 created, 2 rejected\n  of sessions: 0 read\n  time"),
            ("export", "\n  of contexts: 1,000 records\n  of sessions: 0 records\n  time"),
        ] {
            let progress = progress(&json!({"type": kind, "dataType": "all", "byType": types}));
            let text = text(&progress, None, None);
            assert!(text.contains(expected), "{text}");
            let object: Value = serde_json::from_str(&json(&progress, None, None)).unwrap();
            assert_eq!(object["byType"], types);
        }
    }

    #[test]
    fn a_delimiter_that_was_found_is_told() {
        for (delimiter, expected) in [
            (",", None),
            (";", Some("\n  delimiter            \";\"")),
            ("\t", Some("\n  delimiter            tab")),
        ] {
            let text = text(&progress(&json!({ "delimiter": delimiter })), None, None);
            assert_eq!(text.contains("delimiter"), expected.is_some(), "{text}");
            assert!(text.contains(expected.unwrap_or_default()), "{text}");
        }
    }
}
