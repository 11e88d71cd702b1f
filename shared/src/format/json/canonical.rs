//! The canonical form of a JSON value, as [`crate::record`] defines it.

use std::ops::Range;

use super::{number, text};
use crate::format::shown;
use crate::limits;

/// Why a value that is valid JSON is no value of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The code of the fault.
    pub code: &'static str,
    /// Its message.
    pub message: String,
}

impl Refusal {
    pub fn new(code: &'static str, message: String) -> Self {
        Self { code, message }
    }
}

/// Writes values in canonical form; holds the buffers that this takes.
#[derive(Debug, Default)]
pub(crate) struct Canonical {
    /// The names of the members of all open objects, unescaped.
    names: Vec<u8>,
    /// The members of all open objects.
    members: Vec<Member>,
    /// Where members are put in order.
    ordered: Vec<u8>,
    /// Digits that numbers may still add to the record.
    zeros: usize,
}

#[derive(Debug, Clone)]
struct Member {
    /// Its name in `names`.
    name: Range<usize>,
    /// `"name":value` in the output.
    written: Range<usize>,
}

/// Bytes that any record may grow by when its numbers are written without exponents, and how many times
/// its own size on top: 16 MiB of `1e999` must not become 3 GiB.
const GROWTH_BYTES: usize = 4096;
const GROWTH_FACTOR: usize = 3;

impl Canonical {
    /// To be called before the values of the next record, which is `length` bytes long.
    pub fn next_record(&mut self, length: usize) {
        self.zeros = GROWTH_BYTES + GROWTH_FACTOR * length;
    }

    /// Appends `value`, one level deep in a record; serde_json has accepted its syntax.
    ///
    /// # Errors
    /// When it cannot be stored, or two members of an object have one name. `out` then holds a part.
    pub fn write(&mut self, value: &str, out: &mut Vec<u8>) -> Result<(), Refusal> {
        self.below(1, value, out)
    }

    /// The same for an object whose members are those of the record itself.
    ///
    /// # Errors
    /// As [`Canonical::write`].
    pub fn write_record(&mut self, object: &str, out: &mut Vec<u8>) -> Result<(), Refusal> {
        self.below(0, object, out)
    }

    fn below(&mut self, levels: usize, value: &str, out: &mut Vec<u8>) -> Result<(), Refusal> {
        self.names.clear();
        self.members.clear();
        self.value(&mut Walk { text: value, at: 0 }, levels, out)
    }

    fn value(&mut self, walk: &mut Walk<'_>, depth: usize, out: &mut Vec<u8>) -> Result<(), Refusal> {
        match walk.peek() {
            open @ (b'{' | b'[') if depth == limits::DEPTH => Err(too_deep(open)),
            b'{' => self.object(walk, depth + 1, out),
            b'[' => self.array(walk, depth + 1, out),
            b'"' => {
                out.push(b'"');
                let raw = walk.string();
                if raw.contains('\\') {
                    let mut plain = Vec::with_capacity(raw.len());
                    text::unescape(raw, &mut plain)?;
                    text::escape(&plain, out);
                } else {
                    out.extend_from_slice(raw.as_bytes());
                }
                out.push(b'"');
                Ok(())
            }
            b't' | b'f' | b'n' => {
                out.extend_from_slice(walk.bare().as_bytes());
                Ok(())
            }
            _ => number::write(walk.bare(), &mut self.zeros, out),
        }
    }

    fn array(&mut self, walk: &mut Walk<'_>, depth: usize, out: &mut Vec<u8>) -> Result<(), Refusal> {
        walk.at += 1;
        out.push(b'[');
        let first = out.len();
        while walk.next_element() {
            if out.len() > first {
                out.push(b',');
            }
            self.value(walk, depth, out)?;
        }
        out.push(b']');
        Ok(())
    }

