//! A coordinator and two workers on PostgreSQL, RabbitMQ, Redis and Garage, against `psql \copy`.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::data::Data;
use super::{Line, Options, median, reference};
use crate::fleet::Fleet;

const PROCESSES: [&str; 3] = ["coordinator", "worker-0", "worker-1"];
const ENDS_WITHIN: Duration = Duration::from_secs(600);

/// One thing measured, run by run.
struct Series {
    what: String,
    bytes: u64,
    seconds: Vec<f64>,
    transfer: Vec<f64>,
    memory: Vec<(String, u64, u64)>,
}

impl Series {
    fn new(what: impl Into<String>, bytes: u64) -> Self {
        Self { what: what.into(), bytes, seconds: Vec::new(), transfer: Vec::new(), memory: Vec::new() }
    }

    fn line(self, reference: Option<f64>) -> Line {
        let transfer = (!self.transfer.is_empty()).then(|| median(self.transfer));
        let (what, bytes, memory) = (self.what, self.bytes, self.memory);
        Line { what, bytes, seconds: median(self.seconds), reference, transfer, memory }
    }
}

pub(super) async fn measure(options: &Options, data: &Data) -> anyhow::Result<Vec<Line>> {
    let mut fleet = Fleet::new(&[]).await?;
    let url = fleet.setting.variables["CARRACK_DATABASE_URL"].clone();
    let shaped = fleet.path("shaped.csv");
    prepare_reference(&mut fleet, data, &url, &shaped).await?;
    let copy_in = format!("\\copy public.reference from '{}' csv", shaped.display());
    let copy_out = format!("\\copy carrack_data.\"contexts\" to '{}' csv", shaped.display());

    let shaped_bytes = Data::bytes(&shaped);
    let mut plain_in = Series::new("psql \\copy from", shaped_bytes);
    let mut plain_out = Series::new("psql \\copy to", shaped_bytes);
    let mut imports = [
        (Series::new("carrack import CSV, 2 workers, PostgreSQL", Data::bytes(&data.csv)), &data.csv),
        (Series::new("carrack import JSON, 2 workers, PostgreSQL", Data::bytes(&data.json)), &data.json),
    ];
    let mut exports = [
        (Series::new("carrack export CSV, 2 workers", 0), "csv"),
        (Series::new("carrack export JSON, 2 workers", 0), "json"),
    ];
    for _ in 0..options.runs {
        settle(&fleet, "TRUNCATE public.reference").await?;
        plain_in.seconds.push(reference::psql(&url, &copy_in).await?);
        for (series, file) in &mut imports {
            settle(&fleet, "TRUNCATE carrack_data.\"contexts\"").await?;
            let path = file.to_str().context("a path that is not text")?.to_owned();
            let args = ["import", path.as_str(), "--type", "contexts", "--json"];
            measure_one(&mut fleet, series, &args, data.records).await?;
        }
        plain_out.seconds.push(reference::psql(&url, &copy_out).await?);
        for (series, format) in &mut exports {
            let output = fleet.path("export.out").display().to_string();
            let args = ["export", "--type", "contexts", "--format", format, "-o", &output, "--json"];
            measure_one(&mut fleet, series, &args, data.records).await?;
            series.bytes = Data::bytes(&output.into());
        }
    }
    let (copy_in, copy_out) = (median(plain_in.seconds.clone()), median(plain_out.seconds.clone()));
    let mut lines = vec![plain_in.line(None)];
    lines.extend(imports.into_iter().map(|(series, _)| series.line(Some(copy_in))));
    lines.push(plain_out.line(None));
    lines.extend(exports.into_iter().map(|(series, _)| series.line(Some(copy_out))));
    Ok(lines)
}

/// One operation on fresh processes, timed by the database: from its creation, when the object is in the
/// store, to its end.
async fn measure_one(
    fleet: &mut Fleet,
    series: &mut Series,
    args: &[&str],
    records: u64,
) -> anyhow::Result<()> {
    let mut idle = Vec::new();
    for name in PROCESSES {
        fleet.start(name).await?;
        idle.push(fleet.processes()[name].memory().unwrap_or_default());
    }
    let started = Instant::now();
    let ended = fleet.command("command", args)?.wait(ENDS_WITHIN).await?;
    let whole = started.elapsed().as_secs_f64();
    ensure!(ended.code == Some(0), "{args:?} ended with {:?}: {}", ended.code, ended.stdout);
    let report: serde_json::Value = serde_json::from_str(&ended.stdout)?;
    ensure!(report["read"] == records, "read {}, expected {records}", report["read"]);
    let sql = "SELECT (extract(epoch FROM finished_at - created_at) * 1e6)::bigint FROM carrack.operations \
               ORDER BY created_at DESC LIMIT 1";
    let seconds = fleet.count(sql).await? as f64 / 1e6;
    series.seconds.push(seconds);
    series.transfer.push(whole - seconds);
    for (number, name) in PROCESSES.into_iter().enumerate() {
        let process = fleet.take(name)?;
        let peak = process.peak_memory().unwrap_or_default();
        match series.memory.get_mut(number) {
            Some(largest) if largest.2 >= peak => {}
            Some(largest) => *largest = (name.into(), idle[number], peak),
            None => series.memory.push((name.into(), idle[number], peak)),
        }
        process.kill().await?;
    }
    Ok(())
}

/// Makes the reference's input and table: the rows as Carrack stores them, in the order of the input.
async fn prepare_reference(fleet: &mut Fleet, data: &Data, url: &str, shaped: &Path) -> anyhow::Result<()> {
    let mut first = Series::new("preparation", 0);
    let path = data.csv.to_str().context("a path that is not text")?.to_owned();
    measure_one(fleet, &mut first, &["import", &path, "--type", "contexts", "--json"], data.records).await?;
    let select = "select * from carrack_data.\"contexts\" order by _position";
    reference::psql(url, &format!("\\copy ({select}) to '{}' csv", shaped.display())).await?;
    let like = "CREATE TABLE public.reference (LIKE carrack_data.\"contexts\" INCLUDING ALL)";
    fleet.database.batch_execute(like).await?;
    Ok(())
}

/// Brings the database into the same state before every measurement.
async fn settle(fleet: &Fleet, truncate: &str) -> anyhow::Result<()> {
    fleet.database.batch_execute(truncate).await?;
    fleet.database.batch_execute("CHECKPOINT").await?;
    Ok(())
}
