//! Undo with workers that are killed: every row is as before the import, byte for byte, but for those that another
//! import has changed since, and these are told.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use carrack_tests::fleet::Fleet;
use carrack_tests::process::{Ended, Process, Setting};
use carrack_tests::wait::until;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tokio::time::Instant;

use crate::crashes::BROKER;

/// Records of the import that is undone.
const RECORDS: u32 = 100_000;
/// Of these, rows that are there before: three of ten.
const BEFORE: u32 = 30_000;
/// Of those, the ones that the import leaves as they are.
const SAME: u32 = 1_000;
/// Rows that another import changes since, one of a hundred: half of them rows that were there before.
const CHANGED: u32 = 1_000;

const WITHIN: Duration = Duration::from_secs(240);

/// The files of the import, of what is there before it, and of what is changed after it.
fn write(folder: &Path) {
    let record = |number: u32, text: &str| {
        format!(
            r#"{{"id":"k{number:06}","title":"{text} {number}","content":"c","tags":["a"],"more":{number}.50}}"#
        )
    };
    let (mut before, mut import, mut changed) = (String::new(), String::new(), String::new());
    for number in 0..RECORDS {
        let was = number % 10 < 3;
        if was {
            let _ = writeln!(before, "{}", record(number, "before"));
        }
        let same = number % 100 == 0;
        let _ = writeln!(import, "{}", record(number, if same { "before" } else { "import" }));
        if matches!(number % 200, 1 | 107) {
            let _ = writeln!(changed, "{}", record(number, "changed"));
        }
    }
    for (name, lines) in [("before", before), ("import", import), ("changed", changed)] {
        std::fs::write(folder.join(format!("{name}.ndjson")), lines).unwrap();
    }
}

fn import(file: &str) -> [&str; 8] {
    ["import", file, "--type", "contexts", "--overwrite", "--batch-size", "1000", "--json"]
}

async fn done(process: Process) -> Value {
    let Ended { code, stdout, .. } = process.wait(WITHIN).await.unwrap();
    assert!(matches!(code, Some(0 | 3)), "{code:?}: {stdout}");
    serde_json::from_str(&stdout).unwrap()
}

/// Each row by its id, as the database shows it.
type Rows = BTreeMap<String, String>;

/// The rows after the undo, against those before the import and those that were changed since.
fn verify(before: &Rows, changed: &Rows, after: &Rows, undo: &Value) {
    let is_changed = |id: &String| changed.get(id).is_some_and(|row| row.contains("changed "));
    let mut expected = before.clone();
    expected
        .extend(changed.iter().filter(|(id, _)| is_changed(id)).map(|(id, row)| (id.clone(), row.clone())));
    assert_eq!(expected.len(), after.len());
    for (id, row) in &expected {
        assert_eq!(after.get(id), Some(row), "{id}");
    }
    let count = |name: &str| undo[name].as_u64().unwrap();
    let found = ["read", "removed", "restored", "unchanged", "conflicts"].map(count);
    let (removed, restored) = (RECORDS - BEFORE - CHANGED / 2, BEFORE - SAME - CHANGED / 2);
    assert_eq!(found, [RECORDS - SAME, removed, restored, 0, CHANGED].map(u64::from), "{undo}");
    assert_eq!(undo["status"], "succeeded_with_rejects");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_undoes_an_import_though_its_worker_is_killed() {
    let _broker = BROKER.lock().await;
    let tuning = [("CARRACK_WORKER__LEASE_SECONDS", "3"), ("CARRACK_COORDINATOR__LEASE_SECONDS", "3")];
    let mut fleet = Fleet::new(&tuning).await.unwrap();
    write(fleet.folder.path());
    for name in ["coordinator", "worker-0"] {
        fleet.start(name).await.unwrap();
    }
    let run = async |fleet: &Fleet, file: &str| done(fleet.command("import", &import(file)).unwrap()).await;
    let rows = async |fleet: &Fleet| -> Rows {
        let sql = r#"SELECT t."id", t::text FROM carrack_data."contexts" t"#;
        let rows = fleet.database.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    };
    run(&fleet, "before.ndjson").await;
    let before = rows(&fleet).await;
    let parent = run(&fleet, "import.ndjson").await;
    run(&fleet, "changed.ndjson").await;
    let changed = rows(&fleet).await;
    let parent = parent["operationId"].as_str().unwrap().to_owned();
    let undo = fleet.command("undo", &["operations", "undo", &parent, "--json"]).unwrap();
    let committed = format!(
        "SELECT count(*) FROM carrack.ledger l JOIN carrack.operations o ON o.id = l.operation \
         WHERE o.spec ->> 'parent' = '{parent}'"
    );
    let some = async |fleet: &Fleet| {
        let deadline = Instant::now() + WITHIN;
        let what = || "the first batches of the undo".to_owned();
        until(deadline, what, async || Ok((fleet.count(&committed).await? >= 5).then_some(())))
            .await
            .unwrap();
    };
    some(&fleet).await;
    fleet.kill("worker-0").await.unwrap();
    let at_the_kill = fleet.count(&committed).await.unwrap();
    fleet.start("worker-1").await.unwrap();
    let undo = done(undo).await;
    assert!(at_the_kill < fleet.count(&committed).await.unwrap(), "killed too late");
    verify(&before, &changed, &rows(&fleet).await, &undo);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_undo_goes_on_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let setting = Setting { folder: folder.path().to_path_buf(), variables: Default::default() };
    let start = |args: &[&str]| Process::start("carrack", args, &setting).unwrap();
    let database = folder.path().join("carrack-data/carrack.sqlite");
    let open = || Connection::open_with_flags(&database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let rows = || -> Rows {
        let connection = open();
        let mut statement = connection.prepare("SELECT id, * FROM carrack_data_contexts").unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let values =
                (1..columns).map(|column| Ok(format!("{:?}", row.get::<_, rusqlite::types::Value>(column)?)));
            Ok((row.get(0)?, values.collect::<rusqlite::Result<Vec<_>>>()?.join(" ")))
        });
        rows.unwrap().collect::<Result<_, _>>().unwrap()
    };
    done(start(&import("before.ndjson"))).await;
    let before = rows();
    let parent = done(start(&import("import.ndjson"))).await;
    done(start(&import("changed.ndjson"))).await;
    let changed = rows();
    let parent = parent["operationId"].as_str().unwrap();
    let undo = start(&["operations", "undo", parent, "--json"]);
    let committed = || -> i64 {
        let sql =
            "SELECT count(*) FROM carrack_ledger AS l JOIN carrack_operations AS o ON o.id = l.operation
                   WHERE o.spec ->> '$.parent' = ?1";
        open().query_row(sql, [parent], |row| row.get(0)).unwrap()
    };
    let deadline = Instant::now() + WITHIN;
    let what = || "the first batches of the undo".to_owned();
    until(deadline, what, async || Ok((committed() >= 5).then_some(()))).await.unwrap();
    undo.kill().await.unwrap();
    let at_the_kill = committed();
    let undo = done(start(&["operations", "undo", parent, "--json"])).await;
    assert!(at_the_kill < committed(), "killed too late");
    verify(&before, &changed, &rows(), &undo);
}
