//! Every error of the API as an RFC 9457 problem document: what was found, what was expected, and where.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use carrack_shared::document::Mistake;
use carrack_shared::error::{ErrorKind, PortError};
use serde_json::{Value, json};

use crate::corrections::NoRejects;
use crate::join::NoFile;
use crate::retry::NotRetried;
use crate::start::StartError;
use crate::templates::NotAdded;
use crate::verify::NotVerified;
use carrack_shared::undo::NotUndoable;

/// Seconds after which a request that met a passing failure is worth sending again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// What kind of problem it is. Each has a stable name and one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Malformed,
    Unauthorized,
    NotFound,
    MethodNotAllowed,
    Conflict,
    TooLarge,
    UnsupportedMediaType,
    Invalid,
    Timeout,
    Internal,
    Unavailable,
    Full,
}

impl Kind {
    fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Full => StatusCode::INSUFFICIENT_STORAGE,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Conflict => "conflict",
            Self::TooLarge => "too-large",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::Invalid => "invalid",
            Self::Timeout => "timeout",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::Full => "full",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Malformed => "the request cannot be read",
            Self::Unauthorized => "a valid bearer token is needed",
            Self::NotFound => "there is no such thing",
            Self::MethodNotAllowed => "the method is not allowed here",
            Self::Conflict => "the request does not fit the present state",
            Self::TooLarge => "the request is too large",
            Self::UnsupportedMediaType => "the content is of another kind than expected",
            Self::Invalid => "the request asks for something that cannot be done",
            Self::Timeout => "the request came too slowly",
            Self::Internal => "a defect of the server",
            Self::Unavailable => "a service is away",
            Self::Full => "there is no room left",
        }
    }
}

/// A problem.
#[derive(Debug)]
pub(super) struct Problem {
    kind: Kind,
    detail: String,
    errors: Vec<Mistake>,
}

pub(super) type Answer<T> = Result<T, Problem>;

impl Problem {
    pub(super) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new() }
    }

    /// Says nothing about the defect; the log does.
    pub(super) fn internal() -> Self {
        Self::new(Kind::Internal, "the server's log says more")
    }

    /// Everything that is wrong with what a request asks for.
    pub(super) fn wrong(mistakes: Vec<Mistake>) -> Self {
        let detail = mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Self { kind: Kind::Invalid, detail, errors: mistakes }
    }

    fn document(&self) -> Value {
        let mut document = json!({
            "type": format!("urn:carrack:problem:{}", self.kind.name()),
            "title": self.kind.title(),
            "status": self.kind.status().as_u16(),
            "detail": self.detail,
        });
        if !self.errors.is_empty() {
            let error = |mistake: &Mistake| json!({ "at": mistake.at, "detail": mistake.detail });
            document["errors"] = self.errors.iter().map(error).collect();
        }
        document
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.kind.status(), Json(self.document())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.kind {
            Kind::Unauthorized => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Kind::Unavailable => {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER);
            }
            _ => {}
        }
        response
    }
}

impl From<NotAdded> for Problem {
    fn from(error: NotAdded) -> Self {
        match error {
            NotAdded::Wrong(mistakes) => Self::wrong(mistakes),
            NotAdded::Conflict(detail) => Self::new(Kind::Conflict, detail),
            NotAdded::Port(error) => error.into(),
        }
    }
}

impl From<PortError> for Problem {
    fn from(error: PortError) -> Self {
        let kind = match error.kind {
            ErrorKind::Unavailable | ErrorKind::Contended | ErrorKind::Unknown => Kind::Unavailable,
            ErrorKind::Full => Kind::Full,
            ErrorKind::Changed | ErrorKind::SnapshotGone => Kind::Conflict,
            ErrorKind::NotFound => Kind::NotFound,
            ErrorKind::Denied | ErrorKind::Refused | ErrorKind::Internal => {
                tracing::error!(error = error.chain(), "request failed");
                return Self::internal();
            }
        };
        tracing::warn!(error = error.chain(), "request failed");
        // The chain stays in the log: causes may name hosts and paths.
        Self::new(kind, error.to_string())
    }
}

impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Wrong(mistakes) => Self::wrong(mistakes),
            StartError::OtherRequest => {
                let detail =
                    "Idempotency-Key: found one that was used for another request, expected a new one";
                Self::new(Kind::Invalid, detail)
            }
            StartError::TypeChanged(_) | StartError::Retried(_) => {
                Self::new(Kind::Conflict, error.to_string())
            }
            StartError::NotUndoable(reason @ NotUndoable::Unknown(_)) => {
                Self::new(Kind::NotFound, reason.to_string())
            }
            StartError::NotUndoable(reason) => Self::new(Kind::Conflict, reason.to_string()),
            StartError::Port(error) => error.into(),
        }
    }
}

impl From<NotRetried> for Problem {
    fn from(error: NotRetried) -> Self {
        match error {
            NotRetried::Conflict(detail) => Self::new(Kind::Conflict, detail),
            NotRetried::Start(error) => error.into(),
        }
    }
}

impl From<NotVerified> for Problem {
    fn from(error: NotVerified) -> Self {
        match error {
            NotVerified::Conflict(detail) => Self::new(Kind::Conflict, detail),
            NotVerified::Start(error) => error.into(),
        }
    }
}

impl From<NoRejects> for Problem {
    fn from(error: NoRejects) -> Self {
        match error {
            NoRejects::Port(error) => error.into(),
            other => Self::new(Kind::Conflict, other.to_string()),
        }
    }
}

impl From<NoFile> for Problem {
    fn from(error: NoFile) -> Self {
        match error {
            NoFile::Port(error) => error.into(),
            other => Self::new(Kind::Conflict, other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_services_get_the_fitting_status() {
        let cases = [
            (ErrorKind::Unavailable, 503),
            (ErrorKind::Contended, 503),
            (ErrorKind::Full, 507),
            (ErrorKind::Changed, 409),
            (ErrorKind::NotFound, 404),
            (ErrorKind::Refused, 500),
            (ErrorKind::Internal, 500),
        ];
        for (kind, status) in cases {
            let problem = Problem::from(PortError::new(kind, "s3", "secret place"));
            let hides = status != 500 || !problem.detail.contains("secret");
            assert!(hides, "{problem:?}");
            assert_eq!(problem.into_response().status().as_u16(), status, "{kind:?}");
        }
    }

    #[test]
    fn a_document_lists_every_mistake() {
        let mistakes = vec![Mistake::new("dataType", "d"), Mistake::new("options.format", "f")];
        let document = Problem::wrong(mistakes).document();
        assert_eq!(document["detail"], "dataType: d; options.format: f");
        assert_eq!(document["errors"][1]["at"], "options.format");
        assert_eq!(document["type"], "urn:carrack:problem:invalid");
        assert_eq!(document["status"], 422);
    }
}
