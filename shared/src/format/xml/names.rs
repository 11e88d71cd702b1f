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
    /// When it is longer than [`NAME_BYTES`]; says how much of `part` fits.
    pub fn extend(&mut self, part: &[u8]) -> Result<(), usize> {
        let room = NAME_BYTES - self.last().len();
        if part.len() > room {
            return Err(room);
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

    /// The end tag goes on with `part`.
    ///
    /// # Errors
    /// When the innermost name does not, or no element is open; says how much of `part` is right.
    pub fn repeat(&mut self, part: &[u8]) -> Result<(), usize> {
        let rest = self.last().get(self.matched..).unwrap_or_default();
        if self.depth() == 0 || !rest.starts_with(part) {
            return Err(rest.iter().zip(part).take_while(|(expected, found)| expected == found).count());
        }
        self.matched += part.len();
        Ok(())
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
