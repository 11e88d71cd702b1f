//! How a URL is shown to people: without user, password and parameters.

use std::fmt;

use url::Url;

/// Schemes whose URLs are a path without a host. Of any other text without `//`, such as `user:password`,
/// only what stands before the colon is shown.
const PATH_ONLY: [&str; 3] = ["sqlite", "file", "memory"];

/// A URL as it may stand in messages, errors and logs.
pub struct Redacted<'url>(pub &'url str);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(url) = Url::parse(self.0) else {
            // What cannot be parsed may hold a password anywhere; only a scheme is known not to.
            let scheme = self.0.split_once(':').map_or("", |(scheme, _)| scheme);
            let named = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphabetic());
            return write!(f, "{}:…", if named { scheme } else { "?" });
        };
        write!(f, "{}:", url.scheme())?;
        if !url.has_authority() && !PATH_ONLY.contains(&url.scheme()) {
            return f.write_str("…");
        }
        if let Some(host) = url.host_str() {
            write!(f, "//{host}")?;
        } else if url.has_authority() {
            f.write_str("//")?;
        }
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(url.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_shown() {
        let table = [
            ("amqp://user:secret@host:5672/%2f?heartbeat=10", "amqp://host:5672/%2f"),
            ("postgres://secret@host/db?password=secret", "postgres://host/db"),
            ("redis://:secret@[::1]:6379/0", "redis://[::1]:6379/0"),
            ("s3://bucket/prefix?endpoint=http://secret@x", "s3://bucket/prefix"),
            ("file:///var/lib/carrack", "file:///var/lib/carrack"),
            ("memory:", "memory:"),
            ("sqlite:carrack.db", "sqlite:carrack.db"),
            ("amqp://user:secret@:notaport/", "amqp:…"),
            ("user:secret@host", "user:…"),
            ("us er:secret@host", "?:…"),
            ("secret", "?:…"),
        ];
        for (url, shown) in table {
            assert_eq!(Redacted(url).to_string(), shown, "{url}");
        }
    }
}
