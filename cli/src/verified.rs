//! The reports of verifications and comparisons on the screen.

use std::fmt::Write as _;
use std::path::Path;

use carrack_coordinator::reject_lines::grouped;
use carrack_coordinator::report::{Comparison, Progress, Verification};
use carrack_shared::operation::State;
use carrack_shared::verify::Kind;

use crate::summary;

/// Examples of each kind that are shown; the report has more.
const SHOWN: usize = 5;

/// The report for people. `file` is where all of it was written.
pub fn text(progress: &Progress, report: &Verification, file: Option<&Path>) -> String {
    let status = match progress.status {
        State::Succeeded => "verified".to_owned(),
        State::SucceededWithRejects => "not verified".to_owned(),
        status => status.as_str().replace('_', " "),
    };
    let (id, import, data_type) = (report.operation_id, report.import_id, &report.data_type);
    let mut text = format!("verify {id} of import {import} into {data_type}: {status}");
    let counts = report.counts;
    for (name, count) in [
        ("read", counts.read),
        ("matched", counts.matched),
        ("missing", counts.missing),
        ("different", counts.different),
        ("skipped", counts.skipped),
        ("rejected", counts.rejected),
        ("extra", counts.extra),
    ] {
        let _ = write!(text, "\n  {name:<10}{:>14}", grouped(count));
    }
    for (count, what) in [
        (counts.filtered, "left out by the filters, counted as skipped"),
        (counts.changed_later, "of the different ones changed by later operations"),
    ] {
        if count > 0 {
            let _ = write!(text, "\n  {} {what}", grouped(count));
        }
    }
    let _ = write!(text, "\n  {:<10}{:>12.2} s", "time", summary::seconds(progress));
    for one in &report.types {
        let sides = if one.source == one.target { "as in the files" } else { "other than in the files" };
        let _ = write!(text, "\n  hash of {}: {} ({sides})", one.data_type, one.target.hash);
    }
    let _ = write!(text, "\n{}", report.verdict);
    let totals = [counts.missing, counts.different, counts.extra];
    Kind::ALL.into_iter().zip(totals).for_each(|(kind, total)| examples(&mut text, report, kind, total));
    if let Some(file) = file {
        let _ = write!(text, "\nthe report is in {}", file.display());
    }
    text
}

fn examples(text: &mut String, report: &Verification, kind: Kind, total: u64) {
    let examples: Vec<_> = report.examples.iter().filter(|one| one.kind == kind).take(SHOWN).collect();
    let (name, shown) = (kind.as_str(), examples.len() as u64);
    match total {
        _ if shown == 0 => {}
        _ if shown == total => drop(write!(text, "\n{name}:")),
        _ => drop(write!(text, "\n{name}, the first {shown} of {}:", grouped(total))),
    }
    for example in examples {
        let _ = write!(text, "\n  {}", example.sentence());
        for field in &example.fields {
            let _ = write!(text, "\n    {}", field.sentence());
        }
    }
}

/// The report of a comparison for people. `file` is where all of it was written.
pub fn pair(report: &Comparison, file: Option<&Path>) -> String {
    let (a, b) = (&report.a, &report.b);
    let mut text = format!("A is {}\nB is {}", a.name, b.name);
    for (name, count) in report.named_counts() {
        let _ = write!(text, "\n  {name:<10}{:>14}", grouped(count));
    }
    for (letter, set) in [("A", a), ("B", b)] {
        for (count, what) in
            [(set.duplicates, "have the key of one before them"), (set.rejected, "are not readable")]
        {
            if count > 0 {
                let _ = write!(
                    text,
                    "\n  {} of the {} records of {letter} {what}",
                    grouped(count),
                    grouped(set.read)
                );
            }
        }
    }
    for one in &report.types {
        for (letter, side) in [("A", &one.a), ("B", &one.b)] {
            let _ = write!(text, "\n  hash of {} in {letter}: {}", one.data_type, side.hash);
        }
    }
    let _ = write!(text, "\n{}", report.verdict);
    for kind in ["different", "only_in_a", "only_in_b"] {
        for example in report.examples.iter().filter(|one| one.kind == kind).take(SHOWN) {
            let _ = write!(text, "\n  {}", example.sentence());
            for field in &example.fields {
                let _ = write!(text, "\n    {}", field.sentence());
            }
        }
    }
    if let Some(file) = file {
        let _ = write!(text, "\nthe report is in {}", file.display());
    }
    text
}
