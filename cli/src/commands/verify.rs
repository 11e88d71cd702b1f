//! `carrack operations verify`: compares the files of an import with its tables, and writes the report.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use carrack_shared::config::Config;
use carrack_shared::operation::OperationId;
use clap::Args;
use serde_json::Value;

use crate::access::Access;
use crate::arguments::Server;
use crate::exit::{Exit, Usage};
use crate::interrupt::Interrupts;
use crate::output::Output;
use crate::place::{Fence, Place};
use crate::watch::{self, Ending, OnInterrupt};
use crate::{console, verified};

use super::missing;

/// The arguments of `verify`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The import.
    #[arg(value_name = "ID")]
    id: OperationId,
    #[command(flatten)]
    output: Reported,
    #[command(flatten)]
    pub server: Server,
}

/// Where the result goes.
#[derive(Debug, Args)]
pub struct Reported {
    /// Also write the report to this file, over one that is there: JSON to x.json, Markdown to x.md.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print the report as one JSON object.
    #[arg(long)]
    json: bool,
}

/// How the result is told, once the place for the report is known to be one.
pub struct Settled {
    pub reach: String,
    pub report: Option<Report>,
    pub json: bool,
}

/// A file for the report.
pub struct Report {
    place: Place,
    form: Form,
}

#[derive(Clone, Copy)]
enum Form {
    Json,
    Markdown,
}

impl Reported {
    /// Tries the place for the report.
    pub fn settle(&self, fence: &Fence, reach: &str) -> Result<Settled, Usage> {
        let report = self.report.as_ref().map(|file| Report::settle(file, fence)).transpose()?;
        Ok(Settled { reach: reach.to_owned(), report, json: self.json })
    }
}

impl Report {
    fn settle(file: &Path, fence: &Fence) -> Result<Self, Usage> {
        let ending = file.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
        let form = match ending.as_deref() {
            Some("json") => Form::Json,
            Some("md" | "markdown") => Form::Markdown,
            _ => {
                let found = file.display();
                return Err(Usage(format!(
                    "--report: found {found}, expected a name that ends with .json or .md"
                )));
            }
        };
        Ok(Self { place: Place::settle("--report", file, fence)?, form })
    }

    /// The file, as the user has named it.
    pub fn named(&self) -> &Path {
        self.place.named()
    }

    /// Writes a report in the form that the file's name asks for.
    pub async fn write(&self, report: &Value, markdown: String) -> anyhow::Result<()> {
        let text = match self.form {
            Form::Json => format!("{}\n", serde_json::to_string_pretty(report)?),
            Form::Markdown => markdown,
        };
        let mut output = Output::create(&self.place).await?;
        output.write(text.as_bytes()).await?;
        output.finish().await
    }
}

/// Verifies an import, and reports.
pub async fn run(arguments: Arguments, config: Config, reach: &str) -> anyhow::Result<Exit> {
    let mut interrupts = Interrupts::listen()?;
    let mut fence = Fence::around(&config);
    let mut access = Access::open(&arguments.server, config).await?;
    access.sources(arguments.id).await?.iter().for_each(|source| fence.add_source(source));
    let output = arguments.output.settle(&fence, reach)?;
    let id = access.verify(arguments.id).await?;
    finish(&mut access, id, OnInterrupt::Cancel, output, &mut interrupts).await
}

/// Watches a verification to its end, and reports.
pub async fn finish(
    access: &mut Access,
    id: OperationId,
    on_interrupt: OnInterrupt,
    output: Settled,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Exit> {
    let again = watch::again(id, &output.reach, None);
    let ending = watch::until_end(access, id, on_interrupt, &again, interrupts).await?;
    let Ending::Ended(_) = ending else { return Ok(Exit::Interrupted) };
    let progress = access.progress_with_errors(id).await?.with_context(|| missing(id))?;
    access.stop().await;
    let report = progress.verification.as_deref().context("the verification has no report")?;
    if let Some(file) = &output.report {
        file.write(&serde_json::to_value(report)?, report.markdown()).await?;
    }
    let text = match output.json {
        true => serde_json::to_string(report)?,
        false => verified::text(&progress, report, output.report.as_ref().map(Report::named)),
    };
    console::result(&text)?;
    Ok(Exit::of(progress.status))
}
