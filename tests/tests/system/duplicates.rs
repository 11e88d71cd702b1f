//! Duplicates in one file while its batches are loaded out of order: the first record of a key wins, and
//! every other one is named in the rejects, in every format.

use std::fmt::Write as _;
use std::time::Duration;

use carrack_tests::fleet::Fleet;
use carrack_tests::wait::until;
use tokio::time::Instant;

const PATIENCE: Duration = Duration::from_secs(60);

/// Records of a batch; the file has three batches.
const BATCH: usize = 100;

/// The first batch is held by somebody who never answers.
const HOLD: &str = "UPDATE carrack.batches SET state = 'leased', lease_epoch = lease_epoch + 1,
     lease_owner = gen_random_uuid(), lease_until = clock_timestamp() + interval '3 s'
     WHERE number = 0 AND state = 'pending'";

#[tokio::test(flavor = "multi_thread")]
async fn the_first_record_of_a_key_wins_though_it_is_loaded_last() {
    let tuning = [("CARRACK_COORDINATOR__LOST_AFTER_SECONDS", "1")];
    for (ending, file) in [("json", array()), ("ndjson", lines()), ("csv", table())] {
        let mut fleet = Fleet::new(&tuning).await.unwrap();
        fleet.start("coordinator").await.unwrap();
        let name = format!("contexts.{ending}");
        std::fs::write(fleet.path(&name), file).unwrap();
        let (size, rejects) = (BATCH.to_string(), format!("{ending}.rejects"));
        let args = ["import", &name, "--batch-size", &size, "--rejects", &rejects, "--json"];
        let import = fleet.command("import", &args).unwrap();
        held(&fleet).await;
        fleet.start("worker-0").await.unwrap();
        let ended = import.wait(PATIENCE).await.unwrap();
        assert_eq!(ended.code, Some(3), "{ending}: {}", ended.stdout);
        let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        let counts = ["read", "created", "skipped", "rejected"].map(|name| report[name].as_u64().unwrap());
        assert_eq!(counts, [3 * BATCH as u64, 2 * BATCH as u64, 0, BATCH as u64], "{ending}");
        let last = "SELECT count(*) FROM carrack_data.contexts WHERE content = 'again'";
        assert_eq!(fleet.count(last).await.unwrap(), 0, "{ending}: a later record won");
        let told = std::fs::read_to_string(fleet.path(&rejects)).unwrap();
        let told: Vec<serde_json::Value> =
            told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(told.len(), BATCH, "{ending}");
        for (index, reject) in told.iter().enumerate() {
            assert_eq!(reject["code"], "duplicate.in_file", "{ending}: {reject}");
            assert_eq!(reject["record"], 2 * BATCH + index + 1, "{ending}: {reject}");
            assert_eq!(reject["winner"]["record"], index + 1, "{ending}: {reject}");
            assert_eq!(reject["line"], 2 * BATCH + index + 1 + usize::from(ending == "csv"), "{reject}");
            assert!(reject["raw"].as_str().unwrap().contains("again"), "{ending}: {reject}");
        }
    }
}

/// Waits for the plan and takes the first batch from the workers.
async fn held(fleet: &Fleet) {
    let planned = async || {
        let planned = "SELECT count(*) FROM carrack.operations WHERE planned_at IS NOT NULL";
        Ok((fleet.count(planned).await.unwrap_or_default() == 1).then_some(()))
    };
    until(Instant::now() + PATIENCE, || "the plan".into(), planned).await.unwrap();
    assert_eq!(fleet.database.execute(HOLD, &[]).await.unwrap(), 1);
}

/// The keys and contents: two batches of new keys, and the first ones again.
fn records() -> impl Iterator<Item = (usize, &'static str)> {
    (0..2 * BATCH).map(|key| (key, "first")).chain((0..BATCH).map(|key| (key, "again")))
}

fn objects() -> Vec<String> {
    records()
        .map(|(key, content)| format!(r#"{{"id":"k{key}","title":"t","content":"{content}"}}"#))
        .collect()
}

fn array() -> String {
    format!("[{}]", objects().join(",\n"))
}

fn lines() -> String {
    objects().join("\n")
}

fn table() -> String {
    records().fold("id,title,content\n".to_owned(), |mut table, (key, content)| {
        let _ = writeln!(table, "k{key},t,{content}");
        table
    })
}
