//! What an earlier round of correcting has left of [`ERROR`] in a record: it is taken away before the record is
//! explained anew, so that a file has what is wrong now, once.

use std::borrow::Cow;

use super::super::csv::Dialect;
use super::ERROR;

/// An object of JSON, or of YAML between braces, without its first member of that name.
pub(super) fn object(frame: &[u8]) -> Cow<'_, [u8]> {
    let without = || {
        let rest = frame.strip_prefix(b"{")?.trim_ascii_start();
        let quoted = rest.strip_prefix(b"\"").and_then(|rest| rest.strip_prefix(ERROR.as_bytes()));
        let name = quoted.and_then(|rest| rest.strip_prefix(b"\""));
        let rest = name.or_else(|| rest.strip_prefix(ERROR.as_bytes()))?.trim_ascii_start();
        let text = rest.strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
        let rest = text[string_end(text)?..].trim_ascii_start();
        Some([b"{", rest.strip_prefix(b",").unwrap_or(rest).trim_ascii_start()].concat())
    };
    without().map_or(Cow::Borrowed(frame), Cow::Owned)
}

/// Behind the quote that ends a JSON string whose first one is not here.
fn string_end(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    let end = text.iter().position(|&byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map(|end| end + 1)
}

/// An element without its first child of that name; `content` is where its first tag ends.
pub(super) fn element(frame: &[u8], content: usize) -> Cow<'_, [u8]> {
    let without = || {
        let (tag, rest) = frame.split_at_checked(content)?;
        let child = rest.trim_ascii_start().strip_prefix(format!("<{ERROR}>").as_bytes())?;
        let end = format!("</{ERROR}>").into_bytes();
        let at = child.windows(end.len()).position(|window| window == end)?;
        Some([tag, &child[at + end.len()..]].concat())
    };
    without().map_or(Cow::Borrowed(frame), Cow::Owned)
}

/// A block mapping of YAML, which begins at its first key in this column, without its first pair if it has that
/// name.
pub(super) fn mapping(text: &[u8], column: usize) -> &[u8] {
    let Some(rest) = text.strip_prefix(ERROR.as_bytes()).filter(|rest| rest.starts_with(b":")) else {
        return text;
    };
    let mut lines = rest.split_inclusive(|byte| *byte == b'\n');
    let mut behind = lines.next().map_or(0, <[u8]>::len);
    for line in lines {
        let indent = line.iter().take_while(|byte| **byte == b' ').count();
        if indent <= column && !line.trim_ascii().is_empty() {
            // What stands before the column belongs to the mapping around, as it did before the first key.
            return if indent == column { &rest[behind + indent..] } else { text };
        }
        behind += line.len();
    }
    text
}

/// A record of YAML without the comments at its end that say what was wrong with the next one.
pub(super) fn comments(mut frame: &[u8]) -> &[u8] {
    loop {
        let text = frame.trim_ascii_end();
        let last = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if last == 0 || !text[last..].starts_with(format!("# {ERROR}: ").as_bytes()) {
            return frame;
        }
        frame = &frame[..last];
    }
}

/// A Markdown record without the line that was put behind it.
pub(super) fn item(frame: &[u8]) -> &[u8] {
    let text = frame.trim_ascii_end();
    let last = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    if text[last..].starts_with(format!("**{ERROR}:**").as_bytes()) { &text[..last] } else { frame }
}

/// A row of CSV without this cell, counted from 0. A row that has fewer stays as it is.
pub(super) fn row(frame: &[u8], cell: usize, dialect: Dialect) -> Cow<'_, [u8]> {
    let Dialect { delimiter, quote } = dialect;
    let (mut start, mut number, mut in_quotes) = (0, 0, false);
    for (at, &byte) in frame.iter().enumerate() {
        in_quotes ^= byte == quote;
        if byte == delimiter && !in_quotes {
            if number == cell {
                return Cow::Owned([&frame[..start], &frame[at + 1..]].concat());
            }
            (start, number) = (at + 1, number + 1);
        }
    }
    match number == cell && cell > 0 {
        true => Cow::Borrowed(&frame[..start - 1]),
        false => Cow::Borrowed(frame),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_the_round_before_is_taken_away() {
        for (frame, expected) in [
            (r#"{"_error":"a \" b","id":1}"#, r#"{"id":1}"#),
            (r#"{ "_error" : "a" , "id":1}"#, r#"{"id":1}"#),
            (r#"{_error: "a", id: 1}"#, "{id: 1}"),
            (r#"{"_error":"a"}"#, "{}"),
            (r#"{"_error":7,"id":1}"#, r#"{"_error":7,"id":1}"#),
            (r#"{"_errors":"a"}"#, r#"{"_errors":"a"}"#),
            (r#"{"id":1,"_err"#, r#"{"id":1,"_err"#),
            ("7", "7"),
        ] {
            assert_eq!(object(frame.as_bytes()), expected.as_bytes(), "{frame}");
        }
        let xml = b"<item a='1'>\n <_error>x &lt; y</_error><id>1</id></item>";
        assert_eq!(element(xml, 12), &b"<item a='1'><id>1</id></item>"[..]);
        assert_eq!(element(b"<item><id>1</id></item>", 6), &b"<item><id>1</id></item>"[..]);
        for (text, expected) in [
            ("_error: \"a\"\n  id: 1\n  b: 2\n", "id: 1\n  b: 2\n"),
            ("_error: 'a\n    b'\n  id: 1\n", "id: 1\n"),
            ("_error: \"a\"\n", "_error: \"a\"\n"),
            ("id: 1\n  _error: a\n", "id: 1\n  _error: a\n"),
        ] {
            assert_eq!(mapping(text.as_bytes(), 2), expected.as_bytes(), "{text}");
        }
        assert_eq!(comments(b" 42\n# _error: a\n\n# _error: b\n"), b" 42\n");
        for kept in [" 42\n# a\n", " |\n  # _error: a\n", "# _error: a\n", ""] {
            assert_eq!(comments(kept.as_bytes()), kept.as_bytes());
        }
        assert_eq!(item(b" 1\n**id:** 1\n**_error:** a\n\n"), b" 1\n**id:** 1\n");
        assert_eq!(item(b" 1\n**id:** 1\n"), b" 1\n**id:** 1\n");
    }

    #[test]
    fn cells_are_found_behind_quotes() {
        let dialect = Dialect { delimiter: b';', quote: b'"' };
        for (frame, cell, expected) in [
            (&b"\"a;\"\"b\";1;2"[..], 0, &b"1;2"[..]),
            (b"1;\"a\n;\";2", 1, b"1;2"),
            (b"1;2;x", 2, b"1;2"),
            (b"1;2", 2, b"1;2"),
            (b"x", 0, b"x"),
        ] {
            assert_eq!(row(frame, cell, dialect), expected, "{frame:?} {cell}");
        }
    }
}
