//! `POST operations/{id}/verify`: an operation that compares an import's sources with its tables.

use axum::Extension;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::Response;

use super::auth::Owner;
use super::extract::Named;
use super::operations::accepted;
use super::problem::{Answer, Kind, Problem};
use super::{Shared, idempotency};
use crate::verify;

/// Bytes of a request that asks for it: it has nothing to say.
const REQUEST_BYTES: usize = 4096;

/// Creates the verification of an import.
pub(super) async fn verify(
    State(api): Shared,
    Extension(Owner(owner)): Extension<Owner>,
    named: Named,
    request: Request,
) -> Answer<Response> {
    let key = idempotency::key(request.headers())?;
    let body = to_bytes(request.into_body(), REQUEST_BYTES).await.unwrap_or_else(|_| "?".into());
    if !matches!(body.trim_ascii(), b"" | b"{}") {
        let detail = "body: found something, expected none: a verification has no options";
        return Err(Problem::new(Kind::Invalid, detail));
    }
    let parent = named.find(&api).await?;
    let idempotency = idempotency::of(key, &[b"verify", parent.id.to_string().as_bytes()]);
    let spec = verify::spec(&api.ports, &parent).await?;
    let started = verify::create(&api.ports, &owner, &parent, spec, idempotency).await?;
    accepted(&api, &started.operation).await
}
