//! Expressions as filters, on a fleet: what several workers load and export is what one process does alone.

use std::path::Path;
use std::time::Duration;

use carrack_tests::fleet::Fleet;
use carrack_tests::process::{Ended, Process, Setting};
use serde_json::{Value, json};

const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// Several ranges of an export, and many batches of an import.
const RECORDS: u32 = 25_000;

/// What each record has follows from its number.
fn record(number: u32) -> Value {
    let kind = ["note", "Note", "ärger", "z"][number as usize % 4];
    let mut record = json!({
        "id": format!("k{number:06}"), "title": format!("title {number}"), "content": "c", "type": kind,
        "createdAt": format!("2024-{:02}-{:02}T00:00:00Z", number % 12 + 1, number % 28 + 1),
        "metadata": {"source": if number.is_multiple_of(5) { "crm" } else { "web" }, "size": number % 7},
        "more": number,
    });
    if number.is_multiple_of(3) {
        record["tags"] = json!(["x", format!("t{}", number % 10)]);
    }
    record
}

/// Expressions with what they mean.
type Means = fn(u32) -> bool;

const EXPRESSIONS: [(&str, Means); 3] = [
    ("type > 'note' && createdAt >= '2024-06' && metadata.source == 'crm'", |number| {
        number % 4 >= 2 && number % 12 >= 5 && number % 5 == 0
    }),
    ("tags.exists(t, t == 't3') || record.more > 24990", |number| {
        number % 3 == 0 && number % 10 == 3 || number > 24_990
    }),
    ("!(type in ['note', 'Note']) && !has(record.tags) && metadata.size * 2 == 6", |number| {
        number % 4 >= 2 && number % 3 != 0 && number % 7 == 3
    }),
];

async fn run(setting: &Setting, args: &[&str]) -> Ended {
    Process::start("carrack", args, setting).unwrap().wait(ENDS_WITHIN).await.unwrap()
}

fn keys(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
    text.lines().map(id).collect()
}

/// Exports with each expression, and imports with each into another type.
async fn assert_meant(setting: &Setting) {
    let folder = &setting.folder;
    let lines: Vec<String> = (0..RECORDS).map(|number| record(number).to_string()).collect();
    std::fs::write(folder.join("all.ndjson"), lines.join("\n")).unwrap();
    let loaded = run(setting, &["import", "all.ndjson", "--type", "contexts", "--json"]).await;
    assert_eq!(loaded.code, Some(0), "{}", loaded.stdout);
    for (source, means) in EXPRESSIONS {
        let expected: Vec<String> =
            (0..RECORDS).filter(|number| means(*number)).map(|number| format!("k{number:06}")).collect();
        assert!(expected.len() > 100, "{source} means {}", expected.len());
        let args = ["export", "--type", "contexts", "-o", "out.ndjson", "--where", source];
        let exported = run(setting, &args).await;
        assert_eq!(exported.code, Some(0), "{}", exported.stdout);
        assert!(keys(&folder.join("out.ndjson")) == expected, "{source}: {}", exported.stdout);
        let args =
            ["import", "all.ndjson", "--type", "contexts", "--skip-duplicates", "--json", "--where", source];
        let report: Value = serde_json::from_str(&run(setting, &args).await.stdout).unwrap();
        let left_out = u64::from(RECORDS) - expected.len() as u64;
        assert_eq!(
            (&report["filteredRecords"], &report["rejected"]),
            (&left_out.into(), &0.into()),
            "{source}"
        );
    }
    let args = ["export", "--type", "contexts", "-o", "none.ndjson", "--where", "record.more + 1.5 > 3.0"];
    let failed = run(setting, &args).await;
    assert_eq!(failed.code, Some(1), "{}", failed.stdout);
    assert!(failed.stdout.contains("(filter.where)"), "{}", failed.stdout);
    assert!(!folder.join("none.ndjson").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_mean_the_same_to_one_process_and_to_a_fleet() {
    let folder = tempfile::tempdir().unwrap();
    assert_meant(&Setting { folder: folder.path().to_path_buf(), ..Setting::default() }).await;
    let mut fleet = Fleet::new(&[]).await.unwrap();
    for name in ["coordinator", "worker-0", "worker-1"] {
        fleet.start(name).await.unwrap();
    }
    assert_meant(&fleet.setting).await;
}
