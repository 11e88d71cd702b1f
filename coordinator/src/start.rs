//! Starting an operation: from what a user asked for to a spec in which nothing is left open, and from the
//! spec to the operation. The API and the command both come through here, so they cannot differ.

use std::collections::BTreeSet;
use std::sync::Arc;

use carrack_shared::document::Mistake;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::filter::Filter;
use carrack_shared::format::Format;
use carrack_shared::format::csv::Dialect;
use carrack_shared::format::sniff::Sniffed;
use carrack_shared::layer::key_text::KeyText;
use carrack_shared::layer::packaging::{OutputKeys, OutputSeal, Packaging};
use carrack_shared::layer::secret::DataKey;
use carrack_shared::layer::wrapping::{KdfParameters, derive};
use carrack_shared::limits::SOURCES;
use carrack_shared::operation::{Operation, OperationId};
use carrack_shared::port::Ports;
use carrack_shared::port::operations::{Created, Idempotency, NewOperation};
use carrack_shared::reshape::Reshape;
use carrack_shared::schema::{ALL, DataType};
use carrack_shared::spec::{ExportSpec, ImportSpec, OwnTypes, Spec, Work};
use carrack_shared::undo::{self, NotUndoable};

use crate::file_types::FileTypes;
use crate::join::manifest::Manifest;
use crate::look::Eye;
use crate::options::{FILTERS, MAPPING, Options};
use crate::types::{self, BY_LOOKING, Named, TEMPLATE, Types, pinned};
use crate::{clock, parts, templates};

/// An input as it lies in the object store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// What the user calls it.
    pub name: String,
    /// The object's key.
    pub key: String,
}

/// What is asked for of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportRequest {
    spec: ExportSpec,
    /// The key under which it is to be sealed.
    key: Option<KeyText>,
    /// The id or the name of the template through which the rows go.
    template: Option<String>,
}

impl ExportRequest {
    /// The same through this template, which is stored.
    pub fn through(self, template: String) -> Self {
        Self { template: Some(template), ..self }
    }
}

/// What is said where a key has to be kept and cannot.
pub(crate) const NO_MASTER_KEY: &str = "this deployment has no master key, expected one in the setting \
    master_key (CARRACK_MASTER_KEY): the keys of files are kept under it";

/// An operation that runs because it was asked for.
#[derive(Debug, Clone)]
pub struct Started {
    /// The operation.
    pub operation: Operation,
    /// Whether the same request had started it before.
    pub before: bool,
}

/// Why an operation was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The request is wrong: everything that is.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Wrong(Vec<Mistake>),
    /// The idempotency key belongs to another request.
    #[error("the idempotency key was used for another request")]
    OtherRequest,
    /// The columns of this data type are others than when it was looked at.
    #[error("the data type {0} got new fields meanwhile: try again")]
    TypeChanged(String),
    /// The operation that is to be undone cannot be.
    #[error(transparent)]
    NotUndoable(#[from] NotUndoable),
    /// The operation that is to be retried was retried as this one.
    #[error("it was retried as {0} already")]
    Retried(OperationId),
    /// A service failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<Mistake> for StartError {
    fn from(mistake: Mistake) -> Self {
        Self::Wrong(vec![mistake])
    }
}

