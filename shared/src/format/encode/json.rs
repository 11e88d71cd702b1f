//! JSON: an array with one record per line, or the lines alone.

use super::{Encoder, Writer};
use crate::format::instant;
use crate::format::json::text;
use crate::record::{Rows, Value};

/// Between two records; the line ends before each record, so that an empty array is `[]`.
const BETWEEN: &[u8] = b",";

pub(in crate::format) struct Json;

/// One record per line, and nothing else.
pub(in crate::format) struct Lines;

impl Writer for Json {
    fn name(&self, name: &str) -> Vec<u8> {
        member_name(name)
    }

    fn head(&self, _encoder: &Encoder) -> Vec<u8> {
        b"[".to_vec()
    }

    fn between(&self) -> &'static [u8] {
        BETWEEN
    }

    fn tail(&self, empty: bool) -> &'static [u8] {
        if empty { b"]\n" } else { b"\n]\n" }
    }

    fn row(&self, encoder: &Encoder, rows: &Rows, row: usize, _number: u64, part: &mut Vec<u8>) {
        if !part.is_empty() {
            part.extend_from_slice(BETWEEN);
        }
        part.push(b'\n');
        object(encoder, rows, row, part);
    }
}

impl Writer for Lines {
    fn name(&self, name: &str) -> Vec<u8> {
        member_name(name)
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

    fn row(&self, encoder: &Encoder, rows: &Rows, row: usize, _number: u64, part: &mut Vec<u8>) {
        object(encoder, rows, row, part);
        part.push(b'\n');
    }
}

/// A field's name as it stands before its value.
fn member_name(name: &str) -> Vec<u8> {
    let mut out = vec![b'"'];
    text::escape(name.as_bytes(), &mut out);
    out.extend_from_slice(b"\":");
    out
}

/// Appends a row as an object.
fn object(encoder: &Encoder, rows: &Rows, row: usize, part: &mut Vec<u8>) {
    part.push(b'{');
    let start = part.len();
    let separate = |part: &mut Vec<u8>| {
        if part.len() > start {
            part.push(b',');
        }
    };
    for (slot, name) in &encoder.fields {
        let value = rows.value(row, *slot);
        if value == Value::Missing {
            continue;
        }
        separate(part);
        part.extend_from_slice(name);
        match value {
            Value::Missing => {}
            Value::Text(bytes) => {
                part.push(b'"');
                text::escape(bytes, part);
                part.push(b'"');
            }
            Value::Instant(instant) => {
                part.push(b'"');
                instant::write(instant, part);
                part.push(b'"');
            }
            Value::Json(bytes) => compact(bytes, part),
        }
    }
    separate(part);
    let before = part.len();
    encoder.extra(rows, row, part);
    if part.len() == before && before > start {
        part.pop();
    }
    part.push(b'}');
}

/// Appends valid JSON without white space: PostgreSQL writes a blank behind every colon and comma.
pub(super) fn compact(json: &[u8], out: &mut Vec<u8>) {
    let is_white = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    if !json.iter().fold(false, |any, byte| any | is_white(*byte)) {
        out.extend_from_slice(json);
        return;
    }
    let mut rest = json;
    while let Some(quote) = memchr::memchr(b'"', rest) {
        out.extend(rest[..quote].iter().filter(|byte| !is_white(**byte)));
        let text = &rest[quote..];
        let mut end = 1;
        while let Some(found) = memchr::memchr2(b'"', b'\\', text.get(end..).unwrap_or_default()) {
            end += found + 1;
            if text[end - 1] == b'"' {
                break;
            }
            end += 1;
        }
        let (text, behind) = text.split_at(end.min(text.len()));
        out.extend_from_slice(text);
        rest = behind;
    }
    out.extend(rest.iter().filter(|byte| !is_white(**byte)));
}

#[cfg(test)]
mod tests {
    #[test]
    fn white_space_outside_texts_goes() {
        let cases = [
            (r#"{"a": [1, 2], "b c": "d, \" e"}"#, r#"{"a":[1,2],"b c":"d, \" e"}"#),
            (r#""a": 1, "\\": " ""#, r#""a":1,"\\":" ""#),
            ("[1,2]", "[1,2]"),
            ("", ""),
        ];
        for (json, expected) in cases {
            let mut out = Vec::new();
            super::compact(json.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
