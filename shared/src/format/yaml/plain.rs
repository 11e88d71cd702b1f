//! The YAML that most files are made of, read without a parser: block mappings with a scalar, a list of
//! scalars, a literal or another mapping behind each name.
//!
//! What is read here means the same to every parser. A member of anything else (an anchor, a tag, a comment
//! behind a value, brackets, a scalar over several lines, an unusual character, or a mistake) is odd: its lines are
//! left to the parser, and so is the whole record where it is not told by its lines what its members are. So
//! nothing is ever refused here.

use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr2};

use super::scalar::{Scalar, resolve};
use crate::format::json::text;
use crate::format::members::string;
use crate::limits;

/// Levels of mappings that are read here.
const LEVELS: usize = 16;

/// Bytes of a name: longer ones are no simple keys to a parser (YAML 1.2.2, section 7.4.2).
const NAME: usize = 256;

/// Bytes of a record: a longer one might have more nodes than the limit allows.
const RECORD: usize = limits::NODES / 2;

/// The members of a record. Kept for its memory.
#[derive(Debug, Default)]
pub(super) struct Plain {
    pub members: Vec<(Range<usize>, Value)>,
    /// What values were made of that do not stand in the record as they are.
    built: Vec<u8>,
}

/// A value, of which the range is one of the record, or of what was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Without quotes: what it is, the type of its field decides.
    Bare(Range<usize>),
    /// A text as it stands in the record.
    Text(Range<usize>),
    /// JSON as it stands in the record, which is what a text with escapes is.
    Json(Range<usize>),
    /// JSON that was built.
    Built(Range<usize>),
    Null,
    /// The lines of a member that is for the parser.
    Odd(Range<usize>),
    /// JSON that the parser has made of such lines.
    Parsed(Range<usize>),
}

impl Plain {
    /// Reads a record that begins behind so many columns; whether it is of this kind.
    pub fn read(&mut self, record: &str, columns: usize) -> bool {
        self.members.clear();
        self.built.clear();
        let mut lines = Lines { record, at: 0, columns };
        record.len() <= RECORD && self.record(&mut lines).is_some()
    }

    /// JSON that was built.
    pub fn built(&self, range: &Range<usize>) -> &[u8] {
        &self.built[range.clone()]
    }

    fn record(&mut self, lines: &mut Lines<'_>) -> Option<()> {
        let mut next = lines.peek();
        let indent = next.as_ref()?.indent;
        while let Some(line) = next {
            let (start, built) = (lines.at, self.built.len());
            lines.pass(&line);
            let (name, rest) = lines.pair(&line).filter(|_| line.indent == indent)?;
            let value = match rest.start == line.text.end {
                true => self.below(lines, indent, 1),
                false => self.value(lines, rest, indent),
            };
            next = lines.peek();
            let value = match value {
                // A deeper line would be a part of it.
                Some(value) if next.as_ref().is_none_or(|next| next.indent <= indent) => value,
                _ => {
                    self.built.truncate(built);
                    lines.at = line.behind;
                    lines.pass_member(indent);
                    let member = start..lines.at;
                    lines.are_those_of_a_parser(&member).then_some(())?;
                    next = lines.peek();
                    Value::Odd(member)
                }
            };
            self.members.push((name, value));
        }
        Some(())
    }
}

impl Plain {
    /// The value that stands behind its name on the same line.
    fn value(&mut self, lines: &mut Lines<'_>, rest: Range<usize>, indent: usize) -> Option<Value> {
        let text = &lines.record[rest.clone()];
        match *text.as_bytes().first()? {
            b'"' => quoted(text).map(|escaped| match escaped {
                true => Value::Json(rest),
                false => Value::Text(rest.start + 1..rest.end - 1),
            }),
            b'\'' => is_single_quoted(text).then_some(Value::Text(rest.start + 1..rest.end - 1)),
            b'|' => self.literal(lines, text, indent),
            _ if matches!(text, "[]" | "{}") => Some(Value::Json(rest)),
            _ => is_bare(text).then_some(Value::Bare(rest)),
        }
    }

    /// The value that stands below its name: a mapping, a list, or nothing.
    fn below(&mut self, lines: &mut Lines<'_>, indent: usize, level: usize) -> Option<Value> {
        let record = lines.record;
        let is_item = |line: &Line| record[line.text.clone()].starts_with("- ");
        let Some(next) =
            lines.peek().filter(|next| next.indent > indent || next.indent == indent && is_item(next))
        else {
            return Some(Value::Null);
        };
        if level == LEVELS {
            return None;
        }
        let start = self.built.len();
        match is_item(&next) {
            true => self.list(lines, next.indent)?,
            false => self.mapping(lines, next.indent, level)?,
        }
        Some(Value::Built(start..self.built.len()))
    }