    fn object(&mut self, walk: &mut Walk<'_>, depth: usize, out: &mut Vec<u8>) -> Result<(), Refusal> {
        walk.at += 1;
        let (first_member, first_name) = (self.members.len(), self.names.len());
        out.push(b'{');
        let start = out.len();
        while walk.next_element() {
            if out.len() > start {
                out.push(b',');
            }
            let member = out.len();
            let name = self.name(walk.string(), out)?;
            walk.peek();
            walk.at += 1;
            self.value(walk, depth, out)?;
            self.members.push(Member { name, written: member..out.len() });
        }
        self.order(first_member, start, out)?;
        out.push(b'}');
        self.members.truncate(first_member);
        self.names.truncate(first_name);
        Ok(())
    }

    fn name(&mut self, raw: &str, out: &mut Vec<u8>) -> Result<Range<usize>, Refusal> {
        let start = self.names.len();
        if raw.contains('\\') {
            text::unescape(raw, &mut self.names)?;
        } else {
            self.names.extend_from_slice(raw.as_bytes());
        }
        out.push(b'"');
        text::escape(&self.names[start..], out);
        out.extend_from_slice(b"\":");
        Ok(start..self.names.len())
    }

    /// Puts the members from `first` on, written from `start` on, in canonical order.
    fn order(&mut self, first: usize, start: usize, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let names = &self.names;
        let key = |member: &Member| canonical_key(&names[member.name.clone()]);
        let members = &mut self.members[first..];
        if !members.is_sorted_by(|one, next| key(one) < key(next)) {
            members.sort_by(|one, other| key(one).cmp(&key(other)));
            if let Some(twice) = members.windows(2).find(|pair| key(&pair[0]) == key(&pair[1])) {
                return Err(duplicate(&String::from_utf8_lossy(key(&twice[0]).1)));
            }
            self.ordered.clear();
            for (index, member) in members.iter().enumerate() {
                if index > 0 {
                    self.ordered.push(b',');
                }
                self.ordered.extend_from_slice(&out[member.written.clone()]);
            }
            out.truncate(start);
            out.extend_from_slice(&self.ordered);
        }
        Ok(())
    }
}

/// What names are ordered by: their length in bytes, then their bytes.
pub(crate) fn canonical_key(name: &[u8]) -> (usize, &[u8]) {
    (name.len(), name)
}

/// What a bracket below too many others is refused with.
pub(crate) fn too_deep(open: u8) -> Refusal {
    let (found, depth) = (shown::byte(open), limits::DEPTH);
    Refusal::new("json.depth", format!("found {found} below {depth} levels of arrays and objects"))
}

/// What a name that an object has twice is refused with.
pub(crate) fn duplicate(name: &str) -> Refusal {
    Refusal::new("member.duplicate", format!("found the member {} twice in one object", shown::text(name)))
}

/// The members of a valid JSON object: the name as it stands between its quotes, and the value.
pub(crate) fn members(object: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut walk = Walk { text: object, at: 1 };
    std::iter::from_fn(move || {
        if !walk.next_element() {
            return None;
        }
        let name = walk.string();
        walk.peek();
        walk.at += 1;
        Some((name, walk.skip()))
    })
}

/// The elements of a valid JSON array.
pub(crate) fn elements(array: &str) -> impl Iterator<Item = &str> {
    let mut walk = Walk { text: array, at: 1 };
    std::iter::from_fn(move || walk.next_element().then(|| walk.skip()))
}

/// A place in a text that is valid JSON.
struct Walk<'text> {
    text: &'text str,
    at: usize,
}

