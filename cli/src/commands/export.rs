//! `carrack export`: a table into a file.

use std::path::PathBuf;

use anyhow::anyhow;
use carrack_coordinator::options::Options;
use carrack_coordinator::start;
use carrack_shared::config::Config;
use carrack_shared::operation::{OperationId, State};
use clap::Args;
use serde_json::json;

use crate::access::Access;
use crate::arguments::Server;
use crate::exit::{self, Exit, Usage};
use crate::interrupt::Interrupts;
use crate::output::{self, Output};
use crate::place::{Fence, Place};
use crate::watch::{self, Ending, OnInterrupt};
use crate::{console, summary};

/// The arguments of `export`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What to export: contexts or sessions.
    #[arg(long = "type", value_name = "TYPE")]
    data_type: String,
    /// Format of the file: json, csv, xml, yaml or markdown.
    #[arg(long)]
    format: String,
    /// The file to write; one that is there is replaced when the export has succeeded.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Print one JSON object instead of the report.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub server: Server,
}

/// How the result is told, once the place for the file is known to be one.
pub struct Settled {
    /// The flags by which another command reaches the same operations.
    pub reach: String,
    /// The place, if the file is wanted.
    pub place: Option<Place>,
    /// One JSON object instead of the report.
    pub json: bool,
}

/// Exports a table and reports.
pub async fn run(arguments: Arguments, config: Config, reach: &str) -> anyhow::Result<Exit> {
    let document = json!({ "format": arguments.format });
    let spec = start::export_request(&arguments.data_type, Options::from_value(&document));
    let output = Place::settle("-o", &arguments.output, &Fence::around(&config));
    let mut mistakes: Vec<String> = spec.as_ref().err().into_iter().flatten().map(super::in_flags).collect();
    mistakes.extend(output.as_ref().err().map(ToString::to_string));
    let (Ok(spec), Ok(output)) = (spec, output) else { return Err(Usage::listing(mistakes).into()) };
    let mut interrupts = Interrupts::listen()?;
    let mut access = Access::open(&arguments.server, config).await?;
    let id = match &access {
        Access::Local(local) => local.create(spec).await.map_err(super::refused)?,
        Access::Remote(remote) => remote.export(&arguments.data_type, &document).await?.operation_id,
    };
    let output = Settled { reach: reach.to_owned(), place: Some(output), json: arguments.json };
    finish(&mut access, id, OnInterrupt::Cancel, output, &mut interrupts).await
}

/// Watches an export to its end, writes its file if one is wanted, and reports.
pub async fn finish(
    access: &mut Access,
    id: OperationId,
    on_interrupt: OnInterrupt,
    output: Settled,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Exit> {
    let Settled { reach, place, json } = output;
    let target = place.as_ref().map(|place| place.named().to_path_buf());
    let again = watch::again(id, &reach, target.as_deref().map(|target| ("-o", target)));
    let ending = watch::until_end(access, id, on_interrupt, &again, interrupts).await?;
    let Ending::Ended(progress) = ending else { return Ok(Exit::Interrupted) };
    let succeeded = progress.status == State::Succeeded;
    if let Some(place) = place.filter(|_| succeeded) {
        tokio::select! {
            done = write(access, id, &place) => {
                done.map_err(|error| anyhow!("{}; `{again}` writes the file", exit::with_advice(&error)))?;
            }
            _ = interrupts.next() => {
                console::note(&format!("left before the file was written; `{again}` writes it"));
                return Ok(Exit::Interrupted);
            }
        }
    }
    access.stop().await;
    let tell = if json { summary::json } else { summary::text };
    console::result(&tell(&progress, None, target.as_ref().filter(|_| succeeded)))?;
    if succeeded && target.is_none() {
        console::note(&format!("to write its file: `{again} -o FILE`"));
    }
    Ok(Exit::of(progress.status))
}

async fn write(access: &Access, id: OperationId, place: &Place) -> anyhow::Result<()> {
    let content = access.download(id).await?;
    output::fill(Output::create(place).await?, content).await
}
