//! Where Markdown records begin and end: a state machine over lines, headings and fences.
//!
//! A record begins behind `## Item` and a blank at the start of a line, and ends with the last line before the
//! next such heading that is not blank. Lines in a fence (three or more backticks or tildes, as CommonMark
//! has them) are no headings.

use memchr::memchr;

use super::Facts;
use super::fence::{Fence, INDENT};
use crate::fault::{Fault, Stage};
use crate::format::{self, FrameRange, SourceFacts};

/// What a record begins behind.
const HEADING: &[u8] = b"## Item ";

/// See [`crate::format::Framer`].
#[derive(Debug)]
pub(super) struct Framer {
    /// Offset of the next byte.
    at: u64,
    line: Line,
    /// The fence that is open.
    fence: Option<Fence>,
    /// First byte of the open record.
    record: Option<u64>,
    /// Behind the last byte of the open record that is no blank.
    end: u64,
    /// Whether a record has begun, here or before.
    has_begun: bool,
}

/// What is known of the line that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// So many blanks of it have been seen.
    Start(u8),
    /// So many bytes of the heading have been seen.
    Heading(u8),
    /// A run of fence characters.
    Run(Fence),
    /// Behind a run; whether it can still be a fence depends on what follows.
    BehindRun { run: Fence, blank: bool, ticks: bool },
    /// Any other line.
    Text,
}

impl Framer {
    /// At the first byte of a source, or directly behind a record that ended at `at`.
    pub fn between(at: u64, line: bool) -> Self {
        let line = if line { Line::Start(0) } else { Line::Text };
        Self { at, line, fence: None, record: None, end: at, has_begun: at > 0 }
    }

    /// At the first byte of a record, which is the blank behind its heading's words.
    pub fn inside() -> Self {
        Self { at: 0, line: Line::Text, fence: None, record: Some(0), end: 1, has_begun: true }
    }

    /// Takes bytes up to the next change of state; answers how many.
    fn step(&mut self, rest: &[u8], at: u64, frames: &mut Vec<FrameRange>) -> usize {
        let Some(&byte) = rest.first() else { return 0 };
        match self.line {
            Line::Text => return self.text(rest, at),
            Line::Heading(_) if byte == b'\n' => {
                self.no_heading(at);
                self.line = Line::Start(0);
            }
            _ if byte == b'\n' => self.end_of_line(),
            Line::Start(blanks) => match byte {
                b' ' if blanks < INDENT => self.line = Line::Start(blanks + 1),
                b'#' if blanks == 0 && self.fence.is_none() => self.line = Line::Heading(1),
                b'`' | b'~' => self.line = Line::Run(Fence { character: byte, length: 1 }),
                _ => {
                    self.line = Line::Text;
                    return 0;
                }
            },
            Line::Heading(seen) if byte == HEADING[seen as usize] => {
                self.line = Line::Heading(seen + 1);
                if seen as usize + 1 == HEADING.len() {
                    self.begin(at, frames);
                }
            }
            Line::Heading(_) => {
                self.no_heading(at);
                return 0;
            }
            Line::Run(run) if byte == run.character => {
                self.line = Line::Run(Fence { length: run.length.saturating_add(1), ..run });
                self.end = at + 1;
            }
            Line::Run(run) => {
                self.line = Line::BehindRun { run, blank: true, ticks: false };
                return 0;
            }
            Line::BehindRun { run, blank, ticks } => {
                let is_blank = byte.is_ascii_whitespace();
                self.line = Line::BehindRun { run, blank: blank && is_blank, ticks: ticks || byte == b'`' };
                if !is_blank {
                    self.end = at + 1;
                }
            }
        }
        1
    }

    /// The rest of a line.
    fn text(&mut self, rest: &[u8], at: u64) -> usize {
        let newline = memchr(b'\n', rest);
        let line = &rest[..newline.unwrap_or(rest.len())];
        if let Some(last) = line.iter().rposition(|byte| !byte.is_ascii_whitespace()) {
            self.end = at + last as u64 + 1;
        }
        if newline.is_some() {
            self.line = Line::Start(0);
        }
        newline.map_or(rest.len(), |length| length + 1)
    }

    /// What looked like a heading up to offset `at` is text.
    fn no_heading(&mut self, at: u64) {
        self.end = at;
        self.line = Line::Text;
    }

    /// A record begins with the blank at offset `at`, with which a heading's words are known. So it is never
    /// empty, and it never begins in a piece of the input that has been given up already.
    fn begin(&mut self, at: u64, frames: &mut Vec<FrameRange>) {
        self.close(frames);
        self.record = Some(at);
        self.has_begun = true;
        self.end = at + 1;
        self.line = Line::Text;
    }

    fn end_of_line(&mut self) {
        let run = match self.line {
            Line::Run(run) => Some((run, true, false)),
            Line::BehindRun { run, blank, ticks } => Some((run, blank, ticks)),
            _ => None,
        };
        self.line = Line::Start(0);
        let Some((run, blank, ticks)) = run else { return };
        self.fence = run.behind(self.fence, blank, ticks);
    }

    fn close(&mut self, frames: &mut Vec<FrameRange>) {
        if let Some(start) = self.record.take() {
            frames.push(start..self.end);
        }
    }
}

impl format::Framer for Framer {
    fn push(&mut self, piece: &[u8], frames: &mut Vec<FrameRange>) -> Result<(), Fault> {
        let (base, mut index) = (self.at, 0);
        while index < piece.len() {
            index += self.step(&piece[index..], base + index as u64, frames);
        }
        self.at = base + piece.len() as u64;
        Ok(())
    }

    fn finish(&mut self, frames: &mut Vec<FrameRange>) -> Result<(), Fault> {
        if matches!(self.line, Line::Heading(_)) {
            self.no_heading(self.at);
        }
        self.close(frames);
        if !self.has_begun && self.end > 0 {
            let message = format!(
                "found text and no heading of a record up to the end at byte {}, expected \"## Item 1\"",
                self.at
            );
            return Err(Fault::new(Stage::Frame, "markdown.no_records", message));
        }
        Ok(())
    }

    fn open(&self) -> Option<u64> {
        self.record
    }

    fn certain(&self) -> u64 {
        self.end
    }

    fn position(&self) -> u64 {
        self.at
    }

    fn facts(&self) -> Option<SourceFacts> {
        Some(SourceFacts::Markdown(Facts {}))
    }
}
