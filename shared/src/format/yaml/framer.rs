//! Where YAML records begin and end: a state machine over the beginnings of lines.
//!
//! The records of a stream are the items of block sequences at the top, or its documents where they are no
//! sequences; the first line that says something decides. Whatever belongs to an item stands further to the
//! right than its dash (YAML 1.2.2, section 8.2.1), and a document marker ends everything (section 9.1.4), so
//! looking at the beginnings of lines is enough. An item's record begins behind its dash.

use memchr::memchr;

use super::{Facts, Shape};
use crate::fault::{Fault, Stage};
use crate::format::{self, BYTE_ORDER_MARK, FrameRange, SourceFacts, shown};
use crate::limits;

/// See [`crate::format::Framer`].
#[derive(Debug)]
pub(super) struct Framer {
    /// Offset of the next byte; after an error, the place of the error.
    at: u64,
    line: Line,
    /// Unknown until the first line that says something.
    shape: Option<Shape>,
    /// Where the dashes or dots begin that are being read.
    marker: u64,
    /// First byte of the open record.
    record: Option<u64>,
    /// How far the open record reaches for sure: blank lines belong to it, for in a text they may matter, and
    /// the beginning of a line that may be the next one's does not.
    end: u64,
}

/// What is known of the line that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// The very start; so many bytes of a byte order mark have been seen.
    Mark(u8),
    /// So many blanks of it have been seen.
    Start(u32),
    /// So many of three dashes or dots, which would be a document marker, in column 0.
    Marker(u8, u8),
    /// One dash behind so many blanks: an item, if a blank follows.
    Dash(u32),
    /// The rest of a line that says nothing more: a comment, a directive, what stands behind a marker.
    Ignored,
    /// Behind a document marker: a document may begin on the same line.
    BehindMarker,
    /// In `[]`, which is no records; so many of its brackets have been seen.
    Empty(u8),
    /// The rest of a line of the open record.
    Text,
}

const DOTS: u8 = b'.';
const DASH: u8 = b'-';

impl Framer {
    pub fn new() -> Self {
        Self { at: 0, line: Line::Mark(0), shape: None, marker: 0, record: None, end: 0 }
    }

    /// At the first byte of a record.
    pub fn inside(facts: &Facts) -> Self {
        Self { at: 0, line: Line::Text, shape: Some(facts.shape), marker: 0, record: Some(0), end: 1 }
    }

    /// Directly behind a record that ended at `at`, which is the start of a line.
    pub fn behind_record(facts: &Facts, at: u64) -> Self {
        Self { at, line: Line::Start(0), shape: Some(facts.shape), marker: at, record: None, end: at }
    }

    /// Takes bytes up to the next change of state; answers how many.
    fn step(&mut self, rest: &[u8], at: u64, frames: &mut Vec<FrameRange>) -> Result<usize, Fault> {
        let Some(&byte) = rest.first() else { return Ok(0) };
        let newline = byte == b'\n';
        let blank = byte.is_ascii_whitespace();
        match self.line {
            Line::Text | Line::Ignored => return Ok(self.rest_of_line(rest, at)),
            Line::Mark(seen) if byte == BYTE_ORDER_MARK[seen as usize] => {
                let whole = seen as usize + 1 == BYTE_ORDER_MARK.len();
                self.line = if whole { Line::Start(0) } else { Line::Mark(seen + 1) };
            }
            Line::Mark(_) => {
                self.line = Line::Start(0);
                return Ok(0);
            }
            Line::Start(_) if newline => {
                self.line = Line::Start(0);
                self.end = at + 1;
            }
            Line::Start(_) if byte == b'\r' => {}
            // No indentation, but it may stand on a line of blanks.
            Line::Start(_) if byte == b'\t' => {}
            Line::Start(blanks) if byte == b' ' => self.line = Line::Start(blanks.saturating_add(1)),
            Line::Start(0) if matches!(byte, DASH | DOTS) => {
                self.marker = at;
                self.line = Line::Marker(byte, 1);
            }
            Line::Start(blanks) if byte == DASH && self.is_item_column(blanks) => {
                self.marker = at;
                self.line = Line::Dash(blanks);
            }
            Line::Start(blanks) => {
                self.says(byte, blanks, at)?;
                return Ok(0);
            }
            Line::Marker(character, seen) if byte == character && seen < 3 => {
                self.line = Line::Marker(character, seen + 1);
            }
            Line::Marker(_, 3) if blank => {
                self.close(frames);
                self.line = if newline { Line::Start(0) } else { Line::BehindMarker };
            }
            Line::Marker(DASH, 1) if self.is_item_column(0) => {
                self.line = Line::Dash(0);
                return Ok(0);
            }
            Line::Marker(character, _) => {
                self.no_marker(character, at)?;
                return Ok(0);
            }
            Line::Dash(blanks) if blank => {
                self.close(frames);
                self.shape = Some(Shape::Sequence { indent: blanks });
                self.begin(at);
                self.end = at + 1;
                self.line = if newline { Line::Start(0) } else { Line::Text };
            }
            Line::Dash(_) => return Err(self.no_item(byte, at)),
            Line::Empty(1 | 2) if blank => {}
            Line::Empty(0) => self.line = Line::Empty(1),
            Line::Empty(1) if byte == b']' => {
                self.shape = self.shape.or(Some(Shape::Sequence { indent: 0 }));
                self.line = Line::Empty(2);
            }
            Line::Empty(2) if byte == b'#' => self.line = Line::Ignored,
            Line::Empty(_) => return Err(self.flow(at)),
            Line::BehindMarker if newline => self.line = Line::Start(0),
            Line::BehindMarker if blank => {}
            Line::BehindMarker if byte == b'#' => self.line = Line::Ignored,
            Line::BehindMarker => {
                self.begin_document(byte, at)?;
                return Ok(0);
            }
        }
        Ok(1)
    }

