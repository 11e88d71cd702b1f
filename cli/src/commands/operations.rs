//! `carrack operations`: list, show, watch, cancel and undo what was started.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use carrack_coordinator::reject_lines::grouped;
use carrack_coordinator::report::Progress;
use carrack_shared::config::Config;
use carrack_shared::operation::{OperationId, State};
use carrack_shared::port::operations::Listing;
use clap::{Args, Subcommand};
use url::Url;

use crate::access::Access;
use crate::arguments::{Server, whole_number};
use crate::console;
use crate::delivery::Target;
use crate::exit::{Exit, Usage};
use crate::interrupt::Interrupts;
use crate::place::Fence;
use crate::summary;
use crate::watch::{self, Ending, OnInterrupt};

use super::{export, import, missing, rejects, retry, verify};

/// The commands of `operations`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List operations, newest first.
    List(List),
    /// Show one operation.
    Show(Show),
    /// Watch an operation to its end; finishes it, if nobody else runs it here.
    Watch(Watch),
    /// Cancel an operation.
    Cancel(Show),
    /// Show what is wrong with the records that an import refused.
    Rejects(rejects::Arguments),
    /// Import the records again that an import refused, as they stood or from a corrected file.
    Retry(retry::Arguments),
    /// Undo an import: remove the rows that it has created, restore those that it has overwritten.
    Undo(Undo),
    /// Compare the files of an import with the rows of its table.
    Verify(verify::Arguments),
}

/// The arguments of `undo`.
#[derive(Debug, Args)]
pub struct Undo {
    /// The import.
    #[arg(value_name = "ID")]
    id: OperationId,
    /// Also go over rows that others have changed since; they are left alone otherwise.
    #[arg(long)]
    force: bool,
    /// Print one JSON object instead of the report.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// The arguments of `list`.
#[derive(Debug, Args)]
pub struct List {
    /// Only those that have not ended.
    #[arg(long)]
    active: bool,
    /// How many.
    #[arg(long, default_value_t = 20, value_name = "N", allow_negative_numbers = true,
        value_parser = whole_number::<1, 500>)]
    limit: u16,
    /// Print a JSON array.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// The arguments of `show` and `cancel`.
