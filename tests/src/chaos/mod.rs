//! Seeded rounds of an import on a real fleet whose processes and broker are killed while it runs. After
//! each, every good record must have had its effect exactly once, every bad one must be a reject, every
//! repeated key must belong to the record that wins it by position, and the counts must be those of an
//! undisturbed run. The seed also picks the layout, what it
//! is wrapped in, and what becomes of duplicates.

mod case;
mod checks;
pub mod embedded;
mod faults;
mod load;
mod promises;
mod wrap;

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Deserialize;

use crate::fleet::Fleet;
use crate::process::{Ended, Process};

pub use case::Case;
pub use faults::Fault;
pub use load::{Load, Loads};
pub use wrap::Wrap;

/// Short leases, so that a round shows many recoveries; the defaults only wait longer. Workers with a task
/// each, so that the import lasts longer than its faults take.
const TUNING: [(&str, &str); 6] = [
    ("CARRACK_WORKER__CONCURRENCY", "1"),
    ("CARRACK_WORKER__LEASE_SECONDS", "4"),
    ("CARRACK_COORDINATOR__LEASE_SECONDS", "4"),
    ("CARRACK_COORDINATOR__LOST_AFTER_SECONDS", "4"),
    ("CARRACK_COORDINATOR__WINDOW_TASKS", "8"),
    // Keeps the keys of sealed files.
    ("CARRACK_MASTER_KEY", "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f"),
];

/// How long a round may take once its last fault is over.
const ENDS_WITHIN: Duration = Duration::from_secs(180);

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

impl Report {
    /// That of an import with rejects that has ended.
    fn read(ended: &Ended) -> anyhow::Result<Self> {
        ensure!(ended.code == Some(3), "the import ended with {:?}: {}", ended.code, ended.stdout);
        serde_json::from_str(&ended.stdout).context("the import's report")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { created, skipped, rejected, .. } = self;
        write!(f, "created {created}, skipped {skipped}, rejected {rejected}")
    }
}

/// What a round showed.
#[derive(Debug)]
pub struct Round {
    /// What was imported, and how.
    pub case: Case,
    /// The faults, with the number of batches that were committed when each struck.
    pub faults: Vec<(Fault, i64)>,
    /// Faults that struck between the first and the last commit and killed a process.
    pub kills_inside: usize,
    /// Records that had won a key and lost it to one that was loaded later.
    pub displaced: u64,
    /// From the start of the import to its end.
    pub seconds: f64,
    /// What the import printed.
    pub report: Report,
}

/// One round: the same seed gives the same case, and the same faults at the same progress.
///
/// # Errors
/// When anything is lost, doubled, miscounted or stuck, or a key belongs to the wrong record.
pub async fn round(loads: &mut Loads, seed: u64) -> anyhow::Result<Round> {
    let case = Case::of(seed);
    round_of(loads.of(case)?, case, seed).await.with_context(|| case.to_string())
}

async fn round_of(load: &Load, case: Case, seed: u64) -> anyhow::Result<Round> {
    let mut rng = StdRng::seed_from_u64(seed);
    let plan = faults::plan(&mut rng);
    let mut fleet = Fleet::new(&TUNING).await?;
    for name in ["coordinator", "worker-0", "worker-1", "worker-2"] {
        fleet.start(name).await?;
    }
    checks::watch_effects(&fleet).await?;
    let started = Instant::now();
    let import = start_import(&fleet, load, case)?;
    let faults = faults::strike(&mut fleet, &plan, load.batches(), &mut rng).await?;
    let ended = import.wait(ENDS_WITHIN).await?;
    let seconds = started.elapsed().as_secs_f64();
    let left = checks::left(&fleet, Report::read(&ended)?).await?;
    promises::verify(load, case, &left)?;
    let last = fleet.count("SELECT count(*) FROM carrack.ledger").await?;
    let inside = |(fault, at): &&(Fault, i64)| fault.is_kill() && *at > 0 && *at < last;
    let kills_inside = faults.iter().filter(inside).count();
    Ok(Round { case, faults, kills_inside, displaced: left.displaced(), seconds, report: left.report })
}

fn start_import(fleet: &Fleet, load: &Load, case: Case) -> anyhow::Result<Process> {
    let args = load.import(case)?;
    fleet.command("import", &args.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A seed of its own for a run that was given none.
pub fn random_seed() -> u64 {
    rand::rng().random_range(0..1_000_000)
}
