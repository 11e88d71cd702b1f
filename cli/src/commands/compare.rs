//! `carrack verify A B`: compares two sets of records, in files or tables. The first one is imported into a store that
//! is made for it and removed at the end; the second one is verified against it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use carrack_coordinator::compare;
use carrack_coordinator::options::Options;
use carrack_coordinator::report::{Comparison, comparison};
use carrack_coordinator::start::StartError;
use carrack_shared::config::Config;
use carrack_shared::operation::{Operation, OperationId, State};
use carrack_shared::spec::Spec;
use clap::Args;
use serde_json::{Map, Value, json};

use crate::access::Access;
use crate::commands::templates::Wanted;
use crate::exit::{Exit, Usage};
use crate::file::Input;
use crate::interrupt::Interrupts;
use crate::local::Local;
use crate::place::Fence;
use crate::watch::{self, Ending, OnInterrupt};
use crate::{console, dump, key, runner, verified};

use super::verify::{Report, Reported};

/// The arguments of `verify`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A file, the manifest of a split export, or with --type a store: sqlite:PATH or postgres://…
    #[arg(value_name = "A")]
    a: String,
    /// What it is compared with.
    #[arg(value_name = "B")]
    b: String,
    /// What the records are; told by the manifest or from the fields where it is left out.
    #[arg(long = "type", value_name = "TYPE")]
    data_type: Option<String>,
    /// The template that makes the type, or maps the records to it: a file.
    #[arg(long, value_name = "TEMPLATE")]
    template: Option<String>,
    /// The key of A where it is encrypted: in env:NAME or file:PATH.
    #[arg(long, value_name = "REF")]
    key_a: Option<String>,
    /// The key of B.
    #[arg(long, value_name = "REF")]
    key_b: Option<String>,
    #[command(flatten)]
    output: Reported,
}

/// The store in which the first set lies meanwhile.
struct Scratch {
    access: Access,
    /// Removed when it is dropped.
    folder: tempfile::TempDir,
}

/// Compares, and reports.
pub async fn run(arguments: Arguments, config: Config, reach: &str) -> anyhow::Result<Exit> {
    let options = [
        arguments.options("--key-a", &arguments.a, arguments.key_a.as_ref())?,
        arguments.options("--key-b", &arguments.b, arguments.key_b.as_ref())?,
    ];
    let template = Wanted::read(arguments.template.as_deref()).await?;
    let mut fence = Fence::around(&config);
    for side in [&arguments.a, &arguments.b].into_iter().filter(|side| !dump::is_store(side)) {
        fence.add_source(Path::new(side));
    }
    let output = arguments.output.settle(&fence, reach)?;
    let mut interrupts = Interrupts::listen()?;
    let was_there = config.data_dir.exists();
    let comparing = in_scratch(&arguments, &config, options, template, &mut interrupts);
    let compared = Box::pin(comparing).await;
    if !was_there {
        // Nothing else is in it, unless somebody has put it there meanwhile.
        let _ = std::fs::remove_dir(&config.data_dir);
    }
    let Some(report) = compared? else { return Ok(Exit::Interrupted) };
    if let Some(file) = &output.report {
        file.write(&serde_json::to_value(&report)?, report.markdown()).await?;
    }
    let text = match output.json {
        true => serde_json::to_string(&report)?,
        false => verified::pair(&report, output.report.as_ref().map(Report::named)),
    };
    console::result(&text)?;
    Ok(if report.equal { Exit::Good } else { Exit::Rejects })
}

