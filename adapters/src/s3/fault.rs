//! What an S3 store's refusal means for the caller.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use carrack_shared::error::{ErrorKind, PortError};

/// The service's name in messages.
pub const SERVICE: &str = "s3";

/// Turns a failed request into the port's error; `doing` is its verb, `place` the object or bucket.
pub fn failed<E>(doing: &str, place: &str, error: SdkError<E, HttpResponse>) -> PortError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    let kind = match &error {
        SdkError::ConstructionFailure(_) => ErrorKind::Refused,
        _ => status.map_or(ErrorKind::Unavailable, |status| kind(status, code)),
    };
    let said = match (status, code) {
        (Some(status), Some(code)) => format!(": the store answered {status} {code}"),
        (Some(status), None) => format!(": the store answered {status}"),
        _ => String::new(),
    };
    PortError::new(kind, SERVICE, format!("{doing} {place} failed{said}")).because(error)
}

/// A failure that can be tried again.
pub fn unavailable(message: impl Into<String>) -> PortError {
    PortError::new(ErrorKind::Unavailable, SERVICE, message)
}

/// A request or a setting that we do not serve.
pub fn refused(message: impl Into<String>) -> PortError {
    PortError::new(ErrorKind::Refused, SERVICE, message)
}

/// The meaning of a status and an error code. Stores agree on the status more than on the code.
fn kind(status: u16, code: Option<&str>) -> ErrorKind {
    match (status, code) {
        (_, Some("NoSuchBucket")) => ErrorKind::Refused,
        // Archived: it has to be restored first.
        (_, Some("InvalidObjectState")) => ErrorKind::Refused,
        (
            _,
            Some(
                "AuthorizationHeaderMalformed"
                | "ExpiredToken"
                | "InvalidAccessKeyId"
                | "InvalidToken"
                | "SignatureDoesNotMatch"
                | "TokenRefreshRequired",
            ),
        ) => ErrorKind::Denied,
        // The request was altered or cut off on its way.
        (_, Some("BadDigest" | "IncompleteBody" | "XAmzContentSHA256Mismatch")) => ErrorKind::Unavailable,
        (_, Some("RequestTimeout" | "SlowDown")) => ErrorKind::Unavailable,
        (_, Some("QuotaExceeded" | "XMinioStorageFull")) | (507, _) => ErrorKind::Full,
        (401 | 403, _) => ErrorKind::Denied,
        // A store says what it does not have; without a code a proxy before it has answered.
        (404, Some(_)) => ErrorKind::NotFound,
        (400 | 404, None) => ErrorKind::Unavailable,
        (409, _) => ErrorKind::Contended,
        (412, _) => ErrorKind::Changed,
        (501, _) => ErrorKind::Refused,
        (408 | 429 | 500.., _) => ErrorKind::Unavailable,
        // A body that ended early was announced with a good status.
        (200..300, _) => ErrorKind::Unavailable,
        _ => ErrorKind::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_codes_have_a_meaning() {
        let table = [
            (404, Some("NoSuchKey"), ErrorKind::NotFound),
            (404, Some("NoSuchUpload"), ErrorKind::NotFound),
            (404, None, ErrorKind::Unavailable),
            (404, Some("NoSuchBucket"), ErrorKind::Refused),
            (412, Some("PreconditionFailed"), ErrorKind::Changed),
            (416, Some("InvalidRange"), ErrorKind::Refused),
            (403, Some("AccessDenied"), ErrorKind::Denied),
            (400, Some("ExpiredToken"), ErrorKind::Denied),
            (400, Some("RequestTimeout"), ErrorKind::Unavailable),
            (503, Some("SlowDown"), ErrorKind::Unavailable),
            (500, None, ErrorKind::Unavailable),
            (507, None, ErrorKind::Full),
            (400, None, ErrorKind::Unavailable),
            (400, Some("InvalidToken"), ErrorKind::Denied),
            (400, Some("IncompleteBody"), ErrorKind::Unavailable),
            (400, Some("InvalidRequest"), ErrorKind::Refused),
            (403, Some("InvalidObjectState"), ErrorKind::Refused),
            (501, Some("NotImplemented"), ErrorKind::Refused),
        ];
        for (status, code, expected) in table {
            assert_eq!(kind(status, code), expected, "{status} {code:?}");
        }
    }
}
