//! `carrack operations rejects`: what is wrong with the records that an import refused.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use carrack_coordinator::reject_kinds::RejectSummary;
use carrack_coordinator::reject_lines::{Line, Selection, grouped, parse_place};
use carrack_shared::config::Config;
use carrack_shared::operation::OperationId;
use carrack_shared::record::Position;
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::access::Access;
use crate::arguments::{Server, whole_number};
use crate::exit::{Exit, Usage};
use crate::output::{self, Output};
use crate::place::{Fence, Place};
use crate::{advice, console, delivery, rejects};

use super::missing;

/// Faults of one reject that are shown behind its first.
const FAULTS_SHOWN: usize = 10;

/// The arguments of `rejects`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The import.
    #[arg(value_name = "ID")]
    id: OperationId,
    /// Only those with a fault of this code, such as date.invalid.
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Only those behind this one: its file and its number in it, such as 1:17.
    #[arg(long, value_name = "POSITION", value_parser = position)]
    after: Option<Position>,
    /// How many of them to show.
    #[arg(long, default_value_t = 20, value_name = "N", allow_negative_numbers = true,
        value_parser = whole_number::<1, 500>)]
    limit: u16,
    /// Write all of them: ndjson with all that is known of each, or input, a file like the imported one that
    /// says in the field _error what is wrong, ready to be corrected and imported.
    #[arg(long = "as", value_name = "FORM", requires = "output")]
    form: Option<Form>,
    /// The file to write them to, over one that is there; - for standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// With --as input: the number of the imported file, from 1, where several have rejects.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole_number::<1, 10_000>)]
    file: Option<u16>,
    /// Print one JSON object.
    #[arg(long, conflicts_with = "output")]
    json: bool,
    #[command(flatten)]
    pub server: Server,
}

fn position(text: &str) -> Result<Position, String> {
    parse_place(text).ok_or_else(|| "expected the position of a reject, such as 1:17".into())
}

/// How rejects are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Ndjson,
    Input,
}

/// Shows what is wrong with the rejects of an import, and a page of them; or writes them all.
pub async fn run(arguments: Arguments, config: Config, reach: &str) -> anyhow::Result<Exit> {
    if arguments.file.is_some() && arguments.form != Some(Form::Input) {
        return Err(Usage("--file: expected --as input beside it".into()).into());
    }
    if let Some(output) = &arguments.output {
        return write(&arguments, output, config).await;
    }
    let access = Access::open(&arguments.server, config).await?;
    let id = arguments.id;
    let summary = access.reject_summary(id).await?.with_context(|| missing(id))?;
    let limit = Some(u32::from(arguments.limit));
    let wanted = Selection { code: arguments.code.clone(), after: arguments.after, limit };
    let page = rejects::page(access.rejects(id, wanted).await?).await?;
    let whole = page.len() < usize::from(arguments.limit);
    if arguments.json {
        console::result(&json!({ "summary": summary, "rejects": page }).to_string())?;
        return Ok(Exit::Good);
    }
    console::result(&counted(&summary))?;
    for line in &page {
        console::result(&shown(line))?;
    }
    if let Some(code) = arguments.code.as_ref().filter(|_| page.is_empty()) {
        let behind = if arguments.after.is_some() { " behind there" } else { "" };
        console::note(&format!("no reject{behind} has a fault of the code {code:?}"));
    }
    if let Some(last) = page.last().filter(|_| !whole) {
        let code = arguments.code.map(|code| format!(" --code {code}")).unwrap_or_default();
        let command = format!("carrack operations rejects {id}{code} --after {}{reach}", last.position);
        console::note(&format!("more: {command}"));
    }
    Ok(Exit::Good)
}

async fn write(arguments: &Arguments, output: &Path, config: Config) -> anyhow::Result<Exit> {
    let id = arguments.id;
    let form = arguments.form.unwrap_or(Form::Ndjson);
    let selects = arguments.code.is_some() || arguments.after.is_some();
    if form == Form::Input && selects {
        return Err(
            Usage("--as input: found --code or --after beside it, expected all rejects".into()).into()
        );
    }
    let mut fence = Fence::around(&config);
    let access = Access::open(&arguments.server, config).await?;
    access.progress(id).await?.with_context(|| missing(id))?;
    access.sources(id).await?.iter().for_each(|source| fence.add_source(source));
    let to_standard_output = output.as_os_str() == "-";
    let place = (!to_standard_output).then(|| Place::settle("-o", output, &fence)).transpose()?;
    let content = match form {
        Form::Input => access.corrections(id, arguments.file.map(u32::from)).await?,
        Form::Ndjson => {
            let (code, after) = (arguments.code.clone(), arguments.after);
            access.rejects(id, Selection { code, after, limit: None }).await?
        }
    };
    match place {
        Some(place) => {
            let written = output::fill(Output::create(&place).await?, content).await?;
            console::note(&format!("{} bytes written to {}", grouped(written), output.display()));
        }
        None => drop(delivery::to_standard_output(content).await?),
    }
    Ok(Exit::Good)
}

/// How many there are, and of which kinds.
fn counted(summary: &RejectSummary) -> String {
    let mut lines = vec![match summary.rejected {
        0 => "no record was rejected".to_owned(),
        1 => "1 record was rejected".to_owned(),
        many => format!("{} records were rejected", grouped(many)),
    }];
    lines.extend(summary.kinds.iter().map(|kind| format!("  {}", kind.sentence())));
    if summary.more_kinds {
        lines.push("  and other kinds".to_owned());
    }
    lines.join("\n")
}

/// A reject with all that is wrong with it, and what to do.
fn shown(line: &Line) -> String {
    let mut text = line.sentence();
    for fault in line.faults.iter().skip(1).take(FAULTS_SHOWN) {
        let field = fault.field.as_ref().map(|field| format!("field {field:?}: ")).unwrap_or_default();
        text.push_str(&format!("\n  also {field}{}", fault.message));
    }
    let mut told: Vec<&str> = Vec::new();
    for code in line.faults.iter().map(|fault| &*fault.code) {
        if told.contains(&code) {
            continue;
        }
        told.push(code);
        let advice = advice::of(code).map(|advice| format!(": {advice}")).unwrap_or_default();
        text.push_str(&format!("\n  {code}{advice}"));
    }
    text
}
