//! A full disk under the embedded store: said as such, and gone on from when there is room again. The disk is
//! a small one in memory, mounted where no other process sees it.

use std::io::BufWriter;
use std::path::Path;
use std::process::Command;

use carrack_tests::generate::{Expected, Generator, Recipe, Shape};
use carrack_tests::process::{binary, inherited_settings};
use carrack_tests::services;
use rusqlite::{Connection, Row};
use serde_json::Value;

/// Too small for the records; with room for them and what SQLite needs beside them.
const SIZES: [&str; 2] = ["6m", "64m"];

/// The ways to a private mount: as root, and as a user who may have namespaces of his own.
const UNSHARE: [&str; 2] = ["--mount", "--map-root-user --mount"];

/// The exit code of an import that finished and has rejects.
const WITH_REJECTS: i32 = 3;

#[test]
fn a_full_disk_stops_an_import_which_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let expected = generate(&folder.path().join("contexts.ndjson"));
    run_on_a_small_disk(folder.path());

    // Where in its work the first attempt stops, and whether the second gets further, is up to the moment.
    let [small, still, large] = ["small", "still", "large"].map(|name| Attempt::read(folder.path(), name));
    for attempt in [&small, &still] {
        assert_eq!(attempt.code, 1, "{}", attempt.told);
        for part in
            ["database or disk is full", "nothing is lost", "make room, then run the same command again"]
        {
            assert!(attempt.told.contains(part), "expected {part:?}, found: {}", attempt.told);
        }
    }
    assert_eq!(large.code, WITH_REJECTS, "{}", large.told);
    assert!(large.told.contains("continuing the unfinished import"), "{}", large.told);
    let report: Value = serde_json::from_str(&large.printed).unwrap();
    assert_eq!(
        ["read", "created", "rejected"].map(|count| report[count].as_u64()),
        [expected.records, expected.good, expected.rejected()].map(Some),
    );

    assert!(
        0 < small.rows && small.rows < expected.good,
        "stopped too early or too late: {} rows",
        small.rows
    );
    assert!(
        small.rows <= still.rows && still.rows < expected.good,
        "{} rows, then {}",
        small.rows,
        still.rows
    );
    assert_eq!((large.rows, large.distinct), (expected.good, expected.good));
}

fn generate(file: &Path) -> Expected {
    let mut output = BufWriter::new(std::fs::File::create(file).unwrap());
    let recipe = Recipe { bad_percent: 2, ..Recipe::new(20_000) };
    Generator::new(recipe).write(Shape::Ndjson, &mut output).unwrap()
}

fn run_on_a_small_disk(folder: &Path) {
    let script = services::workspace().join("tests/tests/system/small_disk.sh");
    let mut command = Command::new("unshare");
    for name in inherited_settings() {
        command.env_remove(name);
    }
    let output = command
        .args(unshare(folder))
        .arg("sh")
        .arg(script)
        .args(SIZES)
        .arg(binary().unwrap())
        .args(["import", "contexts.ndjson", "--type", "contexts", "--batch-size", "250", "--json"])
        .args(["--data-dir", "disk/data", "--rejects", "rejects.ndjson"])
        .current_dir(folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the script failed: {said}");
}

/// The first way that this machine allows, tried by mounting something.
fn unshare(folder: &Path) -> impl Iterator<Item = &'static str> {
    let mut refusals = Vec::new();
    for way in UNSHARE {
        let mut mount = Command::new("unshare");
        mount.args(way.split(' ')).args(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs"]).arg(folder);
        match mount.output() {
            Ok(output) if output.status.success() => return way.split(' '),
            Ok(output) => refusals.push(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => refusals.push(error.to_string()),
        }
    }
    panic!(
        "this machine allows no private mount, so the promise about full disks was not tested; expected to be \
         root with CAP_SYS_ADMIN, or user namespaces (sysctl kernel.unprivileged_userns_clone=1, \
         kernel.apparmor_restrict_unprivileged_userns=0); found: {refusals:?}"
    );
}

/// What one attempt came to.
struct Attempt {
    code: i32,
    printed: String,
    told: String,
    rows: u64,
    distinct: u64,
}

impl Attempt {
    fn read(folder: &Path, name: &str) -> Self {
        let left = |ending: &str| std::fs::read_to_string(folder.join(format!("{name}.{ending}"))).unwrap();
        let [rows, distinct] = count(&folder.join(name).join("data/carrack.sqlite"));
        Self {
            code: left("code").trim().parse().unwrap(),
            printed: left("out"),
            told: left("err"),
            rows,
            distinct,
        }
    }
}

fn count(database: &Path) -> [u64; 2] {
    let sql = "SELECT count(*), count(DISTINCT id) FROM carrack_data_contexts";
    let counts = |row: &Row<'_>| Ok([row.get::<_, i64>(0)?, row.get(1)?]);
    let counts = Connection::open(database).unwrap().query_row(sql, [], counts).unwrap();
    counts.map(|count| count.try_into().unwrap())
}
