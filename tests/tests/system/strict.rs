//! Imports of all or nothing: one bad record in the last batch keeps all out and is named, and whoever is killed
//! while rows are staged or published, the rows are published once.

use std::time::Duration;

use carrack_tests::fleet::Fleet;
use carrack_tests::process::{Ended, Process, Setting};
use carrack_tests::wait::until;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::time::Instant;

const RECORDS: usize = 25_000;
const PATIENCE: Duration = Duration::from_secs(120);

/// Every row that is written leaves a mark, and a statement takes so long that it can be interrupted.
const SLOW_POSTGRES: &str = "
    CREATE TABLE public.effects (id text);
    CREATE FUNCTION public.mark() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO public.effects VALUES (NEW.id); RETURN NULL; END $$;
    CREATE TRIGGER effects AFTER INSERT OR UPDATE ON carrack_data.contexts FOR EACH ROW EXECUTE FUNCTION public.mark();
    CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END $$;
    CREATE TRIGGER slow BEFORE INSERT ON carrack_data.contexts FOR EACH STATEMENT EXECUTE FUNCTION public.slow();";
const SLOW_SQLITE: &str = "
    CREATE TABLE effects (id TEXT);
    CREATE TRIGGER effects AFTER INSERT ON carrack_data_contexts BEGIN
        INSERT INTO effects SELECT NEW.id WHERE (WITH RECURSIVE n(x) AS (
            SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 700) SELECT max(x) FROM n) > 0;
    END;";

fn lines(bad: bool) -> String {
    let line = |key: usize| match bad && key == RECORDS - 3 {
        true => format!("{{\"id\":\"key {key:05}\",\"title\":7,\"content\":\"c\"}}\n"),
        false => format!("{{\"id\":\"key {key:05}\",\"title\":\"t\",\"content\":\"c\"}}\n"),
    };
    (0..RECORDS).map(line).collect()
}

const SEED: &str = "{\"id\":\"seed\",\"title\":\"t\",\"content\":\"c\"}\n";
const IMPORT: [&str; 6] = ["import", "good.ndjson", "--on-error", "strict", "--batch-size", "500"];

