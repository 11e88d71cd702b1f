//! What stands around an array of records: a state machine that walks over a document and looks only for the
//! names that lead to the array. What lies beside them is skipped by its brackets and strings, as records are.

use super::super::scan::{
    Brackets, Cut, Misplaced, STRUCTURAL, begins_value, ends_scalar, is_white, text_end,
};
use super::super::text;
use crate::fault::{Fault, Stage};
use crate::format::records_at::member_path;
use crate::format::{BYTE_ORDER_MARK, shown};
use crate::limits;

/// Bytes of a name that are kept: one on the path fits, even if all its characters are escaped.
const KEY_BYTES: usize = 6 * limits::NAME_BYTES;

/// Names that are told where the path leads nowhere.
const SEEN: usize = 16;

/// Walks over a document.
#[derive(Debug)]
pub(super) struct Around {
    /// The names that lead to the array.
    path: Vec<String>,
    /// Offset of the next byte; after an error, the place of the error.
    at: u64,
    state: State,
    brackets: Brackets,
    /// How many names of the path the open objects stand for. The object in which the next one is looked
    /// for is the innermost one, or all that is inside it is skipped.
    entered: usize,
    /// The name that is being read or whose value is, without its quotes, as it is written.
    key: Vec<u8>,
    found: bool,
    /// The names seen where `deepest` names of the path led to.
    seen: Vec<String>,
    /// Those for which there was no room.
    unseen: usize,
    deepest: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The very start; so many bytes of a byte order mark have been seen.
    Start(u8),
    /// Before the document.
    Head,
    /// Behind the `{` of an object on the path: a name or `}`.
    First,
    /// Behind a comma: a name.
    Next,
    /// In a name; behind a backslash or not.
    Key { escaped: bool },
    /// Behind a name.
    Colon,
    /// Behind a colon.
    Value,
    /// In a string beside the path, outside all brackets but those of the path; behind a backslash or not.
    Text { escaped: bool },
    /// In a number or a literal beside the path.
    Scalar,
    /// In an array or an object beside the path.
    Inside,
    /// In a string of such a one; behind a backslash or not.
    InsideText { escaped: bool },
    /// Behind a value: a comma or `}`.
    Behind,
    /// Behind the document.
    Done,
}

/// Why the walk has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The piece is over.
    Over,
    /// The next byte is the first one inside the array.
    Array,
}

impl Around {
    /// At the first byte of a document.
    pub fn new(path: &[String]) -> Self {
        Self {
            path: path.to_vec(),
            at: 0,
            state: State::Start(0),
            brackets: Brackets::default(),
            entered: 0,
            key: Vec::new(),
            found: false,
            seen: Vec::new(),
            unseen: 0,
            deepest: 0,
        }
    }

    /// Inside the array, at offset `at`.
    pub fn in_array(path: &[String], at: u64) -> Self {
        let mut around = Self { at, state: State::Behind, found: true, ..Self::new(path) };
        for _ in path {
            // No path has more names than there may be levels.
            let _ = around.brackets.enter(b'{');
        }
        around.entered = path.len().saturating_sub(1);
        around
    }

    pub fn path(&self) -> &[String] {
        &self.path
    }

    /// Whether the array has been found.
    pub fn has_found(&self) -> bool {
        self.found
    }

    /// Offset of the next byte; after an error, the place of the error.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// The array ended before offset `at`.
    pub fn leave_array(&mut self, at: u64) {
        (self.at, self.state) = (at, State::Behind);
    }

    /// Goes on to the array, or to the end of the piece; answers how many bytes are used up.
    pub fn walk(&mut self, piece: &[u8]) -> Result<(usize, Step), Fault> {
        let (base, mut index) = (self.at, 0);
        while index < piece.len() {
            let at = base + index as u64;
            index += match self.state {
                State::Inside => self.inside(&piece[index..], at)?,
                State::Key { escaped } => self.key(&piece[index..], escaped),
                State::Text { escaped } => self.skip_text(&piece[index..], escaped, State::Behind),
                State::InsideText { escaped } => self.skip_text(&piece[index..], escaped, State::Inside),
                State::Scalar => self.scalar(&piece[index..]),
                _ if is_white(piece[index]) && !matches!(self.state, State::Start(1..)) => {
                    self.state = if self.state == State::Start(0) { State::Head } else { self.state };
                    1
                }
                State::Value if self.is_on_path() => {
                    self.descend(piece[index], at)?;
                    if self.found && self.state == State::Behind {
                        self.at = at + 1;
                        return Ok((index + 1, Step::Array));
                    }
                    1
                }
                _ => self.edge(piece[index], at)?,
            };
        }
        self.at = base + piece.len() as u64;
        Ok((piece.len(), Step::Over))
    }

