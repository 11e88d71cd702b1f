//! The table that is printed.
#![expect(clippy::print_stdout, reason = "printing is what this is for")]

use super::Options;

/// One row of the table.
#[derive(Debug, Clone)]
pub struct Line {
    /// What was measured.
    pub what: String,
    /// Bytes that went through.
    pub bytes: u64,
    /// Its time.
    pub seconds: f64,
    /// The time of the plain tool in the same run; none for the plain tool itself.
    pub reference: Option<f64>,
    /// Upload or download, not in `seconds`.
    pub transfer: Option<f64>,
    /// Idle and peak resident size of each process, in bytes.
    pub memory: Vec<(String, u64, u64)>,
}

const MIB: f64 = 1024.0 * 1024.0;

pub(super) fn print(options: &Options, lines: &[Line]) {
    println!("{} contexts, the median of {} runs", options.records, options.runs);
    println!(
        "{:<44} {:>8} {:>8} {:>9} {:>7} {:>9}  peak memory (over idle), MiB",
        "", "s", "MB/s", "records/s", "ratio", "transfer"
    );
    for line in lines {
        let ratio =
            line.reference.map_or("1.00".into(), |reference| format!("{:.2}", line.seconds / reference));
        let transfer = line.transfer.map_or(String::new(), |seconds| format!("{seconds:.2} s"));
        println!(
            "{:<44} {:>8.2} {:>8.0} {:>9.0} {:>7} {:>9}  {}",
            line.what,
            line.seconds,
            line.bytes as f64 / 1e6 / line.seconds,
            options.records as f64 / line.seconds,
            ratio,
            transfer,
            memory(line)
        );
    }
}

fn memory(line: &Line) -> String {
    let each = line.memory.iter().map(|(name, idle, peak)| {
        let (peak, over) = (*peak as f64 / MIB, peak.saturating_sub(*idle) as f64 / MIB);
        format!("{name} {peak:.0} (+{over:.0})")
    });
    each.collect::<Vec<_>>().join(", ")
}
