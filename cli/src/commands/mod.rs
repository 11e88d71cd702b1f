//! One file per command.

pub mod compare;
pub mod coordinator;
pub mod export;
pub mod import;
pub mod infer;
pub mod operations;
pub mod rejects;
pub mod rekey;
pub mod retry;
pub mod serve;
pub mod templates;
pub mod tokens;
pub mod verify;
pub mod worker;

use carrack_coordinator::start::StartError;
use carrack_shared::config::Config;
use carrack_shared::document::Mistake;
use carrack_shared::operation::OperationId;
use serde_json::{Value, json};

use crate::arguments::Command;
use crate::exit::{Exit, Usage};

/// Runs a command. `reach` are the flags by which another one reaches the same operations.
pub async fn run(command: Command, config: Config, reach: &str) -> anyhow::Result<Exit> {
    match command {
        Command::Import(arguments) => Box::pin(import::run(*arguments, config, reach)).await,
        Command::Export(arguments) => Box::pin(export::run(*arguments, config, reach)).await,
        Command::Verify(arguments) => Box::pin(compare::run(arguments, config, reach)).await,
        Command::Infer(arguments) => Box::pin(infer::run(arguments, config)).await,
        Command::Rekey(arguments) => tokio::task::spawn_blocking(move || rekey::run(&arguments)).await?,
        Command::Serve(arguments) => Box::pin(serve::run(arguments, config)).await,
        Command::Coordinator(_) => Box::pin(coordinator::run(config)).await,
        Command::Worker(_) => Box::pin(worker::run(config)).await,
        Command::Operations(command) => Box::pin(operations::run(command, config, reach)).await,
        Command::Templates(command) => Box::pin(templates::run(command, config)).await,
        Command::Tokens(command) => Box::pin(tokens::run(command, config)).await,
    }
}

/// What was wrong with a start, in the words of the command line. Nothing has begun, so all of it is wrong
/// usage: the arguments, and the files that they name.
pub fn refused(error: StartError) -> anyhow::Error {
    let StartError::Wrong(mistakes) = error else { return error.into() };
    Usage::listing(mistakes.iter().map(in_flags).collect()).into()
}

/// What is said of an operation that is not there.
pub(crate) fn missing(id: OperationId) -> String {
    format!("there is no operation {id}")
}

/// The number that this is; the text, to be told, where it is none.
fn number(text: &str) -> Value {
    text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number))
}

/// The share that this is, also in percent; the text, to be told, where it is none.
fn share(text: &str) -> Value {
    let (number, whole) = text.strip_suffix('%').map_or((text, 1.0), |percent| (percent.trim_end(), 100.0));
    number.parse::<f64>().map_or_else(|_| json!(text), |number| json!(number / whole))
}

/// The option that names the key of files.
fn encryption(key: &str) -> Value {
    json!({ "enabled": true, "algorithm": "aes-256-gcm", "key": key })
}

/// The flags that stand for places in a request.
const FLAGS: &[(&str, &str)] = &[
    ("dataType", "--type"),
    ("options.format", "--format"),
    ("options.delimiter", "--delimiter"),
    ("options.quote", "--quote"),
    ("options.header", "--header"),
    ("options.recordsAt", "--records-at"),
    ("options.includeMetadata", "--no-metadata"),
    ("options.includeBinaryData", "--binary"),
    ("options.batchSize", "--batch-size"),
    ("options.errorHandling", "--on-error"),
    ("options.maxErrors", "--max-errors"),
    ("options.maxErrorRate", "--max-error-rate"),
    ("options.compression", "--compression"),
    ("options.compressionLevel", "--compression-level"),
    ("options.overwriteExisting", "--overwrite"),
    ("options.merge", "--merge"),
    ("options.encryption", "--key"),
    ("options.splitLargeFiles.maxSizeBytes", "--split"),
    ("options.encoding", "--encoding"),
    ("options.templateId", "--template"),
    ("options.undo", "--no-undo"),
    ("options.dryRun", "--dry-run"),
    ("options.mapping", "--mapping"),
    ("options.filters.dateRange.start", "--from"),
    ("options.filters.dateRange.end", "--to"),
    ("options.filters.dateRange", "--from and --to"),
    ("options.filters.types", "--types"),
    ("options.filters.tags", "--tags"),
    ("options.filters.sessionIds", "--session-ids"),
    ("options.filters.importance", "--importance"),
    ("options.filters.where", "--where"),
];

/// A mistake in the words of the command line: its flag, and the place within what the flag names.
pub fn in_flags(mistake: &Mistake) -> String {
    let Mistake { at, detail } = mistake;
    if at == "file" {
        return detail.clone();
    }
    let within =
        |place: &str| at.strip_prefix(place).filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
    match FLAGS.iter().find_map(|(place, flag)| within(place).map(|rest| (flag, rest))) {
        Some((flag, "")) => format!("{flag}: {detail}"),
        Some((flag, rest)) => format!("{flag}: {}: {detail}", rest.trim_start_matches('.')),
        None => mistake.to_string(),
    }
}
