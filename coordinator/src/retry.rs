//! Retrying an import: a new one that reads only the records which another has rejected, from their bytes as
//! they stood, or from a file in which they were corrected.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use carrack_shared::budget::Budget;
use carrack_shared::document::Mistake;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::fault::Reject;
use carrack_shared::format::Format;
use carrack_shared::format::correction::Sheet;
use carrack_shared::format::reading::Reading;
use carrack_shared::layer::source::Layers;
use carrack_shared::mapping::Mapping;
use carrack_shared::operation::{Operation, OperationId, State};
use carrack_shared::port::Ports;
use carrack_shared::port::operations::{Idempotency, Listing};
use carrack_shared::spec::{ErrorHandling, ImportSpec, Retry, Source, Spec};

use crate::options::Options;
use crate::start::{self, Input, StartError, Started};
use crate::types::{self, Named, Types, pinned};
use crate::{clock, corrections};

/// What the new import does otherwise than the one before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// How the records become those of the type.
    pub mapping: Option<Mapping>,
    /// The id or the name of the template by which they are checked.
    pub template: Option<String>,
}

/// Why an import is not retried.
#[derive(Debug, thiserror::Error)]
pub enum NotRetried {
    /// It cannot be, as it stands.
    #[error("{0}")]
    Conflict(String),
    /// It cannot be started.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl From<PortError> for NotRetried {
    fn from(error: PortError) -> Self {
        Self::Start(error.into())
    }
}

impl Changes {
    /// Those that options ask for. Everything else is as it was.
    ///
    /// # Errors
    /// The mistakes.
    pub fn read(document: &serde_json::Value) -> Result<Self, Vec<Mistake>> {
        let options = Options::from_value(document)?;
        let others = document.as_object().into_iter().flat_map(|members| members.keys());
        let others = others.filter(|name| !["mapping", "templateId"].contains(&name.as_str()));
        let wrong = |name: &String| {
            let detail = "a retry takes it from the import before, expected only mapping and templateId";
            Mistake::new(format!("options.{name}"), detail)
        };
        let mistakes: Vec<Mistake> = others.map(wrong).collect();
        match mistakes.is_empty() {
            true => Ok(Self { mapping: options.mapping, template: options.template }),
            false => Err(mistakes),
        }
    }
}

/// The import of an operation that can be retried. Whether it was is told early where this cannot be the same request
/// again.
async fn retriable<'a>(
    ports: &Ports,
    parent: &'a Operation,
    may_be_again: bool,
) -> Result<&'a ImportSpec, NotRetried> {
    let id = parent.id;
    let conflict = |what: String| Err(NotRetried::Conflict(format!("operation {id} {what}")));
    let Some(import) = parent.spec.as_import() else {
        return conflict("is an export, expected an import".into());
    };
    if import.dry_run {
        return conflict("is a dry run, expected an import".into());
    }
    if import.verifies.is_some() {
        return conflict("is a verification, expected an import".into());
    }
    if import.error_handling == ErrorHandling::Strict {
        return conflict("is to load all or nothing: correct its files and import them again".into());
    }
    if !parent.state.is_terminal() {
        return conflict(format!("is {}, expected one that has ended", parent.state.as_str()));
    }
    if parent.tally.is_none_or(|tally| tally.rejected == 0) {
        return conflict("has no rejects, expected some to retry".into());
    }
    if may_be_again {
        return Ok(import);
    }
    let before = ports.store.list(Listing::RetriesOf(id)).await?;
    let counts = |retry: &&Operation| !matches!(retry.state, State::Failed | State::Cancelled);
    if let Some(retry) = before.iter().find(counts) {
        let (child, state) = (retry.id, retry.state.as_str());
        let way_on = match retry.state.is_terminal() {
            true => "retry that one, if it has rejects",
            false => "watch it to its end (carrack operations watch), or cancel it",
        };
        return conflict(format!("was retried as {child} already, which is {state}; {way_on}"));
    }
    Ok(import)
}

/// Retries the rejects of an import from their bytes as they stood.
///
/// # Errors
/// When it cannot be retried, or not like this.
pub async fn of_rejects(
    ports: &Ports,
    owner: &str,
    parent: &Operation,
    changes: Changes,
    idempotency: Option<Idempotency>,
) -> Result<Started, NotRetried> {
    let import = retriable(ports, parent, idempotency.is_some()).await?;
    let mut child = changed(ports, import, changes).await?;
    let prefix = clock::new_source_prefix();
    let written = sources(ports, parent, import, &prefix).await;
    let created = match written {
        Ok(written) => {
            child.format = written.format;
            child.reading = Reading { header: None, records_at: None, ..import.reading.clone() };
            child.sources = written.sources;
            child.type_evidence = None;
            child.remarks = Vec::new();
            // Of bad records most may well stay bad.
            child.budget = Budget::default();
            child.retry = Some(Retry { parent: parent.id, records: Some(written.records) });
            create(ports, owner, parent.id, child, idempotency).await
        }
        Err(error) => Err(error),
    };
    if created.as_ref().map_or(true, |started| started.before) {
        forget(ports, &prefix).await;
    }
    created
}

