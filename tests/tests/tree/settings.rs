//! Environment variables: each one that the code names, outside its tests, is a documented setting.

use std::collections::BTreeSet;

use crate::{Tree, files};

const PREFIX: &str = "CARRACK_";

/// Every variable named in code stands in `config.default.toml` or in the `dev` script.
pub fn documented(tree: &Tree) -> Vec<String> {
    let Some(defaults) = tree.get("config.default.toml") else { return Vec::new() };
    let script = tree.get("dev").map(String::as_str).unwrap_or_default();
    let mut known: BTreeSet<String> = names(defaults).into_iter().collect();
    known.extend(variables(defaults).chain(variables(script)));
    let mut offences = Vec::new();
    for (path, text) in tree.iter().filter(|(path, _)| path.ends_with(".rs") && !files::is_test(path)) {
        for name in variables(files::split_tests(text).0).filter(|name| !known.contains(name)) {
            offences.push(format!("{path}: {name} is neither in config.default.toml nor in the dev script"));
        }
    }
    offences
}

/// The variables by which the settings of a TOML file are overridden: two underscores after a table's name.
pub fn names(toml: &str) -> Vec<String> {
    let mut table = String::new();
    let mut names = Vec::new();
    for line in toml.lines() {
        if let Some(header) = line.strip_prefix('[') {
            table = format!("{}__", header.trim_end().trim_end_matches(']'));
        } else if let Some((key, _)) = line.split_once('=').filter(|_| !line.trim_start().starts_with('#')) {
            names.push(format!("{PREFIX}{table}{}", key.trim()).to_uppercase());
        }
    }
    names
}

/// The whole names in a text; a prefix alone, as in `CARRACK_*`, is not one.
fn variables(text: &str) -> impl Iterator<Item = String> {
    text.match_indices(PREFIX).filter_map(|(at, _)| {
        let name: String = text[at..]
            .chars()
            .take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_')
            .collect();
        (!name.ends_with('_')).then_some(name)
    })
}
