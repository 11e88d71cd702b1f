//! The forms of texts that have a name in a template.

use uuid::Uuid;

use crate::format::instant;
use crate::schema::TextFormat;

/// Whether a text is of this form, the code of the fault if it is not, and what is expected then.
pub(super) fn judge(format: TextFormat, text: &str) -> (bool, &'static str, &'static str) {
    match format {
        TextFormat::DateTime => {
            (is_date_time(text), "format.date_time", "an RFC 3339 date with a time and an offset")
        }
        TextFormat::Email => (is_email(text), "format.email", "an e-mail address"),
        TextFormat::Uri => (is_uri(text), "format.uri", "a URI with a scheme"),
        TextFormat::Uuid => (is_uuid(text), "format.uuid", "a UUID of 36 characters"),
    }
}

fn is_date_time(text: &str) -> bool {
    text.len() > "2024-01-01".len() && instant::parse(text).is_ok()
}

/// One `@`, a local part without spaces, a domain of at least two labels.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let plain = |character: char| !character.is_whitespace() && !character.is_control() && character != '@';
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|character| character.is_alphanumeric() || character == '-')
    };
    (1..=64).contains(&local.len())
        && local.chars().all(plain)
        && domain.len() <= 253
        && domain.contains('.')
        && domain.split('.').all(label)
}

/// A scheme, a colon, and characters that RFC 3986 allows.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let scheme_fits = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|character| character.is_ascii_alphanumeric() || "+-.".contains(character));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    let mut escapes = rest.split('%').skip(1);
    let escaped = |piece: &str| {
        piece.get(..2).is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
    };
    scheme_fits && !rest.is_empty() && rest.bytes().all(plain) && escapes.all(escaped)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_those_of_their_standards() {
        for (format, good, bad) in [
            ("date-time", &["2024-01-01T00:00:00Z"][..], &["2024-01-01", "now", "2024-01-01T00:00:00"][..]),
            (
                "email",
                &["a@b.c", "a.b+c@sub.example.org", "ü@müller.de"],
                &["a", "a@b", "@b.c", "a b@c.de", "a@b..c", "a@-b.c", "a@@b.c"],
            ),
            (
                "uri",
                &["http://a.b/c?d=e#f", "urn:isbn:1", "mailto:a@b.c", "x:%20"],
                &["a/b", "1a:b", "http:", "http://a b", "x:%2", "x:ü"],
            ),
            (
                "uuid",
                &["01a20549-1569-7156-8d79-fa1773d7f321", "01A20549-1569-7156-8D79-FA1773D7F321"],
                &["01a2054915697156 8d79fa1773d7f321", "01a2054915697156-8d79-fa1773d7f321", "x"],
            ),
        ] {
            let format = TextFormat::parse(format).unwrap();
            for value in good {
                assert!(judge(format, value).0, "{format:?} {value}");
            }
            for value in bad {
                assert!(!judge(format, value).0, "{format:?} {value}");
            }
        }
    }
}
