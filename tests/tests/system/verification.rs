//! Verification with any number of workers and any size of batches, and with workers that are killed: what was done to
//! the rows by hand is found, exactly, embedded and by a fleet.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use carrack_tests::fleet::Fleet;
use carrack_tests::process::{Ended, Process, Setting};
use carrack_tests::wait::until;
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::crashes::BROKER;

const WITHIN: Duration = Duration::from_secs(240);

/// Records of each file; of each hundred, one is refused, and one has the key of the one before.
const RECORDS: u32 = 40_000;

fn write(folder: &Path) {
    for file in ["one", "two"] {
        let mut lines = String::new();
        for number in 0..RECORDS {
            let key = if number % 100 == 50 { number - 1 } else { number };
            let title = if number % 100 == 60 { "null".to_owned() } else { format!("\"T {number}\"") };
            let _ = writeln!(
                lines,
                r#"{{"id":"{file}{key:06}","title":{title},"content":"c","tags":["a"],"more":{number}.50}}"#
            );
        }
        std::fs::write(folder.join(format!("{file}.ndjson")), lines).unwrap();
    }
}

/// What is done to the rows by hand, in both dialects: 40 are removed, 50 are changed (of one of them only JSON that
/// is no column), 20 get another key, of which 10 the key of a record that was refused.
fn damage(table: &str) -> Vec<String> {
    vec![
        format!("DELETE FROM {table} WHERE \"id\" LIKE 'one%07'  AND \"id\" < 'one004000'"),
        format!("UPDATE {table} SET \"title\" = 'other' WHERE \"id\" LIKE 'two%11' AND \"id\" < 'two004900'"),
        format!("UPDATE {table} SET \"extra\" = '{{\"more\":1}}' WHERE \"id\" = 'two020000'"),
        format!("UPDATE {table} SET \"id\" = 'x' || \"id\" WHERE \"id\" LIKE 'one0001_3'"),
        format!("UPDATE {table} SET \"id\" = substr(\"id\", 1, 8) || '0' WHERE \"id\" LIKE 'two010_61'"),
    ]
}

/// The counts that are to be found of what was done.
fn check(report: &Value, what: &str) {
    let count = |name: &str| report["counts"][name].as_u64().unwrap_or_else(|| panic!("{what}: {report}"));
    let bad = u64::from(RECORDS / 100 * 2);
    let read = u64::from(RECORDS) * 2;
    let (missing, different, extra) = (40 + 10 + 10, 50, 20);
    assert_eq!(
        ["read", "skipped", "rejected", "missing", "different", "extra", "changedLater"].map(count),
        [read, bad, bad, missing, different, extra, 0],
        "{what}: {}",
        report["verdict"]
    );
    assert_eq!(count("matched"), read - 2 * bad - missing - different, "{what}");
    let mut kinds = BTreeMap::new();
    for example in report["examples"].as_array().unwrap() {
        *kinds.entry(example["kind"].as_str().unwrap()).or_insert(0) += 1;
    }
    assert_eq!(kinds, BTreeMap::from([("different", 20), ("extra", 20), ("missing", 20)]), "{what}");
    assert_eq!((&report["balanced"], &report["verified"]), (&true.into(), &false.into()), "{what}");
}

/// What of a report depends on nothing but the files and the rows.
fn lasting(report: &Value) -> Value {
    json!({"counts": report["counts"], "types": report["types"], "examples": report["examples"]})
}

async fn ended(process: Process, expected: i32) -> Value {
    let Ended { code, stdout, .. } = process.wait(WITHIN).await.unwrap();
    assert_eq!(code, Some(expected), "{stdout}");
    serde_json::from_str(&stdout).unwrap()
}

