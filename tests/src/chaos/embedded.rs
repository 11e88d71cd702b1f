//! The same on one machine: the process of an embedded import is killed at random moments, and
//! `operations watch` brings the operation to its end.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use carrack_shared::record::Position;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::promises::{self, Effect, Left, Row};
use super::{Case, Load, Loads, Report};
use crate::process::{Process, Setting};
use crate::wait::until;

/// Every change of the table is logged into a table without unique keys.
const WATCH_EFFECTS: &str = "
    CREATE TABLE effects (id TEXT, kind TEXT, position INTEGER);
    CREATE TRIGGER effects_insert AFTER INSERT ON carrack_data_contexts
        BEGIN INSERT INTO effects VALUES (NEW.id, 'INSERT', NEW._position); END;
    CREATE TRIGGER effects_update AFTER UPDATE ON carrack_data_contexts
        BEGIN INSERT INTO effects VALUES (NEW.id, 'UPDATE', NEW._position); END;
    CREATE TRIGGER effects_delete AFTER DELETE ON carrack_data_contexts
        BEGIN INSERT INTO effects VALUES (OLD.id, 'DELETE', OLD._position); END;
";

/// So many tasks at a time that also a small file's batches are loaded out of order.
const TUNING: [(&str, &str); 1] = [("CARRACK_WORKER__CONCURRENCY", "8")];

const ENDS_WITHIN: Duration = Duration::from_secs(180);

/// What a round showed.
#[derive(Debug)]
pub struct EmbeddedRound {
    /// What was imported, and how.
    pub case: Case,
    /// Committed batches at each kill.
    pub kills: Vec<i64>,
    /// Records that had won a key and lost it to one that was loaded later.
    pub displaced: u64,
    /// From the first start to the end.
    pub seconds: f64,
    /// What the last process printed.
    pub report: Report,
}

/// One round with one to three kills.
///
/// # Errors
/// When anything is lost, doubled, miscounted or stuck, or a key belongs to the wrong record.
pub async fn round(loads: &mut Loads, seed: u64) -> anyhow::Result<EmbeddedRound> {
    let case = Case::of(seed);
    round_of(loads.of(case)?, case, seed).await.with_context(|| case.to_string())
}

async fn round_of(load: &Load, case: Case, seed: u64) -> anyhow::Result<EmbeddedRound> {
    let mut rng = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir()?;
    let home = Home::new(folder.path());
    home.prepare().await?;
    let started = Instant::now();
    let batches = i64::try_from(load.batches())?;
    let args = load.import(case)?;
    let mut running = home.start(&args.iter().map(String::as_str).collect::<Vec<_>>())?;
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
    let seconds = started.elapsed().as_secs_f64();
    let left = home.left(Report::read(&ended)?)?;
    promises::verify(load, case, &left)?;
    Ok(EmbeddedRound { case, kills, displaced: left.displaced(), seconds, report: left.report })
}

/// A folder with an embedded store.
struct Home {
    setting: Setting,
    database: PathBuf,
}

impl Home {
    fn new(folder: &Path) -> Self {
        let variables = TUNING.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let setting = Setting { folder: folder.to_path_buf(), variables };
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

    /// Reads everything back.
    fn left(&self, report: Report) -> anyhow::Result<Left> {
        let connection = self.read()?;
        let count = |sql: &str| anyhow::Ok(u64::try_from(self.count(sql)?)?);
        let record = |stored: i64| Position::from_stored(stored).record();
        let mut rows = connection.prepare("SELECT id, title, _position FROM carrack_data_contexts")?;
        let rows = rows.query_map([], |row| {
            Ok(Row { key: row.get(0)?, title: row.get(1)?, record: record(row.get(2)?) })
        })?;
        let mut effects = connection.prepare("SELECT id, kind, position FROM effects")?;
        let effects = effects.query_map([], |row| {
            Ok(Effect { key: row.get(0)?, kind: row.get(1)?, record: record(row.get(2)?) })
        })?;
        Ok(Left {
            rows: rows.collect::<Result<_, _>>()?,
            effects: effects.collect::<Result<_, _>>()?,
            rejects: count("SELECT count(*) FROM carrack_rejects")?,
            read: count("SELECT sum(read) FROM carrack_ledger")?,
            doubled: count(
                "SELECT count(*) FROM (SELECT 1 FROM carrack_ledger GROUP BY operation, batch HAVING count(*) > 1)",
            )?,
            rejects_file: std::fs::read_to_string(self.setting.folder.join("rejects.ndjson"))?,
            report,
        })
    }
}
