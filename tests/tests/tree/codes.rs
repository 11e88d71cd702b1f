//! Codes of faults and failures: `docs/faults.md` lists every one that the code can give, and no other.

use std::collections::BTreeSet;

use crate::{Tree, files};

const LIST: &str = "docs/faults.md";

/// What stands before a code, where it is given to a fault, a refusal or a failure.
const GIVEN: [&str; 3] = ["Refusal::new(", "Failure::new(", "Fault::new("];

/// Every code in the code is listed, and every listed one is in the code.
pub fn listed(tree: &Tree) -> Vec<String> {
    let Some(list) = tree.get(LIST) else { return Vec::new() };
    let listed: BTreeSet<&str> = between(list, '`').filter(|word| is_code(word)).collect();
    let families: BTreeSet<&str> = listed.iter().filter_map(|code| family(code)).collect();
    let mut found = BTreeSet::new();
    let mut offences = Vec::new();
    for (path, text) in tree.iter().filter(|(path, _)| is_source(path)) {
        let own = files::split_tests(text).0;
        for (at, literal) in literals(own).filter(|(_, literal)| is_code(literal)) {
            let given = || GIVEN.iter().any(|given| is_given(&own[..at], given));
            if !listed.contains(literal)
                && (families.contains(family(literal).unwrap_or_default()) || given())
            {
                offences.push(format!("{path}: the code {literal} is not in {LIST}"));
            }
            found.insert(literal);
        }
    }
    let unused = listed.iter().filter(|code| !found.contains(**code));
    offences.extend(unused.map(|code| format!("{LIST}: nothing gives the code {code}")));
    offences
}

fn is_source(path: &str) -> bool {
    let crates = ["shared/src/", "adapters/src/", "coordinator/src/", "worker/src/", "cli/src/"];
    path.ends_with(".rs") && !files::is_test(path) && crates.iter().any(|folder| path.starts_with(folder))
}

/// `family.name`, as no number and no file is written.
fn is_code(word: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    word.split_once('.').is_some_and(|(family, name)| is_name(family) && is_name(name))
}

fn family(code: &str) -> Option<&str> {
    code.split('.').next()
}

/// Whether the text ends where the code of what `given` makes is expected: directly, or behind a stage.
fn is_given(before: &str, given: &str) -> bool {
    let before = before.trim_end();
    let stage =
        before.strip_suffix(',').and_then(|rest| rest.rfind("Stage::").map(|at| rest[..at].trim_end()));
    stage.unwrap_or(before).ends_with(given)
}

/// The words between pairs of a mark.
fn between(text: &str, mark: char) -> impl Iterator<Item = &str> {
    text.lines().flat_map(move |line| line.split(mark).skip(1).step_by(2))
}

/// The literals of a file without comments, and where each begins.
fn literals(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.split_inclusive('\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some((start, line))
    });
    lines.filter(|(_, line)| !line.trim_start().starts_with("//")).flat_map(|(start, line)| {
        let mut quotes = line.match_indices('"').map(|(at, _)| at);
        let pairs = std::iter::from_fn(move || Some((quotes.next()?, quotes.next()?)));
        pairs.map(move |(open, close)| (start + open, &line[open + 1..close]))
    })
}