fn import<'a>(batch_size: &'a str, more: &'a str) -> Vec<&'a str> {
    let files = ["import", "one.ndjson", "two.ndjson", "--type", "contexts", "--batch-size"];
    [&files[..], &[batch_size, more, "--json"]].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_number_of_workers_and_every_size_of_batches_finds_the_same() {
    let mut found = Vec::new();
    for (workers, batch_size, mode) in
        [("1", "5000", "--overwrite"), ("2", "777", "--skip-duplicates"), ("8", "100", "--skip-duplicates")]
    {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path());
        let mut setting = Setting { folder: folder.path().to_path_buf(), ..Setting::default() };
        setting.variables.insert("CARRACK_WORKER__CONCURRENCY".into(), workers.into());
        let start = |args: &[&str]| Process::start("carrack", args, &setting).unwrap();
        let parent = ended(start(&import(batch_size, mode)), 3).await;
        let parent = parent["operationId"].as_str().unwrap();
        let verify = ["operations", "verify", parent, "--json"];
        let clean = ended(start(&verify), 0).await;
        assert_eq!((&clean["verified"], &clean["counts"]["missing"]), (&true.into(), &0.into()), "{clean}");
        assert_eq!(clean["types"][0]["source"], clean["types"][0]["target"]);
        let database = Connection::open(folder.path().join("carrack-data/carrack.sqlite")).unwrap();
        for sql in damage("carrack_data_contexts") {
            database.execute_batch(&sql).unwrap();
        }
        let report = ended(start(&verify), 3).await;
        check(&report, &format!("{workers} workers, batches of {batch_size}"));
        if mode == "--skip-duplicates" {
            found.push(lasting(&report));
        }
    }
    assert_eq!(found[0], found[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_verification_goes_on_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let setting = Setting { folder: folder.path().to_path_buf(), ..Setting::default() };
    let start = |args: &[&str]| Process::start("carrack", args, &setting).unwrap();
    let parent = ended(start(&import("200", "--skip-duplicates")), 3).await;
    let parent = parent["operationId"].as_str().unwrap();
    let open = || Connection::open(folder.path().join("carrack-data/carrack.sqlite")).unwrap();
    for sql in damage("carrack_data_contexts") {
        open().execute_batch(&sql).unwrap();
    }
    let verify = ["operations", "verify", parent, "--json"];
    let whole = ended(start(&verify), 3).await;
    check(&whole, "not killed");
    let killed = start(&verify);
    let committed = || -> i64 {
        let sql = "SELECT count(*) FROM carrack_ledger WHERE operation =
                       (SELECT id FROM carrack_operations ORDER BY number DESC LIMIT 1)";
        open().query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let running = || -> bool {
        let sql =
            "SELECT spec ->> '$.verifies.parent' IS NOT NULL AND state = 'running' FROM carrack_operations
                   ORDER BY number DESC LIMIT 1";
        open().query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let what = || "the first batches of the verification".to_owned();
    until(Instant::now() + WITHIN, what, async || Ok((running() && committed() >= 5).then_some(())))
        .await
        .unwrap();
    killed.kill().await.unwrap();
    let at_the_kill = committed();
    let report = ended(start(&verify), 3).await;
    assert!(at_the_kill < committed(), "killed too late");
    assert_eq!(lasting(&report), lasting(&whole));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_verifies_an_import_though_its_worker_is_killed() {
    let _broker = BROKER.lock().await;
    let tuning = [("CARRACK_WORKER__LEASE_SECONDS", "3"), ("CARRACK_COORDINATOR__LEASE_SECONDS", "3")];
    let mut fleet = Fleet::new(&tuning).await.unwrap();
    write(fleet.folder.path());
    for name in ["coordinator", "worker-0"] {
        fleet.start(name).await.unwrap();
    }
    let parent = ended(fleet.command("import", &import("200", "--skip-duplicates")).unwrap(), 3).await;
    let parent = parent["operationId"].as_str().unwrap().to_owned();
    let verify = ["operations", "verify", &parent, "--json"];
    let clean = ended(fleet.command("clean", &verify).unwrap(), 0).await;
    assert_eq!(clean["verified"], true, "{clean}");
    for sql in damage("carrack_data.\"contexts\"") {
        fleet.database.batch_execute(&sql).await.unwrap();
    }
    let whole = ended(fleet.command("whole", &verify).unwrap(), 3).await;
    check(&whole, "not killed");
    let killed = fleet.command("verify", &verify).unwrap();
    let committed = "SELECT count(*) FROM carrack.ledger WHERE operation =
                         (SELECT id FROM carrack.operations ORDER BY created_at DESC LIMIT 1)
                     AND EXISTS (SELECT FROM carrack.operations WHERE state = 'running')";
    let what = || "the first batches of the verification".to_owned();
    until(Instant::now() + WITHIN, what, async || Ok((fleet.count(committed).await? >= 5).then_some(())))
        .await
        .unwrap();
    fleet.kill("worker-0").await.unwrap();
    let at_the_kill = fleet.count(committed).await.unwrap();
    fleet.start("worker-1").await.unwrap();
    let report = ended(killed, 3).await;
    let all = "SELECT count(*) FROM carrack.ledger WHERE operation =
                   (SELECT id FROM carrack.operations ORDER BY created_at DESC LIMIT 1)";
    assert!(at_the_kill > 0 && at_the_kill < fleet.count(all).await.unwrap(), "killed too late");
    assert_eq!(lasting(&report), lasting(&whole));
}
