//! How refused records stand in a file of their own format, ready to be corrected and handed back: the bytes
//! of each as they were, with what is wrong with it in a field of its own, which no import reads.

mod stale;

use std::borrow::Cow;

use super::json::Shape;
use super::{Format, SourceFacts, json, yaml};
use crate::fault::{Reject, Stage};
use crate::format::members::string;

/// The field that says what is wrong with a record. Nothing of this name is ever imported.
pub const ERROR: &str = "_error";

/// Bytes of the text that says it.
const ERROR_BYTES: usize = 2 * 1024;

/// Writes refused records of one source as a file like that source.
#[derive(Debug)]
pub struct Sheet {
    facts: SourceFacts,
    /// The name of the elements of XML that are records.
    item: String,
    /// Whether each record says what is wrong with it.
    explained: bool,
    written: u64,
}

impl Sheet {
    /// For records of this source, with or without what is wrong with them.
    pub fn new(mut facts: SourceFacts, explained: bool) -> Self {
        // One after another they could be taken for lines; in an array they are what they were.
        if let SourceFacts::Json(facts) = &mut facts
            && facts.shape == Shape::Values
        {
            facts.shape = Shape::Array;
        }
        Self { facts, item: "item".to_owned(), explained, written: 0 }
    }

    /// The format of the file. One of lines says so, for a broken first line could mislead.
    pub fn format(&self) -> Format {
        match &self.facts {
            SourceFacts::Json(facts) if facts.shape == Shape::Lines => Format::Ndjson,
            facts => facts.format(),
        }
    }

    /// What is known of the source.
    pub fn facts(&self) -> &SourceFacts {
        &self.facts
    }

    /// Whether each record says what is wrong with it. Without that nothing is written for what cannot stand
    /// in the file.
    pub fn is_explained(&self) -> bool {
        self.explained
    }

    /// What stands before the first record.
    pub fn head(&self) -> Vec<u8> {
        match &self.facts {
            SourceFacts::Json(facts) if facts.shape == Shape::Array => b"[".to_vec(),
            SourceFacts::Json(_) | SourceFacts::Yaml(_) | SourceFacts::Markdown(_) => Vec::new(),
            SourceFacts::Csv(facts) => {
                let error = self.explained.then_some(ERROR);
                let columns = facts.columns.iter().map(String::as_str);
                let names = error.into_iter().chain(columns.filter(|name| Some(*name) != error));
                let cells: Vec<Vec<u8>> =
                    names.map(|name| quoted(name.as_bytes(), facts.dialect.quote)).collect();
                let mut row = cells.join(&facts.dialect.delimiter);
                row.push(b'\n');
                row
            }
            SourceFacts::Xml(facts) => format!("<{}>\n", root(facts)).into_bytes(),
        }
    }

    /// What stands behind the last record.
    pub fn tail(&self) -> Vec<u8> {
        match &self.facts {
            SourceFacts::Json(facts) if facts.shape == Shape::Array => b"\n]\n".to_vec(),
            SourceFacts::Xml(facts) => format!("</{}>\n", root(facts)).into_bytes(),
            _ => Vec::new(),
        }
    }

    /// A record as it stood, with what is wrong with it.
    pub fn record(&mut self, frame: &[u8], error: &str) -> Vec<u8> {
        let error = self.explained.then_some(error);
        let mut out = Vec::with_capacity(frame.len() + 64);
        self.announce(&mut out);
        match &self.facts {
            SourceFacts::Json(_) => object(frame, error, &mut out),
            SourceFacts::Csv(facts) => {
                if let Some(error) = error {
                    out.extend_from_slice(&quoted(error.as_bytes(), facts.dialect.quote));
                    out.push(facts.dialect.delimiter);
                }
                let former = facts.columns.iter().position(|name| error.is_some() && name == ERROR);
                out.extend_from_slice(&match former {
                    Some(cell) => stale::row(frame, cell, facts.dialect),
                    None => Cow::Borrowed(frame),
                });
            }
            SourceFacts::Xml(_) => {
                if let Some(name) = name(frame) {
                    self.item = name.to_owned();
                }
                element(frame, error, &mut out);
            }
            SourceFacts::Yaml(facts) => mapping(facts.shape, frame, error, &mut out),
            SourceFacts::Markdown(_) => item(frame, error, &mut out),
        }
        self.end(&mut out);
        out
    }

