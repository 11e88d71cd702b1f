//! What transformations do to one text.

use std::borrow::Cow;

use memchr::memmem::Finder;
use regex::Regex;
use sha2::{Digest, Sha256};

use crate::limits::RECORD_BYTES;
use crate::pattern;

/// The words for true and for false, in any case.
pub(crate) const TRUE: [&str; 6] = ["true", "yes", "on", "y", "t", "1"];
pub(crate) const FALSE: [&str; 6] = ["false", "no", "off", "n", "f", "0"];

/// The truth value that a word stands for.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    let word = text.trim();
    let is_one_of = |words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
    match (is_one_of(&TRUE), is_one_of(&FALSE)) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// Without white space at its ends.
pub(crate) fn trim(text: &mut Cow<'_, str>) {
    match text {
        Cow::Borrowed(text) => *text = text.trim(),
        Cow::Owned(text) if text.trim().len() == text.len() => {}
        Cow::Owned(text) => *text = text.trim().to_owned(),
    }
}

/// All letters small.
pub(crate) fn lowercase(text: &mut Cow<'_, str>) {
    if !text.is_ascii() {
        *text = text.to_lowercase().into();
    } else if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        text.to_mut().make_ascii_lowercase();
    }
}

/// All letters large.
pub(crate) fn uppercase(text: &mut Cow<'_, str>) {
    if !text.is_ascii() {
        *text = text.to_uppercase().into();
    } else if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        text.to_mut().make_ascii_uppercase();
    }
}

/// The first letter large, the others as they stand.
pub(crate) fn capitalize(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(char::to_uppercase).into_iter().flatten().chain(characters).collect()
}

/// Letters and digits in lower case, and one dash for whatever stands between them.
pub(crate) fn slug(text: &str) -> String {
    let words = text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_lowercase()
}

/// SHA-256 in lower-case hex.
pub(crate) fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One space for each run of white space, and none at the ends.
pub(crate) fn collapse_spaces(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The ASCII digits.
pub(crate) fn only_digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Entities of HTML that stand for one character, with it.
const ENTITIES: [(&str, &str); 6] =
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&apos;", "'"), ("&nbsp;", " ")];

/// The text between the tags of HTML, on one line; what stands in scripts, styles and comments is no text.
pub(crate) fn strip_html(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, tag)) = rest.split_once('<') {
        plain.push_str(before);
        if !tag.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '/' | '!' | '?')) {
            plain.push('<');
            rest = tag;
            continue;
        }
        // Words on the two sides of a tag are two words.
        plain.push(' ');
        let name: String = tag.chars().take_while(char::is_ascii_alphabetic).collect();
        let end = match name.to_ascii_lowercase().as_str() {
            name @ ("script" | "style") => format!("</{name}"),
            _ if tag.starts_with("!--") => "-->".into(),
            _ => String::new(),
        };
        let from = find_ignoring_case(tag, &end).unwrap_or(tag.len());
        rest = tag[from..].split_once('>').map_or("", |(_, behind)| behind);
    }
    plain.push_str(rest);
    for (entity, character) in ENTITIES {
        plain = plain.replace(entity, character);
    }
    // Last, or `&amp;lt;` would become a bracket.
    collapse_spaces(&plain.replace("&amp;", "&"))
}

fn find_ignoring_case(text: &str, part: &str) -> Option<usize> {
    let found =
        text.as_bytes().windows(part.len().max(1)).position(|at| at.eq_ignore_ascii_case(part.as_bytes()));
    if part.is_empty() { Some(0) } else { found }
}

/// A number as it is written where the point is another character and digits stand in groups, as JSON has it.
pub(crate) fn number(text: &str, point: char, group: Option<char>) -> Option<String> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix(['-', '\u{2212}']) {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let (whole, fraction) = match mantissa.split_once(point) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let whole = ungrouped(whole, group)?;
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_digits = exponent.map(|exponent| exponent.strip_prefix(['-', '+']).unwrap_or(exponent));
    if !all_digits(&whole) || !fraction.is_none_or(all_digits) || !exponent_digits.is_none_or(all_digits) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let mut written = format!("{sign}{}", if whole.is_empty() { "0" } else { whole });
    for (mark, part) in [('.', fraction), ('e', exponent)] {
        written.extend(part.map(|part| format!("{mark}{part}")));
    }
    Some(written)
}

/// Digits without what stands between their groups, which have three each but for the first.
fn ungrouped(whole: &str, group: Option<char>) -> Option<Cow<'_, str>> {
    let Some(group) = group.filter(|group| whole.contains(*group)) else { return Some(whole.into()) };
    let mut groups = whole.split(group);
    let first = groups.next().is_some_and(|first| (1..=3).contains(&first.len()));
    let grouped = first && groups.all(|group| group.len() == 3);
    grouped.then(|| whole.split(group).collect::<String>().into())
}

/// What is looked for, and what is put in its place.
#[derive(Debug, Clone)]
pub(crate) struct Replace {
    pub search: Search,
    pub by: String,
}

