//! From the text of a JSON document to its values: a member that stands twice in an object is refused with its
//! place, for a reader who took one of them would drop the other silently.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::quoted;

/// Reads a document.
///
/// # Errors
/// What was found instead, with line and column.
pub fn parse(text: &[u8]) -> Result<Value, String> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Unique.deserialize(&mut deserializer);
    value.and_then(|value| deserializer.end().map(|()| value)).map_err(|error| error.to_string())
}

/// Values in which every object has each member once.
struct Unique;

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut read = Vec::new();
        while let Some(item) = items.next_element_seed(Self)? {
            read.push(item);
        }
        Ok(Value::Array(read))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut read = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if read.contains_key(&name) {
                let message = format!("the member {} twice in one object", quoted(&name));
                return Err(A::Error::custom(message));
            }
            read.insert(name, members.next_value_seed(Self)?);
        }
        Ok(Value::Object(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_read_as_any_reader_does() {
        for text in [
            r#"{"z":1,"a":[null,true,-5,1.5,18446744073709551615,"ü\n"],"o":{"a":{}}}"#,
            "  [] ",
            "7",
            r#"{"a":{"b":1},"c":{"b":2}}"#,
            "1e300",
        ] {
            let read = parse(text.as_bytes()).unwrap();
            assert_eq!(read, serde_json::from_str::<Value>(text).unwrap(), "{text}");
            assert_eq!(read.to_string(), serde_json::from_str::<Value>(text).unwrap().to_string());
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let deep = "[".repeat(1_000);
        for (text, expected) in [
            ("{\"a\": 1,\n \"a\": 2}", "the member \"a\" twice in one object at line 2 column 4"),
            ("{\"o\":[{\"x\":1,\"\\u0078\":2}]}", "the member \"x\" twice in one object at line 1 column 21"),
            ("{} {}", "trailing characters at line 1 column 4"),
            ("", "EOF while parsing a value at line 1 column 0"),
            ("{\"a\" 1}", "expected `:` at line 1 column 6"),
            (&deep, "recursion limit exceeded at line 1 column 128"),
        ] {
            assert_eq!(parse(text.as_bytes()), Err(expected.to_owned()), "{text:.40}");
        }
    }
}
