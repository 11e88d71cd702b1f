//! What SQLite's errors mean to the callers of the ports.

use std::path::Path;

use carrack_shared::error::{ErrorKind, PortError};
use carrack_shared::operation::OperationId;
use rusqlite::{Error, ErrorCode};

/// The service's name in errors.
pub(super) const SERVICE: &str = "sqlite";

/// What goes wrong on a connection's thread.
#[derive(Debug)]
pub(super) enum Trouble {
    /// SQLite said so.
    Sqlite(Error),
    /// We said so.
    Port(PortError),
}

/// The answer of everything that runs on a connection's thread.
pub(super) type SqlResult<T> = Result<T, Trouble>;

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<PortError> for Trouble {
    fn from(error: PortError) -> Self {
        Self::Port(error)
    }
}

/// Something that is not set up as we need it.
pub(super) fn refused(message: impl Into<String>) -> Trouble {
    Trouble::Port(PortError::new(ErrorKind::Refused, SERVICE, message))
}

/// Something that cannot be unless the file was changed behind our back, or we have a defect.
pub(super) fn impossible(message: impl Into<String>) -> Trouble {
    Trouble::Port(PortError::new(ErrorKind::Internal, SERVICE, message))
}

/// An operation that must be there is not.
pub(super) fn not_found(operation: OperationId) -> Trouble {
    let message = format!("there is no operation {operation}");
    Trouble::Port(PortError::new(ErrorKind::NotFound, SERVICE, message))
}

/// The error that callers see: what SQLite said, and about which file.
pub(super) fn located(trouble: Trouble, path: &Path) -> PortError {
    let path = path.display();
    match trouble {
        Trouble::Port(error) => error,
        Trouble::Sqlite(
            Error::SqliteFailure(error, Some(said)) | Error::SqlInputError { error, msg: said, .. },
        ) => {
            // The extended code tells a failed fsync from a failed write; the text says "disk I/O error".
            let message = format!("{path}: {said} (code {})", error.extended_code);
            PortError::new(kind(error.code), SERVICE, message)
        }
        Trouble::Sqlite(error) => {
            let kind = error.sqlite_error_code().map_or(ErrorKind::Internal, kind);
            PortError::new(kind, SERVICE, path.to_string()).because(error)
        }
    }
}

fn kind(code: ErrorCode) -> ErrorKind {
    match code {
        // A disk that fails a write or an fsync is treated as one without room: somebody has to look at it,
        // and trying again could make a lost write look like a good one.
        ErrorCode::DiskFull | ErrorCode::SystemIoFailure => ErrorKind::Full,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            ErrorKind::Contended
        }
        // May be otherwise in a moment.
        ErrorCode::OutOfMemory | ErrorCode::OperationInterrupted => ErrorKind::Unavailable,
        // The plain error is one of SQL: a column or table was changed or dropped by its user.
        ErrorCode::Unknown
        | ErrorCode::ReadOnly
        | ErrorCode::DatabaseCorrupt
        | ErrorCode::NotADatabase
        | ErrorCode::CannotOpen
        | ErrorCode::PermissionDenied
        | ErrorCode::NoLargeFileSupport => ErrorKind::Refused,
        _ => ErrorKind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn errors_say_what_can_be_done_and_name_the_file() {
        let cases = [
            (ffi::SQLITE_FULL, ErrorKind::Full),
            (ffi::SQLITE_IOERR_FSYNC, ErrorKind::Full),
            (ffi::SQLITE_BUSY, ErrorKind::Contended),
            (ffi::SQLITE_BUSY_SNAPSHOT, ErrorKind::Contended),
            (ffi::SQLITE_NOMEM, ErrorKind::Unavailable),
            (ffi::SQLITE_INTERRUPT, ErrorKind::Unavailable),
            (ffi::SQLITE_LOCKED, ErrorKind::Contended),
            (ffi::SQLITE_READONLY, ErrorKind::Refused),
            (ffi::SQLITE_CORRUPT, ErrorKind::Refused),
            (ffi::SQLITE_NOTADB, ErrorKind::Refused),
            (ffi::SQLITE_CANTOPEN, ErrorKind::Refused),
            (ffi::SQLITE_MISUSE, ErrorKind::Internal),
            (ffi::SQLITE_CONSTRAINT_CHECK, ErrorKind::Internal),
        ];
        for (code, expected) in cases {
            let error = Error::SqliteFailure(ffi::Error::new(code), None);
            let answer = located(error.into(), Path::new("/data/carrack.db"));
            assert_eq!(answer.kind, expected, "{code}");
            assert!(answer.chain().starts_with("sqlite: /data/carrack.db: "), "{}", answer.chain());
        }
    }
}