/// What is looked for.
#[derive(Debug, Clone)]
pub(crate) enum Search {
    Text(Box<Finder<'static>>),
    Pattern(Regex),
}

impl Search {
    /// A text, as it stands.
    pub fn text(text: &str) -> Self {
        Self::Text(Box::new(Finder::new(text).into_owned()))
    }

    /// Compiles a regular expression.
    ///
    /// # Errors
    /// When it cannot be read, or is too large.
    pub fn pattern(pattern: &str) -> Result<Self, String> {
        pattern::compile(pattern).map(Self::Pattern)
    }
}

impl Replace {
    /// The text with everything that is found replaced; none where it would become longer than a record may be.
    pub fn apply(&self, text: &str) -> Option<String> {
        let mut written = String::with_capacity(text.len());
        let mut behind = 0;
        let fits = |written: &String| written.len() as u64 <= RECORD_BYTES;
        match &self.search {
            Search::Text(search) => {
                // A whole text, so what is found begins and ends between characters.
                for at in search.find_iter(text.as_bytes()) {
                    written.push_str(&text[behind..at]);
                    written.push_str(&self.by);
                    behind = at + search.needle().len();
                    if !fits(&written) {
                        return None;
                    }
                }
            }
            Search::Pattern(pattern) => {
                for found in pattern.captures_iter(text) {
                    let Some(whole) = found.get(0) else { continue };
                    written.push_str(&text[behind..whole.start()]);
                    found.expand(&self.by, &mut written);
                    behind = whole.end();
                    if !fits(&written) {
                        return None;
                    }
                }
            }
        }
        written.push_str(&text[behind..]);
        fits(&written).then_some(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_what_is_asked_for() {
        type Case = (fn(&str) -> String, &'static str, &'static str);
        let cases: &[Case] = &[
            (capitalize, "hello World", "Hello World"),
            (capitalize, "éa", "Éa"),
            (capitalize, "ßa", "SSa"),
            (capitalize, "", ""),
            (slug, "  Hello, World! -- 2 ", "hello-world-2"),
            (slug, "Größe m²", "größe-m²"),
            (slug, "!?", ""),
            (collapse_spaces, " a\t\n b\u{a0}c ", "a b c"),
            (only_digits, "+49 (0)30 / 123", "49030123"),
            (only_digits, "٣", ""),
            (strip_html, "<p>Hello&nbsp;<b>you</b>!</p>", "Hello you !"),
            (strip_html, "a<br/>b<!-- x > y -->c", "a b c"),
            (strip_html, "<SCRIPT>if (a<b) {}</Script >x", "x"),
            (strip_html, "1 < 2 &amp;&lt;3&amp;lt;", "1 < 2 &<3&lt;"),
            (strip_html, "cut <b", "cut"),
            (strip_html, "<script>cut", ""),
        ];
        for (change, text, expected) in cases {
            assert_eq!(change(text), *expected, "{text}");
        }
        assert_eq!(hash(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(
            ["Yes", " ON ", "t", "0", "False", "2", ""].map(boolean).to_vec(),
            [Some(true), Some(true), Some(true), Some(false), Some(false), None, None]
        );
    }

    #[test]
    fn numbers_are_read_exactly() {
        for (text, point, group, expected) in [
            ("42", '.', None, Some("42")),
            (" -0042.50 ", '.', None, Some("-42.50")),
            ("+1e-3", '.', None, Some("1e-3")),
            ("12345678901234567890123.1", '.', None, Some("12345678901234567890123.1")),
            ("1.234.567,89", ',', Some('.'), Some("1234567.89")),
            ("1 234", ',', Some(' '), Some("1234")),
            ("000", '.', None, Some("0")),
            ("1.23.567", ',', Some('.'), None),
            ("1234.567", ',', Some('.'), None),
            ("1,5", '.', None, None),
            ("1.", '.', None, None),
            (".5", '.', None, None),
            ("", '.', None, None),
            ("-", '.', None, None),
            ("1e", '.', None, None),
            ("--1", '.', None, None),
            ("0x10", '.', None, None),
            ("٣", '.', None, None),
            ("NaN", '.', None, None),
        ] {
            assert_eq!(number(text, point, group).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_found_is_replaced() {
        let replace = |pattern: bool, search: &str, by: &str| Replace {
            search: if pattern { Search::pattern(search).unwrap() } else { Search::text(search) },
            by: by.into(),
        };
        for (replace, text, expected) in [
            (replace(false, ".", "-"), "a.b.c", "a-b-c"),
            (replace(false, "a", "$1"), "aa", "$1$1"),
            (replace(true, r"(\d+)-(\d+)", "$2/$1"), "1-2 3-4", "2/1 4/3"),
            (replace(true, "x*", "-"), "axb", "-a-b-"),
            (replace(true, "$", "!"), "a", "a!"),
        ] {
            assert_eq!(replace.apply(text).as_deref(), Some(expected));
        }
        let page = "x".repeat(1 << 20);
        assert!(replace(false, "x", &page).apply(&page).is_none());
        assert!(replace(true, ".", &page).apply(&page).is_none());
        assert!(Search::pattern("(a{1000}){1000}").is_err() && Search::pattern("(").is_err());
    }
}