    /// Whether a dash behind so many blanks can be an item's.
    fn is_item_column(&self, blanks: u32) -> bool {
        match self.shape {
            None => true,
            Some(Shape::Sequence { indent }) => indent == blanks,
            Some(Shape::Documents) => false,
        }
    }

    /// The first character of a line that is no blank, no item and no marker.
    fn says(&mut self, byte: u8, blanks: u32, at: u64) -> Result<(), Fault> {
        let inside = self.record.is_some();
        match self.shape {
            _ if byte == b'#' && !inside => self.line = Line::Ignored,
            _ if byte == b'%' && blanks == 0 && !inside => self.line = Line::Ignored,
            Some(Shape::Sequence { indent }) if inside && (blanks > indent || byte == b'#') => {
                self.line = Line::Text;
            }
            Some(Shape::Sequence { .. }) => return Err(self.no_item(byte, at)),
            _ if inside => self.line = Line::Text,
            _ if blanks > 0 => {
                let message = format!(
                    "found the first key of a document at byte {at} behind blanks, expected it in column 1"
                );
                return Err(self.fail(at, "yaml.indent", message));
            }
            _ => self.begin_document(byte, at)?,
        }
        Ok(())
    }

    fn begin_document(&mut self, byte: u8, at: u64) -> Result<(), Fault> {
        if byte == b'[' {
            self.line = Line::Empty(0);
            return Ok(());
        }
        if let Some(Shape::Sequence { .. }) = self.shape {
            return Err(self.no_item(byte, at));
        }
        self.shape = Some(Shape::Documents);
        self.begin(at);
        self.line = Line::Text;
        Ok(())
    }

    fn flow(&mut self, at: u64) -> Fault {
        let message = format!(
            "found a sequence in brackets at byte {at}, expected items behind dashes; a file of JSON is read as json"
        );
        self.fail(at, "yaml.flow", message)
    }

    fn begin(&mut self, at: u64) {
        self.record = Some(at);
        self.end = at;
    }

    /// What looked like a document marker up to offset `at` is text of the open record.
    fn no_marker(&mut self, character: u8, at: u64) -> Result<(), Fault> {
        if self.record.is_some() && self.shape == Some(Shape::Documents) {
            self.end = at;
            self.line = Line::Text;
            return Ok(());
        }
        let at = self.marker;
        let found = shown::byte(character);
        let message = format!(
            "found a line that begins with {found} at byte {at}, expected an item, a document marker or a key"
        );
        Err(self.fail(at, "yaml.line", message))
    }

    fn no_item(&mut self, byte: u8, at: u64) -> Fault {
        let column = match self.shape {
            Some(Shape::Sequence { indent }) => indent + 1,
            _ => 1,
        };
        let found = shown::byte(byte);
        let message =
            format!("found {found} at byte {at}, expected the next item: \"- \" in column {column}");
        self.fail(at, "yaml.item", message)
    }

    fn rest_of_line(&mut self, rest: &[u8], at: u64) -> usize {
        let newline = memchr(b'\n', rest);
        let length = newline.map_or(rest.len(), |length| length + 1);
        if self.line == Line::Text {
            self.end = at + length as u64;
        }
        if newline.is_some() {
            self.line = Line::Start(0);
        }
        length
    }

    /// Whether dashes or dots are being read that may turn out to be neither an item nor a marker.
    fn may_be_wrong(&self) -> bool {
        matches!(self.line, Line::Marker(..) | Line::Dash(_))
    }

    fn close(&mut self, frames: &mut Vec<FrameRange>) {
        if let Some(start) = self.record.take() {
            frames.push(start..self.end);
        }
    }

    fn fail(&mut self, at: u64, code: &'static str, message: String) -> Fault {
        self.at = at;
        Fault::new(Stage::Frame, code, message)
    }
}

impl format::Framer for Framer {
    fn push(&mut self, piece: &[u8], frames: &mut Vec<FrameRange>) -> Result<(), Fault> {
        let (base, mut index) = (self.at, 0);
        while index < piece.len() {
            index += self.step(&piece[index..], base + index as u64, frames)?;
        }
        self.at = base + piece.len() as u64;
        Ok(())
    }

    fn finish(&mut self, frames: &mut Vec<FrameRange>) -> Result<(), Fault> {
        match self.line {
            Line::Marker(_, 3) => {}
            Line::Empty(0 | 1) => return Err(self.flow(self.at)),
            Line::Marker(DASH, 1) if self.is_item_column(0) => {}
            Line::Marker(character, _) => self.no_marker(character, self.at)?,
            Line::Start(_) => self.end = self.at,
            _ => {}
        }
        self.close(frames);
        Ok(())
    }

    fn open(&self) -> Option<u64> {
        self.record.or_else(|| self.may_be_wrong().then_some(self.marker))
    }

    fn certain(&self) -> u64 {
        match self.record {
            Some(_) => self.end,
            None if self.may_be_wrong() => self.marker,
            None => self.at,
        }
    }

    fn position(&self) -> u64 {
        self.at
    }

    fn facts(&self) -> Option<SourceFacts> {
        self.shape.map(|shape| SourceFacts::Yaml(Facts { shape }))
    }
}

const _: () = assert!(limits::DEPTH < 255, "the parser's own limit must not be met first");