/// Retries an import from files in which its rejects were corrected.
///
/// # Errors
/// When it cannot be retried, or not like this.
pub async fn of_files(
    ports: &Ports,
    owner: &str,
    parent: &Operation,
    inputs: &[Input],
    changes: Changes,
    idempotency: Option<Idempotency>,
) -> Result<Started, NotRetried> {
    let import = retriable(ports, parent, idempotency.is_some()).await?;
    let own = import.template.as_ref().map(|template| template.id.to_string());
    let is_csv = import.format == Format::Csv;
    let options = Options {
        format: is_csv.then_some(Format::Csv),
        reading: if is_csv {
            Reading { header: None, records_at: None, ..import.reading.clone() }
        } else {
            Reading::default()
        },
        validate_schema: import.validate_schema,
        // A new template comes with a mapping of its own.
        mapping: changes.mapping.or_else(|| import.mapping.clone().filter(|_| changes.template.is_none())),
        duplicates: import.duplicates,
        batch_size: import.batch_size,
        error_handling: import.error_handling,
        include_metadata: import.include_metadata,
        template: changes.template.or(own),
        filter: import.filter.clone(),
        ..Options::default()
    };
    let spec = start::import_spec(ports, inputs, Some(&import.data_type), &options).await?;
    let Some(child) = spec.as_import() else { return Err(internal("an import that is none").into()) };
    let child = ImportSpec { retry: Some(Retry { parent: parent.id, records: None }), ..child.clone() };
    create(ports, owner, parent.id, child, idempotency).await
}

/// The import with another mapping or template.
async fn changed(ports: &Ports, import: &ImportSpec, changes: Changes) -> Result<ImportSpec, NotRetried> {
    let mut child = import.clone();
    if let Some(reference) = &changes.template {
        let known = Types::known(ports).await?;
        let (origin, data_type, mapping) = types::by_template(ports, &known, reference).await?;
        let named = known.asked(&import.data_type).map_err(StartError::from)?;
        if let Named::One(one) = named.by_template(data_type).map_err(StartError::from)? {
            child.types = pinned([&one]);
        }
        child.template = Some(origin);
        child.mapping = mapping;
    }
    child.mapping = changes.mapping.or(child.mapping);
    Ok(child)
}

/// What was written of the rejects.
struct Written {
    format: Format,
    sources: Vec<Source>,
    records: u64,
}

/// Writes the rejects of each source as a source of its own.
async fn sources(
    ports: &Ports,
    parent: &Operation,
    import: &ImportSpec,
    prefix: &str,
) -> Result<Written, NotRetried> {
    let mut sheets = Vec::new();
    for number in corrections::sources(ports, parent).await? {
        match corrections::sheet(ports, parent, number, false).await {
            Ok(sheet) => sheets.push((number, sheet)),
            // Its head could not be read, so it has no record.
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    let formats: Vec<Format> = sheets.iter().map(|(_, sheet)| sheet.format()).collect();
    let format = formats.first().copied().unwrap_or(import.format);
    if let Some(other) = formats.iter().find(|other| **other != format) {
        return Err(NotRetried::Conflict(format!(
            "operation {} has rejects of files that hold their records in different ways, {} and {}: retry it \
             with files of them",
            parent.id,
            format.title(),
            other.title()
        )));
    }
    let (mut sources, mut records) = (Vec::new(), 0);
    for (number, sheet) in sheets {
        let key = format!("{prefix}/{}", sources.len());
        let (source, count) = source(ports, parent, import, number, sheet, &key).await?;
        if count > 0 {
            sources.push(source);
            records += count;
        } else {
            ports.objects.delete(&key).await?;
        }
    }
    if records == 0 {
        let what = "has no reject that is a record by itself: what a broken file holds behind its break, and \
                    records that ended workers, are not read again";
        return Err(NotRetried::Conflict(format!("operation {} {what}", parent.id)));
    }
    Ok(Written { format, sources, records })
}

/// Writes the rejects of one source; answers how many records they are.
async fn source(
    ports: &Ports,
    parent: &Operation,
    import: &ImportSpec,
    number: u32,
    sheet: Sheet,
    key: &str,
) -> PortResult<(Source, u64)> {
    use futures_util::{StreamExt as _, TryStreamExt as _};
    let (all, left_out) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (seen, missed) = (Arc::clone(&all), Arc::clone(&left_out));
    let rejects = corrections::of_source(ports, parent, number);
    let rejects = rejects
        .inspect_ok(move |_| {
            seen.fetch_add(1, Ordering::Relaxed);
        })
        .boxed();
    let missed = move |_: &Reject| {
        missed.fetch_add(1, Ordering::Relaxed);
    };
    ports.objects.put(key, corrections::written(ports.clone(), sheet, rejects, missed)).await?;
    let meta = ports.objects.head(key).await?.ok_or_else(|| internal("a source that is gone at once"))?;
    let before = import.sources.get(number as usize);
    let source = Source {
        name: before.map_or_else(|| "rejects".to_owned(), |before| before.name.clone()),
        key: key.to_owned(),
        etag: meta.etag,
        length: meta.length,
        data_type: before.and_then(|before| before.data_type.clone()),
        layers: Layers::default(),
    };
    Ok((source, all.load(Ordering::Relaxed) - left_out.load(Ordering::Relaxed)))
}

/// Creates the retry, unless another one was quicker.
async fn create(
    ports: &Ports,
    owner: &str,
    parent: OperationId,
    child: ImportSpec,
    idempotency: Option<Idempotency>,
) -> Result<Started, NotRetried> {
    start::create(ports, owner, Spec::import(child), idempotency).await.map_err(|error| match error {
        StartError::Retried(retry) => {
            NotRetried::Conflict(format!("operation {parent} was retried as {retry} already"))
        }
        error => error.into(),
    })
}

async fn forget(ports: &Ports, prefix: &str) {
    let keys = ports.objects.list(&format!("{prefix}/")).await.unwrap_or_default();
    for key in keys {
        if let Err(error) = ports.objects.delete(&key).await {
            tracing::warn!(key, error = error.chain(), "source of a retry not removed");
        }
    }
}

fn internal(message: &str) -> PortError {
    PortError::new(ErrorKind::Internal, "coordinator", message)
}
