//! Where JSON records begin and end: a state machine over brackets and strings that keeps no bytes.
//!
//! Only what is needed to find boundaries is looked at here; whether a record is valid JSON is for the
//! decoder to say. In [`Shape::Lines`] brackets are not looked at either, so that a broken line ends with
//! its line. So does a first line that is broken, as soon as it is clear that it is one: it ends inside its
//! value, the next line begins with an object, and none can stand there.

mod around;
mod faults;
mod first_line;
mod nested;

use memchr::memchr;

use super::Shape;
use super::scan::{Brackets, STRUCTURAL, begins_value, ends_scalar, is_white, text_end};
use super::state::{Next, State};
use crate::fault::{Fault, Stage};
use crate::format::{self, BYTE_ORDER_MARK, FrameRange, SourceFacts, shown};

pub(in crate::format::json) use nested::Nested;

/// See [`crate::format::Framer`].
#[derive(Debug)]
pub(in crate::format::json) struct Framer {
    /// Offset of the next byte; after an error, the place of the error.
    at: u64,
    state: State,
    /// Unknown until the first value has shown it.
    shape: Option<Shape>,
    /// First byte of the open record.
    start: u64,
    /// Where the open record ends if nothing but blanks follows: in [`State::Line`], in [`State::Decide`],
    /// on the first line and in [`State::LineOver`].
    end: u64,
    /// The byte before `end`, on the first line.
    last: u8,
    /// Open brackets of the open record.
    brackets: Brackets,
    /// Whether the first value has gone over the end of a line.
    broken_line: bool,
}

impl format::Framer for Framer {
    fn push(&mut self, piece: &[u8], frames: &mut Vec<FrameRange>) -> Result<(), Fault> {
        let mut rest = piece;
        while !rest.is_empty() {
            let taken = self.run(rest, frames)?;
            rest = &rest[taken..];
        }
        Ok(())
    }

    fn finish(&mut self, frames: &mut Vec<FrameRange>) -> Result<(), Fault> {
        match self.state {
            State::Start(0) | State::Head | State::LineStart | State::Done | State::Between(Next::Any) => {
                Ok(())
            }
            State::Start(_) => Err(self.not_json(BYTE_ORDER_MARK[0], 0)),
            State::Decide => {
                self.decide(Shape::Lines, frames);
                Ok(())
            }
            State::Line => {
                frames.push(self.start..self.end);
                self.state = State::LineStart;
                Ok(())
            }
            State::Scalar => {
                self.close(self.at, frames);
                self.finish(frames)
            }
            State::Between(_) => {
                let message = format!("found the end of the input at byte {}, expected \"]\"", self.at);
                Err(Fault::new(Stage::Frame, "json.truncated", message))
            }
            State::Structure | State::Text | State::Escape | State::LineOver(_) => {
                let message = format!(
                    "found the end of the input at byte {} inside the value that begins at byte {}",
                    self.at, self.start
                );
                Err(Fault::new(Stage::Frame, "json.truncated", message))
            }
        }
    }

    fn open(&self) -> Option<u64> {
        let open = matches!(
            self.state,
            State::Structure
                | State::Text
                | State::Escape
                | State::Scalar
                | State::Decide
                | State::LineOver(_)
                | State::Line
        );
        open.then_some(self.start)
    }

    fn certain(&self) -> u64 {
        let blanks = matches!(self.state, State::Decide | State::LineOver(_) | State::Line);
        if blanks || self.is_on_first_line() { self.end } else { self.at }
    }

    fn position(&self) -> u64 {
        self.at
    }

    fn facts(&self) -> Option<SourceFacts> {
        self.shape.map(|shape| SourceFacts::Json(shape.into()))
    }
}

impl Framer {
    pub fn new() -> Self {
        Self::at(0, State::Start(0), None)
    }

    /// At the first byte of a source that holds one object per line.
    pub fn lines() -> Self {
        Self::at(0, State::Start(0), Some(Shape::Lines))
    }

    /// Behind the `[` that stands before offset `at`.
    fn in_array(at: u64) -> Self {
        Self::at(at, State::Between(Next::First), Some(Shape::Array))
    }

    pub fn resume(shape: Shape) -> Self {
        Self::at(0, Self::resumed(shape, Next::Resumed), Some(shape))
    }

