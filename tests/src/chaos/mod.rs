//! Seeded rounds of an import on a real fleet whose processes and broker are killed while it runs. After
//! each, every good record must have had its effect exactly once, every bad one must be a reject, and the
//! counts must be those of an undisturbed run.

mod checks;
pub mod embedded;
mod faults;

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Deserialize;

use crate::fleet::Fleet;
use crate::generate::{Generator, Recipe, Shape};

pub use faults::Fault;

/// Short leases, so that a round shows many recoveries; the defaults only wait longer.
const TUNING: [(&str, &str); 4] = [
    ("CARRACK_WORKER__LEASE_SECONDS", "4"),
    ("CARRACK_COORDINATOR__LEASE_SECONDS", "4"),
    ("CARRACK_COORDINATOR__LOST_AFTER_SECONDS", "4"),
    ("CARRACK_COORDINATOR__WINDOW_TASKS", "8"),
];

/// How long a round may take once its last fault is over.
const ENDS_WITHIN: Duration = Duration::from_secs(180);

/// The input of all rounds and what must become of it.
#[derive(Debug, Clone)]
pub struct Load {
    /// The file.
    pub file: PathBuf,
    /// Records that must be created.
    pub good: u64,
    /// Records that must be rejected.
    pub bad: u64,
    /// Records per batch.
    pub batch_size: u32,
}

impl Load {
    /// Generates a JSON array of so many records, two of a hundred bad.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn generate(folder: &Path, records: u64, batch_size: u32) -> anyhow::Result<Self> {
        let file = folder.join("contexts.json");
        let recipe = Recipe { bad_percent: 2, ..Recipe::new(records) };
        let output = BufWriter::new(File::create(&file)?);
        let expected = Generator::new(recipe).write(Shape::JsonArray, output)?;
        Ok(Self { file, good: expected.good, bad: expected.rejected(), batch_size })
    }
}

/// What an import printed with `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the names are the command's own")]
pub struct Report {
    #[serde(rename = "operationId")]
    pub operation_id: String,
    pub status: String,
    pub read: u64,
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub skipped: u64,
    pub rejected: u64,
}

/// What a round showed.
#[derive(Debug)]
pub struct Round {
    /// The faults, with the number of batches that were committed when each struck.
    pub faults: Vec<(Fault, i64)>,
    /// Faults that struck between the first and the last commit and killed a process.
    pub kills_inside: usize,
    /// From the start of the import to its end.
    pub seconds: f64,
    /// What the import printed.
    pub report: Report,
}

/// One round: the same seed gives the same faults at the same progress.
///
/// # Errors
/// When anything is lost, doubled, miscounted or stuck.
pub async fn round(load: &Load, seed: u64) -> anyhow::Result<Round> {
    let mut rng = StdRng::seed_from_u64(seed);
    let plan = faults::plan(&mut rng);
    let mut fleet = Fleet::new(&TUNING).await?;
    for name in ["coordinator", "worker-0", "worker-1", "worker-2"] {
        fleet.start(name).await?;
    }
    checks::watch_effects(&fleet).await?;
    let started = Instant::now();
    let import = start_import(&fleet, load)?;
    let batches = load.good.saturating_add(load.bad).div_ceil(load.batch_size.into());
    let struck = faults::strike(&mut fleet, &plan, batches, &mut rng).await?;
    let ended = import.wait(ENDS_WITHIN).await?;
    let seconds = started.elapsed().as_secs_f64();
    ensure!(ended.code == Some(3), "the import ended with {:?}: {}", ended.code, ended.stdout);
    let report: Report = serde_json::from_str(&ended.stdout).context("the import's report")?;
    checks::verify(&fleet, load, &report).await?;
    let last = fleet.count("SELECT count(*) FROM carrack.ledger").await?;
    let inside = |(fault, at): &&(Fault, i64)| fault.is_kill() && *at > 0 && *at < last;
    let kills_inside = struck.iter().filter(inside).count();
    Ok(Round { faults: struck, kills_inside, seconds, report })
}

fn start_import(fleet: &Fleet, load: &Load) -> anyhow::Result<crate::process::Process> {
    let file = path_text(&load.file)?;
    let batch_size = load.batch_size.to_string();
    let args = [
        "import",
        &file,
        "--type",
        "contexts",
        "--batch-size",
        &batch_size,
        "--rejects",
        "rejects.ndjson",
        "--json",
    ];
    fleet.command("import", &args)
}

fn path_text(path: &Path) -> anyhow::Result<String> {
    Ok(path.to_str().context("a path that is not text")?.to_owned())
}

/// A seed of its own for a run that was given none.
pub fn random_seed() -> u64 {
    rand::rng().random_range(0..1_000_000)
}
