//! Markdown in the form that [`crate::format::markdown`] reads back.

use super::json::compact;
use super::{Encoder, Writer, add_member, is_scalar};
use crate::format::csv::decode::EXTRA;
use crate::format::instant;
use crate::format::json::{elements, members, text};
use crate::record::{Rows, Value};

pub(in crate::format) struct Markdown;

impl Writer for Markdown {
    fn name(&self, name: &str) -> Vec<u8> {
        name.as_bytes().to_vec()
    }

    fn head(&self, _encoder: &Encoder) -> Vec<u8> {
        Vec::new()
    }

    fn between(&self) -> &'static [u8] {
        b""
    }

    fn tail(&self, _empty: bool) -> &'static [u8] {
        b""
    }

    fn row(&self, encoder: &Encoder, rows: &Rows, row: usize, number: u64, part: &mut Vec<u8>) {
        if number > 1 {
            part.push(b'\n');
        }
        part.extend_from_slice(format!("## Item {number}\n").as_bytes());
        let mut extra = Vec::new();
        encoder.extra(rows, row, &mut extra);
        for (slot, name) in &encoder.fields {
            // Said as those outside the schema are.
            if !std::str::from_utf8(name).is_ok_and(is_name) {
                add_member(name, &rows.value(row, *slot), &mut extra);
                continue;
            }
            match rows.value(row, *slot) {
                Value::Missing => {}
                Value::Text(plain) => text_field(name, plain, part),
                Value::Instant(instant) => {
                    begin(name, part);
                    part.push(b' ');
                    instant::write(instant, part);
                    part.push(b'\n');
                }
                Value::Json(json) if is_scalar(json) => text_field(name, json, part),
                Value::Json(json) => match plain_array(&String::from_utf8_lossy(json)) {
                    Some(joined) => text_field(name, joined.as_bytes(), part),
                    None => code(name, json, part),
                },
            }
        }
        others(&[b"{", &extra[..], b"}"].concat(), part);
    }
}

/// Appends the fields outside the schema; those whose names a line cannot say go into one of their own.
fn others(object: &[u8], part: &mut Vec<u8>) {
    let object = String::from_utf8_lossy(object);
    let mut unnamed = String::new();
    for (raw, value) in members(&object) {
        if raw == EXTRA || !is_name(raw) {
            unnamed.push(if unnamed.is_empty() { '{' } else { ',' });
            unnamed.push_str(&format!("\"{raw}\":{value}"));
            continue;
        }
        let mut plain = Vec::new();
        match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(contents) if text::unescape(contents, &mut plain).is_ok() => {
                text_field(raw.as_bytes(), &plain, part);
            }
            _ => code(raw.as_bytes(), value.as_bytes(), part),
        }
    }
    if !unnamed.is_empty() {
        unnamed.push('}');
        code(EXTRA.as_bytes(), unnamed.as_bytes(), part);
    }
}

/// Whether a name, as it stands in JSON, can stand between the stars.
fn is_name(raw: &str) -> bool {
    !raw.is_empty() && !raw.contains(['\\', '*', ':']) && raw.trim() == raw
}

/// The elements of an array with commas between them, where that reads back.
fn plain_array(json: &str) -> Option<String> {
    if !json.starts_with('[') || json == "[]" {
        return None;
    }
    let plain = |element: &str| {
        let plain = element.strip_prefix('"')?.strip_suffix('"')?.to_owned();
        let careful =
            plain.contains(['\\', ',', '`', '\n', '\r']) || plain.is_empty() || plain.trim() != plain;
        (!careful).then_some(plain)
    };
    let elements: Option<Vec<String>> = elements(json).map(plain).collect();
    elements.map(|elements| elements.join(", "))
}

fn begin(name: &[u8], part: &mut Vec<u8>) {
    part.extend_from_slice(b"**");
    part.extend_from_slice(name);
    part.extend_from_slice(b":**");
}

/// Appends a text: on the line where it reads back from there, otherwise in a fence.
fn text_field(name: &[u8], plain: &[u8], part: &mut Vec<u8>) {
    begin(name, part);
    let value = String::from_utf8_lossy(plain);
    let on_line = !value.contains(['\n', '\r']) && value.trim() == value && !value.starts_with('`');
    if on_line {
        if !value.is_empty() {
            part.push(b' ');
            part.extend_from_slice(plain);
        }
        part.push(b'\n');
        return;
    }
    let fence = "`".repeat(longest_run(plain).max(2) + 1);
    part.push(b'\n');
    for piece in [fence.as_bytes(), b"\n", plain, b"\n", fence.as_bytes(), b"\n"] {
        part.extend_from_slice(piece);
    }
}

/// Backticks in a row, at most.
fn longest_run(plain: &[u8]) -> usize {
    plain.split(|byte| *byte != b'`').map(<[u8]>::len).max().unwrap_or_default()
}

/// Appends JSON between backticks.
fn code(name: &[u8], json: &[u8], part: &mut Vec<u8>) {
    begin(name, part);
    part.extend_from_slice(b" `");
    let mut compacted = Vec::new();
    compact(json, &mut compacted);
    // A backtick can only stand in a string there, and so can its escape.
    part.extend_from_slice(String::from_utf8_lossy(&compacted).replace('`', "\\u0060").as_bytes());
    part.extend_from_slice(b"`\n");
}