#[derive(Debug, Args)]
pub struct Show {
    /// The operation.
    #[arg(value_name = "ID")]
    id: OperationId,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// The arguments of `watch`.
#[derive(Debug, Args)]
pub struct Watch {
    /// The operation.
    #[arg(value_name = "ID")]
    id: OperationId,
    /// The file that an export is to write, over one that is there.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    report: import::Output,
    #[command(flatten)]
    server: Server,
}

impl Command {
    /// The server that is named.
    pub fn server(&self) -> Option<&Url> {
        let server = match self {
            Self::List(list) => &list.server,
            Self::Show(show) | Self::Cancel(show) => &show.server,
            Self::Watch(watch) => &watch.server,
            Self::Rejects(rejects) => &rejects.server,
            Self::Retry(retry) => &retry.server,
            Self::Undo(undo) => &undo.server,
            Self::Verify(verify) => &verify.server,
        };
        server.server.as_ref()
    }
}

/// Runs a command of `operations`.
pub async fn run(command: Command, config: Config, reach: &str) -> anyhow::Result<Exit> {
    match command {
        Command::List(arguments) => list(arguments, config).await,
        Command::Show(arguments) => show(arguments, config).await,
        Command::Watch(arguments) => watch(arguments, config, reach).await,
        Command::Cancel(arguments) => cancel(arguments, config, reach).await,
        Command::Rejects(arguments) => rejects::run(arguments, config, reach).await,
        Command::Retry(arguments) => Box::pin(retry::run(arguments, config, reach)).await,
        Command::Undo(arguments) => undo(arguments, config, reach).await,
        Command::Verify(arguments) => verify::run(arguments, config, reach).await,
    }
}

async fn list(arguments: List, config: Config) -> anyhow::Result<Exit> {
    let access = Access::open(&arguments.server, config).await?;
    let listing = if arguments.active { Listing::Active } else { Listing::Latest(arguments.limit.into()) };
    let list = access.list(listing).await?;
    if arguments.json {
        console::result(&serde_json::to_string(&list)?)?;
        return Ok(Exit::Good);
    }
    if list.is_empty() {
        console::note("there are no operations");
    }
    for progress in &list {
        console::result(&row(progress))?;
    }
    Ok(Exit::Good)
}

fn row(progress: &Progress) -> String {
    format!(
        "{}  {}  {} {}  {}  {:.1} %  {} records, {} rejected",
        progress.operation_id,
        progress.start_time.round(jiff::Unit::Second).unwrap_or(progress.start_time),
        summary::kind(progress),
        progress.data_type,
        progress.status.as_str(),
        progress.progress,
        grouped(progress.read),
        grouped(progress.rejected),
    )
}

async fn show(arguments: Show, config: Config) -> anyhow::Result<Exit> {
    let access = Access::open(&arguments.server, config).await?;
    let report = access.report(arguments.id).await?.with_context(|| missing(arguments.id))?;
    if arguments.json {
        console::result(&report.line())?;
    } else {
        console::result(&report.lines()?.join("\n"))?;
    }
    Ok(Exit::Good)
}

async fn watch(arguments: Watch, config: Config, reach: &str) -> anyhow::Result<Exit> {
    let mut interrupts = Interrupts::listen()?;
    let mut fence = Fence::around(&config);
    let mut access = Access::open(&arguments.server, config).await?;
    let (id, report) = (arguments.id, arguments.report);
    let Some(found) = watch::first_look(&access, id, &mut interrupts).await? else {
        return Ok(Exit::Interrupted);
    };
    if found.kind == "import" {
        if arguments.output.is_some() {
            return Err(Usage(format!("-o: operation {id} is an import, expected an export")).into());
        }
        access.sources(id).await?.iter().for_each(|source| fence.add_source(source));
        let output = report.settle(&fence, reach)?;
        return import::finish(&mut access, id, OnInterrupt::Leave, &output, &mut interrupts).await;
    }
    if report.rejects.is_some() {
        let kind = &found.kind;
        return Err(Usage(format!(
            "--rejects: found operation {id}, of the kind {kind}, expected an import"
        ))
        .into());
    }
    if found.kind == "verify" {
        if arguments.output.is_some() {
            return Err(Usage(format!("-o: operation {id} is a verify, expected an export")).into());
        }
        let output = verify::Settled { reach: reach.to_owned(), report: None, json: report.json };
        return verify::finish(&mut access, id, OnInterrupt::Leave, output, &mut interrupts).await;
    }
    if found.kind == "undo" {
        if arguments.output.is_some() {
            return Err(Usage(format!("-o: operation {id} is an undo, expected an export")).into());
        }
        return finish_undo(&mut access, id, OnInterrupt::Leave, report.json, reach, &mut interrupts).await;
    }
    let settle = |file: &PathBuf| Target::settle(file, None, &fence);
    let target = arguments.output.as_ref().map(settle).transpose()?;
    let output = export::Settled { reach: reach.to_owned(), target, json: report.json };
    export::finish(&mut access, id, OnInterrupt::Leave, output, &mut interrupts).await
}

async fn cancel(arguments: Show, config: Config, reach: &str) -> anyhow::Result<Exit> {
    let embedded = arguments.server.server.is_none() && config.is_embedded();
    let mut access = Access::open(&arguments.server, config).await?;
    let mut progress = access.cancel(arguments.id).await?.with_context(|| missing(arguments.id))?;
    if !matches!(progress.status, State::Cancelling | State::Cancelled) {
        bail!("operation {} is {} and cannot be cancelled any more", arguments.id, progress.status.as_str());
    }
    if embedded {
        // Nobody else may be there to close its books.
        let mut interrupts = Interrupts::listen()?;
        let (id, again) = (arguments.id, watch::again(arguments.id, reach, None));
        let ending = watch::until_end(&mut access, id, OnInterrupt::Leave, &again, &mut interrupts).await?;
        let Ending::Ended(_) = ending else { return Ok(Exit::Interrupted) };
        progress = access.progress_with_errors(id).await?.with_context(|| missing(id))?;
        access.stop().await;
    }
    let text = if arguments.json { serde_json::to_string(&progress)? } else { row(&progress) };
    console::result(&text)?;
    Ok(Exit::Good)
}

async fn undo(arguments: Undo, config: Config, reach: &str) -> anyhow::Result<Exit> {
    let mut interrupts = Interrupts::listen()?;
    let mut access = Access::open(&arguments.server, config).await?;
    let id = access.undo(arguments.id, arguments.force).await?;
    finish_undo(&mut access, id, OnInterrupt::Cancel, arguments.json, reach, &mut interrupts).await
}

/// Watches an undo to its end, and reports.
async fn finish_undo(
    access: &mut Access,
    id: OperationId,
    on_interrupt: OnInterrupt,
    json: bool,
    reach: &str,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Exit> {
    let again = watch::again(id, reach, None);
    let ending = watch::until_end(access, id, on_interrupt, &again, interrupts).await?;
    let Ending::Ended(_) = ending else { return Ok(Exit::Interrupted) };
    let progress = access.progress_with_errors(id).await?.with_context(|| missing(id))?;
    access.stop().await;
    let tell = if json { summary::json } else { summary::text };
    console::result(&tell(&progress, None, None))?;
    Ok(Exit::of(progress.status))
}
