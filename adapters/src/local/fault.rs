//! What an operating system's error means for the caller of the directory.

use std::io;
use std::path::Path;

use carrack_shared::error::{ErrorKind, PortError};

/// The service's name in messages.
pub const SERVICE: &str = "directory";

/// Turns a failed system call on `path` into the port's error; `doing` is its verb.
pub fn failed(doing: &str, path: &Path, error: io::Error) -> PortError {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        // A file system that has met an error is mounted anew, for reading only: that is mended, too.
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
        io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::FileTooLarge => ErrorKind::Refused,
        // What is left (EIO, ESTALE, too many open files) may pass.
        _ => ErrorKind::Unavailable,
    };
    PortError::new(kind, SERVICE, format!("{doing} {} failed", path.display())).because(error)
}

/// A request that this store does not serve.
pub fn refused(message: impl Into<String>) -> PortError {
    PortError::new(ErrorKind::Refused, SERVICE, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_passing_failure() {
        let table = [
            (io::ErrorKind::StorageFull, ErrorKind::Full, false),
            (io::ErrorKind::QuotaExceeded, ErrorKind::Full, false),
            (io::ErrorKind::NotFound, ErrorKind::NotFound, false),
            (io::ErrorKind::PermissionDenied, ErrorKind::Denied, false),
            (io::ErrorKind::IsADirectory, ErrorKind::Refused, false),
            (io::ErrorKind::Other, ErrorKind::Unavailable, true),
        ];
        for (found, kind, again) in table {
            let error = failed("write", Path::new("/a"), found.into());
            assert_eq!((error.kind, error.try_again()), (kind, again), "{found}");
            assert!(error.chain().starts_with("directory: write /a failed: "), "{}", error.chain());
        }
    }
}
