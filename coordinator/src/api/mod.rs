//! The HTTP API: the paths, fields and option names of the guide under `/api/data-migration`, and the two
//! health checks. `docs/api.md` tells it to users.
//!
//! Every error is an RFC 9457 problem document ([`problem`]). Uploads, downloads and rejects are streamed and
//! may take as long as they move; everything else is answered within [`ANSWER`].

mod auth;
mod export;
mod extract;
mod health;
mod idempotency;
mod import;
mod operations;
mod problem;
mod retry;
mod templates;
mod undo;
mod upload;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::Method;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use carrack_shared::port::Ports;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::TraceLayer;

use crate::gauge::{Gauge, Origin};
use problem::{Kind, Problem};

/// Where the API begins.
const BASE: &str = "/api/data-migration";

/// How long an answer that is not streamed may take.
const ANSWER: Duration = Duration::from_secs(30);

/// How long requests under way may take once the process is told to stop.
const DRAIN: Duration = Duration::from_secs(25);

/// What the API takes from the settings.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Bytes that the files of one import may have.
    pub upload_limit_bytes: u64,
}

/// What every handler has at hand.
struct Api {
    ports: Ports,
    settings: Settings,
    gauge: Gauge,
}

type Shared = axum::extract::State<Arc<Api>>;

/// Serves the API until `shutdown`; then finishes the requests under way, within limits.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    listener: TcpListener,
    ports: Ports,
    settings: Settings,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let listener = listener.tap_io(|connection| {
        // Small answers must not wait for more to send.
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY not set");
        }
    });
    let told = shutdown.clone();
    let serving = axum::serve(listener, router(ports, settings));
    let serving = serving.with_graceful_shutdown(async move { told.cancelled().await });
    let out_of_time = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = serving.into_future() => served,
        () = out_of_time => {
            tracing::warn!("requests cut off: they took too long to finish");
            Ok(())
        }
    }
}

/// All routes.
pub fn router(ports: Ports, settings: Settings) -> Router {
    let api = Arc::new(Api { gauge: Gauge::new(ports.clone(), Origin::Cache), ports, settings });
    let streamed = Router::new()
        .route("/import", post(import::import).layer(DefaultBodyLimit::disable()))
        .route("/validate", post(import::validate).layer(DefaultBodyLimit::disable()))
        .route("/operations/{id}/rejects", get(operations::rejects))
        .route("/operations/{id}/retry", post(retry::retry).layer(DefaultBodyLimit::disable()))
        .route("/operations/{id}/download", get(export::download));
    let answered = Router::new()
        .route("/export", post(export::export))
        .route("/templates", post(templates::create).get(templates::list))
        .route("/templates/test", post(templates::test))
        .route("/templates/{id}", get(templates::show))
        .route("/templates/{id}/test", post(templates::test_stored))
        .route("/operations/active", get(operations::active))
        .route("/operations/history", get(operations::history))
        .route("/operations/{id}", get(operations::report))
        .route("/operations/{id}/rejects/summary", get(operations::reject_summary))
        .route("/operations/{id}/progress", get(operations::progress))
        .route("/operations/{id}/cancel", post(operations::cancel))
        .route("/operations/{id}/undo", post(undo::undo))
        .route("/operations/{id}/verify", post(verify::verify))
        .layer(middleware::from_fn(in_time));
    let guarded = streamed
        .merge(answered)
        .route_layer(middleware::from_fn_with_state(Arc::clone(&api), auth::authorize));
    let health = Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .layer(middleware::from_fn(in_time));
    Router::new()
        .nest(BASE, guarded)
        .merge(health)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CatchPanicLayer::custom(|_| Problem::internal().into_response()))
        .layer(TraceLayer::new_for_http())
        .with_state(api)
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("no answer within {} s", ANSWER.as_secs());
            Problem::new(Kind::Unavailable, detail).into_response()
        }
    }
}

async fn not_found(request: Request) -> Problem {
    Problem::new(Kind::NotFound, format!("there is nothing at {}", request.uri().path()))
}

async fn method_not_allowed(method: Method, request: Request) -> Problem {
    let detail = format!("{} does not take {method}", request.uri().path());
    Problem::new(Kind::MethodNotAllowed, detail)
}
