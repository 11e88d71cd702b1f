//! Which object keys are accepted: the grammar of `shared::port::objects`, checked by every adapter before
//! a key reaches a path or a URL.

use carrack_shared::error::{ErrorKind, PortError, PortResult};

/// Bytes of a key. S3 takes 1,024, of which the prefix of the URL needs some.
pub const KEY_BYTES: usize = 900;

/// Refuses every key that is not `segment/segment/…` with segments of `[A-Za-z0-9._-]+`, not `.` or `..`.
///
/// # Errors
/// `Refused`, naming the key.
pub fn check(service: &'static str, key: &str) -> PortResult<()> {
    if key.len() <= KEY_BYTES && key.split('/').all(is_segment) {
        return Ok(());
    }
    Err(refused(service, "object key", key))
}

/// Refuses every prefix that no accepted key can start with. The last segment may be empty or incomplete.
///
/// # Errors
/// `Refused`, naming the prefix.
pub fn check_prefix(service: &'static str, prefix: &str) -> PortResult<()> {
    let (folders, rest) = prefix.rsplit_once('/').map_or((None, prefix), |(head, tail)| (Some(head), tail));
    let whole = folders.is_none_or(|folders| folders.split('/').all(is_segment));
    if prefix.len() <= KEY_BYTES && whole && rest.bytes().all(is_segment_byte) {
        return Ok(());
    }
    Err(refused(service, "prefix of object keys", prefix))
}

/// Whether `text` can stand between two slashes of a key.
fn is_segment(text: &str) -> bool {
    !text.is_empty() && text != "." && text != ".." && text.bytes().all(is_segment_byte)
}

fn is_segment_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

fn refused(service: &'static str, what: &str, key: &str) -> PortError {
    let shown: String = key.chars().take(100).collect();
    PortError::new(
        ErrorKind::Refused,
        service,
        format!(
            "{what} {shown:?}: expected segments of letters, digits, '.', '_' and '-', at most {KEY_BYTES} bytes"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_of_the_grammar_pass() {
        let longest = "a".repeat(KEY_BYTES);
        for good in ["a", "a/b", "ops/018f-1/part.0001", "...", ".a", longest.as_str()] {
            assert!(check("test", good).is_ok(), "{good:?}");
        }
        let long = "a".repeat(KEY_BYTES + 1);
        for bad in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "a/./b",
            "a b",
            "a\0",
            "ü",
            "a\\b",
            "~a",
            "file:/a",
            long.as_str(),
        ] {
            assert!(check("test", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn prefixes_may_end_anywhere() {
        for good in ["", "a", "a/", "a/b", "a/b/.", "a/.."] {
            assert!(check_prefix("test", good).is_ok(), "{good:?}");
        }
        for bad in ["/", "/a", "a//", "../", "a/../b", "~"] {
            assert!(check_prefix("test", bad).is_err(), "{bad:?}");
        }
    }
}
