//! `POST operations/{id}/undo`: an operation that takes an import back.

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use carrack_shared::document::{Members, Mistake, Mistakes};
use serde_json::Value;

use super::auth::Owner;
use super::extract::Named;
use super::operations::accepted;
use super::problem::{Answer, Problem};
use super::{Shared, extract, idempotency};
use crate::start;

/// Creates the undo of an import.
pub(super) async fn undo(
    State(api): Shared,
    Extension(Owner(owner)): Extension<Owner>,
    named: Named,
    request: Request,
) -> Answer<Response> {
    let key = idempotency::key(request.headers())?;
    let document = extract::optional_json(request).await?;
    let force = read(&document).map_err(Problem::wrong)?;
    let parent = named.find(&api).await?.id;
    let request = format!("{parent} {force}");
    let idempotency = idempotency::of(key, &[b"undo", request.as_bytes()]);
    let spec = start::undo_spec(&api.ports, parent, force).await?;
    let started = start::create(&api.ports, &owner, spec, idempotency).await?;
    accepted(&api, &started.operation).await
}

/// Whether it goes over what others have changed since.
fn read(document: &Value) -> Result<bool, Vec<Mistake>> {
    let mut mistakes = Mistakes::default();
    let force = Members::new("body".into(), document, &mut mistakes).map(|mut members| {
        let force = members.flag("force").unwrap_or(false);
        members.end();
        force
    });
    mistakes.or(force)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_force_may_be_said() {
        for (document, expected) in [(json!({}), false), (json!({"force": true}), true)] {
            assert_eq!(read(&document), Ok(expected));
        }
        for document in [json!([]), json!({"force": "yes"}), json!({"forced": true})] {
            assert!(read(&document).is_err(), "{document}");
        }
    }
}
