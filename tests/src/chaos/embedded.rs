//! The same on one machine: the process of an embedded import is killed at random moments, and
//! `operations watch` brings the operation to its end.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::{Load, Report};
use crate::process::{Process, Setting};
use crate::wait::until;

/// Every change of the table is logged into a table without unique keys.
const WATCH_EFFECTS: &str = "
    CREATE TABLE effects (id TEXT);
    CREATE TRIGGER effects_insert AFTER INSERT ON carrack_data_contexts
        BEGIN INSERT INTO effects VALUES (NEW.id); END;
    CREATE TRIGGER effects_update AFTER UPDATE ON carrack_data_contexts
        BEGIN INSERT INTO effects VALUES (NEW.id); END;
";

const ENDS_WITHIN: Duration = Duration::from_secs(180);

/// What a round showed.
#[derive(Debug)]
pub struct EmbeddedRound {
    /// Committed batches at each kill.
    pub kills: Vec<i64>,
    /// From the first start to the end.
    pub seconds: f64,
    /// What the last process printed.
    pub report: Report,
}

/// One round with one to three kills.
///
/// # Errors
/// When anything is lost, doubled, miscounted or stuck.
pub async fn round(load: &Load, seed: u64) -> anyhow::Result<EmbeddedRound> {
    let mut rng = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir()?;
    let home = Home::new(folder.path());
    home.prepare().await?;
    let started = Instant::now();
    let batches = i64::try_from((load.good + load.bad).div_ceil(load.batch_size.into()))?;
    let file = load.file.to_str().context("a path that is not text")?;
    let batch_size = load.batch_size.to_string();
    let mut running = home.start(&[
        "import",
        file,
        "--type",
        "contexts",
        "--batch-size",
        &batch_size,
        "--rejects",
        "rejects.ndjson",
        "--json",
    ])?;
    let mut kills = Vec::new();
    let mut wanted = 0;
    for _ in 0..rng.random_range(1..=3) {
        wanted = rng.random_range(wanted..batches * 9 / 10);
        kills.push(home.committed_at_least(wanted).await?);
        running.kill().await?;
        let id = home.operation()?.context("the killed import has left no operation")?;
        running = home.start(&["operations", "watch", &id, "--json", "--rejects", "rejects.ndjson"])?;
    }
    let ended = running.wait(ENDS_WITHIN).await?;
    ensure!(ended.code == Some(3), "the watch ended with {:?}: {}", ended.code, ended.stdout);
    let report: Report = serde_json::from_str(&ended.stdout).context("the report")?;
    home.verify(load, &report)?;
    Ok(EmbeddedRound { kills, seconds: started.elapsed().as_secs_f64(), report })
}

/// A folder with an embedded store.
struct Home {
    setting: Setting,
    database: PathBuf,
}

impl Home {
    fn new(folder: &Path) -> Self {
        let setting = Setting { folder: folder.to_path_buf(), ..Setting::default() };
        Self { setting, database: folder.join("carrack-data/carrack.sqlite") }
    }

    fn start(&self, args: &[&str]) -> anyhow::Result<Process> {
        Process::start("carrack", args, &self.setting)
    }

    /// Creates the table by an import of nothing, and the log of its effects.
    async fn prepare(&self) -> anyhow::Result<()> {
        std::fs::write(self.setting.folder.join("nothing.json"), "[]")?;
        let ended = self.start(&["import", "nothing.json", "--type", "contexts"])?.wait(ENDS_WITHIN).await?;
        ensure!(ended.code == Some(0), "an import of nothing ended with {:?}", ended.code);
        Connection::open(&self.database)?.execute_batch(WATCH_EFFECTS)?;
        Ok(())
    }

    fn read(&self) -> anyhow::Result<Connection> {
        let connection = Connection::open_with_flags(&self.database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        Ok(connection)
    }

    fn count(&self, sql: &str) -> anyhow::Result<i64> {
        self.read()?.query_row(sql, [], |row| row.get(0)).with_context(|| sql.to_owned())
    }

    /// The id of the operation that has batches.
    fn operation(&self) -> anyhow::Result<Option<String>> {
        let sql = "SELECT id FROM carrack_operations ORDER BY id DESC LIMIT 1";
        Ok(self.read()?.query_row(sql, [], |row| row.get(0)).optional()?)
    }

    /// Waits for so many committed batches, or for the operation to be there if none are wanted.
    async fn committed_at_least(&self, wanted: i64) -> anyhow::Result<i64> {
        let deadline = tokio::time::Instant::now() + ENDS_WITHIN;
        until(
            deadline,
            || format!("{wanted} batches to be committed"),
            async || {
                let operations = self.count("SELECT count(*) FROM carrack_operations")?;
                let committed = self.count("SELECT count(*) FROM carrack_ledger")?;
                Ok((operations > 1 && committed >= wanted).then_some(committed))
            },
        )
        .await
    }

    fn verify(&self, load: &Load, report: &Report) -> anyhow::Result<()> {
        let found = (report.status.as_str(), report.read, report.created, report.rejected);
        let expected = ("succeeded_with_rejects", load.good + load.bad, load.good, load.bad);
        ensure!(
            found == expected,
            "(status, read, created, rejected): found {found:?}, expected {expected:?}"
        );
        let (good, bad) = (i64::try_from(load.good)?, i64::try_from(load.bad)?);
        for (what, sql, expected) in [
            ("effects", "SELECT count(*) FROM effects", good),
            ("records with an effect", "SELECT count(DISTINCT id) FROM effects", good),
            ("rows", "SELECT count(*) FROM carrack_data_contexts", good),
            ("rejects", "SELECT count(*) FROM carrack_rejects", bad),
        ] {
            let found = self.count(sql)?;
            ensure!(found == expected, "{what}: found {found}, expected {expected}");
        }
        let lines = std::fs::read_to_string(self.setting.folder.join("rejects.ndjson"))?.lines().count();
        if i64::try_from(lines)? != bad {
            bail!("lines in the rejects file: found {lines}, expected {bad}");
        }
        Ok(())
    }
}
