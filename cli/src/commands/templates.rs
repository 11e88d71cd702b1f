//! `carrack templates`: what records look like, kept by name and version.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use carrack_coordinator::templates::{TestReport, Told};
use carrack_shared::config::Config;
use carrack_shared::document;
use carrack_shared::limits::{TEMPLATE_BYTES, TEMPLATES_FILE_BYTES};
use clap::{Args, Subcommand};
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use url::Url;

use crate::access::Access;
use crate::arguments::Server;
use crate::console;
use crate::exit::{Exit, Usage};

/// The commands of `templates`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Store a template, and make the table of its data type or add columns to it.
    Create(Create),
    /// List templates, by name, the newest version first.
    List(List),
    /// Show one template.
    Show(Show),
    /// Try the examples of a template: whether records become what it says.
    Test(Test),
}

/// The arguments of `create`.
#[derive(Debug, Args)]
pub struct Create {
    /// The template: a JSON document; or an array of them, as `list --json` prints it.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print the stored template as one JSON object; of an array, an array.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// The arguments of `list`.
#[derive(Debug, Args)]
pub struct List {
    /// Print a JSON array.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// The arguments of `show`.
#[derive(Debug, Args)]
pub struct Show {
    /// Its name, NAME@VERSION, or its id.
    #[arg(value_name = "TEMPLATE")]
    template: String,
    /// Print one JSON object on one line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// The arguments of `test`.
#[derive(Debug, Args)]
pub struct Test {
    /// Its name, NAME@VERSION, its id, or a file, which is not stored.
    #[arg(value_name = "TEMPLATE")]
    template: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

impl Command {
    /// The server that is named.
    pub fn server(&self) -> Option<&Url> {
        let server = match self {
            Self::Create(create) => &create.server,
            Self::List(list) => &list.server,
            Self::Show(show) => &show.server,
            Self::Test(test) => &test.server,
        };
        server.server.as_ref()
    }
}

/// Runs a command of `templates`.
pub async fn run(command: Command, config: Config) -> anyhow::Result<Exit> {
    match command {
        Command::Create(arguments) => create(arguments, config).await,
        Command::List(arguments) => list(arguments, config).await,
        Command::Show(arguments) => show(arguments, config).await,
        Command::Test(arguments) => test(arguments, config).await,
    }
}

async fn create(arguments: Create, config: Config) -> anyhow::Result<Exit> {
    let document = read(&arguments.file, TEMPLATES_FILE_BYTES).await?;
    let access = Access::open(&arguments.server, config).await?;
    let Value::Array(documents) = document else {
        let stored = create_one(&access, &document, arguments.json).await?;
        if arguments.json {
            console::result(&stored.to_string())?;
        }
        return Ok(Exit::Good);
    };
    let mut all = Vec::new();
    for (number, document) in in_order(documents) {
        let stored = create_one(&access, &document, arguments.json).await;
        all.push(stored.with_context(|| format!("template {number} of the file"))?);
    }
    if arguments.json {
        console::result(&Value::Array(all).to_string())?;
    }
    Ok(Exit::Good)
}

async fn create_one(access: &Access, document: &Value, quietly: bool) -> anyhow::Result<Value> {
    let (stored, before) = access.add_template(document).await?;
    if !quietly {
        let what = if before { "is stored already" } else { "is stored" };
        console::result(&format!("{} {what}, id {}{}", row(&stored), text(&stored, "id"), filled(&stored)))?;
    }
    Ok(stored)
}

/// With their numbers in the file, from 1, in the order in which they were stored elsewhere: a name stands for the
/// version that was stored last.
fn in_order(documents: Vec<Value>) -> Vec<(usize, Value)> {
    let mut numbered: Vec<(usize, Value)> = (1..).zip(documents).collect();
    numbered.sort_by(|(_, one), (_, other)| text(one, "createdAt").cmp(text(other, "createdAt")));
    numbered
}

async fn list(arguments: List, config: Config) -> anyhow::Result<Exit> {
    let access = Access::open(&arguments.server, config).await?;
    let list = access.templates().await?;
    if arguments.json {
        console::result(&Value::Array(list).to_string())?;
        return Ok(Exit::Good);
    }
    for template in &list {
        console::result(row(template).as_str())?;
    }
    Ok(Exit::Good)
}

async fn show(arguments: Show, config: Config) -> anyhow::Result<Exit> {
    let access = Access::open(&arguments.server, config).await?;
    let template = stored(&access, &arguments.template).await?;
    let shown = if arguments.json { template.to_string() } else { serde_json::to_string_pretty(&template)? };
    console::result(&shown)?;
    Ok(Exit::Good)
}

async fn test(arguments: Test, config: Config) -> anyhow::Result<Exit> {
    let access = Access::open(&arguments.server, config).await?;
    let document = match Wanted::read(Some(&arguments.template)).await? {
        Some(Wanted::Document(document)) => document,
        _ => stored(&access, &arguments.template).await?,
    };
    let report = access.test_template(&document).await?;
    match arguments.json {
        true => console::result(&serde_json::to_string(&report)?)?,
        false => console::result(&told(&report))?,
    }
    Ok(if report.failed == 0 { Exit::Good } else { Exit::Failed })
}

/// The report for people: a line for each difference.
fn told(report: &TestReport) -> String {
    let TestReport { template, passed, failed, examples } = report;
    let mut text = match examples.len() {
        0 => format!("{template} has no examples"),
        all => format!("{template}: {passed} of {all} examples pass, {failed} fail"),
    };
    for example in examples.iter().filter(|example| !example.passed) {
        let called = example.description.as_ref().map(|called| format!(" ({called})")).unwrap_or_default();
        text.push_str(&format!("\n  example {}{called}", example.example));
        for Told { field, expected, found } in &example.differences {
            let field = field.as_ref().map(|field| format!("{field}: ")).unwrap_or_default();
            let [expected, found] = [expected, found].map(|said| said.as_deref().unwrap_or("nothing"));
            text.push_str(&format!("\n    {field}expected {expected}, found {found}"));
        }
    }
    text
}

/// The template of this name; what is shown of it.
async fn stored(access: &Access, reference: &str) -> anyhow::Result<Value> {
    let Some(template) = access.template(reference).await? else {
        bail!("there is no template {reference:?}; `carrack templates list` shows those there are");
    };
    Ok(template)
}

/// The template that another command is to use.
pub enum Wanted {
    /// One that is stored, by its name or id.
    Stored(String),
    /// One from a file, which is to be stored.
    Document(Value),
}

impl Wanted {
    /// What is there under this name: a file, or else the name of a template.
    pub async fn read(reference: Option<&str>) -> anyhow::Result<Option<Self>> {
        match reference {
            None => Ok(None),
            Some(path) if Path::new(path).is_file() => {
                let document = read(Path::new(path), TEMPLATE_BYTES).await?;
                Ok(Some(Self::Document(document)))
            }
            Some(path) if ["/", "./", "../"].iter().any(|place| path.starts_with(place)) => Err(Usage(
                format!("--template: found no file {path}, expected one, or the name of a template"),
            )
            .into()),
            Some(name) => Ok(Some(Self::Stored(name.to_owned()))),
        }
    }

