//! One file, many workers: whatever it is wrapped in, each of two processes does its share of the batches.

use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;

use carrack_shared::layer::compress::frame;
use carrack_shared::layer::compression::Compression;
use carrack_shared::task::Lane;
use carrack_tests::broker::Broker;
use carrack_tests::fleet::Fleet;
use carrack_tests::generate::{Generator, Recipe, Shape};
use carrack_tests::process::Process;
use carrack_tests::wait::until;
use serde_json::Value;
use tokio::time::Instant;

use crate::crashes::BROKER;

/// More than 40 MB of text: five tasks and more, for a task is 8 MiB.
const RECORDS: u64 = 80_000;

const BATCH: &str = "1000";

/// Of a hundred batches that each worker has to do.
const LEAST_PERCENT: u64 = 25;

const ENDS_WITHIN: Duration = Duration::from_secs(120);

/// A task for each worker at a time, so that none takes all that is there while the other one waits for its
/// first. A master key, for what is sealed.
const TUNING: [(&str, &str); 4] = [
    ("CARRACK_WORKER__CONCURRENCY", "1"),
    ("CARRACK_COORDINATOR__WINDOW_TASKS", "8"),
    ("CARRACK_MASTER_KEY", "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f"),
    ("FILE_KEY", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
];

async fn fleet() -> Fleet {
    let mut fleet = Fleet::new(&TUNING).await.unwrap();
    for name in ["coordinator", "worker-0", "worker-1"] {
        fleet.start(name).await.unwrap();
    }
    fleet
}

async fn run(fleet: &Fleet, args: &[&str]) -> Value {
    let ended = fleet.command("command", args).unwrap().wait(ENDS_WITHIN).await.unwrap();
    let said = std::fs::read_to_string(fleet.path("command.log")).unwrap_or_default();
    assert_eq!(ended.code, Some(0), "{args:?}: {}{said}", ended.stdout);
    serde_json::from_str(&ended.stdout).unwrap()
}

/// Imports a file; the share of each worker is large enough, and together they are all batches.
async fn assert_shared(fleet: &Fleet, args: &[&str]) {
    let import = ["import", "--type", "contexts", "--batch-size", BATCH, "--json"];
    let report = run(fleet, &[&import[..], args].concat()).await;
    assert_eq!((&report["read"], &report["rejected"]), (&RECORDS.into(), &0.into()), "{args:?}: {report}");
    let id = report["operationId"].as_str().unwrap();
    let shown = run(fleet, &["operations", "show", id, "--json"]).await;
    let shares = shown["workers"].as_array().unwrap();
    let batches: Vec<u64> = shares.iter().map(|share| share["batches"].as_u64().unwrap()).collect();
    let all: u64 = batches.iter().sum();
    let committed = format!("SELECT count(*) FROM carrack.ledger WHERE operation = '{id}'");
    assert_eq!(i64::try_from(all).unwrap(), fleet.count(&committed).await.unwrap(), "{shown}");
    let said: Vec<_> = fleet.processes().values().map(Process::last_words).collect();
    assert_eq!(batches.len(), 2, "{args:?}: {shares:?}\n{}", said.join("\n"));
    let least = batches.iter().min().unwrap();
    assert!(least * 100 >= all * LEAST_PERCENT, "{args:?}: {batches:?} of {all}");
}

fn array(path: &Path) -> Vec<u8> {
    let mut output = BufWriter::new(std::fs::File::create(path).unwrap());
    Generator::new(Recipe::new(RECORDS)).write(Shape::JsonArray, &mut output).unwrap();
    output.flush().unwrap();
    std::fs::read(path).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_the_batches_of_one_file() {
    // A worker that waits for its broker does no share.
    let _alone = BROKER.lock().await;
    let fleet = fleet().await;
    // They say that they are ready before the broker has made them its consumers.
    let (broker, deadline) = (Broker::connect().await, Instant::now() + ENDS_WITHIN);
    for lane in Lane::ALL.map(Lane::as_str) {
        let queue = format!("{}.v1.{lane}", fleet.prefix);
        let both = async || Ok((broker.consumers(&queue).await == 2).then_some(()));
        until(deadline, || format!("two consumers of {queue}"), both).await.unwrap();
    }
    let text = array(&fleet.path("plain.json"));
    // One member without an index, as other programs write it.
    std::fs::write(fleet.path("one.json.gz"), frame(Compression::Gzip, 1, &text)).unwrap();
    assert_shared(&fleet, &["one.json.gz"]).await;
    let export = ["export", "--type", "contexts", "--json", "--format"];
    for (file, options) in [
        ("lines.xml", &["xml"][..]),
        ("sealed.ndjson.sealed", &["ndjson", "--split", "5MB", "--key", "env:FILE_KEY"]),
        ("indexed.csv.zst", &["csv", "--compression", "zstd"]),
    ] {
        run(&fleet, &[&export[..], options, &["-o", file]].concat()).await;
    }
    let lines = std::fs::read_to_string(fleet.path("lines.xml")).unwrap();
    // What stands between elements says nothing; a line end inside a text is kept as a reference.
    let single = lines.replace(">\n", ">").replace('\n', "&#10;");
    assert!(!single.contains('\n') && single.len() > 40_000_000, "{} bytes", single.len());
    std::fs::write(fleet.path("single.xml"), single).unwrap();
    for args in [
        &["single.xml", "--overwrite"][..],
        &["sealed.manifest.json", "--key", "env:FILE_KEY", "--overwrite"],
        &["indexed.csv.zst", "--overwrite"],
    ] {
        assert_shared(&fleet, args).await;
    }
    // All of it was the same: nothing of the first import has changed.
    let changed = r#"SELECT count(*) FROM carrack.operations WHERE kind = 'import' AND updated > 0"#;
    assert_eq!(fleet.count(changed).await.unwrap(), 0);
}