    /// Behind a record that ended at offset `at` of its source; unlike [`Framer::resume`] it insists on a
    /// separator.
    pub fn behind_record(shape: Shape, at: u64) -> Self {
        Self::at(at, Self::resumed(shape, Next::Separator), Some(shape))
    }

    /// Whether the array is over.
    fn is_done(&self) -> bool {
        self.state == State::Done
    }

    fn resumed(shape: Shape, in_array: Next) -> State {
        match shape {
            Shape::Array => State::Between(in_array),
            Shape::Lines => State::LineStart,
            Shape::Values => State::Between(Next::Any),
        }
    }

    fn at(at: u64, state: State, shape: Option<Shape>) -> Self {
        let brackets = Brackets::default();
        Self { at, state, shape, start: at, end: at, last: 0, brackets, broken_line: false }
    }

    /// Takes bytes up to the end of the array, or else of the piece; answers how many.
    fn run(&mut self, piece: &[u8], frames: &mut Vec<FrameRange>) -> Result<usize, Fault> {
        let (base, was_done) = (self.at, self.state == State::Done);
        let mut index = 0;
        while index < piece.len() && (was_done || self.state != State::Done) {
            if self.is_on_first_line() {
                index = self.first_line(piece, index, base, frames)?;
                continue;
            }
            index = match self.state {
                State::Structure => self.structure(piece, index, base, frames)?,
                State::Text => self.text(piece, index, base, frames),
                State::Escape => {
                    self.state = State::Text;
                    index + 1
                }
                State::Line => self.line(piece, index, base, frames),
                State::LineStart => self.line_start(piece, index, base),
                State::Scalar => self.scalar(piece, index, base, frames),
                State::Between(next) => self.between(piece, index, base, next)?,
                State::LineOver(over) => index + self.line_over(&piece[index..], over, frames),
                State::Start(_) | State::Head | State::Decide | State::Done => {
                    self.edge(piece[index], base + index as u64, frames)? + index
                }
            };
        }
        self.at = base + index as u64;
        Ok(index)
    }

    // --- inside records -------------------------------------------------------------------------------

    fn structure(
        &mut self,
        piece: &[u8],
        from: usize,
        base: u64,
        frames: &mut Vec<FrameRange>,
    ) -> Result<usize, Fault> {
        let mut index = from;
        while let Some(&byte) = piece.get(index) {
            index += 1;
            if !STRUCTURAL[byte as usize] {
                continue;
            }
            match byte {
                b'"' => match text_end(piece, index) {
                    Ok(end) => index = end,
                    Err(cut) => {
                        self.state = cut.into();
                        return Ok(piece.len());
                    }
                },
                bracket => {
                    let place = base + index as u64 - 1;
                    self.brackets
                        .enter(bracket)
                        .map_err(|misplaced| self.misplaced(misplaced, bracket, place))?;
                    if self.brackets.is_empty() {
                        self.close(base + index as u64, frames);
                        return Ok(index);
                    }
                }
            }
        }
        Ok(index)
    }

    /// A string that began in an earlier piece, or that is a record by itself.
    fn text(&mut self, piece: &[u8], from: usize, base: u64, frames: &mut Vec<FrameRange>) -> usize {
        let end = match text_end(piece, from) {
            Ok(end) => end,
            Err(cut) => {
                self.state = cut.into();
                return piece.len();
            }
        };
        if self.brackets.is_empty() {
            self.close(base + end as u64, frames);
        } else {
            self.state = State::Structure;
        }
        end
    }

    fn scalar(&mut self, piece: &[u8], from: usize, base: u64, frames: &mut Vec<FrameRange>) -> usize {
        match piece[from..].iter().position(|byte| ends_scalar(*byte)) {
            None => piece.len(),
            Some(length) => {
                self.close(base + (from + length) as u64, frames);
                from + length
            }
        }
    }

    fn line_start(&mut self, piece: &[u8], from: usize, base: u64) -> usize {
        let Some(blanks) = piece[from..].iter().position(|byte| !is_white(*byte)) else { return piece.len() };
        self.start = base + (from + blanks) as u64;
        self.end = self.start;
        self.state = State::Line;
        from + blanks
    }

