//! A value of a record while it is mapped: what JSON can say, with numbers as they are written.

use std::borrow::Cow;

use crate::format::json::{Refusal, canonical_key, text, too_deep};
use crate::format::shown;
use crate::limits::DEPTH;
use crate::scalar;

/// A value. A field that a record does not have has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    /// In plain decimal, as [`crate::record`] defines it.
    Number(String),
    Text(String),
    Array(Vec<Value>),
    /// Names differ.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// Reads JSON in canonical form.
    pub fn of_canonical(json: &str) -> Self {
        Walk { rest: json }.value()
    }

    /// A value of a document that was written by its user.
    pub fn of_document(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(flag) => Self::Boolean(*flag),
            serde_json::Value::Number(number) => {
                let written = number.to_string();
                let plain = scalar::of_decimal(&written).map(Cow::into_owned);
                Self::Number(plain.unwrap_or(written))
            }
            serde_json::Value::String(text) => Self::Text(text.clone()),
            serde_json::Value::Array(items) => Self::Array(items.iter().map(Self::of_document).collect()),
            serde_json::Value::Object(members) => {
                let member =
                    |(name, value): (&String, &serde_json::Value)| (name.clone(), Self::of_document(value));
                Self::Object(members.iter().map(member).collect())
            }
        }
    }

    /// Appends the value as JSON in canonical form, `levels` deep in a record.
    ///
    /// # Errors
    /// When no database stores it, or it is too deep; `out` then holds a part.
    pub fn write(&self, levels: usize, out: &mut Vec<u8>) -> Result<(), Refusal> {
        match self {
            Self::Array(_) if levels == DEPTH => return Err(too_deep(b'[')),
            Self::Object(_) if levels == DEPTH => return Err(too_deep(b'{')),
            Self::Null => out.extend_from_slice(b"null"),
            Self::Boolean(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
            Self::Number(digits) => out.extend_from_slice(digits.as_bytes()),
            Self::Text(text) => string(text, out)?,
            Self::Array(items) => {
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    out.extend((index > 0).then_some(b','));
                    item.write(levels + 1, out)?;
                }
                out.push(b']');
            }
            Self::Object(members) => {
                let mut members: Vec<&(String, Self)> = members.iter().collect();
                members.sort_by_key(|(name, _)| canonical_key(name.as_bytes()));
                out.push(b'{');
                for (index, (name, value)) in members.into_iter().enumerate() {
                    out.extend((index > 0).then_some(b','));
                    string(name, out)?;
                    out.push(b':');
                    value.write(levels + 1, out)?;
                }
                out.push(b'}');
            }
        }
        Ok(())
    }

    /// What it is, for messages.
    pub fn shown(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Boolean(flag) => flag.to_string(),
            Self::Number(digits) => format!("the number {}", shown::name(digits)),
            Self::Text(text) => shown::text(text),
            Self::Array(_) => "an array".into(),
            Self::Object(_) => "an object".into(),
        }
    }
}

fn string(plain: &str, out: &mut Vec<u8>) -> Result<(), Refusal> {
    if memchr::memchr(0, plain.as_bytes()).is_some() {
        return Err(text::nul());
    }
    out.push(b'"');
    text::escape(plain.as_bytes(), out);
    out.push(b'"');
    Ok(())
}

/// A place in JSON that is known to be in canonical form, and no deeper than a record may be.
struct Walk<'text> {
    rest: &'text str,
}

impl<'text> Walk<'text> {
    fn value(&mut self) -> Value {
        match self.rest.as_bytes().first() {
            Some(b'"') => Value::Text(self.string()),
            Some(b'[') => {
                let mut items = Vec::new();
                while self.goes_on(']') {
                    items.push(self.value());
                }
                Value::Array(items)
            }
            Some(b'{') => {
                let mut members = Vec::new();
                while self.goes_on('}') {
                    let name = self.string();
                    self.skip(1);
                    members.push((name, self.value()));
                }
                Value::Object(members)
            }
            _ => match self.bare() {
                "true" => Value::Boolean(true),
                "false" => Value::Boolean(false),
                "null" | "" => Value::Null,
                digits => Value::Number(digits.to_owned()),
            },
        }
    }

    /// Skips the bracket or comma before an element; false behind the bracket that closes.
    fn goes_on(&mut self, close: char) -> bool {
        let opens = !self.rest.starts_with([',', close]);
        let at_end = self.rest.is_empty();
        let behind = self.rest.get(1..).unwrap_or_default();
        if opens && behind.starts_with(close) {
            self.rest = behind.get(1..).unwrap_or_default();
            return false;
        }
        let ends = self.rest.starts_with(close);
        self.rest = behind;
        !ends && !at_end
    }

    fn string(&mut self) -> String {
        let bytes = self.rest.as_bytes();
        let mut end = 1;
        while let Some(byte) = bytes.get(end) {
            match byte {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        let raw = self.rest.get(1..end).unwrap_or_default();
        self.skip(end + 1);
        if !raw.contains('\\') {
            return raw.to_owned();
        }
        let mut plain = Vec::with_capacity(raw.len());
        // What cannot be unescaped is not in canonical form.
        let _ = text::unescape(raw, &mut plain);
        String::from_utf8(plain).unwrap_or_default()
    }

    fn bare(&mut self) -> &'text str {
        let end = self.rest.find([',', ']', '}']).unwrap_or(self.rest.len());
        let (bare, rest) = self.rest.split_at(end);
        self.rest = rest;
        bare
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &Value) -> String {
        let mut out = Vec::new();
        value.write(1, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn canonical_json_is_read_and_written_as_it_stands() {
        for json in [
            "null",
            "true",
            "-0.5",
            "12345678901234567890123",
            r#""a\"\\\n\u001fé""#,
            "[]",
            "{}",
            r#"[1,[],{},[[2]],"],}"]"#,
            r#"{"a":{"b":[null,false]},"c\"":"x"}"#,
        ] {
            assert_eq!(written(&Value::of_canonical(json)), json);
        }
        let document: serde_json::Value = serde_json::from_str(r#"{"a":[1,"x",null,true,0.5]}"#).unwrap();
        assert_eq!(written(&Value::of_document(&document)), r#"{"a":[1,"x",null,true,0.5]}"#);
    }

    #[test]
    fn values_that_were_put_together_are_written_canonically_or_refused() {
        let of = |json: &str| Value::of_document(&serde_json::from_str(json).unwrap());
        assert_eq!(
            written(&of(r#"{"zz":1,"é":{"c":2,"b":3},"y":4}"#)),
            r#"{"y":4,"zz":1,"é":{"b":3,"c":2}}"#
        );
        for nul in [r#"["a\u0000"]"#, r#"{"a\u0000":1}"#] {
            assert_eq!(of(nul).write(1, &mut Vec::new()).unwrap_err().code, "text.nul");
        }
        let deep = |levels: usize| (0..levels).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        assert!(deep(DEPTH - 1).write(1, &mut Vec::new()).is_ok());
        assert_eq!(deep(DEPTH).write(1, &mut Vec::new()).unwrap_err().code, "json.depth");
    }

    #[test]
    fn what_is_cut_is_read_to_its_end() {
        let whole = r#"{"a":[1,{"b":"\u001f"}]}"#;
        for end in 0..whole.len() {
            // Only that it ends counts: nobody is handed such a text.
            let _ = Value::of_canonical(&whole[..end]);
        }
    }
}
