//! The source tree keeps its own rules: who may import whom, how files begin and how long they are, what
//! may not be left behind, links that lead somewhere, settings that are documented.
//!
//! A rule is a function over the tree's text, so the table below can show for each rule a tree that breaks
//! it and one that keeps it; then the rules look at the real tree.

#![expect(
    clippy::unwrap_used,
    reason = "everything here is a test: a broken expectation is a panic that names it"
)]

mod code;
mod codes;
mod files;
mod imports;
mod links;
mod settings;

use std::collections::BTreeMap;
use std::path::Path;

/// Every file of the workspace by its path from the root; the text of those that no rule reads is empty.
pub type Tree = BTreeMap<String, String>;

type Rule = (&'static str, fn(&Tree) -> Vec<String>);

const RULES: &[Rule] = &[
    ("manifest", imports::manifests),
    ("import", imports::sources),
    ("module doc", files::module_docs),
    ("length", files::lengths),
    ("p90", files::percentile),
    ("leftover", files::leftovers),
    ("sleep", files::sleeps),
    ("link", links::resolve),
    ("setting", settings::documented),
    ("code", codes::listed),
];

/// Folders that hold nothing of ours.
const SKIPPED: &[&str] = &["target", ".git", "carrack-data", "__pycache__"];

fn read(folder: &Path, prefix: &str, tree: &mut Tree) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{prefix}{name}");
        if entry.file_type().unwrap().is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                read(&entry.path(), &format!("{path}/"), tree);
            }
            continue;
        }
        let is_read = [".rs", ".md", ".toml"].iter().any(|end| name.ends_with(end)) || path == "dev";
        let text = if is_read { std::fs::read_to_string(entry.path()).unwrap() } else { String::new() };
        tree.insert(path, text);
    }
}

#[test]
fn the_tree_keeps_every_rule() {
    let mut tree = Tree::new();
    read(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap(), "", &mut tree);
    for path in ["Cargo.toml", "dev", "shared/src/lib.rs", "tests/tests/tree/main.rs", "ARCHITECTURE.md"] {
        assert!(tree.contains_key(path), "the walk did not find {path}");
    }
    let offences: Vec<String> = RULES
        .iter()
        .flat_map(|(name, rule)| rule(&tree).into_iter().map(move |it| format!("{name}: {it}")))
        .collect();
    assert!(offences.is_empty(), "{} offences:\n{}", offences.len(), offences.join("\n"));
}

/// A rule, a file of a tree, and whether the rule must speak up.
const PROOFS: &[(&str, &str, &str, bool)] = &[
    ("manifest", "shared/Cargo.toml", "[dependencies]\ntokio.workspace = true", true),
    ("manifest", "shared/Cargo.toml", "[dependencies]\naws-sdk-s3 = \"1\"", true),
    ("manifest", "shared/Cargo.toml", "[dependencies.rusqlite]\nversion = \"1\"", true),
    ("manifest", "shared/Cargo.toml", "[dependencies]\nserde.workspace = true", false),
    ("manifest", "shared/Cargo.toml", "[dev-dependencies]\ncarrack-tests.workspace = true", true),
    ("manifest", "worker/Cargo.toml", "[dependencies]\ncarrack-coordinator.workspace = true", true),
    ("manifest", "worker/Cargo.toml", "[dependencies]\nlapin.workspace = true", true),
    ("manifest", "coordinator/Cargo.toml", "[dev-dependencies]\ncarrack-adapters = { path = \"x\" }", true),
    ("manifest", "coordinator/Cargo.toml", "[dependencies]\ncarrack-shared.workspace = true", false),
    ("manifest", "adapters/Cargo.toml", "[dependencies]\ncarrack-worker.workspace = true", true),
    ("manifest", "cli/Cargo.toml", "[dependencies]\ncarrack-adapters.workspace = true", false),
    ("manifest", "cli/Cargo.toml", "[target.'cfg(unix)'.dependencies]\ntokio-postgres = \"0.7\"", true),
    ("import", "shared/src/a.rs", "use tokio::spawn;", true),
    ("import", "shared/src/a.rs", "fn f() { lapin::connect() }", true),
    ("import", "shared/src/a.rs", "// use tokio::spawn;\nconst A: &str = \"tokio::spawn\";", false),
    ("import", "worker/src/a.rs", "use carrack_adapters as a;", true),
    ("import", "worker/src/a.rs", "use crate::my_tokio::x; use carrack_shared::port;", false),
    ("import", "cli/src/a.rs", "use carrack_adapters::connect;", false),
    ("module doc", "cli/src/a.rs", "use x;\n//! late", true),
    ("module doc", "cli/src/a.rs", "//! says", false),
    ("leftover", "cli/src/a.rs", "fn f() { todo!() }", true),
    ("leftover", "cli/src/a.rs", "fn f() { dbg! (1); }", true),
    ("leftover", "cli/src/a.rs", "fn f() { unimplemented!() }", true),
    ("leftover", "tests/tests/a.rs", "#[ignore = \"slow\"]\nfn f() {}", true),
    ("leftover", "cli/src/a.rs", "/* todo!() */ const A: &str = r#\"dbg!(\"#;", false),
    ("sleep", "tests/tests/a.rs", "fn f() { sleep(SECOND).await; }", true),
    ("sleep", "adapters/src/a.rs", "#[cfg(test)]\nmod tests { fn f() { tokio::time::sleep (x); } }", true),
    ("sleep", "adapters/src/a.rs", "fn f() { tokio::time::sleep(x); }\n#[cfg(test)]\nmod tests {}", false),
    ("sleep", files::WAITING_HELPER, "fn f() { sleep(x); }", false),
    ("link", "docs/a.md", "see [it](../missing.md)", true),
    (
        "link",
        "a.md",
        "see [it](a.md#part), [web](https://x.org/y.md), [here](#part) and `[x](code.md)`",
        false,
    ),
    ("link", "docs/a.md", "```\n[x](missing.md)\n```\n[up](../docs/)", false),
    ("setting", "cli/src/a.rs", concat!("const A: &str = \"CARRACK", "_NOWHERE\";"), true),
    ("setting", "cli/tests/a.rs", concat!("const A: &str = \"CARRACK", "_NOWHERE\";"), false),
    ("setting", "config.default.toml", "[worker]\n# how many\nsize = 2", false),
    ("code", "shared/src/a.rs", "const A: &str = \"date.other\";", true),
    ("code", "shared/src/a.rs", "Fault::new(\n    Stage::Load,\n    \"other.code\",", true),
    ("code", "worker/src/a.rs", "Failure::new(\"other.code\", x)", true),
    ("code", "shared/src/a.rs", "// \"date.other\"\nopen(\"records.json\", 1.5)", false),
    ("code", "docs/faults.md", "| `date.listed` | `date.given` | 1.5 |", true),
];

