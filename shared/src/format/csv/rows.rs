//! Where CSV rows begin and end: a state machine over quotes and line ends that keeps no bytes.
//!
//! A quote opens a field only at the field's start; anywhere else it is a character like any other. Rows
//! end with `\n`, `\r` or `\r\n`; the terminator does not belong to the row, and empty lines are no rows.

use memchr::{memchr, memchr3};

use super::Dialect;
use crate::fault::{Fault, Stage};
use crate::format::{BYTE_ORDER_MARK, FrameRange};

/// Finds rows, the header like any other; its methods are those of [`crate::format::Framer`].
#[derive(Debug)]
pub(crate) struct RowFramer {
    dialect: Dialect,
    /// Offset of the next byte.
    at: u64,
    state: State,
    /// First byte of the open row.
    start: u64,
    /// Where the quote stands that opened the field.
    quote: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The very start; so many bytes of a byte order mark have been seen.
    Start(u8),
    /// Between two rows.
    RowStart,
    /// Behind a delimiter, or at the first byte of a row.
    FieldStart,
    /// Outside quotes.
    Unquoted,
    /// Inside quotes.
    Quoted,
    /// Behind a quote inside quotes: the end of the field, or the first half of a doubled quote.
    QuoteInQuoted,
}

impl RowFramer {
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, at: 0, state: State::Start(0), start: 0, quote: 0 }
    }

    /// Behind a row that ended at offset `at` of its source.
    pub fn behind_record(dialect: Dialect, at: u64) -> Self {
        Self { dialect, at, state: State::RowStart, start: at, quote: at }
    }

    pub fn push(&mut self, piece: &[u8], frames: &mut Vec<FrameRange>) {
        let base = self.at;
        let mut index = 0;
        while let Some(&byte) = piece.get(index) {
            let at = base + index as u64;
            match self.state {
                State::RowStart if matches!(byte, b'\n' | b'\r') => index += 1,
                State::RowStart => {
                    self.start = at;
                    self.state = State::FieldStart;
                }
                State::FieldStart if byte == self.dialect.quote => {
                    self.quote = at;
                    self.state = State::Quoted;
                    index += 1;
                }
                State::FieldStart => self.state = State::Unquoted,
                State::Unquoted => index = self.unquoted(piece, index, base, frames),
                State::Quoted => match memchr(self.dialect.quote, &piece[index..]) {
                    None => index = piece.len(),
                    Some(length) => {
                        self.state = State::QuoteInQuoted;
                        index += length + 1;
                    }
                },
                State::QuoteInQuoted => {
                    index += 1;
                    self.state = match byte {
                        _ if byte == self.dialect.quote => State::Quoted,
                        _ if byte == self.dialect.delimiter => State::FieldStart,
                        b'\n' | b'\r' => {
                            frames.push(self.start..at);
                            State::RowStart
                        }
                        _ => State::Unquoted,
                    };
                }
                State::Start(seen) => index += self.start(seen, byte),
            }
        }
        self.at = base + piece.len() as u64;
    }

    pub fn finish(&mut self, frames: &mut Vec<FrameRange>) -> Result<(), Fault> {
        match self.state {
            State::Start(0) | State::RowStart => {}
            State::Start(_) | State::FieldStart | State::Unquoted | State::QuoteInQuoted => {
                frames.push(self.start..self.at);
                self.state = State::RowStart;
            }
            State::Quoted => {
                let message = format!(
                    "found the end of the input at byte {}, expected the quote that closes the one at byte {}",
                    self.at, self.quote
                );
                return Err(Fault::new(Stage::Frame, "csv.unclosed_quote", message));
            }
        }
        Ok(())
    }

    pub fn open(&self) -> Option<u64> {
        (!matches!(self.state, State::Start(0) | State::RowStart)).then_some(self.start)
    }

    /// Offset of the next byte.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// Goes to the end of the row, or to a quote that opens a field. Every delimiter met here ends a field, so
    /// the byte before a quote tells whether the quote stands at a field's start.
    fn unquoted(&mut self, piece: &[u8], from: usize, base: u64, frames: &mut Vec<FrameRange>) -> usize {
        let Some(length) = memchr3(self.dialect.quote, b'\n', b'\r', &piece[from..]) else {
            if piece.last() == Some(&self.dialect.delimiter) {
                self.state = State::FieldStart;
            }
            return piece.len();
        };
        let index = from + length;
        if piece[index] != self.dialect.quote {
            frames.push(self.start..base + index as u64);
            self.state = State::RowStart;
        } else if length > 0 && piece[index - 1] == self.dialect.delimiter {
            self.quote = base + index as u64;
            self.state = State::Quoted;
        }
        index + 1
    }

    /// Answers how many bytes are used up.
    fn start(&mut self, seen: u8, byte: u8) -> usize {
        if byte != BYTE_ORDER_MARK[seen as usize] {
            // Bytes that only began like the mark belong to the first row.
            self.state = if seen == 0 { State::RowStart } else { State::Unquoted };
            return 0;
        }
        let whole = seen as usize + 1 == BYTE_ORDER_MARK.len();
        self.state = if whole { State::RowStart } else { State::Start(seen + 1) };
        1
    }
}
