//! How the command ends: exit codes, and the one line that says what went wrong.

use std::process::ExitCode;
use std::{fmt, io};

use carrack_shared::error::{ErrorKind, PortError};
use carrack_shared::operation::State;

use crate::console;
use crate::remote::RemoteError;

/// The exit codes, which are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All good.
    Good = 0,
    /// It failed.
    Failed = 1,
    /// The command was used wrongly; nothing was done.
    Usage = 2,
    /// It finished, and there are rejects.
    Rejects = 3,
    /// It was interrupted or cancelled.
    Interrupted = 130,
}

impl Exit {
    /// The code that tells how an operation ended.
    pub fn of(state: State) -> Self {
        match state {
            State::Succeeded | State::Undone => Self::Good,
            State::SucceededWithRejects | State::PartlyUndone => Self::Rejects,
            State::Cancelled => Self::Interrupted,
            State::Failed | State::Running | State::Finalising | State::Cancelling => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Mistakes that are told at once.
const SHOWN: usize = 10;

/// The command was used wrongly.
#[derive(Debug)]
pub struct Usage(pub String);

impl Usage {
    /// Several mistakes in one text.
    pub fn listing(mistakes: Vec<String>) -> Self {
        let more = mistakes.len().saturating_sub(SHOWN);
        let mut text = mistakes.into_iter().take(SHOWN).collect::<Vec<_>>().join("; ");
        if more > 0 {
            text.push_str(&format!("; and {more} more"));
        }
        Self(text)
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// What a full disk asks of the user. What was committed before is safe, the rest was undone.
pub const MAKE_ROOM: &str = "nothing is lost: make room, then run the same command again";

/// Says what went wrong, in one line, and answers the exit code for it.
pub fn tell(error: &anyhow::Error) -> Exit {
    console::note(&format!("error: {}", with_advice(error)));
    if error.is::<Usage>() { Exit::Usage } else { Exit::Failed }
}

/// The error with its causes, and what the user can do about it where that is known.
pub fn with_advice(error: &anyhow::Error) -> String {
    let text = chain(error);
    if is_full(error) { format!("{text}; {MAKE_ROOM}") } else { text }
}

/// The error with its causes, each said once.
pub fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let part = cause.to_string();
        if text.contains(&part) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&part);
    }
    text
}

/// Whether the same request can succeed a little later.
pub fn is_passing(error: &anyhow::Error) -> bool {
    let port = error.downcast_ref::<PortError>().is_some_and(PortError::try_again);
    port || error.downcast_ref::<RemoteError>().is_some_and(RemoteError::try_again)
}

/// Whether there is no room left, in the store or for a file.
fn is_full(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let port = cause.downcast_ref::<PortError>().is_some_and(|error| error.kind == ErrorKind::Full);
        port || cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::StorageFull)
    })
}

/// A panic is a defect of Carrack: says so in one line, without a trace.
pub fn tell_of_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!(" at {}:{}", place.file(), place.line()));
        let what = panic.payload_as_str().unwrap_or("no message");
        let place = place.unwrap_or_default();
        console::note(&format!("error: defect in carrack{place}: {what}; please report it"));
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn a_chain_says_each_cause_once() {
        let error = io::Error::other("disk full");
        let error = anyhow::Error::from(error).context("write a.json: disk full").context("export");
        assert_eq!(chain(&error), "export: write a.json: disk full");
        let usage: anyhow::Result<()> = Err(Usage("--x".into()).into());
        assert!(usage.context("arguments").unwrap_err().is::<Usage>());
    }

    #[test]
    fn a_full_disk_is_known_whoever_meets_it() {
        let port = |kind| anyhow::Error::from(PortError::new(kind, "sqlite", "a")).context("import");
        let io = |kind| anyhow::Error::from(io::Error::from(kind)).context("out.json");
        for (error, expected) in [
            (port(ErrorKind::Full), true),
            (port(ErrorKind::Unavailable), false),
            (io(io::ErrorKind::StorageFull), true),
            (io(io::ErrorKind::NotFound), false),
        ] {
            assert_eq!(is_full(&error), expected, "{error:?}");
        }
    }
}
