//! Regular expressions that users write. Matching one takes time linear in the text, whatever it is; what may be
//! large is the compiled form, which is limited.

use regex::{Regex, RegexBuilder};

use crate::limits::PATTERN_BYTES;

/// Compiles one.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).build().map_err(|error| {
        // The lines before the last show the pattern again.
        let told = error.to_string();
        let why = told.lines().last().unwrap_or_default().trim();
        why.strip_prefix("error: ").unwrap_or(why).to_owned()
    })
}
