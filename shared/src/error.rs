//! What a port answers when it could not do its work: a kind for code, a chain for people, and whether
//! trying again can help.

use std::error::Error as StdError;

/// What went wrong, as far as the caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The service cannot be reached, timed out, or broke the connection.
    Unavailable,
    /// The service lost a race (deadlock, serialization, lock timeout) and undid everything.
    Contended,
    /// A commit was sent and its answer was lost: the effect may have happened or not.
    Unknown,
    /// There is no room left.
    Full,
    /// Our credentials are refused.
    Denied,
    /// The thing that was asked for is not there.
    NotFound,
    /// The object or file is not the one that was planned.
    Changed,
    /// The snapshot under which an export reads is gone.
    SnapshotGone,
    /// The request makes no sense to the service, or it is set up in a way we do not accept.
    Refused,
    /// A defect: an answer that cannot be.
    Internal,
}

/// A failure of a port.
#[derive(Debug, thiserror::Error)]
#[error("{service}: {message}")]
pub struct PortError {
    /// What the caller can act on.
    pub kind: ErrorKind,
    /// The service's name, for people: `postgresql`, `s3`.
    pub service: &'static str,
    /// What was found and expected, and where.
    pub message: String,
    /// The cause.
    #[source]
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The answer of a port.
pub type PortResult<T> = Result<T, PortError>;

/// What keeps a part of Carrack from working at the moment, for whoever watches over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What can be done about it.
    pub kind: ErrorKind,
    /// The failure with all its causes.
    pub message: String,
}

impl From<&PortError> for Trouble {
    fn from(error: &PortError) -> Self {
        Self { kind: error.kind, message: error.chain() }
    }
}

impl PortError {
    /// A failure without a cause of its own.
    pub fn new(kind: ErrorKind, service: &'static str, message: impl Into<String>) -> Self {
        Self { kind, service, message: message.into(), source: None }
    }

    /// The same failure, with its cause.
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(cause.into());
        self
    }

    /// Whether the same request can succeed later without anybody mending anything.
    pub fn try_again(&self) -> bool {
        matches!(self.kind, ErrorKind::Unavailable | ErrorKind::Contended | ErrorKind::Unknown)
    }

    /// Whether the same request can never succeed. What somebody has to mend around it, such as a full disk or
    /// credentials that are refused, is waited for; and who has lost his snapshot takes another one.
    pub fn is_permanent(&self) -> bool {
        match self.kind {
            ErrorKind::NotFound | ErrorKind::Changed | ErrorKind::Refused | ErrorKind::Internal => true,
            ErrorKind::Unavailable
            | ErrorKind::Contended
            | ErrorKind::Unknown
            | ErrorKind::Full
            | ErrorKind::Denied
            | ErrorKind::SnapshotGone => false,
        }
    }

    /// The message with all its causes, for logs and reports.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let part = error.to_string();
            if !text.contains(&part) {
                text.push_str(": ");
                text.push_str(&part);
            }
            cause = error.source();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_names_every_cause_once() {
        let error = PortError::new(ErrorKind::Unavailable, "s3", "get a/b failed")
            .because(std::io::Error::other("connection reset"));
        assert_eq!(error.chain(), "s3: get a/b failed: connection reset");
        assert!(error.try_again());
    }

    #[test]
    fn what_passes_or_can_be_mended_is_not_permanent() {
        use ErrorKind::*;
        for (kind, again, permanent) in [
            (Unavailable, true, false),
            (Contended, true, false),
            (Unknown, true, false),
            (Full, false, false),
            (Denied, false, false),
            (SnapshotGone, false, false),
            (NotFound, false, true),
            (Changed, false, true),
            (Refused, false, true),
            (Internal, false, true),
        ] {
            let error = PortError::new(kind, "sqlite", "no space");
            assert_eq!((error.try_again(), error.is_permanent()), (again, permanent), "{kind:?}");
        }
    }
}
