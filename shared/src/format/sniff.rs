//! Recognises the format and the fields of a source from its first bytes.

use super::Format;

/// What the head of a source shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sniffed {
    /// The format.
    pub format: Format,
    /// The fields of the header row, or of the first record; empty if there is no record.
    pub fields: Vec<String>,
}

/// Looks at the first bytes of a source ([`crate::limits::SNIFF_BYTES`] at most; all of it if it is
/// shorter). `asked` is the format that the user named, `name` the file's name.
///
/// # Errors
/// Says what was found and expected: the source is empty, is of no known format, or contradicts `asked`.
#[allow(unused)]
pub fn sniff(name: &str, head: &[u8], asked: Option<Format>) -> Result<Sniffed, String> {
    todo!()
}