/// What is asked for of an export; everything that is wrong with it at once.
///
/// # Errors
/// The mistakes.
pub fn export_request(
    data_type: &str,
    options: Result<Options, Vec<Mistake>>,
) -> Result<ExportRequest, Vec<Mistake>> {
    let unknown = || {
        let detail = "expected the name of a type: an export cannot tell it by looking";
        Mistake::new("dataType", detail)
    };
    let options = options.and_then(|options| {
        let only_imports = [
            (
                options.mapping.is_some(),
                MAPPING,
                "found a mapping for an export, expected one for imports only",
            ),
            (options.dry_run, "options.dryRun", "found true for an export, expected it for imports only"),
        ];
        let wrong = only_imports.into_iter().filter(|(found, ..)| *found);
        let mistakes: Vec<Mistake> = wrong.map(|(_, at, detail)| Mistake::new(at, detail)).collect();
        if mistakes.is_empty() { Ok(options) } else { Err(mistakes) }
    });
    let found = match data_type {
        BY_LOOKING => Err(unknown()),
        _ => Ok(()),
    };
    match (found, options) {
        (Ok(()), Ok(options)) => Ok(ExportRequest {
            spec: ExportSpec {
                data_type: data_type.to_owned(),
                data_types: Vec::new(),
                types: OwnTypes::default(),
                format: options.format.unwrap_or(Format::Json),
                include_metadata: options.include_metadata,
                include_binary_data: options.include_binary_data,
                filter: options.filter,
                template: None,
                packaging: Packaging {
                    compression: options.compression.unwrap_or_default(),
                    level: options.compression_level,
                    split_bytes: options.split_bytes,
                    seal: None,
                },
            },
            key: options.key,
            template: options.template,
        }),
        (found, options) => {
            let mistakes = found.err().into_iter().chain(options.err().into_iter().flatten());
            Err(mistakes.collect())
        }
    }
}

/// Settles what was asked for of an export: makes the keys of its files.
///
/// # Errors
/// When the key cannot be kept.
pub async fn export_spec(ports: &Ports, request: ExportRequest) -> Result<Spec, StartError> {
    let ExportRequest { mut spec, key, template } = request;
    let known = Types::known(ports).await?;
    if let Named::One(one) = known.asked(&spec.data_type)? {
        one.name.as_str().clone_into(&mut spec.data_type);
        fits(&spec.filter, [&one])?;
        if let Some(reference) = template {
            spec.template = Some(reshape(ports, &one, &reference).await?);
        }
        spec.types = pinned([&one]);
    } else {
        spec.data_types = known.names();
        fits(&spec.filter, known.all())?;
        if template.is_some() {
            let detail =
                format!("found a template for an export of {ALL}, expected one only where a type is named");
            return Err(Mistake::new(TEMPLATE, detail).into());
        }
        spec.types = pinned(known.all());
    }
    if let Some(text) = key {
        let wrong = |detail: String| Mistake::new("options.encryption", detail);
        let master = ports.master_key.as_ref().ok_or_else(|| wrong(NO_MASTER_KEY.into()))?;
        let key = text.key().map_err(|error| wrong(error.to_string()))?;
        let parameters = KdfParameters::new(&key, rand::random());
        let making = tokio::task::spawn_blocking(move || derive(&key, &parameters)).await;
        let made =
            making.map_err(|error| PortError::new(ErrorKind::Internal, "carrack", error.to_string()))?;
        let wrapping_key = made.map_err(|fault| wrong(fault.message))?;
        let keys = OutputKeys { file: rand::random(), data_key: DataKey::new(rand::random()), wrapping_key };
        spec.packaging.seal = Some(OutputSeal::keep(&keys, master, [rand::random(), rand::random()]));
    }
    Ok(Spec::export(spec))
}

/// What a template makes of the rows of a type.
async fn reshape(ports: &Ports, data_type: &DataType, reference: &str) -> Result<Reshape, StartError> {
    let (origin, template) = types::template(ports, reference).await?;
    if template.data_type != data_type.name {
        let (found, expected) = (template.data_type.as_str(), data_type.name.as_str());
        let detail = format!("found a template of {found}, expected one of {expected} as was asked for");
        return Err(Mistake::new(TEMPLATE, detail).into());
    }
    Ok(Reshape::new(origin, &template))
}

/// Refuses filters that ask for fields which a type does not have.
fn fits<'a>(filter: &Filter, types: impl IntoIterator<Item = &'a Arc<DataType>>) -> Result<(), StartError> {
    let refused = types.into_iter().filter_map(|data_type| filter.conditions(data_type).err());
    let mistakes: Vec<Mistake> = refused
        .flatten()
        .map(|mistake| Mistake::new(format!("{FILTERS}.{}", mistake.at), mistake.detail))
        .collect();
    if mistakes.is_empty() { Ok(()) } else { Err(StartError::Wrong(mistakes)) }
}