impl<'text> Walk<'text> {
    /// Skips white space; the byte behind it.
    fn peek(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return *byte;
            }
            self.at += 1;
        }
        0
    }

    /// Skips to the next element of an array or name of an object; false behind the bracket that closes it.
    fn next_element(&mut self) -> bool {
        match self.peek() {
            b']' | b'}' | 0 => {
                self.at += 1;
                return false;
            }
            b',' => {
                self.at += 1;
                self.peek();
            }
            _ => {}
        }
        true
    }

    /// Skips the string that begins here; what stands between its quotes.
    fn string(&mut self) -> &'text str {
        self.peek();
        let start = self.at + 1;
        let bytes = self.text.as_bytes();
        let mut end = start;
        while let Some(byte) = bytes.get(end) {
            match byte {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        self.at = end + 1;
        self.text.get(start..end).unwrap_or_default()
    }

    /// Skips the number or literal that begins here.
    fn bare(&mut self) -> &'text str {
        let rest = &self.text[self.at..];
        let ends = |byte| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
        let length = rest.bytes().position(ends).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Skips the value that begins here.
    fn skip(&mut self) -> &'text str {
        self.peek();
        let start = self.at;
        let mut depth = 0usize;
        loop {
            match self.peek() {
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                }
                b'"' => {
                    self.string();
                }
                b',' | b':' => self.at += 1,
                0 => break,
                _ => {
                    let length = self.text[self.at..].bytes().position(|byte| b",:]} \t\r\n".contains(&byte));
                    self.at += length.unwrap_or(self.text.len() - self.at);
                }
            }
            if depth == 0 {
                break;
            }
        }
        self.text.get(start..self.at).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(value: &str) -> String {
        serde_json::from_str::<serde::de::IgnoredAny>(value).unwrap();
        let mut out = Vec::new();
        let mut canonical = Canonical::default();
        canonical.next_record(value.len());
        match canonical.write(value, &mut out) {
            Ok(()) => String::from_utf8(out).unwrap(),
            Err(refusal) => format!("{}: {}", refusal.code, refusal.message),
        }
    }

    #[test]
    fn values_are_written_in_one_form() {
        let cases = [
            ("null", "null"),
            (" [ 1.0 , true,\n\"a\\/\" ] ", "[1,true,\"a/\"]"),
            (r#"{"bb":1,"a":2,"c":3}"#, r#"{"a":2,"c":3,"bb":1}"#),
            (
                r#"{ "é" : {} , "zz" : [ ] , "a" : { "b":1, "a":[{"d":1,"c":2}] } }"#,
                r#"{"a":{"a":[{"c":2,"d":1}],"b":1},"zz":[],"é":{}}"#,
            ),
            (r#"{"\u0061":"\u0062","b\n":"\""}"#, r#"{"a":"b","b\n":"\""}"#),
            (r#"{"a":1,"b":2,"a":3}"#, "member.duplicate: found the member \"a\" twice in one object"),
            (r#"[{"a":1,"\u0061":2}]"#, "member.duplicate: found the member \"a\" twice in one object"),
            (r#"{"a\u0000":1}"#, "text.nul: found a NUL character, which no database stores in a text"),
            (
                r#"["\udc00"]"#,
                "json.surrogate: found \"\\\\udc00\" without the other half of its surrogate pair",
            ),
        ];
        for (value, expected) in cases {
            assert_eq!(canonical(value), expected, "{value}");
            if !expected.contains(':') || expected.starts_with('{') {
                assert_eq!(canonical(expected), expected, "writing it again changes nothing");
            }
        }
    }

    #[test]
    fn nesting_ends_at_its_limit() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(canonical(&nested(limits::DEPTH - 1)), nested(limits::DEPTH - 1));
        let refused = "json.depth: found \"[\" below 128 levels of arrays and objects";
        assert_eq!(canonical(&nested(limits::DEPTH)), refused);
    }

    #[test]
    fn members_and_elements_are_told_apart() {
        let object = r#"{"a": {"b": [1, "}"]}, "c":null,"d\"":-1.5}"#;
        let found: Vec<_> = members(object).collect();
        assert_eq!(found, [("a", r#"{"b": [1, "}"]}"#), ("c", "null"), ("d\\\"", "-1.5")]);
        assert_eq!(elements(r#"[1,"a,]",[2], {}]"#).collect::<Vec<_>>(), ["1", "\"a,]\"", "[2]", "{}"]);
        assert_eq!(members("{}").count() + elements("[ ]").count(), 0);
    }
}
