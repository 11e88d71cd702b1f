//! What a failure of PostgreSQL means to the caller.
//!
//! Of a server's message only the primary line is kept: its detail may quote the data of a record.

use carrack_shared::error::{ErrorKind, PortError};
use deadpool_postgres::PoolError;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

/// The service's name in errors.
pub(super) const SERVICE: &str = "postgresql";

/// Turns a failure while doing `what` into the port's error.
pub(super) fn failed(what: &'static str) -> impl Fn(Error) -> PortError {
    move |error| port_error(what, error)
}

fn port_error(what: &str, error: Error) -> PortError {
    if let Some(db) = error.as_db_error() {
        let message = format!("cannot {what}: {} (sqlstate {})", db.message(), db.code().code());
        return PortError::new(kind(db.code()), SERVICE, message);
    }
    PortError::new(client_kind(&error), SERVICE, format!("cannot {what}")).because(error)
}

/// What a failure on our side of the connection means. The client library tells its kinds apart only by
/// the sentence that it prints.
fn client_kind(error: &Error) -> ErrorKind {
    let sentence = error.to_string();
    let begins = |beginning| sentence.starts_with(beginning);
    let broken =
        ["error connecting", "error communicating", "connection closed", "timeout", "error performing TLS"];
    if broken.into_iter().any(begins) {
        ErrorKind::Unavailable
    } else if begins("authentication error") {
        ErrorKind::Denied
    } else if begins("invalid con") {
        ErrorKind::Refused
    } else {
        ErrorKind::Internal
    }
}

/// No connection to a server that was there before. Whatever is wrong passes, or is mended: a database that is being
/// restored has not even its name for a while.
pub(super) fn lost(error: PoolError) -> PortError {
    let error = pool(error);
    let kind = if error.kind == ErrorKind::Denied { ErrorKind::Denied } else { ErrorKind::Unavailable };
    PortError { kind, ..error }
}

/// A pool that could not hand out a connection.
pub(super) fn pool(error: PoolError) -> PortError {
    match error {
        PoolError::Backend(error) => port_error("connect", error),
        other => PortError::new(ErrorKind::Unavailable, SERVICE, "cannot get a connection").because(other),
    }
}

/// An answer that cannot be.
pub(super) fn internal(message: impl Into<String>) -> PortError {
    PortError::new(ErrorKind::Internal, SERVICE, message)
}

/// What an SQLSTATE means to the caller: first the states that differ from their class.
fn kind(state: &SqlState) -> ErrorKind {
    match state.code() {
        // A full disk, a limit on temporary files: somebody has to make room.
        "53100" | "53400" => ErrorKind::Full,
        "42501" => ErrorKind::Denied,
        "72000" => ErrorKind::SnapshotGone,
        // Locks are contended; what else the server is not in the state for stays so. A failed transaction had a cause
        // that is not told any more.
        "55P03" | "55006" | "25P02" => ErrorKind::Contended,
        // The database was dropped.
        "57P04" => ErrorKind::Refused,
        // A standby after a failover; a timed out session.
        "25006" | "25P03" | "25P04" => ErrorKind::Unavailable,
        code => match code.get(..2) {
            Some("08" | "53" | "57" | "58") => ErrorKind::Unavailable,
            Some("40") => ErrorKind::Contended,
            Some("28") => ErrorKind::Denied,
            Some("22" | "23" | "3D" | "44") => ErrorKind::Refused,
            _ => ErrorKind::Internal,
        },
    }
}

/// Whether the table refuses a row for what is in it, so that the rows around it may load: data
/// exceptions, broken constraints, a view's check option, what triggers raise, and what does not fit into an index or
/// a text search vector.
pub(super) fn refuses_row(error: &Error) -> bool {
    error.code().is_some_and(|state| refuses(state.code()))
}

fn refuses(code: &str) -> bool {
    // Classes that begin so are left to users, who name the errors of their triggers by them. XX are the server's own.
    let of_users =
        code.starts_with(|first| matches!(first, '5'..='9' | 'I'..='Z')) && !is_of_the_server(code);
    of_users
        || matches!(code.get(..2), Some("21" | "22" | "23" | "38" | "39" | "44" | "45" | "P0"))
        || code == "54000"
}

/// Whether PostgreSQL itself uses the class, of those that the standard leaves to whoever implements it.
fn is_of_the_server(code: &str) -> bool {
    matches!(code.get(..2), Some("53" | "54" | "55" | "57" | "58" | "72" | "XX"))
}

/// The server's reason for refusing a row, for the reject.
pub(super) fn reason(error: &Error) -> String {
    let Some(db) = error.as_db_error() else { return error.to_string() };
    let named = |what: &str, name: Option<&str>| match name {
        Some(name) if !db.message().contains(name) => format!(" ({what} {name:?})"),
        _ => String::new(),
    };
    let constraint = named("constraint", db.constraint());
    let column = named("column", db.column());
    format!("{}{constraint}{column}", first_line(db))
}

fn first_line(db: &DbError) -> &str {
    db.message().lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_its_kind() {
        use ErrorKind::{Contended, Denied, Full, Internal, Refused, SnapshotGone, Unavailable};
        let table = [
            ("40001", Contended),
            ("40P01", Contended),
            ("55P03", Contended),
            ("55006", Contended),
            ("25P04", Unavailable),
            ("58030", Unavailable),
            ("53100", Full),
            ("53300", Unavailable),
            ("57014", Unavailable),
            ("57P01", Unavailable),
            ("57P03", Unavailable),
            ("08006", Unavailable),
            ("25006", Unavailable),
            ("28P01", Denied),
            ("42501", Denied),
            ("3D000", Refused),
            ("23514", Refused),
            ("22021", Refused),
            ("42601", Internal),
            ("42P01", Internal),
            ("25P02", Contended),
            ("53400", Full),
            ("55000", Internal),
            ("57P04", Refused),
            ("72000", SnapshotGone),
            ("XX000", Internal),
        ];
        for (code, expected) in table {
            assert_eq!(kind(&SqlState::from_code(code)), expected, "{code}");
        }
    }

    #[test]
    fn only_what_is_in_a_row_refuses_it() {
        for code in [
            "22021", "22P05", "22008", "23502", "23505", "23514", "44000", "54000", "45000", "38001",
            "P0001", "P0004", "Q1234", "60001",
        ] {
            assert!(refuses(code), "{code}");
        }
        for code in [
            "40001", "42501", "42P01", "53100", "54001", "57014", "25P02", "58030", "72000", "XX000", "HV00N",
        ] {
            assert!(!refuses(code), "{code}");
        }
    }
}
