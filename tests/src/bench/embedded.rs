//! One process on SQLite, against `sqlite3 .import`.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::data::Data;
use super::{Line, Options, median, reference};
use crate::process::{Process, Setting};

/// The plain table: the same columns, without types beside the key.
const PLAIN_TABLE: &str = r#"CREATE TABLE contexts ("id" TEXT PRIMARY KEY, "title" TEXT, "content" TEXT, "type" TEXT, "tags" TEXT, "createdAt" TEXT, "sessionId" TEXT, "metadata" TEXT);"#;

pub(super) async fn measure(options: &Options, data: &Data) -> anyhow::Result<Vec<Line>> {
    let folder = tempfile::tempdir()?;
    let mut plain = Vec::new();
    let mut imports = [("CSV", &data.csv, Vec::new(), 0), ("JSON", &data.json, Vec::new(), 0)];
    for run in 0..options.runs {
        let file = folder.path().join(format!("plain-{run}.sqlite"));
        plain.push(reference::sqlite_import(&file, &data.csv, PLAIN_TABLE).await?);
        std::fs::remove_file(file)?;
        for (_, path, seconds, peak) in &mut imports {
            let (took, memory) = import(folder.path(), path, data.records).await?;
            seconds.push(took);
            *peak = memory.max(*peak);
        }
    }
    let plain = median(plain);
    let mut lines = vec![Line {
        what: "sqlite3 .import".into(),
        bytes: Data::bytes(&data.csv),
        seconds: plain,
        reference: None,
        transfer: None,
        memory: Vec::new(),
    }];
    lines.extend(imports.into_iter().map(|(format, path, seconds, peak)| Line {
        what: format!("carrack import {format}, embedded, SQLite"),
        bytes: Data::bytes(path),
        seconds: median(seconds),
        reference: Some(plain),
        transfer: None,
        memory: vec![("carrack".into(), 0, peak)],
    }));
    Ok(lines)
}

/// One import into a fresh data folder: its seconds and its peak memory.
async fn import(folder: &Path, file: &Path, records: u64) -> anyhow::Result<(f64, u64)> {
    let data_dir = folder.join("data");
    let data = data_dir.to_str().context("a path that is not text")?;
    let file = file.to_str().context("a path that is not text")?;
    let setting = Setting { folder: folder.to_path_buf(), ..Setting::default() };
    let process = Process::start(
        "import",
        &["import", file, "--type", "contexts", "--json", "--data-dir", data],
        &setting,
    )?;
    let (ended, peak) = process.wait_measured(Duration::from_secs(600)).await?;
    ensure!(ended.code == Some(0), "the import ended with {:?}: {}", ended.code, ended.stdout);
    let report: serde_json::Value = serde_json::from_str(&ended.stdout)?;
    ensure!(report["created"] == records, "created {}, expected {records}", report["created"]);
    std::fs::remove_dir_all(data_dir)?;
    Ok((report["seconds"].as_f64().context("seconds")?, peak))
}
