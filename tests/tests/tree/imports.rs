//! Who may import whom, in manifests and in code.

use crate::{Tree, code};

/// A crate's folder, and the beginnings of the names of the crates that it may not name.
struct Door {
    folder: &'static str,
    closed: &'static [&'static [&'static str]],
}

const OURS: &[&str] = &["carrack"];
const PARTS: &[&str] = &["carrack-coordinator", "carrack-worker", "carrack-cli", "carrack-tests"];
const SERVICES: &[&str] =
    &["aws", "lapin", "redis", "postgres", "tokio-postgres", "deadpool", "rusqlite", "refinery", "sqlx"];
const RUNTIME: &[&str] = &["tokio", "axum", "reqwest", "hyper", "tower"];
const ADAPTERS: &[&str] = &["carrack-adapters"];

/// The crates that are looked for in code, by their whole names.
const NAMED: &[&[&str]] = &[
    PARTS,
    ADAPTERS,
    SERVICES,
    RUNTIME,
    &["aws-config", "aws-sdk-s3", "deadpool-postgres", "tokio-postgres-rustls", "tokio-util", "tower-http"],
];

const DOORS: &[Door] = &[
    Door { folder: "shared", closed: &[OURS, SERVICES, RUNTIME] },
    Door { folder: "adapters", closed: &[PARTS, &["axum", "tower"]] },
    Door { folder: "coordinator", closed: &[PARTS, ADAPTERS, SERVICES] },
    Door { folder: "worker", closed: &[PARTS, ADAPTERS, SERVICES, &["axum", "tower"]] },
    Door { folder: "cli", closed: &[SERVICES, &["carrack-tests"]] },
];

impl Door {
    fn is_closed_to(&self, name: &str) -> bool {
        let begins = |start: &&str| {
            name.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
        };
        let own = name.strip_prefix("carrack-") == Some(self.folder);
        !own && self.closed.iter().copied().flatten().any(begins)
    }
}

/// No manifest depends on a crate that is closed to it, in any of its dependency tables.
pub fn manifests(tree: &Tree) -> Vec<String> {
    let mut offences = Vec::new();
    for door in DOORS {
        let path = format!("{}/Cargo.toml", door.folder);
        let Some(manifest) = tree.get(&path) else { continue };
        for name in dependencies(manifest).filter(|name| door.is_closed_to(name)) {
            offences.push(format!("{path}: {} may not depend on {name}", door.folder));
        }
    }
    offences
}

/// The names in every dependency table: `name.workspace = true`, `name = …`, and `[dependencies.name]`.
fn dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let mut in_table = false;
    manifest.lines().filter_map(move |line| {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end().trim_end_matches(']');
            in_table = header.ends_with("dependencies");
            return header.split_once("dependencies.").map(|(_, name)| name);
        }
        let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
        (in_table && !name.is_empty() && !name.starts_with('#')).then_some(name)
    })
}

/// No code names a crate that is closed to it, whatever a manifest may say.
pub fn sources(tree: &Tree) -> Vec<String> {
    let mut offences = Vec::new();
    for (path, text) in tree.iter().filter(|(path, _)| path.ends_with(".rs")) {
        let Some(door) = DOORS.iter().find(|door| path.starts_with(&format!("{}/", door.folder))) else {
            continue;
        };
        let code = code::only(text);
        for name in NAMED.iter().copied().flatten().filter(|name| door.is_closed_to(name)) {
            let identifier = name.replace('-', "_");
            if code::roots_a_path(&code, &identifier) {
                offences.push(format!("{path}: {} may not name {identifier}", door.folder));
            }
        }
    }
    offences
}
