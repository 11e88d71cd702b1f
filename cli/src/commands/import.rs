//! `carrack import`: files into a table.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use carrack_coordinator::options::Options;
use carrack_coordinator::reject_lines::Selection;
use carrack_coordinator::report::Progress;
use carrack_coordinator::start;
use carrack_shared::config::Config;
use carrack_shared::operation::OperationId;
use carrack_shared::spec::ErrorHandling;
use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::access::Access;
use crate::arguments::Server;
use crate::commands::templates::Wanted;
use crate::exit::{self, Exit, Usage};
use crate::file::Input;
use crate::filters::Filters;
use crate::interrupt::Interrupts;
use crate::local::Local;
use crate::place::{Fence, Place};
use crate::watch::{self, Ending, OnInterrupt};
use crate::{console, key, mapping, rejects, summary};

/// The arguments of `import`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Files to import, in this order; - for standard input. The manifest of a split export stands for its files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What the records are: contexts, sessions, a type that a template has made, or all, where each file may hold
    /// others; told by the manifest or from the fields where it is left out.
    #[arg(long = "type", value_name = "TYPE")]
    data_type: Option<String>,
    /// The template by which records are checked: its name, NAME@VERSION, its id, or a file to be stored as one.
    #[arg(long, value_name = "TEMPLATE")]
    template: Option<String>,
    /// Format of the files: json, ndjson, csv, xml, yaml or markdown; told by looking where it is left out.
    #[arg(long)]
    format: Option<String>,
    #[command(flatten)]
    reading: Reading,
    /// How the fields of the files become those of the type: a document in JSON or YAML, see docs/mapping.md.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    #[command(flatten)]
    filters: Filters,
    /// Leave the field metadata out of every record.
    #[arg(long)]
    no_metadata: bool,
    /// Records that are committed together, 1 to 50000.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    batch_size: Option<String>,
    /// What becomes of bad records: with strict one of them keeps all out; lenient and skip-errors both load the good
    /// ones and write the bad ones to the file of rejects; skip-errors lists none in the report.
    #[arg(long, value_name = "MODE")]
    on_error: Option<String>,
    /// Stop with a failure soon after more than so many records are rejected.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    max_errors: Option<String>,
    /// The same for a share of the records, such as 2% or 0.02; judged from 1000 records on, and at the end.
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    max_error_rate: Option<String>,
    /// Leave out records whose key is taken.
    #[arg(long, conflicts_with_all = ["overwrite", "merge"])]
    skip_duplicates: bool,
    /// Let records replace rows with the same key.
    #[arg(long, conflicts_with = "merge")]
    overwrite: bool,
    /// Let records change the fields that they have, and leave the others of the row as they are.
    #[arg(long)]
    merge: bool,
    /// Keep no images of the rows that are overwritten: the import cannot be undone.
    #[arg(long)]
    no_undo: bool,
    /// The key of encrypted files: in env:NAME or file:PATH.
    #[arg(long, value_name = "REF")]
    key: Option<String>,
    /// Compression of the files: none, gzip, brotli or zstd; told by looking where it is left out, but for
    /// brotli, which is told by the name's ending .br.
    #[arg(long)]
    compression: Option<String>,
    /// Encoding of the text: utf-8, utf-16le, utf-16be or windows-1252; told by its mark where it is left out,
    /// and utf-8 where it has none.
    #[arg(long)]
    encoding: Option<String>,
    /// Change nothing, and tell what an import would do: which records it would create, update, leave as they are,
    /// skip and reject.
    #[arg(long)]
    dry_run: bool,
    /// Begin a new import even if the same one is unfinished.
    #[arg(long)]
    new: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    pub server: Server,
}

