//! The plain tools: `psql \copy` and `sqlite3 .import`, timed from outside.

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, ensure};
use tokio::process::Command;

/// Runs one psql command line; answers its seconds.
pub(super) async fn psql(url: &str, command: &str) -> anyhow::Result<f64> {
    timed(Command::new("psql").args([url, "-q", "-X", "-v", "ON_ERROR_STOP=1", "-c", command])).await
}

/// Loads a CSV file with a header row into a fresh SQLite file with `.import`; answers its seconds.
pub(super) async fn sqlite_import(file: &Path, csv: &Path, create: &str) -> anyhow::Result<f64> {
    let import = format!(".import --csv --skip 1 '{}' contexts", csv.display());
    let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";
    timed(Command::new("sqlite3").arg(file).args([pragmas, create, &import])).await
}

async fn timed(command: &mut Command) -> anyhow::Result<f64> {
    let started = Instant::now();
    let output = command.stdin(Stdio::null()).output().await.with_context(|| format!("run {command:?}"))?;
    let seconds = started.elapsed().as_secs_f64();
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(seconds)
}
