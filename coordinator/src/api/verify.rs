//! `POST operations/{id}/verify`: an operation that compares an import's sources with its tables.

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use carrack_shared::document::{Members, Mistakes};

use super::auth::Owner;
use super::extract::Named;
use super::operations::accepted;
use super::problem::{Answer, Problem};
use super::{Shared, extract, idempotency};
use crate::verify;

/// Creates the verification of an import.
pub(super) async fn verify(
    State(api): Shared,
    Extension(Owner(owner)): Extension<Owner>,
    named: Named,
    request: Request,
) -> Answer<Response> {
    let key = idempotency::key(request.headers())?;
    let document = extract::optional_json(request).await?;
    let mut mistakes = Mistakes::default();
    // There is nothing to be said.
    let said = Members::new("body".into(), &document, &mut mistakes).map(Members::end);
    mistakes.or(said).map_err(Problem::wrong)?;
    let parent = named.find(&api).await?;
    let idempotency = idempotency::of(key, &[b"verify", parent.id.to_string().as_bytes()]);
    let spec = verify::spec(&api.ports, &parent).await?;
    let started = verify::create(&api.ports, &owner, &parent, spec, idempotency).await?;
    accepted(&api, &started.operation).await
}
