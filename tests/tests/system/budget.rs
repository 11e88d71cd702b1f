//! Budgets on a fleet: an import with more bad records than its user allows is stopped long before its end, while
//! workers load and one of them is killed, and what it tells is what it has loaded.

use std::fmt::Write as _;
use std::time::Duration;

use carrack_tests::fleet::Fleet;
use carrack_tests::wait::until;
use tokio::time::Instant;

/// So many that stopping in time shows.
const RECORDS: usize = 200_000;
const MOST: u64 = 500;
const PATIENCE: Duration = Duration::from_secs(120);

/// Every fourth record is bad.
fn lines() -> String {
    (0..RECORDS).fold(String::new(), |mut lines, key| {
        let title = if key % 4 == 3 { "7" } else { "\"t\"" };
        let _ = writeln!(lines, "{{\"id\":\"key {key:06}\",\"title\":{title},\"content\":\"c\"}}");
        lines
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_over_its_budget_is_stopped_soon_and_its_books_balance() {
    let tuning = [("CARRACK_COORDINATOR__LOST_AFTER_SECONDS", "1"), ("CARRACK_WORKER__LEASE_SECONDS", "2")];
    let mut fleet = Fleet::new(&tuning).await.unwrap();
    for name in ["coordinator", "worker-0", "worker-1"] {
        fleet.start(name).await.unwrap();
    }
    std::fs::write(fleet.path("lines.ndjson"), lines()).unwrap();
    for (limit, most, code) in [
        ("--max-errors", MOST.to_string(), "budget.errors"),
        ("--max-error-rate", "20%".into(), "budget.rate"),
    ] {
        let args =
            ["import", "lines.ndjson", "--type", "contexts", "--batch-size", "50", "--skip-duplicates"];
        let args = [&args[..], &[limit, &most, "--json"]].concat();
        let before = fleet.count("SELECT count(*) FROM carrack.ledger").await.unwrap();
        let import = fleet.command("import", &args).unwrap();
        let committed = async || {
            let ledger = fleet.count("SELECT count(*) FROM carrack.ledger").await?;
            Ok((ledger >= before + 5).then_some(()))
        };
        until(Instant::now() + PATIENCE, || "the first batches".into(), committed).await.unwrap();
        if code == "budget.errors" {
            fleet.kill("worker-1").await.unwrap();
        }
        let ended = import.wait(PATIENCE).await.unwrap();
        assert_eq!(ended.code, Some(1), "{}", ended.stdout);
        let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(
            (&report["status"], &report["failure"]["code"]),
            (&"failed".into(), &code.into()),
            "{report}"
        );
        let count = |name: &str| report[name].as_u64().unwrap();
        let (read, rejected) = (count("read"), count("rejected"));
        let allowed = if code == "budget.errors" { MOST } else { read / 5 };
        assert!(rejected > allowed && read < RECORDS as u64 / 2, "{report}");
        assert_eq!(read, count("created") + count("skipped") + rejected, "{report}");
        let id = report["operationId"].as_str().unwrap();
        let sql = format!("SELECT count(*) FROM carrack_data.contexts WHERE _operation = '{id}'");
        assert_eq!(u64::try_from(fleet.count(&sql).await.unwrap()).unwrap(), count("created"), "{report}");
        let sql = format!("SELECT count(*) FROM carrack.rejects WHERE operation = '{id}'");
        assert_eq!(u64::try_from(fleet.count(&sql).await.unwrap()).unwrap(), rejected, "{report}");
    }
}
