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

/// Seconds by the clock of the database of what is measured, and of what it is measured beside.
#[derive(Default)]
struct Walls {
    measured: Vec<f64>,
    beside: Vec<f64>,
}

/// Measures and prints the lines.
///
/// # Errors
/// When an operation fails, or does not come to what it should.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let records = options.records;
    let good = input("contexts", &Recipe::new(records))?;
    let changed = input("changed", &Recipe { seed: 8, ..Recipe::new(records / 2) })?;
    let (mut verify, mut images) = (Walls::default(), Walls::default());
    for _ in 0..options.runs {
        let folder = tempfile::tempdir()?;
        let id = imported(folder.path(), &good, &[], records).await?;
        verify.beside.push(export(folder.path(), records).await?);
        verify.measured.push(verified(folder.path(), &id, records).await?);
        for (walls, option) in [(&mut images.beside, &["--no-undo"][..]), (&mut images.measured, &[])] {
            let folder = tempfile::tempdir()?;
            imported(folder.path(), &good, &[], records).await?;
            walls.push(overwritten(folder.path(), &changed, option, records / 2).await?);
        }
    }
    println!("\n{:<44} {:>8} {:>8} {:>8}   at most", "", "wall s", "beside", "ratio");
    let beside = ["an export", "--no-undo"];
    for (name, walls, beside, most) in [
        ("a verification of all records", verify, beside[0], 1.2),
        ("an import that changes 50 % of the rows", images, beside[1], 1.25),
    ] {
        let (wall, other) = (super::median(walls.measured), super::median(walls.beside));
        let ratio = wall / other;
        println!("{name:<44} {wall:>8.2} {other:>8.2} {ratio:>8.2}   {most:.2} of {beside}");
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
