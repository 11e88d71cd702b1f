//! How files begin, how long they are, and what may not be left behind in them.

use crate::{Tree, code};

/// Lines that the code of one file may have, its tests not counted.
pub const LONGEST: usize = 400;

/// Lines below which nine of ten files stay, by the same measure.
pub const LONG: usize = 350;

/// The only file among the tests that may sleep: it looks again until something is so, or fails.
pub const WAITING_HELPER: &str = "tests/src/wait.rs";

fn rust(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.iter().filter(|(path, _)| path.ends_with(".rs")).map(|(path, text)| (path.as_str(), text.as_str()))
}

/// Whether the whole file is tests: one in a crate's `tests` folder, or a module of that name.
pub fn is_test(path: &str) -> bool {
    path.split('/').skip(1).any(|part| part == "tests" || part == "tests.rs")
}

/// The file without its tests, which stand at its end.
pub fn split_tests(text: &str) -> (&str, &str) {
    text.split_at(text.find("#[cfg(test)]\nmod ").unwrap_or(text.len()))
}

/// Every file says first what it is for.
pub fn module_docs(tree: &Tree) -> Vec<String> {
    rust(tree)
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(path, _)| format!("{path}: expected \"//! \" and what the file is for at its beginning"))
        .collect()
}

fn measured(tree: &Tree) -> impl Iterator<Item = (usize, &str)> {
    rust(tree)
        .filter(|(path, _)| !is_test(path))
        .map(|(path, text)| (split_tests(text).0.lines().count(), path))
}

/// No file is so long that it must answer several questions.
pub fn lengths(tree: &Tree) -> Vec<String> {
    measured(tree)
        .filter(|(lines, _)| *lines > LONGEST)
        .map(|(lines, path)| format!("{path}: {lines} lines of code, expected at most {LONGEST}"))
        .collect()
}

/// Nine of ten files are shorter than the limit suggests.
pub fn percentile(tree: &Tree) -> Vec<String> {
    let mut all: Vec<_> = measured(tree).collect();
    all.sort_unstable();
    let Some((p90, _)) = (!all.is_empty()).then(|| all[(all.len() * 9).div_ceil(10) - 1]) else {
        return Vec::new();
    };
    let longest = all.iter().rev().take_while(|_| p90 > LONG);
    longest
        .take_while(|(lines, _)| *lines > LONG)
        .map(|(lines, path)| format!("{path}: {lines} lines; nine of ten files should have at most {LONG}"))
        .collect()
}

/// Nothing unfinished, nothing of a debugging session, no test that is not run.
pub fn leftovers(tree: &Tree) -> Vec<String> {
    let mut offences = Vec::new();
    for (path, text) in rust(tree) {
        let code = code::only(text);
        for name in ["todo", "unimplemented", "dbg"].into_iter().filter(|name| code::expands(&code, name)) {
            offences.push(format!("{path}: {name}! was left behind"));
        }
        if code.contains("#[ignore") {
            offences.push(format!("{path}: a test is ignored; mend it or remove it"));
        }
    }
    offences
}

/// Tests await events; the one helper that looks again after a while is named above.
pub fn sleeps(tree: &Tree) -> Vec<String> {
    rust(tree)
        .filter(|(path, _)| *path != WAITING_HELPER)
        .filter(|(path, text)| {
            let tests = if path.starts_with("tests/") || is_test(path) { text } else { split_tests(text).1 };
            code::calls(&code::only(tests), "sleep")
        })
        .map(|(path, _)| format!("{path}: a test sleeps; await the event, or use {WAITING_HELPER}"))
        .collect()
}
