//! What a broker's refusal or silence means for the caller.

use std::time::Duration;

use carrack_shared::error::{ErrorKind, PortError, PortResult};
use lapin::ErrorKind as LapinKind;
use tokio::time::timeout;

/// The service's name in messages.
pub const SERVICE: &str = "rabbitmq";

/// The AMQP reply codes of a refusal that repeating does not change.
const ACCESS_REFUSED: u16 = 403;
const PRECONDITION_FAILED: u16 = 406;
const NOT_ALLOWED: u16 = 530;

/// Those of a queue whose process is gone.
const NOT_FOUND: u16 = 404;
const INTERNAL_ERROR: u16 = 541;

/// Waits for an answer of the broker, but not longer than `most`: on a broken connection the client's
/// promises may never be kept. `doing` is the verb of the message.
pub async fn within<T>(
    most: Duration,
    doing: &str,
    answer: impl Future<Output = lapin::Result<T>>,
) -> PortResult<T> {
    match timeout(most, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(failed(doing, error)),
        Err(_) => Err(unavailable(format!("{doing}: no answer within {} s", most.as_secs()))),
    }
}

/// Whether this is what a queue answers that the broker has and cannot serve: nothing, that it is not there,
/// or that something inside is wrong.
pub fn is_of_a_queue(error: &PortError) -> bool {
    let Some(source) = &error.source else { return error.kind == ErrorKind::Unavailable };
    source.downcast_ref::<lapin::Error>().is_some_and(|error| match error.kind() {
        LapinKind::ProtocolError(refusal) => [NOT_FOUND, INTERNAL_ERROR].contains(&refusal.get_id()),
        _ => false,
    })
}

/// A failure that can be tried again.
pub fn unavailable(message: impl Into<String>) -> PortError {
    PortError::new(ErrorKind::Unavailable, SERVICE, message)
}

/// A URL that we do not accept.
pub fn refused(message: impl Into<String>) -> PortError {
    PortError::new(ErrorKind::Refused, SERVICE, message)
}

/// Turns the client's error into the port's.
pub fn failed(doing: &str, error: lapin::Error) -> PortError {
    let kind = match error.kind() {
        LapinKind::ProtocolError(refusal) => match refusal.get_id() {
            ACCESS_REFUSED => ErrorKind::Denied,
            PRECONDITION_FAILED | NOT_ALLOWED => ErrorKind::Refused,
            // Of what is left, a missing queue (404) is declared by the next connection.
            _ => ErrorKind::Unavailable,
        },
        LapinKind::ParsingError(_) | LapinKind::NoDefaultRuntime => ErrorKind::Internal,
        _ => ErrorKind::Unavailable,
    };
    PortError::new(kind, SERVICE, format!("{doing} failed")).because(error)
}
