//! `carrack infer`: a template for the records of a file, with the evidence for every field.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use carrack_coordinator::infer::{Asked, infer};
use carrack_coordinator::options::Options;
use carrack_coordinator::start::StartError;
use carrack_shared::config::Config;
use carrack_shared::infer::{Evidence, Proposal};
use clap::Args;
use serde_json::{Map, Value, json};

use super::import::Reading;
use crate::exit::{Exit, Usage};
use crate::file::Input;
use crate::local::Local;
use crate::place::{Fence, Place};
use crate::{console, key};

/// The arguments of `infer`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The file to look at; - for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The name of the data type; told by the name of the file where it is left out.
    #[arg(long = "type", value_name = "TYPE")]
    data_type: Option<String>,
    /// The field that identifies a record; told by the values where it is left out.
    #[arg(long, value_name = "FIELD")]
    key: Option<String>,
    /// Look at the first N records only.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    sample: Option<u64>,
    /// Write the template to this file; - for standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the template and all evidence as one JSON object.
    #[arg(long)]
    json: bool,
    /// Format of the file; told by looking where it is left out.
    #[arg(long)]
    format: Option<String>,
    #[command(flatten)]
    reading: Reading,
    /// Compression of the file; told by looking where it is left out.
    #[arg(long)]
    compression: Option<String>,
    /// Encoding of the text; told by its mark where it is left out, and utf-8 where it has none.
    #[arg(long)]
    encoding: Option<String>,
    /// The key of an encrypted file: in env:NAME or file:PATH.
    #[arg(long, value_name = "REF")]
    file_key: Option<String>,
}

/// Looks at the file and tells what was found. Nothing is stored.
pub async fn run(arguments: Arguments, config: Config) -> anyhow::Result<Exit> {
    let options = arguments.options()?;
    let file = Input::open(&arguments.file).map_err(|error| Usage(crate::exit::chain(&error)))?;
    let fence = Fence::around(&config).and_inputs([&file]);
    let to_stdout = arguments.output.as_deref().is_some_and(|path| path.as_os_str() == "-");
    let place = arguments.output.as_ref().filter(|_| !to_stdout);
    let place = place.map(|path| Place::settle("-o", path, &fence)).transpose()?;
    // Nothing of it is a part of the user's data: it goes when this ends.
    let scratch = tempfile::tempdir()?;
    let local = Local::connect(scratch_config(config, scratch.path())).await?;
    let inputs = local.inputs(std::slice::from_ref(&file)).await?;
    let asked = Asked {
        data_type: arguments.data_type.clone(),
        key: arguments.key.clone(),
        sample: arguments.sample,
    };
    let [input] = &inputs[..] else { anyhow::bail!("expected one file") };
    let found = infer(local.ports(), input, &options, &asked).await.map_err(refused)?;
    let template = serde_json::to_string_pretty(&found.template)? + "\n";
    if let Some(place) = &place {
        std::fs::write(place.real(), &template).with_context(|| place.named().display().to_string())?;
    }
    match (arguments.json, to_stdout) {
        (true, _) => console::result(&serde_json::to_string(&found)?)?,
        (false, true) => console::result(template.trim_end())?,
        (false, false) => console::result(&told(&found, arguments.output.as_ref()))?,
    }
    Ok(Exit::Good)
}

/// The embedded mode in a folder of its own.
fn scratch_config(config: Config, folder: &Path) -> Config {
    let at = |name: &str| folder.join(name).display().to_string();
    Config {
        database_url: format!("sqlite:{}", at("carrack.sqlite")),
        objects_url: format!("file://{}/", at("objects")),
        queue_url: "memory:".into(),
        progress_url: "memory:".into(),
        data_dir: folder.to_owned(),
        ..config
    }
}

/// Mistakes with the flags of this command.
fn refused(error: StartError) -> anyhow::Error {
    let StartError::Wrong(mistakes) = error else { return error.into() };
    let told = mistakes.iter().map(|mistake| match mistake.at.as_str() {
        "key" => format!("--key: {}", mistake.detail),
        "options.encryption" => {
            format!("--file-key: {}", mistake.detail.replace("--key REF", "--file-key REF"))
        }
        _ => super::in_flags(mistake),
    });
    Usage::listing(told.collect()).into()
}

impl Arguments {
    fn options(&self) -> Result<Options, Usage> {
        let mut document = Map::new();
        let mut set =
            |name: &str, said: Option<Value>| document.extend(said.map(|said| (name.to_owned(), said)));
        set("format", self.format.as_ref().map(|said| json!(said)));
        for (name, said) in self.reading.said() {
            set(name, said.as_ref().map(|said| json!(said)));
        }
        set("compression", self.compression.as_ref().map(|said| json!(said)));
        set("encoding", self.encoding.as_ref().map(|said| json!(said)));
        let key = self.file_key.as_deref().map(|reference| key::read("--file-key", reference)).transpose();
        let mut mistakes: Vec<String> = key.as_ref().err().map(ToString::to_string).into_iter().collect();
        set("encryption", key.ok().flatten().map(|key| super::encryption(&key)));
        let options = Options::from_value(&Value::Object(document));
        mistakes.extend(options.as_ref().err().into_iter().flatten().map(super::in_flags));
        options.ok().filter(|_| mistakes.is_empty()).ok_or_else(|| Usage::listing(mistakes))
    }
}

/// The evidence for people.
fn told(found: &Proposal, output: Option<&PathBuf>) -> String {
    let Proposal { records, unreadable, key, key_doubt, other_keys, fields, .. } = found;
    let mut lines = vec![format!("looked at {records} records, of which {unreadable} cannot be read")];
    if let Some(first) = &found.first_unreadable {
        lines.push(format!("  the first is {first}"));
    }
    for field in fields {
        lines.push(of_field(field, field.name == *key));
    }
    let others = if other_keys.is_empty() {
        "no other field does".to_owned()
    } else {
        format!("so do {}", other_keys.join(", "))
    };
    lines.push(match key_doubt {
        None => format!("{key} identifies a record; {others}"),
        Some(doubt) => {
            let others = if other_keys.is_empty() { "" } else { "; other fields identify each: " };
            let names = other_keys.join(", ");
            format!("{key} identifies a record, but {doubt}: an import will reject these{others}{names}")
        }
    });
    match output {
        Some(file) => lines.push(format!(
            "the template is written to {}; `carrack templates create` stores it",
            file.display()
        )),
        None => lines.push("-o FILE writes the template, --json tells all of this".to_owned()),
    }
    lines.join("\n")
}

fn of_field(field: &Evidence, is_key: bool) -> String {
    let kind = field.field_type.map_or("kept in extra", carrack_shared::schema::FieldType::as_str);
    let key = if is_key { ", the key" } else { "" };
    let mut text = format!("  {}: {kind}{key}: {}", field.name, field.reason);
    for (count, what) in [(field.missing, "missing"), (field.nulls, "null"), (field.empty, "empty")] {
        if count > 0 {
            text.push_str(&format!("; {what} in {count}"));
        }
    }
    if let Some([least, most]) = &field.range {
        text.push_str(&format!("; from {least} to {most}"));
    }
    if let Some(only) = &field.only {
        text.push_str(&format!("; only {}", only.join(", ")));
    } else if !field.examples.is_empty() {
        text.push_str(&format!("; e.g. {}", field.examples.join(", ")));
    }
    if let Some(renamed) = &field.renamed {
        text.push_str(&format!("; becomes {renamed}"));
    }
    text
}
