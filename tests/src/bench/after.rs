//! `./dev bench records`, what comes after an import: verifying it beside an export of the same records, and keeping
//! images for its undo beside the same import without. Embedded, on SQLite.
#![expect(clippy::print_stdout, reason = "printing is what this is for")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use serde_json::Value;

use super::Options;
use super::records::input;
use crate::generate::Recipe;
use crate::process::{Process, Setting};

/// What is measured beside something else, in seconds by the clock of the database.
struct Line {
    name: &'static str,
    beside: &'static str,
    /// How many times as long as the other it may take.
    most: Option<f64>,
    walls: Vec<f64>,
    others: Vec<f64>,
}

impl Line {
    fn new(name: &'static str, beside: &'static str, most: Option<f64>) -> Self {
        Self { name, beside, most, walls: Vec::new(), others: Vec::new() }
    }

    fn print(self) {
        let (wall, other) = (super::median(self.walls), super::median(self.others));
        let most = self.most.map_or_else(|| "told, of".to_owned(), |most| format!("{most:.2} of"));
        let ratio = wall / other;
        println!("{:<44} {wall:>8.2} {other:>8.2} {ratio:>8.2}   {most} {}", self.name, self.beside);
    }
}

/// Measures and prints the lines.
///
/// # Errors
/// When an operation fails, or does not come to what it should.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let records = options.records / 2 * 2;
    let good = input(&Recipe::new(records))?;
    // All records once more, every other one with other contents; and those of the first half alone, all of them so.
    let half = input(&Recipe { revised_every: 2, ..Recipe::new(records) })?;
    let changed = input(&Recipe { revised_every: 1, ..Recipe::new(records / 2) })?;
    let mut verify = Line::new("a verification of all records", "an export", Some(1.2));
    let mut images = [
        (Line::new("images, half of the records change", "--no-undo", Some(1.25)), half),
        (Line::new("images, all of half as many change", "--no-undo", None), changed),
    ];
    for _ in 0..options.runs {
        let folder = tempfile::tempdir()?;
        let id = imported(folder.path(), &good, &[], records).await?;
        verify.others.push(export(folder.path(), records).await?);
        verify.walls.push(verified(folder.path(), &id, records).await?);
        for (line, file) in &mut images {
            for (walls, option) in [(&mut line.others, &["--no-undo"][..]), (&mut line.walls, &[])] {
                let folder = tempfile::tempdir()?;
                imported(folder.path(), &good, &[], records).await?;
                walls.push(overwritten(folder.path(), file, option, records / 2).await?);
            }
        }
    }
    println!("\n{:<44} {:>8} {:>8} {:>8}   at most", "", "wall s", "beside", "ratio");
    verify.print();
    for (line, _) in images {
        line.print();
    }
    Ok(())
}

async fn imported(folder: &Path, file: &Path, more: &[&str], records: u64) -> anyhow::Result<String> {
    let report = import(folder, file, more).await?;
    ensure!(report["created"] == records, "found {report}, expected {records} created");
    Ok(report["operationId"].as_str().context("operationId")?.to_owned())
}

async fn overwritten(folder: &Path, file: &Path, more: &[&str], records: u64) -> anyhow::Result<f64> {
    let report = import(folder, file, &[&["--overwrite"], more].concat()).await?;
    ensure!(report["updated"] == records, "found {report}, expected {records} updated");
    report["seconds"].as_f64().context("seconds")
}

async fn import(folder: &Path, file: &Path, more: &[&str]) -> anyhow::Result<Value> {
    let file = file.to_str().context("a path that is not text")?;
    command(folder, &[&["import", file, "--type", "contexts", "--json"], more].concat()).await
}

async fn export(folder: &Path, records: u64) -> anyhow::Result<f64> {
    let args = ["export", "--type", "contexts", "--format", "csv", "-o", "all.csv", "--json"];
    let report = command(folder, &args).await?;
    ensure!(report["read"] == records, "found {report}, expected {records} exported");
    report["seconds"].as_f64().context("seconds")
}

async fn verified(folder: &Path, id: &str, records: u64) -> anyhow::Result<f64> {
    let report = command(folder, &["operations", "verify", id, "--json"]).await?;
    ensure!(report["counts"]["matched"] == records, "found {report}, expected {records} matched");
    let at = |name: &str| report[name].as_str().context("a time")?.parse::<Timestamp>().context("a time");
    Ok(at("finishedAt")?.duration_since(at("startedAt")?).as_secs_f64())
}

async fn command(folder: &Path, args: &[&str]) -> anyhow::Result<Value> {
    let setting = Setting { folder: PathBuf::from(folder), ..Setting::default() };
    let ended = Process::start(args[0], args, &setting)?.wait(Duration::from_secs(600)).await?;
    ensure!(ended.code == Some(0), "{args:?} ended with {:?}: {}", ended.code, ended.stdout);
    Ok(serde_json::from_str(&ended.stdout)?)
}
