//! Binary content: bytes that stand in an object of their own, under their hash, while the row holds a
//! reference.
//!
//! In a file a binary field is base64 (RFC 4648, section 4; the padding may be left out) or the reference itself:
//! `{"sha256": "<64 hexadecimal digits>", "size": <bytes>}`. In a cell it is the reference, as canonical JSON. So
//! two records with the same content are equal, whichever way it came, and an object is never written anew.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{DecodeError, encoded_len};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::format::json::Refusal;
use crate::format::shown;
use crate::record::{Cell, Rows, Value};
use crate::schema::FieldType;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a row holds of a content. Its members stand in canonical order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Bytes of the content.
    pub size: u64,
    /// SHA-256 of the content.
    pub sha256: [u8; 32],
}

/// A content that a file brought, to be stored before the rows that refer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// What rows hold of it.
    pub reference: Reference,
    /// Its bytes.
    pub bytes: Bytes,
}

/// A reference as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    size: u64,
    sha256: String,
}

impl Reference {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self { size: bytes.len() as u64, sha256: Sha256::digest(bytes).into() }
    }

    /// Reads what a cell holds; none if it is no reference.
    pub fn read(json: &[u8]) -> Option<Self> {
        let written: Written = serde_json::from_slice(json).ok()?;
        Some(Self { size: written.size, sha256: unhex(&written.sha256)? })
    }

    /// The cell that holds it.
    pub fn json(&self) -> String {
        format!(r#"{{"size":{},"sha256":"{}"}}"#, self.size, self.hex())
    }

    /// The object that holds the content.
    pub fn key(&self) -> String {
        format!("binary/{}", self.hex())
    }

    /// Bytes of its base64.
    pub fn base64_bytes(&self) -> u64 {
        let size = usize::try_from(self.size).ok();
        size.and_then(|size| encoded_len(size, true)).map_or(u64::MAX, |length| length as u64)
    }

    fn hex(&self) -> String {
        self.sha256.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Content {
    /// Decodes base64.
    ///
    /// # Errors
    /// When it is none; says where.
    pub(crate) fn decode(base64: &[u8]) -> Result<Self, Refusal> {
        let bytes = BASE64.decode(base64).map_err(|error| no_base64(&error, base64))?;
        Ok(Self { reference: Reference::of(&bytes), bytes: bytes.into() })
    }
}

/// A content as base64, padded.
pub fn encode(content: &[u8]) -> String {
    BASE64.encode(content)
}

/// The binary fields that a row has: their slots, and what they refer to.
pub fn references(rows: &Rows, row: usize) -> impl Iterator<Item = (usize, Reference)> + '_ {
    let fields = rows.data_type().fields.iter().enumerate();
    let slots = fields.filter(|(_, field)| field.field_type == FieldType::Binary).map(|(slot, _)| slot);
    slots.filter_map(move |slot| match rows.value(row, slot) {
        Value::Json(json) => Some((slot, Reference::read(json)?)),
        _ => None,
    })
}

/// Some of the rows with their contents, as base64, in place of the references to them. They are good for
/// writing only.
pub fn fill(rows: &Rows, range: Range<usize>, contents: &BTreeMap<Reference, Bytes>) -> Rows {
    let mut filled = Rows::new(Arc::clone(rows.data_type()), Bytes::new(), 0, 0);
    let mut cells = Vec::with_capacity(rows.width());
    for row in range {
        cells.clear();
        cells.extend((0..rows.width()).map(|slot| match rows.value(row, slot) {
            Value::Missing => Cell::Missing,
            Value::Text(text) => Cell::Text(filled.span_of_copy(text)),
            Value::Instant(instant) => Cell::Instant(instant),
            Value::Json(json) => Cell::Json(filled.span_of_copy(json)),
        }));
        for (slot, reference) in references(rows, row) {
            if let Some(content) = contents.get(&reference) {
                cells[slot] = Cell::Text(filled.span_of_copy(encode(content).as_bytes()));
            }
        }
        filled.push(rows.origin(row).clone(), &cells);
    }
    filled
}

fn no_base64(error: &DecodeError, base64: &[u8]) -> Refusal {
    let what = match *error {
        DecodeError::InvalidByte(at, found) => {
            format!("found {} at byte {at} of the value, expected base64", shown::byte(found))
        }
        DecodeError::InvalidLastSymbol(at, found) => {
            let found = shown::byte(found);
            format!(
                "found {found} at byte {at} of the value, expected a last character of base64 without stray bits"
            )
        }
        DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => {
            let found = base64.len();
            format!("found {found} bytes, expected base64, which does not end there")
        }
    };
    Refusal::new("binary.base64", what)
}

fn unhex(hex: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 32];
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_with_and_without_padding() {
        let cases: [(&str, Result<&[u8], &str>); 15] = [
            ("", Ok(b"")),
            ("Zg==", Ok(b"f")),
            ("Zg", Ok(b"f")),
            ("Zm8=", Ok(b"fo")),
            ("Zm9v", Ok(b"foo")),
            ("AAAA", Ok(&[0; 3])),
            ("+/+/", Ok(&[0xfb, 0xff, 0xbf])),
            ("-_-_", Err("found \"-\" at byte 0 of the value, expected base64")),
            ("Zm9v\n", Err("found the end of the line at byte 4 of the value, expected base64")),
            ("Zm9 v", Err("found the byte 0x20 at byte 3 of the value, expected base64")),
            ("Z", Err("found 1 bytes, expected base64, which does not end there")),
            ("Zg=", Ok(b"f")),
            ("Zm9vZ", Err("found 5 bytes, expected base64, which does not end there")),
            (
                "Zh==",
                Err(
                    "found \"h\" at byte 1 of the value, expected a last character of base64 without stray bits",
                ),
            ),
            ("Zg==Zg==", Err("found \"=\" at byte 2 of the value, expected base64")),
        ];
        for (base64, expected) in cases {
            let found = Content::decode(base64.as_bytes());
            match expected {
                Ok(bytes) => {
                    let content = found.unwrap();
                    assert_eq!(content.bytes, bytes, "{base64}");
                    assert_eq!(Content::decode(encode(bytes).as_bytes()).unwrap(), content);
                    assert_eq!(encode(bytes).len() as u64, content.reference.base64_bytes());
                }
                Err(message) => {
                    let refusal = Refusal::new("binary.base64", message.into());
                    assert_eq!(found.unwrap_err(), refusal, "{base64}");
                }
            }
        }
    }

    #[test]
    fn references_are_read_back() {
        let reference = Reference::of(b"foo");
        let hex = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
        let json = reference.json();
        assert_eq!(json, format!(r#"{{"size":3,"sha256":"{hex}"}}"#));
        assert_eq!(reference.key(), format!("binary/{hex}"));
        assert_eq!(Reference::read(json.as_bytes()), Some(reference));
        let bad = [
            "{}",
            "[]",
            "3",
            &json.replace("2c", "2C"),
            &json.replace("2c", "c"),
            &json.replace(":3", ":-3"),
            &json.replace(":3", ":3.5"),
            &json.replace(":3", ":\"3\""),
            &json.replace(":3", ":3,\"more\":1"),
            &json.replace("\"size\":3,", ""),
        ];
        for json in bad {
            assert_eq!(Reference::read(json.as_bytes()), None, "{json}");
        }
    }
}