/// How the files are read, where their format leaves a choice.
#[derive(Debug, Args)]
pub struct Reading {
    /// What stands between the cells of CSV: a character, or tab; told by looking where it is left out.
    #[arg(long, value_name = "C", allow_hyphen_values = true)]
    delimiter: Option<String>,
    /// What stands around cells of CSV that hold delimiters or line ends.
    #[arg(long, value_name = "C")]
    quote: Option<String>,
    /// Names of the columns of CSV without a header row, such as id,title,content.
    #[arg(long, value_name = "NAMES")]
    header: Option<String>,
    /// Where the records of a document are: $.data.contexts for an array of JSON, /data/contexts/item or item
    /// for the elements of XML.
    #[arg(long, value_name = "PATH")]
    records_at: Option<String>,
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

/// How the result is told, once the place for rejects is known to be one.
pub struct Settled {
    reach: String,
    rejects: Option<Place>,
    json: bool,
}

impl Reading {
    /// The options of the API that say the same.
    pub fn said(&self) -> [(&'static str, &Option<String>); 4] {
        [
            ("delimiter", &self.delimiter),
            ("quote", &self.quote),
            ("header", &self.header),
            ("recordsAt", &self.records_at),
        ]
    }
}

impl Output {
    /// Tries the place for rejects.
    pub fn settle(&self, fence: &Fence, reach: &str) -> Result<Settled, Usage> {
        let settle = |file: &PathBuf| Place::settle("--rejects", file, fence);
        let rejects = self.rejects.as_ref().map(settle).transpose()?;
        Ok(Settled { reach: reach.to_owned(), rejects, json: self.json })
    }
}

/// Imports files and reports.
pub async fn run(arguments: Arguments, config: Config, reach: &str) -> anyhow::Result<Exit> {
    let (mut document, mistakes) = arguments.options();
    let (mut options, files, output) = arguments.check(&document, mistakes, &config, reach)?;
    let template = Wanted::read(arguments.template.as_deref()).await?;
    let mut interrupts = Interrupts::listen()?;
    let mut access = Access::open(&arguments.server, config).await?;
    if let Some(template) = template {
        let reference = template.stored(&access).await?;
        document["templateId"] = json!(reference);
        options.template = Some(reference);
    }
    let data_type = arguments.data_type.as_deref();
    let id = match &mut access {
        Access::Local(local) => start_local(local, &files, data_type, &options, arguments.new).await?,
        Access::Remote(remote) => tokio::select! {
            started = remote.import(&files, data_type, &document) => started?.operation_id,
            _ = interrupts.next() => return Ok(Exit::Interrupted),
        },
    };
    finish(&mut access, id, OnInterrupt::Cancel, &output, &mut interrupts).await
}

/// Watches an import to its end, writes its rejects, and reports.
pub async fn finish(
    access: &mut Access,
    id: OperationId,
    on_interrupt: OnInterrupt,
    output: &Settled,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Exit> {
    let named = output.rejects.as_ref().map(Place::named);
    let again = watch::again(id, &output.reach, named.map(|file| ("--rejects", file)));
    let ending = watch::until_end(access, id, on_interrupt, &again, interrupts).await?;
    let Ending::Ended(progress) = ending else { return Ok(Exit::Interrupted) };
    let rejects = write_rejects(access, &progress, output.rejects.as_ref()).await;
    access.stop().await;
    let tell = if output.json { summary::json } else { summary::text };
    // What was loaded is told also where its rejects could not be written.
    console::result(&tell(&progress, rejects.as_ref().ok().and_then(Option::as_ref), None))?;
    if let Err(error) = rejects {
        let file = if named.is_none() { " --rejects FILE" } else { "" };
        bail!(
            "rejects of operation {id}: {}; nothing is lost: `{again}{file}` writes them",
            exit::chain(&error)
        );
    }
    Ok(Exit::of(progress.status))
}

/// What of an import's report is needed to tell its rejects.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    #[serde(default)]
    files: Vec<String>,
    /// None from servers that do not say it.
    error_handling: Option<ErrorHandling>,
}

async fn write_rejects(
    access: &Access,
    progress: &Progress,
    named: Option<&Place>,
) -> anyhow::Result<Option<rejects::Summary>> {
    let id = progress.operation_id;
    if named.is_none() && progress.rejected == 0 {
        return Ok(None);
    }
    let asked: Asked = access.report(id).await?.context("the operation is gone")?.read()?;
    let first = asked.files.first().map_or("", String::as_str);
    let by_default = || Place::named_by_us(rejects::default_name(first, id));
    let place = named.cloned().unwrap_or_else(by_default);
    let mut summary = rejects::write(&place, access.rejects(id, Selection::default()).await?).await?;
    if summary.count > summary.first.len() as u64 {
        summary.kinds = access.reject_summary(id).await?;
    }
    summary.only_counted = asked.error_handling == Some(ErrorHandling::SkipErrors);
    Ok(Some(summary))
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
        // While there is time to stop it.
        for remark in spec.as_import().iter().flat_map(|import| &import.remarks) {
            console::note(&format!("note: {remark}"));
        }
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
    /// Everything that is wrong with them at once.
    fn check(
        &self,
        document: &Value,
        mut mistakes: Vec<String>,
        config: &Config,
        reach: &str,
    ) -> Result<(Options, Vec<Input>, Settled), Usage> {
        let options = Options::from_value(document);
        mistakes.extend(options.as_ref().err().into_iter().flatten().map(super::in_flags));
        let files = Input::open_all(&self.files);
        mistakes.extend(files.as_ref().err().map(ToString::to_string));
        let fence = Fence::around(config).and_inputs(files.iter().flatten());
        let output = self.output.settle(&fence, reach);
        mistakes.extend(output.as_ref().err().map(ToString::to_string));
        match (options, files, output) {
            (Ok(options), Ok(files), Ok(output)) if mistakes.is_empty() => Ok((options, files, output)),
            _ => Err(Usage::listing(mistakes)),
        }
    }

    /// The options document of the API that says the same, and what cannot be said in it.
    fn options(&self) -> (Value, Vec<String>) {
        let mut options = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            options.extend(value.map(|value| (name.to_owned(), value)));
        };
        set("format", self.format.as_ref().map(|format| json!(format)));
        for (name, said) in self.reading.said() {
            set(name, said.as_ref().map(|said| json!(said)));
        }
        set("includeMetadata", self.no_metadata.then_some(json!(false)));
        set("batchSize", self.batch_size.as_deref().map(super::number));
        set("maxErrors", self.max_errors.as_deref().map(super::number));
        set("maxErrorRate", self.max_error_rate.as_deref().map(super::share));
        set("compression", self.compression.as_ref().map(|compression| json!(compression)));
        set("encoding", self.encoding.as_ref().map(|encoding| json!(encoding)));
        let key = self.key.as_deref().map(|reference| key::read("--key", reference)).transpose();
        let mapping = self.mapping.as_deref().map(mapping::read).transpose();
        let mistakes = [key.as_ref().err(), mapping.as_ref().err()];
        let mut mistakes: Vec<String> = mistakes.into_iter().flatten().map(ToString::to_string).collect();
        set("filters", self.filters.document(&mut mistakes));
        set("mapping", mapping.ok().flatten());
        set("encryption", key.ok().flatten().map(|key| super::encryption(&key)));
        set("errorHandling", self.on_error.as_ref().map(|mode| json!(mode)));
        set("skipDuplicates", self.skip_duplicates.then_some(json!(true)));
        set("overwriteExisting", self.overwrite.then_some(json!(true)));
        set("merge", self.merge.then_some(json!(true)));
        set("undo", self.no_undo.then_some(json!(false)));
        set("dryRun", self.dry_run.then_some(json!(true)));
        (Value::Object(options), mistakes)
    }
}
