//! `/healthz`: this process lives. `/readyz`: everything that it needs answers. Neither needs a token, so
//! neither says more than names.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use carrack_shared::error::PortResult;
use carrack_shared::port::Records;
use serde_json::{Value, json};

use super::Shared;
use super::problem::{Answer, Kind, Problem};

/// How long a service may take to say that it is ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// This process answers.
pub(super) async fn healthz() -> Json<Value> {
    Json(json!({ "status": "alive" }))
}

/// Every service answers.
pub(super) async fn readyz(State(api): Shared) -> Answer<Json<Value>> {
    let ports = &api.ports;
    let (database, objects, queue, progress) = tokio::join!(
        answers("database", Records::ready(&*ports.store)),
        answers("objects", ports.objects.ready()),
        answers("queue", ports.queue.ready()),
        answers("progress", ports.progress.ready()),
    );
    let away: Vec<&str> = [database, objects, queue, progress].into_iter().flatten().collect();
    if away.is_empty() {
        return Ok(Json(json!({ "status": "ready" })));
    }
    Err(Problem::new(Kind::Unavailable, format!("not ready: {}", away.join(", "))))
}

/// The name of the service if it does not answer.
async fn answers(name: &'static str, ready: impl Future<Output = PortResult<()>>) -> Option<&'static str> {
    match tokio::time::timeout(PATIENCE, ready).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => {
            tracing::warn!(error = error.chain(), "{name} is not ready");
            Some(name)
        }
        Err(_) => {
            tracing::warn!("{name} does not answer within {} s", PATIENCE.as_secs());
            Some(name)
        }
    }
}