/// Compares the sets in a store that is gone afterwards; none if the user has left.
async fn in_scratch(
    arguments: &Arguments,
    config: &Config,
    mut options: [Options; 2],
    template: Option<Wanted>,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Option<Comparison>> {
    let mut scratch = Scratch::make(config).await?;
    if let Some(template) = template {
        let reference = template.stored(&scratch.access).await?;
        options.iter_mut().for_each(|options| options.template = Some(reference.clone()));
    }
    let compared = scratch.compare(arguments, &options, interrupts).await;
    scratch.access.stop().await;
    compared
}

impl Arguments {
    /// What is asked of one of the sets.
    fn options(&self, option: &str, side: &str, key: Option<&String>) -> Result<Options, Usage> {
        let mut options = Map::new();
        if let Some(reference) = key {
            options.insert("encryption".into(), super::encryption(&key::read(option, reference)?));
        }
        if dump::is_store(side) {
            // The file of an empty table says nothing by itself.
            options.insert("format".into(), json!("ndjson"));
        }
        let options = Options::from_value(&Value::Object(options));
        let checked = options;
        checked.map_err(|mistakes| Usage::listing(mistakes.iter().map(super::in_flags).collect()))
    }
}

/// What was wrong with a set, in the words of this command.
fn refused(error: StartError, key: &str) -> anyhow::Error {
    let StartError::Wrong(mistakes) = error else { return error.into() };
    let told = mistakes.iter().map(super::in_flags);
    Usage::listing(told.map(|told| told.replacen("--key:", &format!("{key}:"), 1)).collect()).into()
}

impl Scratch {
    /// Makes the store, in the data folder: it needs the room of the first set.
    async fn make(config: &Config) -> anyhow::Result<Self> {
        runner::make_data_dir(&config.data_dir)?;
        let folder = tempfile::Builder::new().prefix("compare-").tempdir_in(&config.data_dir);
        let folder = folder.with_context(|| config.data_dir.display().to_string())?;
        let blank = Config {
            database_url: String::new(),
            objects_url: String::new(),
            queue_url: "memory:".into(),
            progress_url: "memory:".into(),
            ..config.clone()
        };
        let local = Local::connect(blank.resolved(folder.path())).await?;
        Ok(Self { access: Access::Local(Box::new(local)), folder })
    }

    /// Compares the two sets; none if the user has left.
    async fn compare(
        &mut self,
        arguments: &Arguments,
        [of_a, of_b]: &[Options; 2],
        interrupts: &mut Interrupts,
    ) -> anyhow::Result<Option<Comparison>> {
        let data_type = arguments.data_type.as_deref();
        let [a, b] = [(&arguments.a, "a"), (&arguments.b, "b")].map(|(side, name)| (side.clone(), name));
        let files = self.files(&a, data_type).await?;
        let local = self.local()?;
        let inputs = local.inputs(&files).await?;
        let spec = compare::first(local.ports(), &inputs, data_type, of_a).await;
        let spec = spec.map_err(|error| refused(error, "--key-a"))?;
        let Some(first) = self.run(spec, &arguments.a, interrupts).await? else { return Ok(None) };
        let files = self.files(&b, data_type).await?;
        let local = self.local()?;
        let inputs = local.inputs(&files).await?;
        let spec = compare::second(local.ports(), &inputs, &first, of_b).await;
        let spec = spec.map_err(|error| refused(error, "--key-b"))?;
        let Some(second) = self.run(spec, &arguments.b, interrupts).await? else { return Ok(None) };
        let names = [dump::shown(&arguments.a), dump::shown(&arguments.b)];
        let report = comparison([&names[0], &names[1]], &first, &second);
        report.context("the comparison has no report").map(Some)
    }

    /// The files of a set; of a table the one into which it is written.
    async fn files(
        &self,
        (side, name): &(String, &str),
        data_type: Option<&str>,
    ) -> anyhow::Result<Vec<Input>> {
        if !dump::is_store(side) {
            return Ok(Input::open_all(&[PathBuf::from(side)])?);
        }
        let Some(data_type) = data_type else {
            let detail = format!("--type: expected the type of the table in {}", dump::shown(side));
            return Err(Usage(detail).into());
        };
        let file = self.folder.path().join(format!("{name}-{data_type}.ndjson"));
        dump::table(side, data_type, &file).await?;
        let name = format!("{data_type} of {}", dump::shown(side));
        Ok(vec![Input::open(&file)?.called(name)])
    }

    fn local(&self) -> anyhow::Result<&Local> {
        match &self.access {
            Access::Local(local) => Ok(local),
            Access::Remote(_) => bail!("a store that is made for a comparison is never remote"),
        }
    }

    /// Runs an operation to its end; none if the user has left.
    async fn run(
        &mut self,
        spec: Spec,
        side: &str,
        interrupts: &mut Interrupts,
    ) -> anyhow::Result<Option<Operation>> {
        let id = self.local()?.create(spec).await.map_err(super::refused)?;
        let ending =
            watch::until_end(&mut self.access, id, OnInterrupt::Cancel, "the same command", interrupts);
        let Ending::Ended(_) = ending.await? else { return Ok(None) };
        let ended = self.ended(id).await?;
        match (ended.state, &ended.failure) {
            (State::Cancelled, _) => Ok(None),
            (_, Some(failure)) => bail!("{}: {} ({})", dump::shown(side), failure.message, failure.code),
            _ => Ok(Some(ended)),
        }
    }

    async fn ended(&self, id: OperationId) -> anyhow::Result<Operation> {
        self.local()?.ports().store.get(id).await?.with_context(|| super::missing(id))
    }
}
