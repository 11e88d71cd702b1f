//! The two ways to say something: results on standard output, everything else on standard error. The only
//! place that writes to them.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Context as _;

/// Writes a result. A reader that has gone away, such as `head`, wants no more of it.
pub fn result(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("standard output"),
    }
}

/// Writes a remark. There is nobody to tell when that fails.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Whether somebody watches standard error.
pub fn is_watched() -> bool {
    io::stderr().is_terminal()
}