fn refused(ended: &Ended) {
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    let place = format!("bad.ndjson: record {} (line {},", RECORDS - 2, RECORDS - 2);
    assert!(ended.stdout.contains(&place) && ended.stdout.contains("(strict.rejected)"), "{}", ended.stdout);
    assert!(ended.stdout.contains(&format!("1 of {} records are refused", "25000")), "{}", ended.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_publishes_all_or_nothing_once_whoever_is_killed() {
    let tuning = [
        ("CARRACK_COORDINATOR__LOST_AFTER_SECONDS", "1"),
        ("CARRACK_COORDINATOR__LEASE_SECONDS", "2"),
        ("CARRACK_WORKER__LEASE_SECONDS", "2"),
    ];
    let mut fleet = Fleet::new(&tuning).await.unwrap();
    fleet.start("coordinator").await.unwrap();
    fleet.start("worker-0").await.unwrap();
    for (name, content) in
        [("seed.ndjson", SEED), ("good.ndjson", &lines(false)), ("bad.ndjson", &lines(true))]
    {
        std::fs::write(fleet.path(name), content).unwrap();
    }
    let run = async |fleet: &Fleet, args: &[&str]| {
        fleet.command("import", args).unwrap().wait(PATIENCE).await.unwrap()
    };
    assert_eq!(run(&fleet, &["import", "seed.ndjson"]).await.code, Some(0));
    let refusal = run(&fleet, &["import", "bad.ndjson", "--on-error", "strict", "--batch-size", "500"]).await;
    refused(&refusal);
    assert_eq!(fleet.count("SELECT count(*) FROM carrack_data.contexts").await.unwrap(), 1);
    fleet.database.batch_execute(SLOW_POSTGRES).await.unwrap();

    let import = fleet.command("import", &IMPORT).unwrap();
    let running =
        "operation = (SELECT id FROM carrack.operations WHERE NOT published AND finished_at IS NULL)";
    reached(&fleet, &format!("SELECT count(*) >= 3 FROM carrack.ledger WHERE {running}")).await;
    fleet.kill("worker-0").await.unwrap();
    fleet.kill("coordinator").await.unwrap();
    fleet.start("coordinator").await.unwrap();
    fleet.start("worker-1").await.unwrap();
    reached(&fleet, PUBLISHING).await;
    fleet.kill("coordinator").await.unwrap();
    assert_eq!(
        fleet.count("SELECT count(*) FROM carrack_data.contexts").await.unwrap(),
        1,
        "nothing was published"
    );
    fleet.start("coordinator").await.unwrap();
    let ended = import.wait(PATIENCE).await.unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    let expected = i64::try_from(RECORDS).unwrap();
    assert_eq!(fleet.count("SELECT count(*) FROM carrack_data.contexts").await.unwrap(), 1 + expected);
    assert_eq!(fleet.count("SELECT count(*) FROM public.effects").await.unwrap(), expected, "each row once");
    let stages = "SELECT count(*) FROM pg_tables WHERE schemaname = 'carrack_stage'";
    assert_eq!(fleet.count(stages).await.unwrap(), 0);
}

/// That a statement of the publishing is under way.
const PUBLISHING: &str = "SELECT count(*) > 0 FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event = 'PgSleep'";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cancelled_while_it_is_published_leaves_nothing() {
    let mut fleet = Fleet::new(&[]).await.unwrap();
    for name in ["coordinator", "worker-0"] {
        fleet.start(name).await.unwrap();
    }
    for (name, content) in [("seed.ndjson", SEED), ("good.ndjson", &lines(false))] {
        std::fs::write(fleet.path(name), content).unwrap();
    }
    let seed = fleet.command("seed", &["import", "seed.ndjson"]).unwrap();
    assert_eq!(seed.wait(PATIENCE).await.unwrap().code, Some(0));
    fleet.database.batch_execute(SLOW_POSTGRES).await.unwrap();
    let import = fleet.command("import", &[&IMPORT[..], &["--json"]].concat()).unwrap();
    reached(&fleet, PUBLISHING).await;
    let id = "SELECT id::text FROM carrack.operations WHERE finished_at IS NULL";
    let id: String = fleet.database.query_one(id, &[]).await.unwrap().get(0);
    let cancel = fleet.command("cancel", &["operations", "cancel", &id]).unwrap();
    assert_eq!(cancel.wait(PATIENCE).await.unwrap().code, Some(0));
    let ended = import.wait(PATIENCE).await.unwrap();
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let counts = ["read", "created", "skipped"].map(|name| report[name].as_u64().unwrap_or_default());
    assert_eq!((report["status"].as_str(), counts), (Some("cancelled"), [25_000, 0, 25_000]), "{report}");
    for left in [
        "SELECT count(*) - 1 FROM carrack_data.contexts",
        "SELECT count(*) FROM public.effects",
        "SELECT count(*) FROM pg_tables WHERE schemaname = 'carrack_stage'",
    ] {
        assert_eq!(fleet.count(left).await.unwrap(), 0, "{left}");
    }
}

async fn reached(fleet: &Fleet, condition: &str) {
    let is_so = async || {
        let row = fleet.database.query_one(condition, &[]).await?;
        Ok(row.get::<_, Option<bool>>(0).unwrap_or_default().then_some(()))
    };
    until(Instant::now() + PATIENCE, || condition.to_owned(), is_so).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_import_publishes_all_or_nothing_once_though_it_is_killed() {
    let folder = TempDir::new().unwrap();
    let setting = Setting { folder: folder.path().to_path_buf(), ..Setting::default() };
    for (name, content) in
        [("seed.ndjson", SEED), ("good.ndjson", &lines(false)), ("bad.ndjson", &lines(true))]
    {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let start = |args: &[&str]| Process::start("import", args, &setting).unwrap();
    assert_eq!(start(&["import", "seed.ndjson"]).wait(PATIENCE).await.unwrap().code, Some(0));
    let bad = ["import", "bad.ndjson", "--on-error", "strict", "--batch-size", "500"];
    refused(&start(&bad).wait(PATIENCE).await.unwrap());
    let database = Connection::open(database(folder.path())).unwrap();
    let count = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM carrack_data_contexts"), 1);
    database.execute_batch(SLOW_SQLITE).unwrap();

    let running = "SELECT id FROM carrack_operations WHERE NOT published AND finished_at IS NULL";
    for condition in [
        format!("SELECT count(*) >= 3 FROM carrack_ledger WHERE operation IN ({running})"),
        format!("SELECT count(*) > 0 FROM ({running} AND decision IS NOT NULL)"),
    ] {
        let import = start(&IMPORT);
        let is_so = async || Ok((count(&condition) == 1).then_some(()));
        until(Instant::now() + PATIENCE, || condition.clone(), is_so).await.unwrap();
        import.kill().await.unwrap();
        assert_eq!(count("SELECT count(*) FROM carrack_data_contexts"), 1, "nothing was published");
    }
    let ended = start(&IMPORT).wait(PATIENCE).await.unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    let expected = i64::try_from(RECORDS).unwrap();
    assert_eq!(count("SELECT count(*) FROM carrack_data_contexts"), 1 + expected);
    assert_eq!(count("SELECT count(*) FROM effects"), expected, "each row once");
    assert_eq!(count("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'carrack_stage%'"), 0);
}

/// The only database in a data folder.
fn database(folder: &std::path::Path) -> std::path::PathBuf {
    folder.join("carrack-data").join("carrack.sqlite")
}