#[test]
fn each_rule_speaks_up_and_stays_silent() {
    for (name, path, text, offends) in PROOFS {
        let rule = RULES.iter().find(|rule| rule.0 == *name).unwrap().1;
        let mut tree = Tree::from([("config.default.toml".to_owned(), "listen = 1".to_owned())]);
        tree.insert("docs/faults.md".to_owned(), "| `date.given` | `1.5` |".to_owned());
        tree.insert("worker/src/given.rs".to_owned(), "//! says\nFault::new(x, \"date.given\")".to_owned());
        tree.insert((*path).to_owned(), (*text).to_owned());
        let offences = rule(&tree);
        assert_eq!(!offences.is_empty(), *offends, "{name}: {path}: {text}: {offences:?}");
    }
    for (name, _) in RULES.iter().filter(|rule| !["length", "p90"].contains(&rule.0)) {
        for offends in [true, false] {
            let proven = PROOFS.iter().any(|proof| proof.0 == *name && proof.3 == offends);
            assert!(proven, "no proof that the rule {name:?} can answer offends = {offends}");
        }
    }
}

#[test]
fn lengths_are_measured_without_the_tests() {
    let file = |code: usize, tests: usize| {
        format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "code\n".repeat(code), "test\n".repeat(tests))
    };
    let offends = |rule: fn(&Tree) -> Vec<String>, path: &str, lines: &[(usize, usize)]| {
        let files =
            lines.iter().enumerate().map(|(n, (code, tests))| (format!("{path}{n}.rs"), file(*code, *tests)));
        !rule(&files.collect()).is_empty()
    };
    for (rule, path, lines, expected) in [
        (files::lengths as fn(&Tree) -> Vec<String>, "cli/src/", [(files::LONGEST, 500)].as_slice(), false),
        (files::lengths, "cli/src/", &[(files::LONGEST + 1, 0)], true),
        (files::lengths, "tests/tests/", &[(files::LONGEST + 1, 0)], false),
        (files::percentile, "cli/src/", &[(10, 0), (files::LONG, 900)], false),
        (files::percentile, "cli/src/", &[(10, 0), (files::LONG + 1, 0)], true),
    ] {
        assert_eq!(offends(rule, path, lines), expected, "{path} {lines:?}");
    }
}

#[test]
fn settings_are_named_as_the_configuration_reads_them() {
    let names = settings::names("listen = 1\n[worker]\n# poll = 2\nlease_seconds = 3\n");
    assert_eq!(names, ["CARRACK_LISTEN", "CARRACK_WORKER__LEASE_SECONDS"]);
}
