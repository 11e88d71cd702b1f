//! CSV with a header row, in the form that [`crate::format::csv`] reads back.

use std::borrow::Cow;

use super::json::compact;
use super::{Encoder, Writer};
use crate::format::csv::decode::EXTRA;
use crate::format::instant;
use crate::format::json::{elements, text};
use crate::record::{Rows, Value};

pub(in crate::format) struct Csv;

impl Writer for Csv {
    fn name(&self, name: &str) -> Vec<u8> {
        let mut out = Vec::new();
        cell(name.as_bytes(), &mut out);
        out
    }

    fn head(&self, encoder: &Encoder) -> Vec<u8> {
        let extra = encoder.shape.extra.then_some(EXTRA.as_bytes());
        let names: Vec<&[u8]> = encoder.fields.iter().map(|(_, name)| &name[..]).chain(extra).collect();
        let mut out = names.join(&b',');
        out.push(b'\n');
        out
    }

    fn between(&self) -> &'static [u8] {
        b""
    }

    fn tail(&self, _empty: bool) -> &'static [u8] {
        b""
    }

    fn row(&self, encoder: &Encoder, rows: &Rows, row: usize, _number: u64, part: &mut Vec<u8>) {
        for (index, (slot, _)) in encoder.fields.iter().enumerate() {
            if index > 0 {
                part.push(b',');
            }
            match rows.value(row, *slot) {
                Value::Missing => {}
                Value::Text(bytes) => cell(bytes, part),
                Value::Instant(instant) => instant::write(instant, part),
                Value::Json(bytes) if bytes.first() == Some(&b'[') => array(bytes, part),
                Value::Json(bytes) => json(bytes, part),
            }
        }
        if encoder.shape.extra {
            part.push(b',');
            let mut members = Vec::new();
            encoder.extra(rows, row, &mut members);
            if !members.is_empty() {
                let object = [b"{", &members[..], b"}"].concat();
                cell(&object, part);
            }
        }
        part.push(b'\n');
    }
}

/// Appends an array: its elements with commas between them where that can be read back, otherwise as JSON.
fn array(array: &[u8], part: &mut Vec<u8>) {
    let array_text = String::from_utf8_lossy(array);
    let mut joined = Vec::new();
    for (index, element) in elements(&array_text).enumerate() {
        match plain_element(element).filter(|element| index > 0 || !element.starts_with('[')) {
            Some(element) => {
                if index > 0 {
                    joined.push(b',');
                }
                joined.extend_from_slice(element.as_bytes());
            }
            None => return json(array, part),
        }
    }
    match joined.is_empty() {
        true => json(array, part),
        false => cell(&joined, part),
    }
}

/// The text of an element that may stand between commas.
fn plain_element(element: &str) -> Option<Cow<'_, str>> {
    let raw = element.strip_prefix('"')?.strip_suffix('"')?;
    let plain = if raw.contains('\\') {
        let mut plain = Vec::new();
        text::unescape(raw, &mut plain).ok()?;
        Cow::Owned(String::from_utf8(plain).ok()?)
    } else {
        Cow::Borrowed(raw)
    };
    let at_edge = |found: Option<char>| found.is_none_or(char::is_whitespace);
    let edged = at_edge(plain.chars().next()) || at_edge(plain.chars().next_back());
    (!edged && !plain.contains(',')).then_some(plain)
}

fn json(json: &[u8], part: &mut Vec<u8>) {
    let mut compacted = Vec::with_capacity(json.len());
    compact(json, &mut compacted);
    cell(&compacted, part);
}

/// Appends a text that is there, in quotes where it must be.
fn cell(text: &[u8], part: &mut Vec<u8>) {
    let special = |byte: u8| matches!(byte, b',' | b'"' | b'\n' | b'\r');
    let edge = |byte: Option<&u8>| byte.is_none_or(|byte| *byte == b' ');
    let quoted =
        edge(text.first()) || edge(text.last()) || text.iter().fold(false, |any, byte| any | special(*byte));
    if !quoted {
        part.extend_from_slice(text);
        return;
    }
    part.push(b'"');
    let mut rest = text;
    while let Some(quote) = memchr::memchr(b'"', rest) {
        part.extend_from_slice(&rest[..=quote]);
        part.push(b'"');
        rest = &rest[quote + 1..];
    }
    part.extend_from_slice(rest);
    part.push(b'"');
}