    /// The document is over.
    pub fn finish(&mut self) -> Result<(), Fault> {
        match self.state {
            State::Start(0) | State::Head => Ok(()),
            State::Done if self.found => Ok(()),
            State::Done => Err(self.not_found()),
            _ => {
                let message = format!("found the end of the input at byte {} inside the document", self.at);
                Err(Fault::new(Stage::Frame, "json.truncated", message))
            }
        }
    }

    // --- beside the path ------------------------------------------------------------------------------

    fn inside(&mut self, rest: &[u8], at: u64) -> Result<usize, Fault> {
        let mut index = 0;
        while let Some(&byte) = rest.get(index) {
            index += 1;
            if !STRUCTURAL[byte as usize] {
                continue;
            }
            if byte == b'"' {
                match text_end(rest, index) {
                    Ok(end) => index = end,
                    Err(cut) => {
                        self.state = State::InsideText { escaped: cut == Cut::Escape };
                        return Ok(rest.len());
                    }
                }
                continue;
            }
            self.enter(byte, at + index as u64 - 1)?;
            if self.brackets.depth() == self.entered + 1 {
                self.state = State::Behind;
                return Ok(index);
            }
        }
        Ok(index)
    }

    fn skip_text(&mut self, rest: &[u8], escaped: bool, then: State) -> usize {
        let in_text = |escaped| match then {
            State::Inside => State::InsideText { escaped },
            _ => State::Text { escaped },
        };
        match text_end(rest, usize::from(escaped)) {
            Ok(end) => {
                self.state = then;
                end
            }
            Err(cut) => {
                self.state = in_text(cut == Cut::Escape);
                rest.len()
            }
        }
    }

    fn scalar(&mut self, rest: &[u8]) -> usize {
        let end = rest.iter().position(|byte| ends_scalar(*byte));
        if end.is_some() {
            self.state = State::Behind;
        }
        end.unwrap_or(rest.len())
    }

    // --- on the path ----------------------------------------------------------------------------------

    fn key(&mut self, rest: &[u8], escaped: bool) -> usize {
        let (end, state) = match text_end(rest, usize::from(escaped)) {
            Ok(end) => (end, State::Colon),
            Err(cut) => (rest.len(), State::Key { escaped: cut == Cut::Escape }),
        };
        let part = &rest[..end - usize::from(state == State::Colon)];
        // One byte over the limit is enough for a name to be none on the path.
        let room = (KEY_BYTES + 1).saturating_sub(self.key.len());
        self.key.extend_from_slice(&part[..part.len().min(room)]);
        if state == State::Colon {
            self.note_key();
        }
        self.state = state;
        end
    }

    /// Notes a name, for a message.
    fn note_key(&mut self) {
        if self.found || self.entered != self.deepest {
            return;
        }
        if self.seen.len() == SEEN {
            self.unseen += 1;
            return;
        }
        self.seen.push(shown::text(&self.name()));
    }

    /// The name that was read last.
    fn name(&self) -> String {
        let raw = String::from_utf8_lossy(&self.key);
        let mut name = Vec::new();
        match text::unescape(&raw, &mut name) {
            Ok(()) => String::from_utf8_lossy(&name).into_owned(),
            // What no text can hold is no name on the path.
            Err(_) => raw.into_owned(),
        }
    }

    fn is_on_path(&self) -> bool {
        self.path.get(self.entered).is_some_and(|name| *name == self.name())
    }