    fn line(&mut self, piece: &[u8], from: usize, base: u64, frames: &mut Vec<FrameRange>) -> usize {
        let rest = &piece[from..];
        let newline = memchr(b'\n', rest);
        let line = &rest[..newline.unwrap_or(rest.len())];
        if let Some(last) = line.iter().rposition(|byte| !is_white(*byte)) {
            self.end = base + (from + last + 1) as u64;
        }
        match newline {
            None => piece.len(),
            Some(length) => {
                frames.push(self.start..self.end);
                self.state = State::LineStart;
                from + length + 1
            }
        }
    }

    // --- between records ------------------------------------------------------------------------------

    fn between(&mut self, piece: &[u8], from: usize, base: u64, next: Next) -> Result<usize, Fault> {
        let Some(white) = piece[from..].iter().position(|byte| !is_white(*byte)) else {
            return Ok(piece.len());
        };
        let index = from + white;
        let (byte, at) = (piece[index], base + index as u64);
        let expected = next.expected();
        match (byte, next) {
            (b',', Next::Separator | Next::Resumed) => self.state = State::Between(Next::Value),
            (b']', Next::First | Next::Separator | Next::Resumed) => self.state = State::Done,
            (b'}' | b']', _) if byte == b'}' || next == Next::Any => {
                let message = format!("found {} at byte {at}, expected {expected}", shown::byte(byte));
                return Err(self.fail(at, "json.bracket", message));
            }
            (_, Next::First | Next::Value | Next::Resumed | Next::Any) if begins_value(byte) => {
                self.begin(byte, at);
            }
            _ => {
                let message = format!("found {} at byte {at}, expected {expected}", shown::byte(byte));
                return Err(self.fail(at, "json.separator", message));
            }
        }
        Ok(index + 1)
    }

    /// The states that look at single bytes; answers how many bytes are used up.
    fn edge(&mut self, byte: u8, at: u64, frames: &mut Vec<FrameRange>) -> Result<usize, Fault> {
        match self.state {
            State::Start(seen) if byte == BYTE_ORDER_MARK[seen as usize] => {
                let whole = seen as usize + 1 == BYTE_ORDER_MARK.len();
                self.state = if whole { State::Head } else { State::Start(seen + 1) };
            }
            State::Start(0) => {
                self.state = State::Head;
                return Ok(0);
            }
            State::Start(_) => return Err(self.not_json(BYTE_ORDER_MARK[0], 0)),
            State::Decide if matches!(byte, b' ' | b'\t' | b'\r') => {}
            State::Decide => {
                let shape = if byte == b'\n' { Shape::Lines } else { Shape::Values };
                self.decide(shape, frames);
                return Ok(0);
            }
            _ if is_white(byte) => {}
            State::Head if self.shape.is_some() && byte != b'[' => {
                self.state = State::LineStart;
                return Ok(0);
            }
            State::Head if self.shape.is_some() => {
                let message = format!("found an array at byte {at}, expected one object per line");
                return Err(self.fail(at, "json.not_lines", message));
            }
            State::Head if byte == b'[' => {
                self.shape = Some(Shape::Array);
                self.state = State::Between(Next::First);
            }
            State::Head if matches!(byte, b'{' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                self.begin(byte, at);
            }
            State::Head => return Err(self.not_json(byte, at)),
            _ => {
                let message = format!(
                    "found {} at byte {at}, expected nothing behind the closing \"]\"",
                    shown::byte(byte)
                );
                return Err(self.fail(at, "json.trailing", message));
            }
        }
        Ok(1)
    }

    fn begin(&mut self, byte: u8, at: u64) {
        (self.start, self.end, self.last) = (at, at + 1, byte);
        self.state = match byte {
            b'{' | b'[' => {
                // The first bracket can neither be too deep nor close anything.
                let _ = self.brackets.enter(byte);
                State::Structure
            }
            b'"' => State::Text,
            _ => State::Scalar,
        };
    }

    /// The open record ends before offset `end`.
    fn close(&mut self, end: u64, frames: &mut Vec<FrameRange>) {
        self.end = end;
        match self.shape {
            None if self.broken_line => self.decide(Shape::Values, frames),
            None => self.state = State::Decide,
            Some(shape) => {
                frames.push(self.start..end);
                self.state = Self::resumed(shape, Next::Separator);
            }
        }
    }

    fn decide(&mut self, shape: Shape, frames: &mut Vec<FrameRange>) {
        self.shape = Some(shape);
        self.close(self.end, frames);
    }
}
