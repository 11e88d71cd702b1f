//! Operations as the API shows them: progress, lists, the whole report, rejects, cancel.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use carrack_shared::format::Format;
use carrack_shared::operation::{Operation, State as OperationState};
use carrack_shared::port::operations::Listing;
use futures_util::StreamExt as _;

use super::extract::{Limit, Named, WantedRejects, no_operation};
use super::problem::{Answer, Kind, Problem};
use super::{Api, BASE, Shared};
use crate::corrections::Corrections;
use crate::reject_kinds::RejectSummary;
use crate::report::{Progress, Report};
use crate::{reject_kinds, reject_lines, start};

/// How far an operation is.
pub(super) async fn progress(State(api): Shared, named: Named) -> Answer<Json<Progress>> {
    let operation = named.find(&api).await?;
    Ok(Json(api.gauge.progress_with_errors(&operation).await?))
}

/// An operation, whole.
pub(super) async fn report(State(api): Shared, named: Named) -> Answer<Json<Report>> {
    let operation = named.find(&api).await?;
    Ok(Json(whole(&api, &operation).await?))
}

/// Operations that have not ended.
pub(super) async fn active(State(api): Shared) -> Answer<Json<Vec<Progress>>> {
    list(&api, Listing::Active).await
}

/// The last operations.
pub(super) async fn history(State(api): Shared, Limit(limit): Limit) -> Answer<Json<Vec<Progress>>> {
    list(&api, Listing::Latest(limit)).await
}

/// What is wrong with the rejects, counted.
pub(super) async fn reject_summary(State(api): Shared, named: Named) -> Answer<Json<RejectSummary>> {
    let operation = named.find(&api).await?;
    Ok(Json(reject_kinds::summary(&api.ports, &operation).await?))
}

/// The rejects that are asked for: one line of JSON each, or as a file like the imported one.
pub(super) async fn rejects(State(api): Shared, named: Named, wanted: WantedRejects) -> Answer<Response> {
    let operation = named.find(&api).await?;
    let id = operation.id;
    let (content, format, name) = match wanted {
        WantedRejects::Lines(wanted) => {
            (reject_lines::lines(api.ports.clone(), operation, wanted), Format::Ndjson, None)
        }
        WantedRejects::Input(file) => {
            let corrections = Corrections::find(&api.ports, &operation, file).await?;
            let (format, name) = (corrections.format(), corrections.name().to_owned());
            (corrections.content(&api.ports, &operation), format, Some(name))
        }
    };
    let content = content.inspect(move |piece| {
        if let Err(error) = piece {
            tracing::warn!(operation = %id, error = error.chain(), "rejects cut off");
        }
    });
    let mut response = Body::from_stream(content).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let shown = name.map(|name| HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")));
    headers.extend(shown.and_then(Result::ok).map(|value| (header::CONTENT_DISPOSITION, value)));
    Ok(response)
}

/// Stops an operation: when this answers, no more record of it becomes visible.
pub(super) async fn cancel(State(api): Shared, named: Named) -> Answer<Json<Progress>> {
    let operation = start::cancel(&api.ports, named.0).await?;
    let operation = operation.ok_or_else(|| no_operation(&named.0.to_string()))?;
    if !matches!(operation.state, OperationState::Cancelling | OperationState::Cancelled) {
        let state = operation.state.as_str();
        let detail = format!("operation {} is {state} and cannot be cancelled any more", operation.id);
        return Err(Problem::new(Kind::Conflict, detail));
    }
    Ok(Json(api.gauge.progress_with_errors(&operation).await?))
}

/// The answer to a request that created an operation.
pub(super) async fn accepted(api: &Api, operation: &Operation) -> Answer<Response> {
    let report = whole(api, operation).await?;
    let location = format!("{BASE}/operations/{}", operation.id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(report)).into_response())
}

async fn whole(api: &Api, operation: &Operation) -> Answer<Report> {
    let download = format!("{BASE}/operations/{}/download", operation.id);
    Ok(api.gauge.report(operation, Some(download)).await?)
}

async fn list(api: &Api, listing: Listing) -> Answer<Json<Vec<Progress>>> {
    let mut list = Vec::new();
    for operation in api.ports.store.list(listing).await? {
        let mut progress = api.gauge.progress_with_errors(&operation).await?;
        // As long as everything else together.
        progress.verification = None;
        list.push(progress);
    }
    Ok(Json(list))
}
