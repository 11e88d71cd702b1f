//! The benchmark: the whole product against the plainest tool that does the same, in the same run, as
//! ratios, because absolute times drift with the machine.
//!
//! The clock of an import runs from the moment at which the object is in the store to the terminal state,
//! by the database's own time stamps; uploads and downloads are shown apart.

pub mod after;
pub mod data;
pub mod decode;
mod embedded;
mod fleet;
pub mod records;
mod reference;
mod report;

pub use report::Line;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Options {
    /// Records.
    pub records: u64,
    /// Times that each measurement is taken; the median counts.
    pub runs: usize,
    /// Only measurements whose name contains this.
    pub only: Option<String>,
}

impl Options {
    /// Whether a part of the benchmark was asked for.
    fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| part.contains(only))
    }
}

/// Runs everything that was asked for and prints the table.
///
/// # Errors
/// When a measured program fails, or gives another number of records than went in.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let data = data::prepare(options.records)?;
    let mut lines = Vec::new();
    if options.wants("postgresql") {
        lines.extend(fleet::measure(options, &data).await?);
    }
    if options.wants("sqlite") {
        lines.extend(embedded::measure(options, &data).await?);
    }
    report::print(options, &lines);
    Ok(())
}

/// The middle of the measurements.
fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
}
