//! How bytes of the input are shown in messages: short, in quotes, without control characters.

use std::fmt::Write;

/// Characters of a value that are shown, at most.
const SHOWN_CHARACTERS: usize = 60;

/// A value, quoted and shortened.
pub(crate) fn text(value: &str) -> String {
    let mut shown = String::from('"');
    let mut characters = value.chars();
    for character in characters.by_ref().take(SHOWN_CHARACTERS) {
        match character {
            '"' | '\\' => shown.extend(['\\', character]),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            // Direction marks could make a message read as something else.
            _ if character.is_control()
                || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                // Writing to a string cannot fail.
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
            }
            _ => shown.push(character),
        }
    }
    if characters.next().is_some() {
        shown.push('…');
    }
    shown.push('"');
    shown
}

/// A name, shortened, as it stands but for what a terminal would take for a command.
pub(crate) fn name(name: &str) -> String {
    let quoted = text(name);
    quoted.strip_prefix('"').and_then(|inside| inside.strip_suffix('"')).unwrap_or(&quoted).to_owned()
}

/// One byte: its character, where it has one by itself.
pub(crate) fn byte(value: u8) -> String {
    match value {
        b'\n' => "the end of the line".into(),
        0 => "a NUL byte".into(),
        b'"' => "'\"'".into(),
        0x21..=0x7e => format!("\"{}\"", char::from(value)),
        _ => format!("the byte 0x{value:02x}"),
    }
}

/// What stands between two cells, as users write it.
pub(crate) fn delimiter(value: u8) -> String {
    if value == b'\t' { "a tab".into() } else { byte(value) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn values_are_short_and_harmless() {
        let long = "x".repeat(61);
        let cases = [
            ("31/02/2024", "\"31/02/2024\"".to_owned()),
            ("a\n\"\u{1b}[0m\u{202e}", "\"a\\n\\\"\\u{1b}[0m\\u{202e}\"".to_owned()),
            (&long[..60], format!("\"{}\"", &long[..60])),
            (&long, format!("\"{}…\"", &long[..60])),
        ];
        for (value, shown) in cases {
            assert_eq!(super::text(value), shown);
        }
        assert_eq!([b'}', 0xff, 0].map(super::byte), ["\"}\"", "the byte 0xff", "a NUL byte"]);
    }
}