/// Looks at the inputs and settles everything that the user left open: format, data type, versions.
///
/// # Errors
/// When the request is wrong or an input cannot be read.
pub async fn import_spec(
    ports: &Ports,
    inputs: &[Input],
    data_type: Option<&str>,
    options: &Options,
) -> Result<Spec, StartError> {
    // One more may be the manifest of the others.
    if inputs.is_empty() || inputs.len() > SOURCES + 1 {
        return Err(
            Mistake::new("file", format!("found {} files, expected 1 to {SOURCES}", inputs.len())).into()
        );
    }
    let known = Types::known(ports).await?;
    let mut named = known.asked(data_type.unwrap_or(BY_LOOKING))?;
    let (mut template, mut mapping) = (None, options.mapping.clone());
    if let Some(reference) = &options.template {
        let (origin, data_type, own) = types::by_template(ports, &known, reference).await?;
        // What is asked for beside a template has the last word.
        mapping = mapping.or(own);
        named = named.by_template(data_type)?;
        template = Some(origin);
    }
    let (manifest, inputs) = parts::by_manifest(ports, inputs).await?;
    let mut types = FileTypes::new(&known, named, manifest.as_ref())?;
    let options = &manifest.as_ref().map_or_else(|| options.clone(), |manifest| as_told(options, manifest));
    let mut format = options.format;
    let mut reading = options.reading.clone();
    let mut seen = Vec::with_capacity(inputs.len());
    let (mut eye, mut fields) = (Eye::new(ports, options), BTreeSet::new());
    for (number, input) in inputs.iter().enumerate() {
        let (mut one, mut sniffed) = eye.look_at(input, format).await?;
        // The type is told by the fields that the records have in the end.
        if let Some(mapping) = &mapping {
            fields.extend(sniffed.records.iter().flatten().cloned());
            sniffed.records.iter_mut().for_each(|fields| *fields = mapping.names(fields));
        }
        format = Some(sniffed.format);
        reading.delimiter = delimiter(&one.source.name, &sniffed, reading.delimiter)?;
        one.source.data_type = types.take(number, &one.source.name, &sniffed)?;
        seen.push(one);
    }
    parts::check(ports, manifest.as_ref(), &seen).await?;
    let sources = seen.into_iter().map(|one| one.source).collect();
    let pinned = types.pinned();
    let ((Some(data_type), evidence), Some(format)) = (types.told(), format) else {
        return Err(PortError::new(ErrorKind::Internal, "carrack", "inputs without a format or type").into());
    };
    // Said where it is not the usual one: the specs of earlier releases have none.
    reading.delimiter = reading.delimiter.filter(|byte| *byte != Dialect::default().delimiter);
    let mut spec = ImportSpec {
        data_type,
        types: pinned,
        format,
        reading,
        batch_size: options.batch_size,
        error_handling: options.error_handling,
        duplicates: options.duplicates,
        validate_schema: options.validate_schema,
        dry_run: options.dry_run,
        include_metadata: options.include_metadata,
        undo: options.undo,
        template,
        mapping,
        budget: options.budget,
        retry: None,
        verifies: None,
        filter: options.filter.clone(),
        type_evidence: evidence,
        remarks: Vec::new(),
        sources,
    };
    if spec.is_of_templates() {
        templates::settle_import(&mut spec).map_err(StartError::Wrong)?;
    }
    let mut spec = Spec::import(spec);
    let tables = spec.tables().map_err(PortError::from)?;
    fits(&options.filter, &tables)?;
    if let Spec::V1(Work::Import(import)) = &mut spec
        && let Some(mapping) = &import.mapping
    {
        let is_field = |name: &str| tables.iter().any(|data_type| data_type.slot(name).is_some());
        import.remarks = mapping.remarks(&Vec::from_iter(fields), is_field);
    }
    Ok(spec)
}

