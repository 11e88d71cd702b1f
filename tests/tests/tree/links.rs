//! Links of the documents to files of the tree.

use crate::Tree;

/// Every link of a document to a local file leads to one.
pub fn resolve(tree: &Tree) -> Vec<String> {
    let mut offences = Vec::new();
    for (path, text) in tree.iter().filter(|(path, _)| path.ends_with(".md")) {
        for target in targets(&prose(text)) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let reached = join(path, file);
            let exists = tree.keys().any(|known| {
                known.strip_prefix(&reached).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
            if !exists {
                offences.push(format!("{path}: the link to {target} leads nowhere"));
            }
        }
    }
    offences
}

/// The document without code: fenced blocks and `spans` show links that are not meant to be followed.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            prose.extend(line.split('`').step_by(2));
            prose.push('\n');
        }
    }
    prose
}

/// What stands between `](` and `)`, without a title.
fn targets(prose: &str) -> impl Iterator<Item = &str> {
    prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next())
}

/// The path that a link in `document` reaches, from the root.
fn join(document: &str, target: &str) -> String {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}
