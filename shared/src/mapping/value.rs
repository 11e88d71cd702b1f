//! A value of a record while it is mapped: what JSON can say, with numbers as they are written.

use std::borrow::Cow;

use crate::format::json::{Refusal, canonical_key, text, too_deep};
use crate::format::shown;
use crate::limits::DEPTH;
use crate::record::utf8;
use crate::scalar;

/// A value, which borrows the texts that stand in its record. A field that a record does not have has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value<'v> {
    Null,
    Boolean(bool),
    /// In plain decimal, as [`crate::record`] defines it.
    Number(Cow<'v, str>),
    Text(Cow<'v, str>),
    Array(Vec<Value<'v>>),
    /// Names differ.
    Object(Vec<(Cow<'v, str>, Value<'v>)>),
}

impl<'v> Value<'v> {
    /// Reads JSON in canonical form.
    pub fn of_canonical(json: &'v str) -> Self {
        Walk { rest: json }.value()
    }

    /// The same of bytes, which hold whole characters.
    pub fn of_canonical_bytes(json: &'v [u8]) -> Self {
        match utf8(json) {
            Cow::Borrowed(json) => Self::of_canonical(json),
            Cow::Owned(json) => Value::of_canonical(&json).into_owned(),
        }
    }

    /// A text of its own.
    pub fn text(plain: impl Into<String>) -> Self {
        Self::Text(Cow::Owned(plain.into()))
    }

    /// The same, with nothing borrowed.
    pub fn into_owned(self) -> Value<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Null => Value::Null,
            Self::Boolean(flag) => Value::Boolean(flag),
            Self::Number(digits) => Value::Number(own(digits)),
            Self::Text(text) => Value::Text(own(text)),
            Self::Array(items) => Value::Array(items.into_iter().map(Value::into_owned).collect()),
            Self::Object(members) => Value::Object(
                members.into_iter().map(|(name, value)| (own(name), value.into_owned())).collect(),
            ),
        }
    }

    /// A value of a document that was written by its user.
    pub fn of_document(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(flag) => Self::Boolean(*flag),
            serde_json::Value::Number(number) => {
                let written = number.to_string();
                let plain = scalar::of_decimal(&written).map(Cow::into_owned);
                Self::Number(plain.unwrap_or(written).into())
            }
            serde_json::Value::String(text) => Self::text(text),
            serde_json::Value::Array(items) => Self::Array(items.iter().map(Self::of_document).collect()),
            serde_json::Value::Object(members) => {
                let member = |(name, value): (&String, &serde_json::Value)| {
                    (name.clone().into(), Self::of_document(value))
                };
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
                let mut members: Vec<&(Cow<'_, str>, Self)> = members.iter().collect();
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

    /// Whether it is an object without members.
    pub fn is_empty_object(&self) -> bool {
        matches!(self, Self::Object(members) if members.is_empty())
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

/// Refuses a text with a NUL, which no database stores.
pub(super) fn storable(plain: &str) -> Result<(), Refusal> {
    memchr::memchr(0, plain.as_bytes()).map_or(Ok(()), |_| Err(text::nul()))
}

fn string(plain: &str, out: &mut Vec<u8>) -> Result<(), Refusal> {
    storable(plain)?;
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
    fn value(&mut self) -> Value<'text> {
        match self.rest.as_bytes().first() {
            Some(b'"') => Value::Text(self.string()),
            Some(b'[') => {
                let mut items = Vec::new();
                while self.goes_on(b']') {
                    items.push(self.value());
                }
                Value::Array(items)
            }
            Some(b'{') => {
                let mut members = Vec::new();
                while self.goes_on(b'}') {
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
                digits => Value::Number(digits.into()),
            },
        }
    }

    /// Skips the bracket or comma before an element; false behind the bracket that closes.
    fn goes_on(&mut self, close: u8) -> bool {
        let mut bytes = self.rest.bytes();
        let (first, second) = (bytes.next(), bytes.next());
        let is_empty = first.is_some_and(|first| first != b',' && first != close) && second == Some(close);
        self.skip(if is_empty { 2 } else { 1 });
        !is_empty && first.is_some_and(|first| first != close)
    }

    fn string(&mut self) -> Cow<'text, str> {
        let bytes = self.rest.as_bytes();
        let (mut end, mut is_escaped) = (1, false);
        while let Some(byte) = bytes.get(end) {
            match byte {
                b'"' => break,
                b'\\' => (end, is_escaped) = (end + 2, true),
                _ => end += 1,
            }
        }
        let raw = self.rest.get(1..end).unwrap_or_default();
        self.skip(end + 1);
        if !is_escaped {
            return raw.into();
        }
        let mut plain = Vec::with_capacity(raw.len());
        // What cannot be unescaped is not in canonical form.
        let _ = text::unescape(raw, &mut plain);
        String::from_utf8(plain).unwrap_or_default().into()
    }

    fn bare(&mut self) -> &'text str {
        let end = self.rest.bytes().position(|byte| matches!(byte, b',' | b']' | b'}'));
        let end = end.unwrap_or(self.rest.len());
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

    fn written(value: &Value<'_>) -> String {
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
