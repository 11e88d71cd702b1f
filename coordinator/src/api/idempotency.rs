//! `Idempotency-Key`: the same request sent twice creates one operation.

use axum::http::HeaderMap;
use carrack_shared::port::operations::Idempotency;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::problem::{Answer, Kind, Problem};

/// The header.
const HEADER: &str = "Idempotency-Key";

/// Characters of a key.
const KEY_CHARS: usize = 255;

/// The key of a request, if it has one.
pub(super) fn key(headers: &HeaderMap) -> Answer<Option<String>> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let fits = |key: &&str| !key.is_empty() && key.len() <= KEY_CHARS;
    let key = value.to_str().ok().filter(fits).ok_or_else(|| {
        let detail = format!("{HEADER}: expected 1 to {KEY_CHARS} visible ASCII characters");
        Problem::new(Kind::Malformed, detail)
    })?;
    Ok(Some(key.to_owned()))
}

/// The key with what identifies the request. The parts are told apart by their lengths.
pub(super) fn of(key: Option<String>, parts: &[&[u8]]) -> Option<Idempotency> {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    key.map(|key| Idempotency { key, request: hasher.finalize().into() })
}

/// The document, without the key of files that may stand in it: what is stored of a request must not help anybody
/// who guesses at it.
pub(super) fn without_key(mut document: Value) -> String {
    for place in ["/encryption/key", "/options/encryption/key"] {
        if let Some(key) = document.pointer_mut(place) {
            *key = Value::Null;
        }
    }
    document.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_differ_by_where_their_parts_end() {
        let of = |parts: &[&[u8]]| of(Some("k".into()), parts).unwrap().request;
        assert_eq!(of(&[b"ab", b"c"]), of(&[b"ab", b"c"]));
        assert_ne!(of(&[b"ab", b"c"]), of(&[b"a", b"bc"]));
    }

    #[test]
    fn the_key_of_files_is_no_part_of_it() {
        for document in [
            r#"{"options":{"encryption":{"key":"hunter2"},"format":"json"}}"#,
            r#"{"encryption":{"key":"hunter2"},"format":"json"}"#,
        ] {
            let told = without_key(serde_json::from_str(document).unwrap());
            assert!(told.contains("json") && !told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn keys_are_checked() {
        let headers = |value: &str| HeaderMap::from_iter([(HEADER.parse().unwrap(), value.parse().unwrap())]);
        assert_eq!(key(&headers("k1")).unwrap().as_deref(), Some("k1"));
        assert_eq!(key(&HeaderMap::new()).unwrap(), None);
        assert!(key(&headers("")).is_err());
        assert!(key(&headers(&"k".repeat(KEY_CHARS))).is_ok());
        assert!(key(&headers(&"k".repeat(KEY_CHARS + 1))).is_err());
    }
}
