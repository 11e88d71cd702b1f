//! Whether the first value stays on its line, which decides the shape, and whether its line was broken.

use memchr::memchr;

use super::super::scan::is_white;
use super::super::state::{LineOver, State};
use super::{Framer, Shape};
use crate::fault::Fault;
use crate::format::FrameRange;

impl Framer {
    /// Whether the first value is open and has not gone over the end of its line.
    pub(super) fn is_on_first_line(&self) -> bool {
        let inside = matches!(self.state, State::Structure | State::Text | State::Escape);
        inside && self.shape.is_none() && !self.broken_line
    }

    /// Goes on in the first value, at most to the end of its line.
    pub(super) fn first_line(
        &mut self,
        piece: &[u8],
        from: usize,
        base: u64,
        frames: &mut Vec<FrameRange>,
    ) -> Result<usize, Fault> {
        let newline = memchr(b'\n', &piece[from..]);
        let line = newline.map_or(piece, |length| &piece[..from + length]);
        if let Some(last) = line[from..].iter().rposition(|byte| !is_white(*byte)) {
            self.end = base + (from + last + 1) as u64;
            self.last = line[from + last];
        }
        match self.state {
            _ if from == line.len() => {
                self.broken_line = true;
                self.state = State::LineOver(self.over());
                Ok(from)
            }
            State::Structure => self.structure(line, from, base, frames),
            State::Text => Ok(self.text(line, from, base, frames)),
            _ => {
                self.state = State::Text;
                Ok(from + 1)
            }
        }
    }

    /// How the first line ends.
    fn over(&self) -> LineOver {
        match (self.state, self.last) {
            (State::Text | State::Escape, _) => LineOver::InText,
            (_, b':' | b'[') => LineOver::BeforeValue,
            (_, b',') if !self.brackets.in_object() => LineOver::BeforeValue,
            _ => LineOver::Elsewhere,
        }
    }

    /// Looks how the line behind the first one begins; answers how many bytes are used up.
    pub(super) fn line_over(&mut self, piece: &[u8], over: LineOver, frames: &mut Vec<FrameRange>) -> usize {
        let Some(blanks) = piece.iter().position(|byte| !is_white(*byte)) else { return piece.len() };
        if piece[blanks] == b'{' && over != LineOver::BeforeValue {
            self.decide(Shape::Lines, frames);
        } else {
            self.state = if over == LineOver::InText { State::Text } else { State::Structure };
        }
        blanks
    }
}