    fn mapping(&mut self, lines: &mut Lines<'_>, indent: usize, level: usize) -> Option<()> {
        self.built.push(b'{');
        let first = self.built.len();
        while let Some(line) = lines.peek().filter(|line| line.indent == indent) {
            lines.pass(&line);
            let (name, rest) = lines.pair(&line)?;
            self.built.extend((self.built.len() > first).then_some(b','));
            string(lines.record[name].as_bytes(), &mut self.built);
            self.built.push(b':');
            let value = match rest.start == line.text.end {
                // What is built below stands where it belongs already.
                true => self.below(lines, indent, level + 1)?,
                false => self.value(lines, rest, indent)?,
            };
            self.append(lines.record, &value);
        }
        self.built.push(b'}');
        Some(())
    }

    fn list(&mut self, lines: &mut Lines<'_>, indent: usize) -> Option<()> {
        self.built.push(b'[');
        let first = self.built.len();
        while let Some(line) = lines.peek().filter(|line| line.indent == indent) {
            let Some(item) = lines.record[line.text.clone()].strip_prefix("- ") else { break };
            lines.pass(&line);
            self.built.extend((self.built.len() > first).then_some(b','));
            let rest = line.text.end - item.len()..line.text.end;
            let value = if item.starts_with('|') { None } else { self.value(lines, rest, indent) }?;
            self.append(lines.record, &value);
        }
        self.built.push(b']');
        Some(())
    }

    /// Appends a value as JSON, unless it was built in its place.
    fn append(&mut self, record: &str, value: &Value) {
        match value {
            Value::Text(range) => string(record[range.clone()].as_bytes(), &mut self.built),
            Value::Json(range) => self.built.extend_from_slice(record[range.clone()].as_bytes()),
            // What is odd is a member of the record itself.
            Value::Built(_) | Value::Odd(_) | Value::Parsed(_) => {}
            Value::Null => self.built.extend_from_slice(b"null"),
            Value::Bare(range) => match resolve(&record[range.clone()]) {
                Scalar::Json(json) => self.built.extend_from_slice(json.as_bytes()),
                // A bare scalar begins as no infinity does.
                Scalar::Text | Scalar::NoNumber => string(record[range.clone()].as_bytes(), &mut self.built),
            },
        }
    }

    /// The lines of a literal, as a JSON string.
    fn literal(&mut self, lines: &mut Lines<'_>, head: &str, indent: usize) -> Option<Value> {
        let ends_line = match head {
            "|" => true,
            "|-" => false,
            _ => return None,
        };
        let start = self.built.len();
        self.built.push(b'"');
        let (mut column, mut blanks) = (None, 0);
        while let Some(line) = lines.this() {
            if line.text.is_empty() {
                // Blanks of which only the parser knows whether they are indentation.
                (line.indent == 0).then_some(())?;
                blanks += 1;
                lines.pass(&line);
                continue;
            }
            if line.indent <= indent {
                break;
            }
            let first = column.is_none();
            let own = *column.get_or_insert(line.indent);
            // Blank lines before the first line, one that is indented less, and the end of the record.
            if first && blanks > 0 || line.indent < own || line.behind == line.text.end {
                return None;
            }
            let newlines = if first { 0 } else { blanks + 1 };
            self.built.extend(std::iter::repeat_n(*b"\\n", newlines).flatten());
            blanks = 0;
            let text = &lines.record[line.text.start - (line.indent - own)..line.text.end];
            is_printable(text, true).then(|| text::escape(text.as_bytes(), &mut self.built))?;
            lines.pass(&line);
        }
        column?;
        self.built.extend_from_slice(if ends_line { b"\\n\"" } else { b"\"" });
        Some(Value::Built(start..self.built.len()))
    }
}

/// A line, which begins with so many blanks.
struct Line {
    indent: usize,
    /// Behind the blanks, up to the end of the line.
    text: Range<usize>,
    /// Behind its end.
    behind: usize,
}

/// The lines of a record, one after another.
struct Lines<'record> {
    record: &'record str,
    at: usize,
    /// What stands before the first one.
    columns: usize,
}

