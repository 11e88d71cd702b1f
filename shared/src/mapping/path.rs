//! The name of a field as users write it in a mapping: `title`, `meta.importance`, `['a.b']`.
//!
//! A dot leads into an object. Names that hold a dot are written in brackets and quotes, as in `--records-at`;
//! a bracket that no quote follows is a character like any other. Where a record has a field whose whole name
//! is `meta.importance`, as tables have it that were made of nested records, that field is meant.

use std::fmt;

use crate::format::records_at::quoted_member;
use crate::format::shown;
use crate::limits::{NAME_BYTES, PATH_NAMES};

/// A path; at least one name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Path {
    /// The names that lead to the field.
    pub names: Vec<String>,
    /// The same as one name, where it has dots and nothing is quoted.
    pub whole: Option<String>,
}

impl Path {
    /// Reads what a user wrote.
    ///
    /// # Errors
    /// Says what was found and expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut names, mut rest, mut quotes) = (Vec::new(), text, false);
        loop {
            let behind = if opens_quote(rest) {
                let (name, behind) = quoted_member(rest).ok_or_else(|| unclosed(text))?;
                quotes = true;
                names.push(name);
                behind
            } else {
                let (name, behind) = rest.split_at(plain_length(rest));
                names.push(name.to_owned());
                behind
            };
            rest = match behind.strip_prefix('.') {
                Some(rest) => rest,
                None if behind.is_empty() => break,
                None if opens_quote(behind) => behind,
                None => return Err(unclosed(text)),
            };
        }
        if names.iter().any(String::is_empty) {
            return Err(format!("found {}, expected a name on each side of a dot", shown::text(text)));
        }
        if names.len() > PATH_NAMES || names.iter().any(|name| name.len() > NAME_BYTES) {
            let expected =
                format!("expected at most {PATH_NAMES} names of at most {NAME_BYTES} bytes in a path");
            return Err(format!("found {}, {expected}", shown::text(text)));
        }
        if let Some(star) = names.iter().find(|name| *name == "*").filter(|_| !quotes) {
            return Err(format!("found {star:?} in {}, expected the name of a field", shown::text(text)));
        }
        let whole = (names.len() > 1 && !quotes).then(|| text.to_owned());
        Ok(Self { names, whole })
    }

    /// The only name, if there is no other.
    pub fn only(&self) -> Option<&str> {
        match &self.names[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Whether it leads to the other or through it.
    pub fn is_below(&self, other: &Self) -> bool {
        self.names.starts_with(&other.names)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names.iter().enumerate() {
            let plain = plain_length(name) == name.len() && !opens_quote(name) && name != "*";
            match (plain, index) {
                (true, 0) => formatter.write_str(name)?,
                (true, _) => write!(formatter, ".{name}")?,
                (false, _) => {
                    write!(formatter, "['{}']", name.replace('\\', "\\\\").replace('\'', "\\'"))?;
                }
            }
        }
        Ok(())
    }
}

/// Whether a name in brackets and quotes begins here.
fn opens_quote(text: &str) -> bool {
    text.starts_with("['") || text.starts_with("[\"")
}

fn plain_length(text: &str) -> usize {
    let ends = |(at, character): (usize, char)| {
        (character == '.' || character == '[' && opens_quote(&text[at..])).then_some(at)
    };
    text.char_indices().find_map(ends).unwrap_or(text.len())
}

fn unclosed(text: &str) -> String {
    format!("found {}, expected a path such as meta.importance or ['a.b'].c", shown::text(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_users_write_them() {
        let long = "x".repeat(NAME_BYTES + 1);
        let deep = vec!["a"; PATH_NAMES + 1].join(".");
        for (text, names, shown) in [
            ("title", Some("title"), "title"),
            ("meta.importance", Some("meta|importance"), "meta.importance"),
            ("['a.b']", Some("a.b"), "['a.b']"),
            ("[\"a'b\"].c", Some("a'b|c"), "a'b.c"),
            ("a['b.c'].d", Some("a|b.c|d"), "a['b.c'].d"),
            ("a['b']['c.']", Some("a|b|c."), "a.b['c.']"),
            (r"['a\'.\\']", Some(r"a'.\"), r"['a\'.\\']"),
            ("Name [first]", Some("Name [first]"), "Name [first]"),
            ("['*']", Some("*"), "['*']"),
            ("", None, "found \"\", expected a name on each side of a dot"),
            ("a..b", None, "found \"a..b\", expected a name on each side of a dot"),
            ("a.", None, "found \"a.\", expected a name on each side of a dot"),
            ("['a", None, "found \"['a\", expected a path such as meta.importance or ['a.b'].c"),
            ("['a']b", None, "found \"['a']b\", expected a path such as meta.importance or ['a.b'].c"),
            ("a.*", None, "found \"*\" in \"a.*\", expected the name of a field"),
            (&long, None, "expected at most 64 names of at most 1024 bytes in a path"),
            (&deep, None, "expected at most 64 names of at most 1024 bytes in a path"),
        ] {
            match Path::parse(text) {
                Ok(path) => {
                    assert_eq!(Some(path.names.join("|").as_str()), names, "{text}");
                    assert_eq!(path.to_string(), shown);
                    assert_eq!(Path::parse(shown).unwrap().names, path.names);
                }
                Err(message) => assert!(names.is_none() && message.ends_with(shown), "{text}: {message}"),
            }
        }
        assert!(Path::parse(&long[1..]).is_ok() && Path::parse(&deep[2..]).is_ok());
        assert_eq!(Path::parse("a.b").unwrap().whole.as_deref(), Some("a.b"));
        assert_eq!(Path::parse("['a'].b").unwrap().whole, None);
    }
}