    /// Stores it where it is not, and answers by what it is found.
    pub async fn stored(self, access: &Access) -> anyhow::Result<String> {
        match self {
            Self::Stored(name) => Ok(name),
            Self::Document(document) => {
                let (stored, before) = access.add_template(&document).await?;
                if !before {
                    console::note(&format!("{} is stored{}", row(&stored), filled(&stored)));
                }
                Ok(text(&stored, "id").to_owned())
            }
        }
    }
}

/// A JSON document of at most so many bytes.
async fn read(path: &Path, most: usize) -> anyhow::Result<Value> {
    let place = || path.display().to_string();
    let unusable = |error: std::io::Error| Usage(format!("{}: {error}", place()));
    let file = tokio::fs::File::open(path).await.map_err(unusable)?;
    let mut text = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut text).await.map_err(unusable)?;
    if text.len() > most {
        let place = place();
        return Err(Usage(format!("{place}: found more than {most} bytes, expected a template")).into());
    }
    document::parse(&text)
        .map_err(|error| Usage(format!("{}: expected a JSON document, found {error}", place())).into())
}

/// What became of values that rows kept outside the schema, where there were any.
fn filled(stored: &Value) -> String {
    let filled = &stored["filledFromExtra"];
    match (filled["moved"].as_u64(), filled["left"].as_u64()) {
        (Some(moved), Some(left)) => {
            format!(
                "; of the values in extra {moved} fill its new columns and {left} do not fit and stay there"
            )
        }
        _ => String::new(),
    }
}

/// A template on one line.
fn row(template: &Value) -> String {
    let fields = template["schema"]["fields"].as_array().map_or(0, Vec::len);
    let (name, version) = (text(template, "name"), text(template, "version"));
    let data_type = template["schema"]["type"].as_str().unwrap_or_default();
    format!("{name}@{version} ({data_type}, {fields} fields)")
}

fn text<'template>(template: &'template Value, name: &str) -> &'template str {
    template[name].as_str().unwrap_or_default()
}
