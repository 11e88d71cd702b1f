//! Templates: `POST templates`, `GET templates`, `GET templates/{templateId}`, and their examples: `POST
//! templates/{templateId}/test` and `POST templates/test`.

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde_json::Value;

use super::auth::Owner;
use super::problem::{Answer, Kind, Problem};
use super::{BASE, Shared, extract};
use crate::templates::{self, TestReport};

/// Stores a template. The same document again answers the template that is there.
pub(super) async fn create(
    State(api): Shared,
    Extension(Owner(owner)): Extension<Owner>,
    request: Request,
) -> Answer<Response> {
    let (parts, body) = request.into_parts();
    let document = extract::json(&parts.headers, body).await?;
    // To its end, even if filling new columns takes longer than an answer may.
    let ports = api.ports.clone();
    let adding = tokio::spawn(async move { templates::add(&ports, &owner, &document).await });
    let added = adding.await.map_err(|error| Problem::new(Kind::Internal, error.to_string()))??;
    let status = if added.before { StatusCode::OK } else { StatusCode::CREATED };
    let location = format!("{BASE}/templates/{}", added.shown["id"].as_str().unwrap_or_default());
    Ok((status, [(header::LOCATION, location)], Json(added.shown)).into_response())
}

/// All templates.
pub(super) async fn list(State(api): Shared) -> Answer<Json<Vec<Value>>> {
    Ok(Json(templates::list(&api.ports).await?))
}

/// One template, by its id, its name, or `name@version`.
pub(super) async fn show(State(api): Shared, Path(reference): Path<String>) -> Answer<Json<Value>> {
    match templates::find(&api.ports, &reference).await? {
        Some(template) => Ok(Json(templates::shown(&template))),
        None => Err(Problem::new(Kind::NotFound, format!("there is no template {reference:?}"))),
    }
}

/// Tries the examples of a template that need not be stored.
pub(super) async fn test(State(api): Shared, request: Request) -> Answer<Json<TestReport>> {
    let (parts, body) = request.into_parts();
    let document = extract::json(&parts.headers, body).await?;
    Ok(Json(templates::test(&api.ports, &document).await?))
}

/// Tries the examples of a stored template.
pub(super) async fn test_stored(
    State(api): Shared,
    Path(reference): Path<String>,
) -> Answer<Json<TestReport>> {
    match templates::find(&api.ports, &reference).await? {
        Some(template) => Ok(Json(templates::test(&api.ports, &template.document).await?)),
        None => Err(Problem::new(Kind::NotFound, format!("there is no template {reference:?}"))),
    }
}