impl Lines<'_> {
    /// The next line; none at the end of the record.
    fn this(&self) -> Option<Line> {
        let rest = self.record.as_bytes().get(self.at..).filter(|rest| !rest.is_empty())?;
        let newline = memchr(b'\n', rest);
        let end = newline.map_or(rest.len(), |end| end - usize::from(rest[..end].ends_with(b"\r")));
        let blanks = rest[..end].iter().take_while(|byte| **byte == b' ').count();
        let before = if self.at == 0 && blanks < end { self.columns } else { 0 };
        let (text, behind) =
            (self.at + blanks..self.at + end, self.at + newline.map_or(rest.len(), |end| end + 1));
        Some(Line { indent: before + blanks, text, behind })
    }

    /// The next line that is neither empty nor a comment.
    fn peek(&mut self) -> Option<Line> {
        loop {
            let line = self.this()?;
            let text = &self.record[line.text.clone()];
            let says_nothing = match text.starts_with('#') {
                true => is_printable(text, false),
                false => line.indent == 0 && text.is_empty(),
            };
            if !says_nothing {
                return Some(line);
            }
            self.pass(&line);
        }
    }

    /// Passes what belongs to a member of a mapping behind its first line: blank lines, comments, and lines that are
    /// deeper or its items.
    fn pass_member(&mut self, indent: usize) {
        while let Some(line) = self.this() {
            let text = self.record[line.text.clone()].trim_start_matches('\t');
            let belongs = line.indent > indent
                || text.is_empty()
                || text.starts_with('#')
                || line.indent == indent && (text == "-" || text.starts_with("- "));
            if !belongs {
                break;
            }
            self.pass(&line);
        }
    }

    /// Whether a parser finds the same lines: it takes a carriage return alone for the end of one, and behind it may
    /// stand what ends the document.
    fn are_those_of_a_parser(&self, range: &Range<usize>) -> bool {
        let bytes = &self.record.as_bytes()[range.clone()];
        memchr_iter(b'\r', bytes).all(|at| bytes.get(at + 1) == Some(&b'\n'))
    }

    fn pass(&mut self, line: &Line) {
        self.at = line.behind;
    }

    /// The name at the start of a line, and what stands behind its colon; nothing is an empty range.
    fn pair(&self, line: &Line) -> Option<(Range<usize>, Range<usize>)> {
        let text = &self.record[line.text.clone()];
        let (name, colon) = match text.strip_prefix('"') {
            Some(quoted) => {
                let length = memchr(b'"', quoted.as_bytes())?;
                let name = &quoted[..length];
                let has_escapes = memchr(b'\\', name.as_bytes()).is_some();
                (!has_escapes && is_printable(name, false)).then_some((1..length + 1, length + 2))?
            }
            None => {
                let length = text.bytes().position(|byte| !is_of_name(byte))?;
                (0..length, length)
            }
        };
        let begins =
            text.starts_with(|first: char| first == '"' || first == '_' || first.is_ascii_alphabetic());
        let behind = text.get(colon..)?.strip_prefix(':')?;
        let value = behind.trim_start_matches(' ');
        // A colon that ends a line or stands before a blank, and no blanks at the end.
        let fits = behind.is_empty() || value.len() < behind.len() && !value.is_empty();
        let start = line.text.start;
        (begins && fits && name.len() <= NAME)
            .then(|| (start + name.start..start + name.end, line.text.end - value.len()..line.text.end))
    }
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/')
}

/// Whether a text between double quotes has escapes; none unless they are those of JSON, and all stands on
/// this line.
fn quoted(text: &str) -> Option<bool> {
    let mut at = 1;
    let mut escaped = false;
    while let Some(found) = memchr2(b'"', b'\\', &text.as_bytes()[at..]) {
        at += found + 1;
        if text.as_bytes()[at - 1] == b'"' {
            return (at == text.len() && is_printable(text, false)).then_some(escaped);
        }
        escaped = true;
        at += match text.as_bytes().get(at)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 1,
            b'u' => {
                let digits = text.get(at + 1..at + 5).filter(|digits| !digits.starts_with('+'))?;
                char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
                5
            }
            _ => return None,
        };
    }
    None
}

/// Whether a text between single quotes holds none, and ends with this line.
fn is_single_quoted(text: &str) -> bool {
    let inner = text.get(1..).and_then(|rest| rest.strip_suffix('\''));
    inner.is_some_and(|inner| memchr(b'\'', inner.as_bytes()).is_none() && is_printable(inner, false))
}

/// Whether a text is a scalar without quotes: a careful choice of what YAML allows.
fn is_bare(text: &str) -> bool {
    let begins = match text.as_bytes() {
        [b'-', digit, ..] => digit.is_ascii_digit(),
        [first, ..] => first.is_ascii_alphanumeric() || *first == b'_' || *first >= 0x80,
        [] => false,
    };
    let ends = !text.ends_with([' ', ':']);
    begins && ends && is_printable(text, false) && !text.contains(": ") && !text.contains(" #")
}

/// Whether every character is one that YAML has as it is (YAML 1.2.2, section 5.1) and no reader takes for
/// the end of a line.
fn is_printable(text: &str, tabs: bool) -> bool {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') || tabs && byte == b'\t';
    let unusual = |character: char| {
        matches!(
            character,
            '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
    };
    match text.is_ascii() {
        true => text.bytes().all(plain),
        false => {
            text.chars().all(|c| u8::try_from(c).map_or(!unusual(c), |byte| plain(byte) || byte >= 0xa0))
        }
    }
}
