//! XML in the form that [`crate::format::xml`] reads back.

use super::{Encoder, Writer, add_member, is_scalar};
use crate::format::csv::decode::EXTRA;
use crate::format::instant;
use crate::format::json::{elements, members, text};
use crate::format::xml::tree::TYPE;
use crate::limits;
use crate::record::{Rows, Value};

pub(in crate::format) struct Xml;

/// What an element with JSON in it has behind its name. The prefix is declared in place: mostly there is
/// none, and the root then is the plain `<data>`.
const JSON: &str = " xmlns:carrack=\"urn:carrack\"";

impl Writer for Xml {
    fn name(&self, name: &str) -> Vec<u8> {
        name.as_bytes().to_vec()
    }

    fn head(&self, _encoder: &Encoder) -> Vec<u8> {
        b"<data>\n".to_vec()
    }

    fn between(&self) -> &'static [u8] {
        b""
    }

    fn tail(&self, _empty: bool) -> &'static [u8] {
        b"</data>\n"
    }

    fn row(&self, encoder: &Encoder, rows: &Rows, row: usize, _number: u64, part: &mut Vec<u8>) {
        part.extend_from_slice(b"  <item>\n");
        let mut extra = Vec::new();
        encoder.extra(rows, row, &mut extra);
        for (slot, name) in &encoder.fields {
            // Said as those outside the schema are.
            if !std::str::from_utf8(name).is_ok_and(is_name) {
                add_member(name, &rows.value(row, *slot), &mut extra);
                continue;
            }
            let value = rows.value(row, *slot);
            if value != Value::Missing {
                field(name, value, part);
            }
        }
        others(&[b"{", &extra[..], b"}"].concat(), part);
        part.extend_from_slice(b"  </item>\n");
    }
}

/// Appends a field of the schema.
fn field(name: &[u8], value: Value<'_>, part: &mut Vec<u8>) {
    match value {
        Value::Missing => {}
        Value::Text(plain) => line(part, |part| element(name, plain, part)),
        Value::Instant(instant) => line(part, |part| {
            open(name, part);
            instant::write(instant, part);
            close(name, part);
        }),
        Value::Json(json) if is_scalar(json) => line(part, |part| element(name, json, part)),
        Value::Json(json) => {
            let json = String::from_utf8_lossy(json);
            // The type says that it is an array, so one element is enough; but an empty text would be none.
            let plain = json.starts_with('[')
                && json != "[\"\"]"
                && elements(&json).all(|element| element.starts_with('"'));
            if plain && json != "[]" {
                for element in elements(&json) {
                    line(part, |part| member(name, element, ROOM, part));
                }
            } else {
                line(part, |part| member(name, &json, ROOM, part));
            }
        }
    }
}

/// Appends the fields outside the schema; those whose names no element can have go into one of their own.
fn others(object: &[u8], part: &mut Vec<u8>) {
    let object = String::from_utf8_lossy(object);
    let mut unnamed = String::new();
    for (raw, value) in members(&object) {
        if raw != EXTRA && is_name(raw) {
            match repeated(value) {
                true => elements(value)
                    .for_each(|element| line(part, |part| member(raw.as_bytes(), element, ROOM, part))),
                false => line(part, |part| member(raw.as_bytes(), value, ROOM, part)),
            }
        } else {
            unnamed.push(if unnamed.is_empty() { '{' } else { ',' });
            unnamed.push_str(&format!("\"{raw}\":{value}"));
        }
    }
    if !unnamed.is_empty() {
        unnamed.push('}');
        line(part, |part| json(EXTRA.as_bytes(), &unnamed, part));
    }
}

/// Levels of elements that may stand below a field, which stands below the root and its record.
const ROOM: usize = limits::DEPTH - 3;

