//! Fences as CommonMark has them (version 0.31, section 4.5): three or more backticks or tildes behind at most
//! three blanks. One reading for the framer, which sees single bytes, and the decoder, which sees lines.

/// Blanks that may stand before a fence.
pub(super) const INDENT: u8 = 3;

/// Characters that a fence has at least.
const LENGTH: u32 = 3;

/// A run of fence characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fence {
    pub character: u8,
    pub length: u32,
}

impl Fence {
    /// Which fence is open behind a line that begins with this run, if `open` was before it. `blank` tells
    /// that nothing follows on the line, `ticks` that a backtick does.
    pub fn behind(self, open: Option<Self>, blank: bool, ticks: bool) -> Option<Self> {
        match open {
            Some(open) if open.character == self.character && self.length >= open.length && blank => None,
            None if self.length >= LENGTH && !(self.character == b'`' && ticks) => Some(self),
            _ => open,
        }
    }
}

/// Which fence is open behind `line`, if `open` was before it.
pub(super) fn behind(open: Option<Fence>, line: &str) -> Option<Fence> {
    let text = line.trim_start_matches(' ');
    let indented = line.len() - text.len() > usize::from(INDENT);
    let Some(&character @ (b'`' | b'~')) = text.as_bytes().first().filter(|_| !indented) else { return open };
    let rest = text.trim_start_matches(char::from(character));
    let length = u32::try_from(text.len() - rest.len()).unwrap_or(u32::MAX);
    Fence { character, length }.behind(open, rest.trim_ascii().is_empty(), rest.contains('`'))
}
