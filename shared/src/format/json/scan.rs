//! What the framer looks at in JSON: the ends of strings, and brackets with their types.

use memchr::memchr2;

use crate::limits;

/// The bytes that matter outside strings.
pub(super) const STRUCTURAL: [bool; 256] = {
    let mut table = [false; 256];
    let bytes = b"\"{}[]";
    let mut index = 0;
    while index < bytes.len() {
        table[bytes[index] as usize] = true;
        index += 1;
    }
    table
};

/// Bytes of a string that are looked at one by one before the search over longer runs is worth its call.
const SHORT_TEXT: usize = 16;

/// How a piece ends inside a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Text,
    /// Behind a backslash.
    Escape,
}

/// Behind the quote that ends the string in which `from` stands.
#[inline]
pub(super) fn text_end(piece: &[u8], from: usize) -> Result<usize, Cut> {
    let mut index = from;
    let mut short = from + SHORT_TEXT;
    loop {
        let found = loop {
            if index >= short {
                match memchr2(b'"', b'\\', piece.get(index..).unwrap_or_default()) {
                    Some(length) => break index + length,
                    None => return Err(Cut::Text),
                }
            }
            match piece.get(index) {
                None => return Err(Cut::Text),
                Some(b'"' | b'\\') => break index,
                Some(_) => index += 1,
            }
        };
        if piece[found] == b'"' {
            return Ok(found + 1);
        }
        if found + 1 == piece.len() {
            return Err(Cut::Escape);
        }
        index = found + 2;
        short = index + SHORT_TEXT;
    }
}

pub(super) fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// A letter that begins no JSON value still begins a record: the decoder refuses it, the next one is read.
pub(super) fn begins_value(byte: u8) -> bool {
    matches!(byte, b'{' | b'[' | b'"' | b'-' | b'+' | b'.') || byte.is_ascii_alphanumeric()
}

/// What ends a number or a literal.
pub(super) fn ends_scalar(byte: u8) -> bool {
    is_white(byte) || matches!(byte, b',' | b'[' | b']' | b'{' | b'}' | b'"' | b':')
}

/// The open brackets of a record.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Brackets {
    depth: usize,
    /// Their types, the innermost in the lowest bit: 1 is an object.
    objects: u128,
}

const _: () = assert!(limits::DEPTH <= 128, "the types of open brackets are kept in 128 bits");

/// Why a bracket cannot stand where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misplaced {
    TooDeep,
    /// This one was expected.
    Mismatched(u8),
}

impl Brackets {
    pub fn is_empty(&self) -> bool {
        self.depth == 0
    }

    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Whether the innermost one is that of an object.
    pub fn in_object(&self) -> bool {
        self.depth > 0 && self.objects & 1 == 1
    }

    /// Enters `{`, `[`, `}` or `]`.
    #[inline]
    pub fn enter(&mut self, bracket: u8) -> Result<(), Misplaced> {
        if matches!(bracket, b'{' | b'[') {
            if self.depth == limits::DEPTH {
                return Err(Misplaced::TooDeep);
            }
            self.depth += 1;
            self.objects = self.objects << 1 | u128::from(bracket == b'{');
        } else {
            let expected = if self.objects & 1 == 1 { b'}' } else { b']' };
            if bracket != expected {
                return Err(Misplaced::Mismatched(expected));
            }
            self.depth -= 1;
            self.objects >>= 1;
        }
        Ok(())
    }
}
