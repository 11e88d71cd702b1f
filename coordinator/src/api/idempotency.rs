//! `Idempotency-Key`: the same request sent twice creates one operation.

use axum::http::HeaderMap;
use carrack_shared::port::operations::Idempotency;
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
    fn keys_are_checked() {
        let headers = |value: &str| HeaderMap::from_iter([(HEADER.parse().unwrap(), value.parse().unwrap())]);
        assert_eq!(key(&headers("k1")).unwrap().as_deref(), Some("k1"));
        assert_eq!(key(&HeaderMap::new()).unwrap(), None);
        assert!(key(&headers("")).is_err());
        assert!(key(&headers(&"k".repeat(KEY_CHARS))).is_ok());
        assert!(key(&headers(&"k".repeat(KEY_CHARS + 1))).is_err());
    }
}