/// Creates the operation of a spec; the coordinators find it by themselves.
///
/// # Errors
/// When the database fails or the idempotency key belongs to another request.
pub async fn create(
    ports: &Ports,
    owner: &str,
    spec: Spec,
    idempotency: Option<Idempotency>,
) -> Result<Started, StartError> {
    let undone = spec.as_undo().map(|undo| undo.parent);
    let new = NewOperation { id: clock::new_operation_id(), owner: owner.to_owned(), spec, idempotency };
    let operation = match ports.store.create(&new).await? {
        Created::New(operation) => operation,
        Created::Before(operation) => return Ok(Started { operation, before: true }),
        Created::OtherRequest => return Err(StartError::OtherRequest),
        Created::TypeChanged(name) => {
            return Err(match undone {
                Some(parent) => NotUndoable::Grown(parent, name).into(),
                None => StartError::TypeChanged(name),
            });
        }
        Created::NotUndoable(reason) => return Err(reason.into()),
        Created::Retried(retry) => return Err(StartError::Retried(retry)),
    };
    tracing::info!(operation = %operation.id, data_type = operation.spec.data_type(), "operation created");
    Ok(Started { operation, before: false })
}

/// What is asked for of the undo of an operation; `force` also goes over what others have changed since.
///
/// # Errors
/// When there is no such operation or it is no import, and when the database fails. Whether it can be undone now is
/// decided when the undo is created.
pub async fn undo_spec(ports: &Ports, parent: OperationId, force: bool) -> Result<Spec, StartError> {
    let found = ports.store.get(parent).await?.ok_or(NotUndoable::Unknown(parent))?;
    let spec = Spec::undo(&found, force).map_err(PortError::from)?;
    spec.ok_or_else(|| undo::check(&found, None).err().unwrap_or(NotUndoable::Unknown(parent)).into())
}

/// Stops an operation, and tells the workers through the progress cache, which is faster than their next
/// look into the database. None if there is no such operation.
///
/// # Errors
/// When the database fails.
pub async fn cancel(ports: &Ports, id: OperationId) -> PortResult<Option<Operation>> {
    let Some(operation) = ports.store.cancel(id).await? else { return Ok(None) };
    if let Err(error) = ports.progress.announce(id, operation.epoch, operation.state).await {
        tracing::debug!(operation = %id, error = error.chain(), "progress cache not told of the cancel");
    }
    tracing::info!(operation = %id, state = operation.state.as_str(), "operation asked to stop");
    Ok(Some(operation))
}

/// The delimiter of an input and of all `earlier` ones, where any of them shows one.
fn delimiter(name: &str, sniffed: &Sniffed, earlier: Option<u8>) -> Result<Option<u8>, StartError> {
    match (earlier, sniffed.delimiter) {
        (Some(expected), Some(found)) if found != expected => {
            let [found, expected] = [found, expected].map(char::from);
            let detail = format!(
                "{name}: found fields with {found:?} between them, expected {expected:?} as in the first file; \
                 import them apart"
            );
            Err(Mistake::new("file", detail).into())
        }
        (earlier, found) => Ok(found.or(earlier)),
    }
}

/// What the manifest says of its files counts as if the user had asked for it.
fn as_told(options: &Options, manifest: &Manifest) -> Options {
    Options {
        format: options.format.or(Some(manifest.format)),
        compression: options.compression.or(Some(manifest.compression)),
        ..options.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_of_an_export_and_its_options_are_judged_together() {
        let mapping = r#"{"mapping":{"fieldMappings":{"a":"b"}}}"#;
        for (data_type, options, places) in [
            ("session", "{}", &[][..]),
            ("templates", "{}", &[]),
            ("auto-detect", "{}", &["dataType"]),
            (
                "auto-detect",
                r#"{"format":"pdf","batchSize":0}"#,
                &["dataType", "options.format", "options.batchSize"],
            ),
            ("session", mapping, &["options.mapping"]),
        ] {
            let mistakes = export_request(data_type, Options::from_json(options)).err().unwrap_or_default();
            assert_eq!(mistakes.iter().map(|mistake| mistake.at.as_str()).collect::<Vec<_>>(), places);
        }
    }
}
