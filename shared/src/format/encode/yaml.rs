//! YAML in the form that [`crate::format::yaml`] reads back: a block sequence of block mappings.

use super::json::compact;
use super::{Encoder, Writer};
use crate::format::instant;
use crate::format::json::{elements, members, text};
use crate::format::members::string;
use crate::record::{Rows, Value};

pub(in crate::format) struct Yaml;

impl Writer for Yaml {
    fn name(&self, name: &str) -> Vec<u8> {
        let mut out = Vec::new();
        scalar(name, &mut out);
        out
    }

    fn head(&self, _encoder: &Encoder) -> Vec<u8> {
        Vec::new()
    }

    fn between(&self) -> &'static [u8] {
        b""
    }

    fn tail(&self, empty: bool) -> &'static [u8] {
        if empty { b"[]\n" } else { b"" }
    }

    fn row(&self, encoder: &Encoder, rows: &Rows, row: usize, _number: u64, part: &mut Vec<u8>) {
        let start = part.len();
        for (slot, name) in &encoder.fields {
            let value = rows.value(row, *slot);
            if value == Value::Missing {
                continue;
            }
            part.extend_from_slice(b"  ");
            part.extend_from_slice(name);
            part.push(b':');
            match value {
                Value::Missing => {}
                Value::Text(plain) => {
                    part.push(b' ');
                    scalar(&String::from_utf8_lossy(plain), part);
                }
                Value::Instant(instant) => {
                    part.extend_from_slice(b" \"");
                    instant::write(instant, part);
                    part.push(b'"');
                }
                Value::Json(json) => below(&String::from_utf8_lossy(json), 1, part),
            }
            part.push(b'\n');
        }
        let mut extra = Vec::new();
        encoder.extra(rows, row, &mut extra);
        let object = [b"{", &extra[..], b"}"].concat();
        for (raw, value) in members(&String::from_utf8_lossy(&object)) {
            part.extend_from_slice(b"  ");
            key(raw, b"\n  ", part);
            below(value, 1, part);
            part.push(b'\n');
        }
        // A record has a key, so its first line is there.
        if let Some(first) = part.get_mut(start) {
            *first = b'-';
        }
    }
}

/// Appends a value behind `name:`, the mapping of which is indented by `level` twice.
fn below(value: &str, level: usize, part: &mut Vec<u8>) {
    let indent = format!("\n{:1$}", "", 2 * (level + 1));
    let indent = indent.as_bytes();
    if value.starts_with('{') && members(value).next().is_some() {
        for (raw, value) in members(value) {
            part.extend_from_slice(indent);
            key(raw, indent, part);
            below(value, level + 1, part);
        }
    } else if value.starts_with('[') && elements(value).next().is_some() {
        for element in elements(value) {
            part.extend_from_slice(indent);
            part.extend_from_slice(b"- ");
            flow(element, part);
        }
    } else {
        part.push(b' ');
        flow(value, part);
    }
}

/// Appends a value on one line.
fn flow(value: &str, part: &mut Vec<u8>) {
    match value.as_bytes().first() {
        Some(b'"') => scalar_of(value, part),
        Some(b'{') => {
            part.push(b'{');
            for (index, (raw, value)) in members(value).enumerate() {
                if index > 0 {
                    part.extend_from_slice(b", ");
                }
                key(raw, b" ", part);
                part.push(b' ');
                flow(value, part);
            }
            part.push(b'}');
        }
        Some(b'[') => {
            part.push(b'[');
            for (index, element) in elements(value).enumerate() {
                if index > 0 {
                    part.extend_from_slice(b", ");
                }
                flow(element, part);
            }
            part.push(b']');
        }
        _ => compact(value.as_bytes(), part),
    }
}

/// Characters in which parsers look for the colon behind a name (YAML 1.2.2, section 7.4.2).
const SIMPLE_KEY: usize = 1_024;

/// Appends a name, given as it stands in JSON without its quotes, and the colon behind it. A name that is too
/// long to be known by its colon is announced; `between` then stands before the colon.
fn key(raw: &str, between: &[u8], part: &mut Vec<u8>) {
    let start = part.len();
    scalar_of(&format!("\"{raw}\""), part);
    if part.len() - start >= SIMPLE_KEY {
        part.splice(start..start, *b"? ");
        part.extend_from_slice(between);
    }
    part.push(b':');
}

/// Appends a JSON string.
fn scalar_of(quoted: &str, part: &mut Vec<u8>) {
    let mut plain = Vec::new();
    let raw = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    // What is stored has been unescaped once before.
    let _ = text::unescape(raw, &mut plain);
    scalar(&String::from_utf8_lossy(&plain), part);
}

/// Appends a text: plain where every reader takes it for a text, otherwise between double quotes.
fn scalar(plain: &str, part: &mut Vec<u8>) {
    if is_plain(plain) {
        part.extend_from_slice(plain.as_bytes());
        return;
    }
    let mut quoted = Vec::with_capacity(plain.len() + 2);
    string(plain.as_bytes(), &mut quoted);
    let quoted = String::from_utf8_lossy(&quoted);
    let mut rest = &quoted[..];
    // What JSON may hold as it is and YAML may not, or reads as the end of a line (YAML 1.2.2, section 5.1).
    while let Some(at) = rest.find(|character: char| {
        matches!(
            character,
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
    }) {
        let character = rest[at..].chars().next().unwrap_or_default();
        part.extend_from_slice(&rest.as_bytes()[..at]);
        part.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes());
        rest = &rest[at + character.len_utf8()..];
    }
    part.extend_from_slice(rest.as_bytes());
}

/// Words that some reader takes for something else than a text.
const WORDS: [&str; 11] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "inf", "nan"];

/// Whether a text can stand without quotes: a careful choice of what YAML allows.
fn is_plain(plain: &str) -> bool {
    let begins = |character: char| character.is_ascii_alphabetic() || character == '_';
    let goes_on = |character: char| {
        begins(character) || character.is_ascii_digit() || matches!(character, '-' | '.' | '/')
    };
    plain.starts_with(begins)
        && plain.chars().all(goes_on)
        && !WORDS.iter().any(|word| plain.eq_ignore_ascii_case(word))
}
