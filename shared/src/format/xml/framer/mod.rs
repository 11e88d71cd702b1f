//! Where XML records begin and end: a state machine over markup that keeps nothing but the names of the
//! open elements.
//!
//! Records are the child elements of the root, or those at the place that the user names. Only what is needed to find boundaries is looked at here:
//! tags and their nesting, comments, CDATA sections and processing instructions. Whether a record is
//! well-formed inside is for the decoder to say.

mod faults;

use memchr::{memchr, memchr3};

use super::Facts;
use super::names::Names;
use super::place::{Place, Role};
use super::state::{Section, State, Word, begins_name, ends_name};
use crate::fault::{Fault, Stage};
use crate::format::reading::RecordsAt;
use crate::format::{self, BYTE_ORDER_MARK, FrameRange, SourceFacts, shown};
use crate::limits;

/// Open elements inside the root.
const ROOT: usize = 1;

/// See [`crate::format::Framer`].
#[derive(Debug)]
pub(super) struct Framer {
    /// Offset of the next byte; after an error, the place of the error.
    at: u64,
    state: State,
    /// The open elements.
    names: Names,
    /// Where the markup begins that is being read.
    markup: u64,
    /// First byte of the open record.
    record: Option<u64>,
    /// Elements around the open record.
    around: usize,
    root: Option<String>,
    place: Place,
}

impl Framer {
    /// At the first byte of a source, whose records are `there`.
    pub fn new(there: Option<&RecordsAt>) -> Self {
        Self::at(0, State::Start(0), Names::default(), None, Place::new(there))
    }

    /// Behind a record that ended at offset `at` of its source, or at the first byte of one.
    pub fn behind_record(facts: &Facts, at: u64) -> Self {
        let mut names = Names::default();
        match facts.path.split_last() {
            Some((_, around)) => around.iter().for_each(|name| names.open(name.as_bytes())),
            None => names.open(facts.root.as_bytes()),
        }
        // A root that is the record itself is still to come.
        let root = (at > 0 || facts.path.len() != 1).then(|| facts.root.clone());
        Self::at(at, State::Text, names, root, Place::known(facts))
    }

    fn at(at: u64, state: State, names: Names, root: Option<String>, place: Place) -> Self {
        Self { at, state, names, markup: at, record: None, around: ROOT, root, place }
    }

    /// Takes bytes up to the next change of state; answers how many.
    fn step(&mut self, rest: &[u8], at: u64, frames: &mut Vec<FrameRange>) -> Result<usize, Fault> {
        let Some(&byte) = rest.first() else { return Ok(0) };
        match self.state {
            State::Start(seen) => Ok(self.start(seen, byte)),
            State::Text => self.text(rest, at),
            State::Markup => self.behind_bracket(byte, at),
            State::Name => self.name(rest, at, frames),
            State::Tag { slash } => self.tag(rest, slash, at, frames),
            State::Value(quote) => {
                let ended = memchr(quote, rest);
                if ended.is_some() {
                    self.state = State::Tag { slash: false };
                }
                Ok(ended.map_or(rest.len(), |length| length + 1))
            }
            State::EndTag { named } => self.end_tag(rest, named, at, frames),
            State::Bang => self.bang(byte, at),
            State::Word(word, seen) => self.word(word, seen, byte, at),
            State::Section(section, seen) => Ok(self.section(section, seen, rest)),
        }
    }

    fn start(&mut self, seen: u8, byte: u8) -> usize {
        if byte != BYTE_ORDER_MARK[seen as usize] {
            self.state = State::Text;
            return 0;
        }
        let whole = seen as usize + 1 == BYTE_ORDER_MARK.len();
        self.state = if whole { State::Text } else { State::Start(seen + 1) };
        1
    }

    fn text(&mut self, rest: &[u8], at: u64) -> Result<usize, Fault> {
        let bracket = memchr(b'<', rest);
        let text = &rest[..bracket.unwrap_or(rest.len())];
        if self.record.is_none()
            && (self.place.is_children() || self.names.depth() == 0)
            && let Some(stray) = text.iter().position(|byte| !byte.is_ascii_whitespace())
        {
            let expected = match (self.names.depth(), &self.root) {
                (0, None) => "the root element",
                (0, Some(_)) => "nothing behind the root element",
                _ => "the element of a record",
            };
            let (at, found) = (at + stray as u64, shown::byte(text[stray]));
            return Err(self.fail(
                at,
                "xml.text",
                format!("found {found} at byte {at}, expected {expected}"),
            ));
        }
        if bracket.is_some() {
            self.markup = at + text.len() as u64;
            self.state = State::Markup;
        }
        Ok(bracket.map_or(rest.len(), |length| length + 1))
    }

