//! The names of the open elements, one behind the other.

use crate::limits::NAME_BYTES;

#[derive(Debug, Default)]
pub(super) struct Names {
    bytes: Vec<u8>,
    starts: Vec<usize>,
    /// How much of the innermost name the end tag that is being read has repeated.
    matched: usize,
}

impl Names {
    pub fn depth(&self) -> usize {
        self.starts.len()
    }

    /// Opens an element whose name begins with `name`.
    pub fn open(&mut self, name: &[u8]) {
        self.starts.push(self.bytes.len());
        self.bytes.extend_from_slice(name);
        self.matched = 0;
    }

    /// The name of the innermost element goes on.
    ///
    /// # Errors
    /// When it is longer than [`NAME_BYTES`].
    pub fn extend(&mut self, part: &[u8]) -> Result<(), ()> {
        if self.last().len() + part.len() > NAME_BYTES {
            return Err(());
        }
        self.bytes.extend_from_slice(part);
        Ok(())
    }

    /// The innermost name.
    pub fn last(&self) -> &[u8] {
        &self.bytes[self.starts.last().copied().unwrap_or(self.bytes.len())..]
    }

    /// All of them, the outermost first.
    pub fn all(&self) -> impl Iterator<Item = &[u8]> {
        let ends =
            self.starts.iter().skip(1).chain(std::iter::once(&self.bytes.len())).copied().collect::<Vec<_>>();
        self.starts.iter().zip(ends).map(|(start, end)| &self.bytes[*start..end])
    }

    /// Whether an end tag may go on with `part`; true only while there is an open element.
    pub fn matches(&mut self, part: &[u8]) -> bool {
        let goes_on = self.last().get(self.matched..).is_some_and(|rest| rest.starts_with(part));
        if goes_on {
            self.matched += part.len();
        }
        goes_on && self.depth() > 0
    }

    /// Whether the end tag has repeated the whole name.
    pub fn is_matched(&self) -> bool {
        self.depth() > 0 && self.matched == self.last().len()
    }

    /// The innermost element is over.
    pub fn close(&mut self) {
        self.bytes.truncate(self.starts.pop().unwrap_or_default());
        self.matched = 0;
    }
}