    /// The value begins to which the path leads next.
    fn descend(&mut self, byte: u8, at: u64) -> Result<(), Fault> {
        let (here, is_last) = (self.entered + 1, self.entered + 1 == self.path.len());
        let here = member_path(&self.path[..here]);
        match (byte, is_last) {
            (b'[', true) if self.found => {
                let message = format!("found a second array {here} at byte {at}, expected one");
                return Err(self.fail(at, "json.records_at", message));
            }
            (b'[', true) => {
                self.found = true;
                self.state = State::Behind;
            }
            (b'{', false) => {
                self.enter(byte, at)?;
                self.entered += 1;
                if self.entered > self.deepest {
                    self.deepest = self.entered;
                    self.seen.clear();
                    self.unseen = 0;
                }
                self.state = State::First;
            }
            _ => {
                let expected = if is_last { "an array of records" } else { "an object" };
                let found = match byte {
                    b'{' => "an object".into(),
                    b'[' => "an array".into(),
                    b'"' => "a string".into(),
                    _ => format!("a value that begins with {}", shown::byte(byte)),
                };
                let message = format!("found {found} at {here} (byte {at}), expected {expected}");
                return Err(self.fail(at, "json.records_at", message));
            }
        }
        Ok(())
    }

    /// The states that look at single bytes; answers how many are used up.
    fn edge(&mut self, byte: u8, at: u64) -> Result<usize, Fault> {
        self.state = match (self.state, byte) {
            (State::Start(seen), _) if byte == BYTE_ORDER_MARK[seen as usize] => {
                let whole = seen as usize + 1 == BYTE_ORDER_MARK.len();
                if whole { State::Head } else { State::Start(seen + 1) }
            }
            (State::Start(0) | State::Head, b'{') => {
                self.enter(byte, at)?;
                State::First
            }
            (State::First | State::Next, b'"') => {
                self.key.clear();
                State::Key { escaped: false }
            }
            (State::Colon, b':') => State::Value,
            (State::Value, b'{' | b'[') => {
                self.enter(byte, at)?;
                State::Inside
            }
            (State::Value, b'"') => State::Text { escaped: false },
            (State::Value, _) if begins_value(byte) => State::Scalar,
            (State::Behind, b',') => State::Next,
            (State::First | State::Behind, b'}') => {
                self.enter(byte, at)?;
                self.entered = self.entered.saturating_sub(1);
                if self.brackets.is_empty() { State::Done } else { State::Behind }
            }
            (state, _) => return Err(self.unexpected(state, byte, at)),
        };
        Ok(1)
    }

    fn enter(&mut self, bracket: u8, at: u64) -> Result<(), Fault> {
        self.brackets.enter(bracket).map_err(|misplaced| match misplaced {
            Misplaced::TooDeep => {
                let most = limits::DEPTH;
                let message = format!("found more than {most} levels of arrays and objects at byte {at}");
                self.fail(at, "json.depth", message)
            }
            Misplaced::Mismatched(expected) => {
                let [found, expected] = [bracket, expected].map(shown::byte);
                self.fail(at, "json.bracket", format!("found {found} at byte {at}, expected {expected}"))
            }
        })
    }

    // --- errors ---------------------------------------------------------------------------------------

    fn unexpected(&mut self, state: State, byte: u8, at: u64) -> Fault {
        let (code, expected) = match state {
            State::Start(_) | State::Head => {
                let expected = format!("\"{{\": {} is a path in an object", member_path(&self.path));
                ("json.records_at", expected)
            }
            State::Done => ("json.trailing", "nothing behind the document".into()),
            State::First => ("json.separator", "a name or \"}\"".into()),
            State::Next => ("json.separator", "a name".into()),
            State::Colon => ("json.separator", "\":\"".into()),
            State::Behind => ("json.separator", "\",\" or \"}\"".into()),
            _ => ("json.separator", "a value".into()),
        };
        let message = format!("found {} at byte {at}, expected {expected}", shown::byte(byte));
        self.fail(at, code, message)
    }

    fn not_found(&self) -> Fault {
        let wanted = shown::text(&self.path[self.deepest]);
        let parent = member_path(&self.path[..self.deepest]);
        let seen = match (&self.seen[..], self.unseen) {
            ([], _) => "nothing".to_owned(),
            (seen, 0) => seen.join(", "),
            (seen, unseen) => format!("{} and {unseen} more", seen.join(", ")),
        };
        let path = member_path(&self.path);
        let message =
            format!("found no member {wanted} in {parent}, which holds {seen}; expected the array {path}");
        Fault::new(Stage::Frame, "json.records_at", message)
    }

    fn fail(&mut self, at: u64, code: &'static str, message: String) -> Fault {
        self.at = at;
        Fault::new(Stage::Frame, code, message)
    }
}
