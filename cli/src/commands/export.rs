//! `carrack export`: a table into files.

use std::path::PathBuf;

use anyhow::anyhow;
use carrack_coordinator::options::Options;
use carrack_coordinator::start;
use carrack_shared::config::Config;
use carrack_shared::operation::{OperationId, State};
use carrack_shared::schema::ALL;
use clap::Args;
use serde_json::{Map, Value, json};

use crate::access::Access;
use crate::arguments::Server;
use crate::commands::templates::Wanted;
use crate::delivery::Target;
use crate::exit::{self, Exit, Usage};
use crate::filters::Filters;
use crate::interrupt::Interrupts;
use crate::place::Fence;
use crate::watch::{self, Ending, OnInterrupt};
use crate::{console, key, naming, size, summary};

/// The arguments of `export`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What to export: contexts, sessions, or all, which makes a file of each.
    #[arg(long = "type", value_name = "TYPE")]
    data_type: String,
    /// The template through which rows go: its name, NAME@VERSION, its id, or a file to be stored as one.
    #[arg(long, value_name = "TEMPLATE")]
    template: Option<String>,
    /// Format of the file: json, ndjson, csv, xml, yaml or markdown; told by its ending where it is left out.
    #[arg(long)]
    format: Option<String>,
    /// The file to write, - for standard output; one that is there is replaced when the export has succeeded.
    /// Where there are several they stand beside it, or in a folder that is named here; on standard output they
    /// are a tar archive.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Compression: none, gzip, brotli or zstd; told by the ending where it is left out.
    #[arg(long)]
    compression: Option<String>,
    /// Its level: 1 to 9 for gzip, 0 to 11 for brotli, 1 to 19 for zstd.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    compression_level: Option<String>,
    /// Encrypt under the key in env:NAME or file:PATH: 32 bytes in hex or base64, or a passphrase.
    #[arg(long, value_name = "REF")]
    key: Option<String>,
    /// Split into files of at most this size, such as 50MB, with a manifest beside them.
    #[arg(long, value_name = "SIZE")]
    split: Option<String>,
    /// Leave out the field metadata.
    #[arg(long)]
    no_metadata: bool,
    /// Write binary content as base64, instead of references to it.
    #[arg(long)]
    binary: bool,
    #[command(flatten)]
    filters: Filters,
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
    /// Where the content goes, if it is wanted.
    pub target: Option<Target>,
    /// One JSON object instead of the report.
    pub json: bool,
}

/// Exports a table and reports.
pub async fn run(arguments: Arguments, config: Config, reach: &str) -> anyhow::Result<Exit> {
    let mut mistakes = Vec::new();
    let mut document = arguments.options(&mut mistakes);
    let request = start::export_request(&arguments.data_type, Options::from_value(&document));
    let several = arguments.split.is_some() || arguments.data_type == ALL;
    let target = Target::settle(&arguments.output, Some(several), &Fence::around(&config));
    mistakes.extend(request.as_ref().err().into_iter().flatten().map(super::in_flags));
    mistakes.extend(target.as_ref().err().map(ToString::to_string));
    let (Ok(mut request), Ok(target), true) = (request, target, mistakes.is_empty()) else {
        return Err(Usage::listing(mistakes).into());
    };
    let template = Wanted::read(arguments.template.as_deref()).await?;
    let mut interrupts = Interrupts::listen()?;
    let mut access = Access::open(&arguments.server, config).await?;
    if let Some(template) = template {
        let reference = template.stored(&access).await?;
        document["templateId"] = json!(reference);
        request = request.through(reference);
    }
    let id = match &access {
        Access::Local(local) => {
            let spec = start::export_spec(local.ports(), request).await.map_err(super::refused)?;
            local.create(spec).await.map_err(super::refused)?
        }
        Access::Remote(remote) => remote.export(&arguments.data_type, &document).await?.operation_id,
    };
    let output = Settled { reach: reach.to_owned(), target: Some(target), json: arguments.json };
    finish(&mut access, id, OnInterrupt::Cancel, output, &mut interrupts).await
}

/// Watches an export to its end, writes its content where it is wanted, and reports.
pub async fn finish(
    access: &mut Access,
    id: OperationId,
    on_interrupt: OnInterrupt,
    output: Settled,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Exit> {
    let Settled { reach, target, json } = output;
    let named = target.as_ref().map(|target| target.named().to_path_buf());
    let again = watch::again(id, &reach, named.as_deref().map(|named| ("-o", named)));
    let ending = watch::until_end(access, id, on_interrupt, &again, interrupts).await?;
    let Ending::Ended(mut progress) = ending else { return Ok(Exit::Interrupted) };
    let succeeded = progress.status == State::Succeeded;
    let mut written = None;
    if let Some(target) = target.as_ref().filter(|_| succeeded) {
        written = tokio::select! {
            done = target.deliver(access, id) => {
                Some(done.map_err(|error| anyhow!("{}; `{again}` writes it", exit::with_advice(&error)))?)
            }
            _ = interrupts.next() => {
                console::note(&format!("left before everything was written; `{again}` writes it"));
                return Ok(Exit::Interrupted);
            }
        };
    }
    access.stop().await;
    let tell = if json { summary::json } else { summary::text };
    let taken = target.is_some_and(|target| target.is_standard_output());
    // Those of a file that is compressed when it is written are known now.
    progress.bytes = written.as_ref().and_then(|written| written.bytes).unwrap_or(progress.bytes);
    let file = written.as_ref().map(|written| &written.first);
    let report = tell(&progress, None, file.filter(|_| !taken));
    match taken {
        true => console::note(&report),
        false => console::result(&report)?,
    }
    if succeeded && named.is_none() {
        console::note(&format!("to write its file: `{again} -o FILE`"));
    }
    Ok(Exit::of(progress.status))
}

impl Arguments {
    /// The options document of the API that says the same; what cannot be said in it is added to `mistakes`.
    fn options(&self, mistakes: &mut Vec<String>) -> Value {
        let mut options = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            options.extend(value.map(|value| (name.to_owned(), value)));
        };
        let file = self.output.file_name().unwrap_or_default().to_string_lossy();
        let (format, compression, wrong) =
            naming::settle(&file, self.format.as_deref(), self.compression.as_deref());
        mistakes.extend(wrong);
        set("format", format.map(|format| json!(format)));
        set("compression", compression.map(|compression| json!(compression)));
        set("compressionLevel", self.compression_level.as_deref().map(super::number));
        set("includeMetadata", self.no_metadata.then_some(json!(false)));
        set("includeBinaryData", self.binary.then_some(json!(true)));
        set("filters", self.filters.document(mistakes));
        let key = self.key.as_deref().map(|reference| key::read("--key", reference)).transpose();
        match key {
            Ok(key) => set("encryption", key.map(|key| super::encryption(&key))),
            Err(error) => mistakes.push(error.to_string()),
        }
        let bytes = self.split.as_deref().map(|text| size::parse(text).ok_or(text)).transpose();
        match bytes {
            Ok(bytes) => {
                set("splitLargeFiles", bytes.map(|bytes| json!({ "enabled": true, "maxSizeBytes": bytes })));
            }
            Err(text) => mistakes.push(format!(
                "--split: found {text:?}, expected a number of bytes, or a size such as 50MB or 64KiB"
            )),
        }
        Value::Object(options)
    }
}
