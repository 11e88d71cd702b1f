//! `./dev bench records`: what is done to records costs, as a ratio against the same import without it, in the
//! same run: a whole template, and records that are refused. Embedded, on SQLite.
#![expect(clippy::print_stdout, reason = "printing is what this is for")]

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::Options;
use crate::generate::{Generator, Recipe, Shape};
use crate::process::{Process, Setting};
use crate::services;

/// What one import cost.
#[derive(Clone, Copy)]
struct Cost {
    /// By the clock of the database.
    wall: f64,
    /// Of the processor, in all threads.
    processor: f64,
}

/// An import that is measured beside the plain one.
struct Case {
    name: &'static str,
    file: PathBuf,
    options: Vec<String>,
    rejected: u64,
    /// What it may cost of the plain import, by which clock.
    most: Most,
}

enum Most {
    Plain,
    Wall(f64),
    Processor(f64),
}

/// Measures and prints the table.
///
/// # Errors
/// When an import fails, or does not load what it should.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (cases, records) = (cases(folder.path(), options.records)?, options.records);
    let mut costs = vec![Vec::new(); cases.len()];
    // Taking turns, so that a slow minute of the machine meets all of them.
    for _ in 0..options.runs {
        for (case, costs) in cases.iter().zip(&mut costs) {
            costs.push(import(folder.path(), case, records).await?);
        }
    }
    println!("{records} contexts, CSV, embedded, the median of {} runs", options.runs);
    println!("{:<44} {:>8} {:>8} {:>8} {:>8}   at most", "", "wall s", "ratio", "cpu s", "ratio");
    let costs: Vec<Cost> = costs.iter().map(|costs| middle(costs)).collect();
    for (case, cost) in cases.iter().zip(&costs) {
        let plain = costs[0];
        let most = match case.most {
            Most::Plain => String::new(),
            Most::Wall(most) => format!("{most:.2} of the wall clock"),
            Most::Processor(most) => format!("{most:.2} of the processor"),
        };
        let (wall, processor) = (cost.wall / plain.wall, cost.processor / plain.processor);
        println!(
            "{:<44} {:>8.2} {wall:>8.2} {:>8.2} {processor:>8.2}   {most}",
            case.name, cost.wall, cost.processor
        );
    }
    Ok(())
}

fn cases(folder: &Path, records: u64) -> anyhow::Result<Vec<Case>> {
    let good = input(&recipe(records, 0))?;
    let (bad, rejected) = (input(&recipe(records, 10))?, rejects(records, 10)?);
    let template = folder.join("template.json");
    std::fs::write(&template, FULL_TEMPLATE)?;
    let template = template.to_str().context("a path that is not text")?.to_owned();
    let contexts = || vec!["--type".to_owned(), "contexts".to_owned()];
    Ok(vec![
        Case { name: "no template", file: good.clone(), options: contexts(), rejected: 0, most: Most::Plain },
        Case {
            name: "10 fields mapped, 5 changed, 2 computed, 10 constraints",
            file: good,
            options: vec!["--template".into(), template],
            rejected: 0,
            most: Most::Processor(1.4),
        },
        Case {
            name: "10 % of the records refused",
            file: bad,
            options: contexts(),
            rejected,
            most: Most::Wall(1.3),
        },
    ])
}

/// Ten fields go elsewhere, five transformations, two computed fields, ten constraints.
const FULL_TEMPLATE: &str = include_str!("../../../shared/examples/full_template.json");

fn recipe(records: u64, bad_percent: u32) -> Recipe {
    Recipe { bad_percent, ..Recipe::new(records) }
}

/// The file of these records, made once.
pub(super) fn input(recipe: &Recipe) -> anyhow::Result<PathBuf> {
    let folder = services::workspace().join("target/bench");
    std::fs::create_dir_all(&folder)?;
    let Recipe { records, seed, bad_percent, revised_every, .. } = recipe;
    let path = folder.join(format!("contexts-{records}-{seed}-{bad_percent}-{revised_every}.csv"));
    if !path.exists() {
        let draft = path.with_extension("draft");
        let mut file = BufWriter::new(File::create(&draft)?);
        Generator::new(*recipe).write(Shape::Csv, &mut file)?;
        file.into_inner()?.sync_all()?;
        std::fs::rename(&draft, &path)?;
    }
    Ok(path)
}

fn rejects(records: u64, bad_percent: u32) -> anyhow::Result<u64> {
    Ok(Generator::new(recipe(records, bad_percent)).write(Shape::Csv, std::io::sink())?.rejected())
}

/// One import into a fresh data folder.
async fn import(folder: &Path, case: &Case, records: u64) -> anyhow::Result<Cost> {
    let data_dir = folder.join("data");
    let data = data_dir.to_str().context("a path that is not text")?;
    let file = case.file.to_str().context("a path that is not text")?;
    let mut arguments = vec!["import", file, "--json", "--data-dir", data];
    arguments.extend(case.options.iter().map(String::as_str));
    let setting = Setting { folder: folder.to_path_buf(), ..Setting::default() };
    let before = children_time()?;
    let process = Process::start("import", &arguments, &setting)?;
    let ended = process.wait(Duration::from_secs(600)).await?;
    let processor = children_time()? - before;
    let expected = if case.rejected == 0 { 0 } else { 3 };
    ensure!(ended.code == Some(expected), "{} ended with {:?}: {}", case.name, ended.code, ended.stdout);
    let report: Value = serde_json::from_str(&ended.stdout)?;
    let counts = (&report["created"], &report["rejected"]);
    ensure!(
        *counts.0 == json!(records - case.rejected) && *counts.1 == json!(case.rejected),
        "{}: created {}, rejected {}, expected {} of {records} rejected",
        case.name,
        counts.0,
        counts.1,
        case.rejected
    );
    std::fs::remove_dir_all(data_dir)?;
    Ok(Cost { wall: report["seconds"].as_f64().context("seconds")?, processor })
}

/// Each clock by itself.
fn middle(costs: &[Cost]) -> Cost {
    let of = |clock: fn(&Cost) -> f64| super::median(costs.iter().map(clock).collect());
    Cost { wall: of(|cost| cost.wall), processor: of(|cost| cost.processor) }
}

/// The seconds of the processor that ended children of this process have used.
fn children_time() -> anyhow::Result<f64> {
    /// Of Linux, for every program.
    const TICKS_PER_SECOND: f64 = 100.0;
    let statistics = std::fs::read_to_string("/proc/self/stat")?;
    // Behind the name, which may hold blanks: the state is the third field, cutime and cstime are 16 and 17.
    let (_, rest) = statistics.rsplit_once(')').context("/proc/self/stat")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks: u64 = fields[13].parse::<u64>()? + fields[14].parse::<u64>()?;
    Ok(ticks as f64 / TICKS_PER_SECOND)
}