    /// What stands for a record that cannot stand in such a file: nothing but what is wrong with it.
    pub fn left_out(&mut self, error: &str) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.explained {
            return out;
        }
        self.announce(&mut out);
        match &self.facts {
            SourceFacts::Json(_) => object(b"{}", Some(error), &mut out),
            SourceFacts::Csv(facts) => {
                out.extend_from_slice(&quoted(error.as_bytes(), facts.dialect.quote));
                let others = facts.columns.iter().filter(|name| *name != ERROR).count();
                out.extend(std::iter::repeat_n(facts.dialect.delimiter, others));
            }
            SourceFacts::Xml(_) => {
                element(format!("<{0}></{0}>", self.item).as_bytes(), Some(error), &mut out);
            }
            SourceFacts::Yaml(facts) => {
                out.truncate(out.len() - announced(facts.shape).len());
                let lead = if facts.shape == yaml::Shape::Documents { "---\n" } else { "" };
                out.extend_from_slice(lead.as_bytes());
                if let yaml::Shape::Sequence { indent } = facts.shape {
                    out.extend_from_slice(" ".repeat(indent as usize).as_bytes());
                    out.extend_from_slice(b"- ");
                }
                out.extend_from_slice(ERROR.as_bytes());
                out.extend_from_slice(b": ");
                string(error.as_bytes(), &mut out);
            }
            SourceFacts::Markdown(_) => item(b"", Some(error), &mut out),
        }
        self.end(&mut out);
        out
    }

    fn announce(&mut self, out: &mut Vec<u8>) {
        self.written += 1;
        match &self.facts {
            SourceFacts::Json(facts) if facts.shape == Shape::Array => {
                out.extend_from_slice(if self.written == 1 { b"\n" } else { b",\n" });
            }
            SourceFacts::Json(_) | SourceFacts::Csv(_) => {}
            SourceFacts::Xml(_) => out.extend_from_slice(b"  "),
            SourceFacts::Yaml(facts) => out.extend_from_slice(announced(facts.shape).as_bytes()),
            SourceFacts::Markdown(_) => {
                out.extend_from_slice(if self.written == 1 { b"## Item " } else { b"\n## Item " });
                out.extend_from_slice(self.written.to_string().as_bytes());
            }
        }
    }

    fn end(&self, out: &mut Vec<u8>) {
        let array = matches!(self.facts, SourceFacts::Json(json::Facts { shape: Shape::Array, .. }));
        if !array && out.last() != Some(&b'\n') {
            out.push(b'\n');
        }
    }
}

/// Whether a reject is a record that can be read by itself. Where framing broke off, it is all that follows;
/// and one that ended its workers is not to be read again.
pub fn is_record(reject: &Reject) -> bool {
    reject.faults.first().is_none_or(|fault| {
        !matches!(fault.stage, Stage::Open | Stage::Frame)
            // Of all codes only those of headers of CSV have this.
            && !fault.code.contains("header_")
            && fault.code != "record.poison"
    })
}

/// Whether a record can stand among others in a file that every reader of its format takes. Where a format
/// has lines, a broken one disturbs no other.
pub fn can_stand(facts: &SourceFacts, reject: &Reject, frame: &[u8]) -> bool {
    let is_broken = || {
        let codes = ["json.invalid", "xml.invalid", "yaml.invalid"];
        std::str::from_utf8(frame).is_err()
            || reject.faults.iter().any(|fault| fault.field.is_none() && codes.contains(&&*fault.code))
    };
    match facts {
        SourceFacts::Json(facts) if facts.shape == Shape::Lines => true,
        SourceFacts::Json(_) | SourceFacts::Xml(_) | SourceFacts::Yaml(_) => !is_broken(),
        SourceFacts::Csv(_) | SourceFacts::Markdown(_) => true,
    }
}

