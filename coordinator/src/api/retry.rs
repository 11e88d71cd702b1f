//! `POST operations/{id}/retry`: the rejects of an import again, from their own bytes with the options as a JSON
//! document, or from corrected files in a form.

use axum::Extension;
use axum::extract::{FromRequest as _, Multipart, Request, State};
use axum::response::Response;
use serde_json::json;

use super::Shared;
use super::auth::Owner;
use super::extract::{self, Named};
use super::idempotency;
use super::import::{self, Texts};
use super::operations::accepted;
use super::problem::{Answer, Kind, Problem};
use super::upload::Uploads;
use crate::retry::{self, Changes, NotRetried};

/// Creates the retry.
pub(super) async fn retry(
    State(api): Shared,
    Extension(Owner(owner)): Extension<Owner>,
    named: Named,
    request: Request,
) -> Answer<Response> {
    let key = idempotency::key(request.headers())?;
    let parent = named.find(&api).await?;
    let of = parent.id.to_string();
    if !extract::content_type(request.headers()).starts_with("multipart/form-data") {
        let document = extract::optional_json(request).await?;
        let changes = Changes::read(&document).map_err(Problem::wrong)?;
        let told = document.to_string();
        let idempotency = idempotency::of(key, &[b"retry", of.as_bytes(), b"", told.as_bytes()]);
        // To its end even if the client hangs up meanwhile.
        let ports = api.ports.clone();
        let creating =
            tokio::spawn(
                async move { retry::of_rejects(&ports, &owner, &parent, changes, idempotency).await },
            );
        let started = creating.await.map_err(|error| Problem::new(Kind::Internal, error.to_string()))??;
        return accepted(&api, &started.operation).await;
    }
    let mut form = Multipart::from_request(request, &()).await.map_err(|_| {
        Problem::new(Kind::UnsupportedMediaType, "Content-Type: expected multipart/form-data with a boundary")
    })?;
    let mut uploads = Uploads::new(api.ports.clone(), api.settings.upload_limit_bytes, key.is_some());
    let mut texts = Texts::default();
    while let Some(field) = form.next_field().await.map_err(|error| import::broken_form(&error))? {
        match field.name() {
            Some("file") => uploads.take(field).await?,
            Some("options") => import::set(&mut texts.options, "options", field).await?,
            other => return Err(import::unknown_part(other, "file and options")),
        }
    }
    let document = texts.options.as_deref().map_or_else(|| Ok(json!({})), serde_json::from_str);
    let document = document
        .map_err(|error| Problem::new(Kind::Malformed, format!("options: expected JSON, found {error}")))?;
    let changes = Changes::read(&document).map_err(Problem::wrong)?;
    let document = document.to_string();
    let mut identity: Vec<&[u8]> = vec![b"retry", of.as_bytes(), b"files", document.as_bytes()];
    identity.extend(uploads.inputs().iter().map(|input| input.name.as_bytes()));
    identity.extend(uploads.hashes().iter().map(<[u8; 32]>::as_slice));
    let idempotency = idempotency::of(key, &identity);
    let ports = api.ports.clone();
    let creating = tokio::spawn(async move {
        let created = retry::of_files(&ports, &owner, &parent, uploads.inputs(), changes, idempotency).await;
        match &created {
            Ok(started) if started.before => {}
            Ok(_) => uploads.keep(),
            // An answer that was lost may have created it.
            Err(NotRetried::Start(crate::start::StartError::Port(_))) => uploads.keep(),
            Err(_) => {}
        }
        created
    });
    let started = creating.await.map_err(|error| Problem::new(Kind::Internal, error.to_string()))??;
    accepted(&api, &started.operation).await
}
