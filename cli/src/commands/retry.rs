//! `carrack operations retry`: the rejects of an import again.

use std::path::PathBuf;

use anyhow::Context as _;
use carrack_coordinator::retry::Changes;
use carrack_shared::config::Config;
use carrack_shared::operation::OperationId;
use clap::Args;
use serde_json::{Map, Value, json};

use crate::access::Access;
use crate::arguments::Server;
use crate::exit::{Exit, Usage};
use crate::file::Input;
use crate::interrupt::Interrupts;
use crate::mapping;
use crate::place::Fence;
use crate::watch::OnInterrupt;

use super::templates::Wanted;
use super::{import, in_flags, missing};

/// The arguments of `retry`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The import whose rejects are to be read again.
    #[arg(value_name = "ID")]
    id: OperationId,
    /// Files in which they were corrected, such as `operations rejects --as input` writes; where there are none,
    /// the rejected records are read as they stood.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Another mapping than before.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Another template than before: its name, NAME@VERSION, its id, or a file to be stored as one.
    #[arg(long, value_name = "TEMPLATE")]
    template: Option<String>,
    #[command(flatten)]
    output: import::Output,
    #[command(flatten)]
    pub server: Server,
}

/// Retries and reports.
pub async fn run(arguments: Arguments, config: Config, reach: &str) -> anyhow::Result<Exit> {
    let id = arguments.id;
    let mut document = Map::new();
    if let Some(path) = &arguments.mapping {
        document.insert("mapping".into(), mapping::read(path)?);
    }
    let files = Input::open_all(&arguments.files)?;
    let output = arguments.output.settle(&Fence::around(&config).and_inputs(&files), reach)?;
    let template = Wanted::read(arguments.template.as_deref()).await?;
    let mut document = Value::Object(document);
    let told = |mistakes: Vec<_>| Usage::listing(mistakes.iter().map(in_flags).collect());
    Changes::read(&document).map_err(told)?;
    let mut interrupts = Interrupts::listen()?;
    let mut access = Access::open(&arguments.server, config).await?;
    access.progress(id).await?.with_context(|| missing(id))?;
    if let Some(template) = template {
        document["templateId"] = json!(template.stored(&access).await?);
    }
    let child = match &access {
        Access::Local(local) => {
            let changes = Changes::read(&document).map_err(told)?;
            local.retry(id, &files, changes).await?
        }
        Access::Remote(remote) => remote.retry(id, &files, &document).await?.operation_id,
    };
    import::finish(&mut access, child, OnInterrupt::Cancel, &output, &mut interrupts).await
}