    fn behind_bracket(&mut self, byte: u8, at: u64) -> Result<usize, Fault> {
        self.state = match byte {
            b'/' => State::EndTag { named: false },
            b'!' => State::Bang,
            b'?' => State::Section(Section::Instruction, 0),
            _ if begins_name(byte) => {
                self.begin(at)?;
                State::Name
            }
            _ => {
                let found = shown::byte(byte);
                let message =
                    format!("found {found} behind \"<\" at byte {at}, expected the name of an element");
                return Err(self.fail(at, "xml.markup", message));
            }
        };
        Ok(if self.state == State::Name { 0 } else { 1 })
    }

    /// An element begins.
    fn begin(&mut self, at: u64) -> Result<(), Fault> {
        if self.names.depth() == 0 && self.root.is_some() {
            let message = format!("found a second root element at byte {}", self.markup);
            return Err(self.fail(at, "xml.trailing", message));
        }
        if self.names.depth() == limits::DEPTH {
            let message = format!("found more than {} open elements at byte {}", limits::DEPTH, self.markup);
            return Err(self.fail(at, "xml.depth", message));
        }
        if self.place.is_children() && self.names.depth() == ROOT {
            self.record = Some(self.markup);
        }
        self.names.open(b"");
        Ok(())
    }

    fn name(&mut self, rest: &[u8], at: u64, frames: &mut Vec<FrameRange>) -> Result<usize, Fault> {
        let length = rest.iter().position(|byte| ends_name(*byte));
        let part = &rest[..length.unwrap_or(rest.len())];
        self.names.extend(part).map_err(|fits| {
            let most = limits::NAME_BYTES;
            let message = format!("found a name of more than {most} bytes at byte {}", self.markup + 1);
            self.fail(at + fits as u64, "xml.name", message)
        })?;
        if length.is_none() {
            return Ok(rest.len());
        }
        if self.record.is_none() && !self.place.is_children() {
            self.decide()?;
        }
        self.state = State::Tag { slash: false };
        // Mostly the tag is over with its name.
        let taken = self.tag(&rest[part.len()..], false, at + part.len() as u64, frames)?;
        Ok(part.len() + taken)
    }

    /// An element outside the records has its name: it is one, or it is not.
    fn decide(&mut self) -> Result<(), Fault> {
        match self.place.enter(&self.names) {
            Role::Other => {}
            Role::Record => (self.record, self.around) = (Some(self.markup), self.names.depth() - 1),
            Role::Elsewhere => return Err(self.elsewhere()),
        }
        Ok(())
    }

    fn tag(
        &mut self,
        rest: &[u8],
        slash: bool,
        at: u64,
        frames: &mut Vec<FrameRange>,
    ) -> Result<usize, Fault> {
        let Some(found) = memchr3(b'>', b'"', b'\'', rest) else {
            if let Some(&last) = rest.last() {
                self.state = State::Tag { slash: last == b'/' };
            }
            return Ok(rest.len());
        };
        if rest[found] != b'>' {
            self.state = State::Value(rest[found]);
            return Ok(found + 1);
        }
        let closed = if found == 0 { slash } else { rest[found - 1] == b'/' };
        self.state = State::Text;
        if self.names.depth() == ROOT && self.root.is_none() {
            let Ok(root) = std::str::from_utf8(self.names.last()) else {
                let message = format!("found a root element at byte {} whose name is not UTF-8", self.markup);
                return Err(self.fail(at + found as u64, "xml.name", message));
            };
            self.root = Some(root.to_owned());
        }
        if closed {
            self.close(at + found as u64 + 1, frames);
        }
        Ok(found + 1)
    }