/// Appends a JSON value as an element, with so many levels of elements below it at most.
fn member(name: &[u8], value: &str, room: usize, part: &mut Vec<u8>) {
    if let Some(raw) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        let mut plain = Vec::new();
        match text::unescape(raw, &mut plain) {
            Ok(()) => element(name, &plain, part),
            Err(_) => json(name, value, part),
        }
    } else if let Some(room) = room.checked_sub(1)
        && value.starts_with('{')
        && value != "{}"
        && members(value).all(|(raw, _)| is_name(raw))
    {
        open(name, part);
        for (raw, value) in members(value) {
            match repeated(value) {
                true => elements(value).for_each(|element| member(raw.as_bytes(), element, room, part)),
                false => member(raw.as_bytes(), value, room, part),
            }
        }
        close(name, part);
    } else {
        json(name, value, part);
    }
}

/// Whether a value is an array that a name which stands several times can say.
fn repeated(value: &str) -> bool {
    value.starts_with('[') && elements(value).nth(1).is_some()
}

/// Whether a name, as it stands in JSON, can be an element's: a careful choice of what XML allows.
fn is_name(raw: &str) -> bool {
    let begins = |character: char| character == '_' || character.is_ascii_alphabetic();
    let goes_on =
        |character: char| begins(character) || character.is_ascii_digit() || matches!(character, '-' | '.');
    raw.starts_with(begins)
        && raw.len() <= limits::NAME_BYTES
        && raw.chars().all(goes_on)
        && !raw.get(..3).is_some_and(|xml| xml.eq_ignore_ascii_case("xml"))
}

/// Appends an element with a text, or with JSON where XML cannot hold the text.
fn element(name: &[u8], plain: &[u8], part: &mut Vec<u8>) {
    if !can_hold(plain) {
        let mut quoted = vec![b'"'];
        text::escape(plain, &mut quoted);
        quoted.push(b'"');
        return json(name, &String::from_utf8_lossy(&quoted), part);
    }
    open(name, part);
    escape(plain, part);
    close(name, part);
}

/// Appends an element with JSON in it.
fn json(name: &[u8], value: &str, part: &mut Vec<u8>) {
    part.push(b'<');
    part.extend_from_slice(name);
    part.extend_from_slice(JSON.as_bytes());
    part.extend_from_slice(format!(" {TYPE}=\"json\">").as_bytes());
    let mut compacted = Vec::new();
    super::json::compact(value.as_bytes(), &mut compacted);
    let compacted = String::from_utf8_lossy(&compacted);
    // The two characters that JSON may hold as they are and XML may not.
    let allowed = compacted.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff");
    escape(allowed.as_bytes(), part);
    close(name, part);
}

/// Whether every character may stand in XML.
fn can_hold(plain: &[u8]) -> bool {
    let forbidden = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r');
    !plain.iter().fold(false, |any, byte| any | forbidden(*byte))
        && memchr::memmem::find(plain, b"\xef\xbf\xbe").is_none()
        && memchr::memmem::find(plain, b"\xef\xbf\xbf").is_none()
}

fn open(name: &[u8], part: &mut Vec<u8>) {
    part.push(b'<');
    part.extend_from_slice(name);
    part.push(b'>');
}

fn close(name: &[u8], part: &mut Vec<u8>) {
    part.extend_from_slice(b"</");
    part.extend_from_slice(name);
    part.push(b'>');
}

fn line(part: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    part.extend_from_slice(b"    ");
    write(part);
    part.push(b'\n');
}

/// Appends text with what must be escaped: the characters of markup, and the line end that readers change.
fn escape(plain: &[u8], part: &mut Vec<u8>) {
    let mut from = 0;
    for (at, byte) in plain.iter().enumerate() {
        let entity: &[u8] = match byte {
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            b'\r' => b"&#13;",
            _ => continue,
        };
        part.extend_from_slice(&plain[from..at]);
        part.extend_from_slice(entity);
        from = at + 1;
    }
    part.extend_from_slice(&plain[from..]);
}
