//! A process that is killed in the middle of its commits leaves a file in which every answered commit is
//! whole, and every other one whole or not there.
#![allow(
    clippy::disallowed_methods,
    reason = "a test prepares and breaks its database with statements of its own"
)]
#![allow(clippy::unwrap_used, reason = "everything here is a test: a broken expectation is a panic")]

mod support;

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use carrack_adapters::sqlite::SqliteStore;
use carrack_shared::port::Operations;
use carrack_shared::port::operations::Listing;
use carrack_shared::spec::Duplicates;
use rusqlite::Connection;
use support::Import;

/// Set for the child: the file into which it imports until it is killed.
const FILE: &str = "KILLED_IMPORT_FILE";
const BATCHES: u32 = 10_000;
const RECORDS: usize = 50;

#[tokio::test]
async fn a_killed_process_leaves_whole_commits() {
    if let Ok(path) = env::var(FILE) {
        return import_until_killed(Path::new(&path)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("carrack.db");
    for (round, kill_after) in (0_u64..).zip([1, 7, 40]) {
        let answered = kill_after_commits(&path, kill_after);
        let store = SqliteStore::open(&path).unwrap();
        let operations = store.list(Listing::Latest(9)).await.unwrap();
        assert_eq!(operations.len() as u64, round + 1);
        let totals = store.totals(operations[0].id).await.unwrap();
        assert!(totals.batches >= answered, "{} batches, {answered} were answered", totals.batches);
        assert_eq!(totals.tally.created, totals.batches * RECORDS as u64);
        let user = Connection::open(&path).unwrap();
        let count = |sql: &str| user.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        let rows =
            format!("SELECT count(*) FROM carrack_data_contexts WHERE _operation = '{}'", operations[0].id);
        assert_eq!(count(&rows), i64::try_from(totals.tally.created).unwrap());
        assert_eq!(count("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
        // The killed planner's operation would be planned on; the next round brings its own.
        store.cancel(operations[0].id).await.unwrap();
    }
}

/// Starts this test as a child, kills it when it has told of so many commits, and answers how many it told.
fn kill_after_commits(path: &Path, commits: u64) -> u64 {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_killed_process_leaves_whole_commits", "--nocapture"])
        .env(FILE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told = 0;
    for _ in lines.map_while(Result::ok).filter(|line| line.starts_with("committed")) {
        told += 1;
        if told == commits {
            child.kill().unwrap();
        }
    }
    const SIGKILL: i32 = 9;
    assert_eq!(child.wait().unwrap().signal(), Some(SIGKILL), "the child ended by itself");
    assert!(told >= commits);
    told
}

async fn import_until_killed(path: &Path) {
    let store = SqliteStore::open(path).unwrap();
    let import = Import::plan(&store, Duplicates::Skip, BATCHES).await;
    let mut parent = std::io::stdout();
    for batch in 0..BATCHES {
        let keys: Vec<String> =
            (0..RECORDS).map(|row| format!("{}/{batch}/{row}", import.operation.id)).collect();
        let records: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "a title")).collect();
        import.load(batch, &records).await;
        writeln!(parent, "committed {batch}").unwrap();
    }
}