/// All that is wrong with a record, on one line.
pub fn explanation(reject: &Reject) -> String {
    let mut text = String::new();
    for fault in &reject.faults {
        let separator = if text.is_empty() { "" } else { "; " };
        let field = fault.field.as_ref().map(|field| format!(" in {field}")).unwrap_or_default();
        text.push_str(&format!("{separator}{}{field}: {}", fault.code, fault.message));
        if text.len() > ERROR_BYTES {
            let end = (0..=ERROR_BYTES).rev().find(|&end| text.is_char_boundary(end)).unwrap_or_default();
            text.truncate(end);
            text.push_str(" …");
            break;
        }
    }
    text.replace(|character: char| character.is_control() || "\u{fffe}\u{ffff}".contains(character), " ")
}

fn root(facts: &super::xml::Facts) -> &str {
    if facts.root.is_empty() { "data" } else { &facts.root }
}

/// A cell in quotes.
fn quoted(text: &[u8], quote: u8) -> Vec<u8> {
    let mut cell = vec![quote];
    for &byte in text {
        cell.extend(std::iter::repeat_n(byte, if byte == quote { 2 } else { 1 }));
    }
    cell.push(quote);
    cell
}

/// An object whose first member says what is wrong. What is no object stands as it is.
fn object(frame: &[u8], error: Option<&str>, out: &mut Vec<u8>) {
    let Some(error) = error.filter(|_| frame.starts_with(b"{")) else { return out.extend_from_slice(frame) };
    let frame = stale::object(frame);
    let rest = &frame[1..];
    out.push(b'{');
    string(ERROR.as_bytes(), out);
    out.push(b':');
    string(error.as_bytes(), out);
    if rest.trim_ascii_start().first() != Some(&b'}') {
        out.push(b',');
    }
    out.extend_from_slice(rest);
}

