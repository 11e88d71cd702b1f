//! `carrack import`: files into a table.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use carrack_coordinator::options::Options;
use carrack_coordinator::report::Progress;
use carrack_coordinator::start::{self, StartError};
use carrack_shared::config::Config;
use carrack_shared::operation::OperationId;
use clap::Args;
use serde_json::{Map, Value, json};

use crate::access::Access;
use crate::arguments::Server;
use crate::exit::{Exit, Usage};
use crate::file::Input;
use crate::interrupt::Interrupts;
use crate::local::Local;
use crate::watch::{self, Ending, OnInterrupt};
use crate::{console, rejects, summary};

/// The arguments of `import`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Files to import, in this order.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What the records are: contexts or sessions; told from the fields where it is left out.
    #[arg(long = "type", value_name = "TYPE")]
    data_type: Option<String>,
    /// Format of the files: json or csv; told by looking where it is left out.
    #[arg(long)]
    format: Option<String>,
    /// Records that are committed together, 1 to 50000.
    #[arg(long, value_name = "N")]
    batch_size: Option<u64>,
    /// What becomes of bad records: lenient collects them with their reasons, skip-errors only counts them
    /// in the answer.
    #[arg(long, value_name = "MODE")]
    on_error: Option<String>,
    /// Leave out records whose key is taken.
    #[arg(long, conflicts_with = "overwrite")]
    skip_duplicates: bool,
    /// Let records replace rows with the same key.
    #[arg(long)]
    overwrite: bool,
    /// Only check; not supported yet.
    #[arg(long, hide = true)]
    dry_run: bool,
    /// Begin a new import even if the same one is unfinished.
    #[arg(long)]
    new: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    server: Server,
}

/// How the result is told.
#[derive(Debug, Args)]
pub struct Output {
    /// Where refused records go, over what is there; `FILE.ID.rejects.ndjson` after the first file and the
    /// operation where it is left out and there are any.
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// Print one JSON object instead of the report.
    #[arg(long)]
    pub json: bool,
}

/// Imports files and reports.
pub async fn run(arguments: Arguments, config: Config) -> anyhow::Result<Exit> {
    let document = arguments.options();
    let options = Options::from_value(&document).map_err(StartError::Wrong).map_err(super::refused)?;
    let files = Input::open_all(&arguments.files)?;
    refuse_inputs(arguments.output.rejects.as_deref(), &files)?;
    let mut interrupts = Interrupts::listen()?;
    let mut access = Access::open(&arguments.server, config).await?;
    let data_type = arguments.data_type.as_deref();
    let id = match &mut access {
        Access::Local(local) => start_local(local, &files, data_type, &options, arguments.new).await?,
        Access::Remote(remote) => tokio::select! {
            started = remote.import(&files, data_type, &document) => started?.operation_id,
            _ = interrupts.next() => return Ok(Exit::Interrupted),
        },
    };
    finish(&mut access, id, OnInterrupt::Cancel, &arguments.output, &mut interrupts).await
}

/// Watches an import to its end, writes its rejects, and reports.
pub async fn finish(
    access: &mut Access,
    id: OperationId,
    on_interrupt: OnInterrupt,
    output: &Output,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Exit> {
    let again = watch::again(id, output.rejects.as_deref().map(|file| ("--rejects", file)));
    let ending = watch::until_end(access, id, on_interrupt, &again, interrupts).await?;
    let Ending::Ended(progress) = ending else { return Ok(Exit::Interrupted) };
    let rejects = write_rejects(access, &progress, output.rejects.as_ref()).await;
    access.stop().await;
    let rejects = rejects?;
    let tell = if output.json { summary::json } else { summary::text };
    console::result(&tell(&progress, rejects.as_ref(), None))?;
    Ok(Exit::of(progress.status))
}

/// The rejects must not replace the records that they come from.
fn refuse_inputs(rejects: Option<&Path>, files: &[Input]) -> anyhow::Result<()> {
    let place = rejects.and_then(|rejects| rejects.canonicalize().ok());
    match files.iter().find(|file| Some(&file.path) == place.as_ref()) {
        Some(file) => Err(Usage(format!(
            "--rejects: {} is one of the files to import, expected another place",
            file.path.display()
        ))
        .into()),
        None => Ok(()),
    }
}

async fn write_rejects(
    access: &Access,
    progress: &Progress,
    named: Option<&PathBuf>,
) -> anyhow::Result<Option<rejects::Summary>> {
    let id = progress.operation_id;
    let file = match named {
        Some(file) => file.clone(),
        None if progress.rejected == 0 => return Ok(None),
        None => {
            let report = access.report(id).await?.context("the operation is gone")?;
            rejects::default_name(report["files"][0].as_str().unwrap_or_default(), id)
        }
    };
    let written = rejects::write(&file, access.rejects(id).await?).await;
    written.map(Some).with_context(|| format!("rejects of operation {id}"))
}

/// Creates the import, or finds the same one unfinished.
async fn start_local(
    local: &mut Local,
    files: &[Input],
    data_type: Option<&str>,
    options: &Options,
    new: bool,
) -> anyhow::Result<OperationId> {
    let inputs = local.inputs(files).await?;
    let found = async {
        let spec =
            start::import_spec(local.ports(), &inputs, data_type, options).await.map_err(super::refused)?;
        let unfinished = if new { None } else { local.unfinished(&spec).await? };
        anyhow::Ok((spec, unfinished))
    };
    match found.await {
        Ok((_, Some(unfinished))) => {
            console::note(&format!("continuing the unfinished import {} of the same input", unfinished.id));
            Ok(unfinished.id)
        }
        // Not forgotten when this fails: an answer that was lost may have created the operation.
        Ok((spec, None)) => local.create(spec).await.map_err(super::refused),
        Err(error) => {
            local.forget_inputs(&inputs).await;
            Err(error)
        }
    }
}

impl Arguments {
    /// The options document of the API that says the same.
    fn options(&self) -> Value {
        let mut options = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            options.extend(value.map(|value| (name.to_owned(), value)));
        };
        set("format", self.format.as_ref().map(|format| json!(format)));
        set("batchSize", self.batch_size.map(|size| json!(size)));
        set("errorHandling", self.on_error.as_ref().map(|mode| json!(mode)));
        set("skipDuplicates", self.skip_duplicates.then_some(json!(true)));
        set("overwriteExisting", self.overwrite.then_some(json!(true)));
        set("dryRun", self.dry_run.then_some(json!(true)));
        Value::Object(options)
    }
}