    fn end_tag(
        &mut self,
        rest: &[u8],
        named: bool,
        at: u64,
        frames: &mut Vec<FrameRange>,
    ) -> Result<usize, Fault> {
        let length = rest.iter().position(|byte| ends_name(*byte)).unwrap_or(rest.len());
        let (part, behind) = rest.split_at(if named { 0 } else { length });
        self.names.repeat(part).map_err(|right| self.mismatched(at + right as u64))?;
        let Some(&byte) = behind.first() else { return Ok(rest.len()) };
        let at = at + part.len() as u64;
        if !self.names.is_matched() {
            return Err(self.mismatched(at));
        }
        match byte {
            b'>' => {
                self.state = State::Text;
                self.close(at + 1, frames);
            }
            _ if byte.is_ascii_whitespace() => self.state = State::EndTag { named: true },
            _ => {
                let found = shown::byte(byte);
                return Err(self.fail(
                    at,
                    "xml.markup",
                    format!("found {found} at byte {at}, expected \">\""),
                ));
            }
        }
        Ok(part.len() + 1)
    }

    /// The innermost element ends before offset `end`.
    fn close(&mut self, end: u64, frames: &mut Vec<FrameRange>) {
        self.names.close();
        self.place.leave(self.names.depth());
        if self.names.depth() == self.around
            && let Some(start) = self.record.take()
        {
            frames.push(start..end);
        }
    }

    fn bang(&mut self, byte: u8, at: u64) -> Result<usize, Fault> {
        let word = match byte {
            b'-' => Word::Comment,
            b'[' if self.record.is_some() || !self.place.is_children() && self.names.depth() > 0 => {
                Word::Cdata
            }
            b'D' | b'd' => {
                let message = format!(
                    "found a document type definition at byte {}, expected none: it could define entities \
                     without end; remove it",
                    self.markup
                );
                return Err(self.fail(at, "xml.doctype", message));
            }
            _ => return Err(self.no_markup(byte, at)),
        };
        self.state = State::Word(word, 0);
        Ok(0)
    }

    fn word(&mut self, word: Word, seen: u8, byte: u8, at: u64) -> Result<usize, Fault> {
        if byte != word.text()[seen as usize] {
            return Err(self.no_markup(byte, at));
        }
        let whole = seen as usize + 1 == word.text().len();
        self.state = if whole { State::Section(word.section(), 0) } else { State::Word(word, seen + 1) };
        Ok(1)
    }

    fn section(&mut self, section: Section, seen: u8, rest: &[u8]) -> usize {
        let end = section.end();
        if seen == 0 {
            let found = memchr(end[0], rest);
            if found.is_some() {
                self.state = State::Section(section, 1);
            }
            return found.map_or(rest.len(), |length| length + 1);
        }
        let byte = rest[0];
        if byte != end[seen as usize] {
            // `--->` and `]]]>` end their sections, too.
            let repeats = byte == end[0] && seen as usize + 1 == end.len() && end.len() == 3;
            self.state = State::Section(section, if repeats { seen } else { 0 });
            return usize::from(repeats);
        }
        let whole = seen as usize + 1 == end.len();
        self.state = if whole { State::Text } else { State::Section(section, seen + 1) };
        1
    }

    /// Whether a record begins with the last markup, unless it is another one.
    fn may_begin(&self) -> bool {
        match self.place.is_children() {
            true => self.state == State::Markup && self.names.depth() == ROOT,
            false => self.record.is_none() && matches!(self.state, State::Markup | State::Name),
        }
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

    fn finish(&mut self, _frames: &mut Vec<FrameRange>) -> Result<(), Fault> {
        if self.names.depth() == 0 && matches!(self.state, State::Start(0) | State::Text) {
            let missing = self.place.missing().filter(|_| self.root.is_some());
            return missing
                .map_or(Ok(()), |missing| Err(Fault::new(Stage::Frame, "xml.records_at", missing)));
        }
        let message = match (self.state, self.names.depth()) {
            (State::Text, _) => {
                let open = shown::text(&String::from_utf8_lossy(self.names.last()));
                format!("found the end of the input at byte {}, expected the end tag of {open}", self.at)
            }
            _ => format!(
                "found the end of the input at byte {} in the markup that begins at byte {}",
                self.at, self.markup
            ),
        };
        Err(Fault::new(Stage::Frame, "xml.truncated", message))
    }

    fn open(&self) -> Option<u64> {
        self.record.or_else(|| self.may_begin().then_some(self.markup))
    }

    fn certain(&self) -> u64 {
        if self.record.is_none() && self.may_begin() { self.markup } else { self.at }
    }

    fn position(&self) -> u64 {
        self.at
    }

    fn facts(&self) -> Option<SourceFacts> {
        let (root, path) = (self.root.clone()?, self.place.path()?.to_vec());
        Some(SourceFacts::Xml(Facts { root, path, by_name: self.place.is_by_name() }))
    }
}
