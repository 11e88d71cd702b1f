//! JSON strings: read into plain text, and written with the shortest escapes.

use super::Refusal;
use crate::format::shown;

/// Appends the text of a string whose contents, without the quotes, are `raw`; serde_json has accepted its
/// escapes.
///
/// # Errors
/// When it holds NUL or half of a surrogate pair, which no database stores.
pub(crate) fn unescape(raw: &str, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.extend_from_slice(plain.as_bytes());
        let mut characters = escape.chars();
        let plain = match characters.next() {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let (character, length) = code_point(escape)?;
                push(character, out);
                rest = escape.get(length..).unwrap_or_default();
                continue;
            }
            Some(itself) => itself,
            None => break,
        };
        push(plain, out);
        rest = characters.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(())
}

/// The character of `uXXXX` or `uXXXX\uXXXX` at the start of `escape`, and how long that is.
fn code_point(escape: &str) -> Result<(char, usize), Refusal> {
    let unit = |from: usize| u32::from_str_radix(escape.get(from..from + 4)?, 16).ok();
    let lone = || {
        let shown = shown::text(&format!("\\{}", escape.get(..5).unwrap_or(escape)));
        Refusal::new("json.surrogate", format!("found {shown} without the other half of its surrogate pair"))
    };
    match unit(1).ok_or_else(lone)? {
        0 => Err(nul()),
        high @ 0xd800..=0xdbff => {
            let low = if escape.get(5..7) == Some("\\u") { unit(7) } else { None };
            let low = low.filter(|low| (0xdc00..=0xdfff).contains(low)).ok_or_else(lone)?;
            let character = char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
            Ok((character.ok_or_else(lone)?, 11))
        }
        unit => Ok((char::from_u32(unit).ok_or_else(lone)?, 5)),
    }
}

/// What a text with NUL in it is refused with.
pub(crate) fn nul() -> Refusal {
    Refusal::new("text.nul", "found a NUL character, which no database stores in a text".into())
}

fn push(character: char, out: &mut Vec<u8>) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Bytes that are checked together: a whole chunk without anything to escape is copied as it is.
const CHUNK: usize = 32;

/// Appends `text` as it stands between the quotes of a JSON string, with the shortest escapes.
pub(crate) fn escape(text: &[u8], out: &mut Vec<u8>) {
    let mut chunks = text.chunks_exact(CHUNK);
    for chunk in chunks.by_ref() {
        if chunk.iter().fold(false, |any, byte| any | needs_escape(*byte)) {
            escape_each(chunk, out);
        } else {
            out.extend_from_slice(chunk);
        }
    }
    escape_each(chunks.remainder(), out);
}

fn escape_each(text: &[u8], out: &mut Vec<u8>) {
    let mut plain = 0;
    for (index, &byte) in text.iter().enumerate() {
        if !needs_escape(byte) {
            continue;
        }
        out.extend_from_slice(&text[plain..index]);
        plain = index + 1;
        let letter = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            _ => {
                let digit = |half: u8| b"0123456789abcdef"[half as usize];
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', letter]);
    }
    out.extend_from_slice(&text[plain..]);
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_and_written_shortest() {
        let long = "x".repeat(40);
        let quoted = format!("{long}\\\"{long}");
        let cases = [
            (r"a\/b\u0041\u00e9", "a/bAé", "a/bAé"),
            (r#"\"\\\b\f\n\r\t\u001f"#, "\"\\\u{8}\u{c}\n\r\t\u{1f}", r#"\"\\\b\f\n\r\t\u001f"#),
            (r"\ud83d\ude00 \u2028", "\u{1f600} \u{2028}", "\u{1f600} \u{2028}"),
            (&quoted, &format!("{long}\"{long}"), &quoted),
        ];
        for (raw, text, written) in cases {
            let (mut read, mut again) = (Vec::new(), Vec::new());
            unescape(raw, &mut read).unwrap();
            assert_eq!(std::str::from_utf8(&read).unwrap(), text);
            escape(text.as_bytes(), &mut again);
            assert_eq!(std::str::from_utf8(&again).unwrap(), written);
        }
        for raw in [r"\ud800", r"\udc00", r"\ud800\u0041", r"\ud800x\udc00", r"\udc00\ud800"] {
            assert_eq!(unescape(raw, &mut Vec::new()).unwrap_err().code, "json.surrogate", "{raw}");
        }
        assert_eq!(unescape(r"a\u0000", &mut Vec::new()).unwrap_err().code, "text.nul");
    }
}
