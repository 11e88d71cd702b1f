//! `POST import`: a form with files, a data type and options, in any order. `POST validate`: the same, which only
//! tells what an import would do.

use axum::Extension;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest as _, Multipart, Request, State};
use axum::response::Response;
use carrack_shared::document::Mistake;
use carrack_shared::port::Ports;
use carrack_shared::port::operations::Idempotency;
use carrack_shared::spec::Spec;

use super::auth::Owner;
use super::operations::accepted;
use super::problem::{Answer, Kind, Problem};
use super::upload::Uploads;
use super::{Shared, extract, idempotency};
use crate::options::Options;
use crate::start::{self, StartError};

/// Bytes of a part that is not a file.
const TEXT_BYTES: usize = 64 * 1024;

/// Creates an import.
pub(super) async fn import(api: Shared, owner: Extension<Owner>, request: Request) -> Answer<Response> {
    start_import(api, owner, request, false).await
}

/// Creates a dry run.
pub(super) async fn validate(api: Shared, owner: Extension<Owner>, request: Request) -> Answer<Response> {
    start_import(api, owner, request, true).await
}

async fn start_import(
    State(api): Shared,
    Extension(Owner(owner)): Extension<Owner>,
    request: Request,
    only_validate: bool,
) -> Answer<Response> {
    let key = idempotency::key(request.headers())?;
    let found = extract::content_type(request.headers()).to_owned();
    let mut form = Multipart::from_request(request, &()).await.map_err(|_| {
        let detail = format!("Content-Type: found {found}, expected multipart/form-data with a boundary");
        Problem::new(Kind::UnsupportedMediaType, detail)
    })?;
    let mut uploads = Uploads::new(api.ports.clone(), api.settings.upload_limit_bytes, key.is_some());
    let mut texts = Texts::default();
    while let Some(field) = form.next_field().await.map_err(|error| broken_form(&error))? {
        match field.name() {
            Some("file") => uploads.take(field).await?,
            Some("dataType") => set(&mut texts.data_type, "dataType", field).await?,
            Some("options") => set(&mut texts.options, "options", field).await?,
            other => return Err(unknown_part(other, "file, dataType and options")),
        }
    }
    let data_type = texts.data_type.as_deref();
    let options_text = texts.options.as_deref().unwrap_or("{}");
    let mut mistakes = Vec::new();
    let options = Options::from_json(options_text);
    let options = options.map_err(|more| mistakes.extend(more));
    if uploads.inputs().is_empty() {
        mistakes.push(Mistake::new("file", "found none, expected at least one file"));
    }
    let Some(mut options) = options.ok().filter(|_| mistakes.is_empty()) else {
        return Err(Problem::wrong(mistakes));
    };
    options.dry_run |= only_validate;
    let spec = start::import_spec(&api.ports, uploads.inputs(), data_type, &options).await?;
    let options_told = idempotency::without_key(serde_json::from_str(options_text).unwrap_or_default());
    let mut identity: Vec<&[u8]> = vec![
        if only_validate { b"validate" } else { b"import" },
        data_type.unwrap_or("").as_bytes(),
        options_told.as_bytes(),
    ];
    identity.extend(uploads.inputs().iter().map(|input| input.name.as_bytes()));
    identity.extend(uploads.hashes().iter().map(<[u8; 32]>::as_slice));
    let idempotency = idempotency::of(key, &identity);
    let started = create(&api.ports, owner, spec, idempotency, uploads).await?;
    accepted(&api, &started.operation).await
}

/// Creates the operation, to its end even if the client hangs up meanwhile. The files are removed only when
/// it is certain that no operation has them: an answer that was lost may have created it.
async fn create(
    ports: &Ports,
    owner: String,
    spec: Spec,
    idempotency: Option<Idempotency>,
    uploads: Uploads,
) -> Answer<start::Started> {
    let ports = ports.clone();
    let creating = tokio::spawn(async move {
        let created = start::create(&ports, &owner, spec, idempotency).await;
        match &created {
            Ok(started) if started.before => {}
            Err(
                StartError::Wrong(_)
                | StartError::OtherRequest
                | StartError::TypeChanged(_)
                | StartError::NotUndoable(_)
                | StartError::Retried(_),
            ) => {}
            Ok(_) | Err(StartError::Port(_)) => uploads.keep(),
        }
        created
    });
    let created = creating.await.map_err(|error| Problem::new(Kind::Internal, error.to_string()))?;
    Ok(created?)
}

/// The parts that are not files.
#[derive(Default)]
pub(super) struct Texts {
    pub data_type: Option<String>,
    pub options: Option<String>,
}

pub(super) async fn set(slot: &mut Option<String>, name: &str, field: Field<'_>) -> Answer<()> {
    if slot.is_some() {
        return Err(Problem::wrong(vec![Mistake::new(name, "found it twice, expected it once")]));
    }
    *slot = Some(text(name, field).await?);
    Ok(())
}

async fn text(name: &str, mut field: Field<'_>) -> Answer<String> {
    let mut bytes = Vec::new();
    while let Some(piece) = field.chunk().await.map_err(|error| broken_form(&error))? {
        if bytes.len() + piece.len() > TEXT_BYTES {
            let detail = format!("{name}: found more than {TEXT_BYTES} bytes, expected at most that");
            return Err(Problem::new(Kind::TooLarge, detail));
        }
        bytes.extend_from_slice(&piece);
    }
    String::from_utf8(bytes).map_err(|_| Problem::wrong(vec![Mistake::new(name, "expected UTF-8")]))
}

pub(super) fn unknown_part(name: Option<&str>, expected: &str) -> Problem {
    let name = name.unwrap_or("(without a name)");
    Problem::wrong(vec![Mistake::new(name, format!("unknown part of the form, expected {expected}"))])
}

/// A form that is not one, or that broke off.
pub(super) fn broken_form(error: &MultipartError) -> Problem {
    Problem::new(
        Kind::Malformed,
        format!("body: expected a form, found one that cannot be read: {}", error.body_text()),
    )
}
