//! `./dev bench decode`: how fast records are read on one core, without a database, beside the fastest
//! program that reads the same bytes at all, in the same run.
//!
//! Ours is everything that a worker does between its bytes and its transaction: it checks the hash, frames,
//! decodes, maps and validates. The references only parse. What is measured is the time of the processor,
//! and the best of several runs counts: what disturbs a run makes it slower, never faster.
#![expect(clippy::print_stdout, reason = "printing is what this is for")]

mod inputs;
mod layers;
mod ours;
mod references;

use std::time::Duration;

use carrack_shared::format::Format;

use self::inputs::Input;
use super::Options;

/// One row of the table: something that reads bytes, and what it is compared with.
struct Row {
    name: String,
    bytes: usize,
    ours: Duration,
    /// Its name, and its time.
    reference: Option<(&'static str, Duration)>,
}

/// Measures and prints the table.
///
/// # Errors
/// When the records cannot be generated.
///
/// # Panics
/// When one that was generated is refused.
pub fn run(options: &Options) -> anyhow::Result<()> {
    println!("{} contexts on one core, the best of {} runs", options.records, options.runs);
    println!("{:<24} {:>6} {:>8}   reference", "", "MB", "MB/s");
    for input in inputs::all(options.records)? {
        for row in rows(&input, options) {
            print(&row);
        }
        if input.format == Format::Csv {
            layers::rows(&input.bytes, options).iter().for_each(print);
        }
    }
    Ok(())
}

/// The rows of one input: planning it, and reading it.
fn rows(input: &Input, options: &Options) -> Vec<Row> {
    let runs = options.runs;
    let planned = ours::Planned::new(input);
    let bytes = input.bytes.len();
    let mut rows = Vec::new();
    let name = format!("{} split", input.name);
    if options.wants(&name) {
        let ours = best(runs, || drop(ours::Planned::new(input)));
        rows.push(Row { name, bytes, ours, reference: None });
    }
    let name = format!("{} decode", input.name);
    if options.wants(&name) {
        let frames = planned.frames();
        let reference = references::of(input.format);
        let of_reference = best(runs, || (reference.read)(input, &frames));
        let ours = best(runs, || planned.read());
        rows.push(Row { name, bytes, ours, reference: Some((reference.name, of_reference)) });
    }
    rows
}

fn print(row: &Row) {
    let speed = |time: Duration| row.bytes as f64 / 1e6 / time.as_secs_f64();
    let ours = speed(row.ours);
    let beside = row.reference.map_or(String::new(), |(name, time)| {
        let theirs = speed(time);
        format!("{name} {theirs:.0} MB/s, ratio {:.2}", ours / theirs)
    });
    println!("{:<24} {:>6.0} {ours:>8.0}   {beside}", row.name, row.bytes as f64 / 1e6);
}

fn best(runs: usize, mut work: impl FnMut()) -> Duration {
    let mut once = || {
        let start = processor_time();
        work();
        processor_time() - start
    };
    (0..runs.max(1)).map(|_| once()).min().unwrap_or_default()
}

/// What this process has used: others on the machine do not count.
fn processor_time() -> Duration {
    let statistics = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    Duration::from_nanos(statistics.split(' ').next().unwrap().parse().unwrap())
}