/// An element whose first child says what is wrong.
fn element(frame: &[u8], error: Option<&str>, out: &mut Vec<u8>) {
    let Some((error, end)) = error.zip(tag_end(frame)) else {
        return out.extend_from_slice(frame);
    };
    let frame = stale::element(frame, end + 1);
    let empty = frame[..end].ends_with(b"/");
    out.extend_from_slice(&frame[..end - usize::from(empty)]);
    out.extend_from_slice(format!("><{ERROR}>").as_bytes());
    for character in error.chars() {
        match character {
            '&' => out.extend_from_slice(b"&amp;"),
            '<' => out.extend_from_slice(b"&lt;"),
            '>' => out.extend_from_slice(b"&gt;"),
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.extend_from_slice(format!("</{ERROR}>").as_bytes());
    if empty {
        out.extend_from_slice(format!("</{}>", name(&frame).unwrap_or_default()).as_bytes());
    }
    out.extend_from_slice(&frame[end + 1..]);
}

/// The name of the element.
fn name(frame: &[u8]) -> Option<&str> {
    let tag = frame.strip_prefix(b"<")?;
    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>');
    let length = tag.iter().position(ends)?;
    std::str::from_utf8(&tag[..length]).ok().filter(|name| !name.is_empty())
}

/// Where the `>` of the first tag stands.
fn tag_end(frame: &[u8]) -> Option<usize> {
    let mut quote = None;
    frame.iter().position(|&byte| match quote {
        Some(open) => {
            quote = (byte != open).then_some(open);
            false
        }
        None => {
            quote = matches!(byte, b'"' | b'\'').then_some(byte);
            byte == b'>'
        }
    })
}

/// What stands before the first byte of a YAML record.
fn announced(shape: yaml::Shape) -> String {
    match shape {
        yaml::Shape::Sequence { indent } => format!("{}-", " ".repeat(indent as usize)),
        yaml::Shape::Documents => "---\n".to_owned(),
    }
}

/// A mapping whose first pair says what is wrong; a comment says it where the record does not begin with a key.
fn mapping(shape: yaml::Shape, frame: &[u8], error: Option<&str>, out: &mut Vec<u8>) {
    let Some(error) = error else { return out.extend_from_slice(frame) };
    let frame = stale::comments(frame);
    let blanks = frame.iter().take_while(|byte| **byte == b' ').count();
    let (lead, rest) = frame.split_at(blanks);
    let mut pair = ERROR.as_bytes().to_vec();
    pair.extend_from_slice(b": ");
    string(error.as_bytes(), &mut pair);
    match rest.first() {
        Some(b'{') => {
            let rest = stale::object(rest);
            out.extend_from_slice(lead);
            out.push(b'{');
            out.extend_from_slice(&pair);
            if rest[1..].trim_ascii_start().first() != Some(&b'}') {
                out.extend_from_slice(b", ");
            }
            out.extend_from_slice(&rest[1..]);
        }
        _ if begins_with_key(rest) => {
            let column = match shape {
                yaml::Shape::Sequence { indent } => indent as usize + 1 + blanks,
                yaml::Shape::Documents => blanks,
            };
            out.extend_from_slice(lead);
            out.extend_from_slice(&pair);
            out.push(b'\n');
            out.extend_from_slice(" ".repeat(column).as_bytes());
            out.extend_from_slice(stale::mapping(rest, column));
        }
        _ => {
            let at = out.len() - announced(shape).len();
            let comment = format!("# {ERROR}: {error}\n");
            out.splice(at..at, comment.into_bytes());
            out.extend_from_slice(frame);
        }
    }
}

/// Whether YAML begins with a key of a block mapping, plain or in quotes, and is no scalar that looks like one.
fn begins_with_key(text: &[u8]) -> bool {
    let line = text.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    let end = match line.first() {
        Some(quote @ (b'"' | b'\'')) => {
            let mut inside = line[1..].iter().enumerate().peekable();
            let mut end = None;
            while let Some((at, byte)) = inside.next() {
                match (quote, byte) {
                    (b'"', b'\\') => drop(inside.next()),
                    (b'\'', b'\'') if inside.next_if(|(_, next)| **next == b'\'').is_some() => {}
                    _ if byte == quote => {
                        end = Some(at + 2);
                        break;
                    }
                    _ => {}
                }
            }
            end
        }
        Some(byte) if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | 0x80..) => {
            let mut pairs = line.windows(2);
            let end = pairs.position(|pair| matches!(pair, b": " | b":\t" | b" #" | b"\t#"));
            end.or_else(|| line.ends_with(b":").then(|| line.len() - 1))
        }
        _ => None,
    };
    let behind = end.map(|end| line[end..].trim_ascii_start());
    behind.is_some_and(|behind| behind.starts_with(b":"))
}

/// A Markdown record, whose frame begins with the rest of its heading. What is wrong stands behind it: before it,
/// lines without a name would become part of it.
fn item(frame: &[u8], error: Option<&str>, out: &mut Vec<u8>) {
    let frame = if error.is_some() { stale::item(frame) } else { frame };
    let end = frame.iter().position(|byte| *byte == b'\n').map_or(frame.len(), |end| end + 1);
    out.push(b'\n');
    out.extend_from_slice(&frame[end..]);
    if out.last() != Some(&b'\n') {
        out.push(b'\n');
    }
    if let Some(error) = error {
        out.extend_from_slice(format!("**{ERROR}:** {error}\n").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scalar_of_yaml_is_told_from_a_key() {
        for key in [
            "a: 1",
            "a:",
            "a:\n  b: 1",
            "a b : 1",
            "\"a\": 1",
            "\"a: \\\" b\" : 1",
            "'a': 1",
            "'it''s': 1",
            "_a:\t1",
            "é: 1",
            "7: x",
            "a#b: 1",
        ] {
            assert!(begins_with_key(key.as_bytes()), "{key}");
        }
        for scalar in [
            "42",
            "plain",
            "plain\n  more: text",
            "\"q\"",
            "\"a: b\"",
            "'it: is'",
            "http://a.b",
            "12:30",
            "a # b: 1",
            "\"open",
            "- a: 1",
            "|",
            "*a",
            "&a b: 1",
            "",
        ] {
            assert!(!begins_with_key(scalar.as_bytes()), "{scalar}");
        }
    }
}
