//! What a transformation does to one value.
//!
//! A missing field and null stay what they are: only `default` and `coalesce` fill them. A transformation of
//! texts is applied to each element of an array; what it cannot be applied to is a fault, never left as it is.

use std::borrow::Cow;
use std::sync::Arc;

use memchr::memmem::Finder;
use serde_json::value::RawValue;

use super::date::{Dates, NoDate};
use super::expression::Expression;
use super::old_dates;
use super::text::{self, Replace};
use super::value::Value;
use crate::format::json::decode::invalid;
use crate::format::json::{Canonical, Refusal};
use crate::format::{instant, shown};
use crate::limits::{NODES, RECORD_BYTES};

/// A transformation of a value.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Trim,
    Lowercase,
    Uppercase,
    Capitalize,
    Slug,
    Hash,
    Json,
    Boolean,
    Number { point: char, group: Option<char> },
    Date(Arc<Dates>),
    Split { separator: Box<Finder<'static>>, trims: bool },
    Join { separator: String },
    Replace(Arc<Replace>),
    BuiltIn(BuiltIn),
    Own(Arc<Expression>),
}

/// The functions that every mapping knows, beside `splitAndTrim`, which is [`Change::Split`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BuiltIn {
    ParseOldDateFormat,
    EmptyToNull,
    StripHtml,
    CollapseSpaces,
    OnlyDigits,
    ToText,
}

impl BuiltIn {
    /// Those that have a name of their own.
    pub const ALL: [(&'static str, Self); 6] = [
        ("parseOldDateFormat", Self::ParseOldDateFormat),
        // Databases without null export empty texts for it.
        ("emptyToNull", Self::EmptyToNull),
        // What was written in a web editor.
        ("stripHtml", Self::StripHtml),
        // What was wrapped or aligned by hand.
        ("collapseSpaces", Self::CollapseSpaces),
        // Telephone numbers and other ids that people group as they like.
        ("onlyDigits", Self::OnlyDigits),
        // Ids that were numbers and are texts now.
        ("toText", Self::ToText),
    ];
}

impl Change {
    /// The code of its faults.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Trim => "transform.trim",
            Self::Lowercase => "transform.lowercase",
            Self::Uppercase => "transform.uppercase",
            Self::Capitalize => "transform.capitalize",
            Self::Slug => "transform.slug",
            Self::Hash => "transform.hash",
            Self::Json => "transform.json",
            Self::Boolean => "transform.boolean",
            Self::Number { .. } => "transform.number",
            Self::Date(_) => "transform.date",
            Self::Split { .. } => "transform.split",
            Self::Join { .. } => "transform.join",
            Self::Replace(_) => "transform.replace",
            Self::BuiltIn(_) | Self::Own(_) => "transform.custom",
        }
    }

    /// Makes of a value what it becomes.
    ///
    /// # Errors
    /// When it cannot be applied to this value.
    pub fn apply(&self, value: &mut Value<'_>, started: &str) -> Result<(), Refusal> {
        match (self, &mut *value) {
            (_, Value::Null) => {}
            (Self::Own(expression), _) => {
                *value = expression.evaluate(&|name| (name == "value").then_some(&*value), started)?;
            }
            (Self::Hash, Value::Text(plain)) => *value = Value::text(text::hash(plain.as_bytes())),
            (Self::Hash, value) => {
                let mut json = Vec::new();
                value.write(1, &mut json)?;
                *value = Value::text(text::hash(&json));
            }
            (Self::Join { separator }, value) => *value = self.joined(value, separator)?,
            (Self::Json, Value::Text(text)) => *value = json(text)?,
            (Self::Json, value) => return Err(self.refusal(value, "a text that holds JSON")),
            (Self::Split { .. }, Value::Array(items)) => {
                let mut parts = Vec::new();
                for mut item in std::mem::take(items) {
                    self.apply(&mut item, started)?;
                    match item {
                        Value::Array(more) => parts.extend(more),
                        other => parts.push(other),
                    }
                }
                *items = parts;
            }
            (_, Value::Array(items)) => items.iter_mut().try_for_each(|item| self.apply(item, started))?,
            (_, value) => self.one(value)?,
        }
        Ok(())
    }

    /// The same of a value that is neither null nor an array.
    fn one(&self, value: &mut Value<'_>) -> Result<(), Refusal> {
        match (self, &mut *value) {
            (Self::Trim, Value::Text(plain)) => text::trim(plain),
            (Self::Lowercase, Value::Text(plain)) => text::lowercase(plain),
            (Self::Uppercase, Value::Text(plain)) => text::uppercase(plain),
            (Self::Capitalize, Value::Text(plain)) => *plain = text::capitalize(plain).into(),
            (Self::Slug, Value::Text(plain)) => match text::slug(plain) {
                slug if slug.is_empty() => return Err(self.refusal(value, "letters or digits")),
                slug => *plain = slug.into(),
            },
            (Self::Boolean, value) => *value = self.truth(value)?,
            (Self::Number { .. }, Value::Number(_)) => {}
            (Self::Number { point, group }, Value::Text(plain)) => {
                match text::number(plain, *point, *group) {
                    Some(digits) => *value = without_exponent(&digits)?,
                    None => return Err(self.refusal(value, "a number")),
                }
            }
            (Self::Date(dates), value @ (Value::Text(_) | Value::Number(_))) => match dates.read(value) {
                Ok(instant) => *value = Value::text(instant::text(instant)),
                Err(why) => return Err(self.no_date(value, &why)),
            },
            (Self::Split { separator, trims }, Value::Text(plain)) => {
                *value = match plain {
                    Cow::Borrowed(text) => split(text, separator, *trims)?,
                    Cow::Owned(text) => split(text, separator, *trims)?.into_owned(),
                };
            }
            (Self::Replace(replace), Value::Text(plain)) => match replace.apply(plain) {
                Some(replaced) => *plain = replaced.into(),
                None => {
                    let message = format!(
                        "found {} with so much to replace that it would be longer than {RECORD_BYTES} bytes",
                        shown::text(plain)
                    );
                    return Err(Refusal::new(self.code(), message));
                }
            },
            (Self::BuiltIn(function), value) => self.built_in(*function, value)?,
            (Self::Date(_), value) => return Err(self.refusal(value, "a date")),
            (Self::Number { .. }, value) => return Err(self.refusal(value, "a number")),
            (_, value) => return Err(self.refusal(value, "a text")),
        }
        Ok(())
    }

    fn built_in(&self, function: BuiltIn, value: &mut Value<'_>) -> Result<(), Refusal> {
        match (function, &mut *value) {
            (BuiltIn::ToText, Value::Text(_)) => {}
            (BuiltIn::ToText, Value::Number(digits)) => *value = Value::Text(std::mem::take(digits)),
            (BuiltIn::ToText, Value::Boolean(flag)) => *value = Value::text(flag.to_string()),
            (BuiltIn::EmptyToNull, Value::Text(text)) if text.trim().is_empty() => *value = Value::Null,
            (BuiltIn::EmptyToNull, _) => {}
            (BuiltIn::ParseOldDateFormat, Value::Text(text)) => match old_dates::read(text) {
                Ok(instant) => *value = Value::text(instant::text(instant)),
                Err(why) => return Err(self.no_date(value, &why)),
            },
            (BuiltIn::StripHtml, Value::Text(plain)) => *plain = text::strip_html(plain).into(),
            (BuiltIn::CollapseSpaces, Value::Text(plain)) => *plain = text::collapse_spaces(plain).into(),
            (BuiltIn::OnlyDigits, Value::Text(plain)) => *plain = text::only_digits(plain).into(),
            (BuiltIn::ToText, value) => {
                return Err(self.refusal(value, "a text, a number or a truth value"));
            }
            (_, value) => return Err(self.refusal(value, "a text")),
        }
        Ok(())
    }

    fn truth(&self, value: &Value<'_>) -> Result<Value<'static>, Refusal> {
        let found = match value {
            Value::Boolean(flag) => Some(*flag),
            Value::Text(word) | Value::Number(word) => text::boolean(word),
            _ => None,
        };
        let expected = || {
            let words = |words: &[&str]| words.join(", ");
            format!("one of {} for true, {} for false", words(&text::TRUE), words(&text::FALSE))
        };
        found.map(Value::Boolean).ok_or_else(|| self.refusal(value, &expected()))
    }

    fn joined(&self, value: &Value<'_>, separator: &str) -> Result<Value<'static>, Refusal> {
        let Value::Array(items) = value else { return Err(self.refusal(value, "an array")) };
        let mut joined = String::new();
        for (index, item) in items.iter().enumerate() {
            joined.push_str(if index > 0 { separator } else { "" });
            match item {
                Value::Text(text) | Value::Number(text) => joined.push_str(text),
                Value::Boolean(flag) => joined.push_str(if *flag { "true" } else { "false" }),
                other => return Err(self.refusal(other, "texts, numbers and truth values in the array")),
            }
        }
        if joined.len() as u64 > RECORD_BYTES {
            let found = joined.len();
            let message =
                format!("found a text of {found} bytes once joined, expected at most {RECORD_BYTES}");
            return Err(Refusal::new(self.code(), message));
        }
        Ok(Value::text(joined))
    }

    fn no_date(&self, value: &Value<'_>, why: &NoDate) -> Refusal {
        let found = value.shown();
        let message = match (why, self) {
            (NoDate::Precision, _) => format!("found {found}, expected a date of at most six decimals"),
            (NoDate::Clock(what), _) => {
                format!("found {found}, a time that was {what} in its zone, expected an offset")
            }
            (NoDate::Ambiguous([(one, first), (other, second)]), _) => {
                let [first, second] = [first, second].map(|instant| instant::text(*instant));
                format!(
                    "found {found}, which is {first} by {one} and {second} by {other}, expected a date that can be \
                     read in one way"
                )
            }
            (NoDate::Unread, Self::Date(dates)) => {
                let formats: Vec<String> = dates.formats.iter().map(ToString::to_string).collect();
                format!("found {found}, expected a date as {}", formats.join(" or "))
            }
            (NoDate::Unread, _) => format!("found {found}, expected a date in one of the old formats"),
        };
        Refusal::new(self.code(), message)
    }

    fn refusal(&self, value: &Value<'_>, expected: &str) -> Refusal {
        Refusal::new(self.code(), format!("found {}, expected {expected}", value.shown()))
    }
}

/// A number without an exponent.
pub(crate) fn without_exponent(digits: &str) -> Result<Value<'static>, Refusal> {
    let mut out = Vec::new();
    let mut canonical = Canonical::default();
    canonical.next_record(digits.len());
    canonical.write(digits, &mut out)?;
    Ok(Value::Number(String::from_utf8(out).unwrap_or_default().into()))
}

fn split<'v>(text: &'v str, separator: &Finder<'_>, trims: bool) -> Result<Value<'v>, Refusal> {
    if text.is_empty() {
        return Ok(Value::Array(Vec::new()));
    }
    let (mut parts, mut from) = (Vec::new(), 0);
    // A whole text, so it is found between characters.
    let found = separator.find_iter(text.as_bytes()).map(|at| (at, at + separator.needle().len()));
    for (count, (end, next)) in found.chain([(text.len(), text.len())]).enumerate() {
        countable(count)?;
        let part = &text[from..end];
        from = next;
        let part = if trims { part.trim() } else { part };
        if !trims || !part.is_empty() {
            parts.push(Value::Text(part.into()));
        }
    }
    Ok(Value::Array(parts))
}

/// Refuses so many values in one field: each takes more memory than its bytes in the record.
pub(crate) fn countable(values: usize) -> Result<(), Refusal> {
    if values <= NODES {
        return Ok(());
    }
    let message =
        format!("found more than {NODES} values in a field that is mapped, expected at most so many");
    Err(Refusal::new("transform.values", message))
}

/// The value that canonical JSON stands for.
pub(crate) fn of_canonical(json: &str) -> Result<Value<'_>, Refusal> {
    if json.len() > NODES {
        countable(memchr::memchr2_iter(b',', b'[', json.as_bytes()).count())?;
    }
    Ok(Value::of_canonical(json))
}

/// The value that a text of JSON stands for.
pub(crate) fn json(text: &str) -> Result<Value<'static>, Refusal> {
    let read = serde_json::from_str::<&RawValue>(text)
        .map_err(|error| Refusal { code: "transform.json", ..invalid(&error, text, "text") })?;
    let mut canonical = Canonical::default();
    canonical.next_record(text.len());
    let mut out = Vec::new();
    canonical.write(read.get(), &mut out)?;
    of_canonical(std::str::from_utf8(&out).unwrap_or_default()).map(Value::into_owned)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::super::text::Search;
    use super::*;

    #[test]
    fn the_document_lists_every_code() {
        let separator = String::new;
        let changes = [
            Change::Trim,
            Change::Lowercase,
            Change::Uppercase,
            Change::Capitalize,
            Change::Slug,
            Change::Json,
            Change::Boolean,
            Change::Number { point: '.', group: None },
            Change::Date(Arc::new(Dates { formats: Vec::new(), zone: TimeZone::UTC })),
            Change::Split { separator: Box::new(Finder::new(",")), trims: false },
            Change::Join { separator: separator() },
            Change::Replace(Arc::new(Replace { search: Search::text(""), by: separator() })),
            Change::BuiltIn(BuiltIn::ToText),
        ];
        let document = include_str!("../../../docs/faults.md");
        for code in changes.iter().map(Change::code) {
            assert!(document.contains(&format!("`{code}`")), "expected {code} in docs/faults.md");
        }
        let mapping = include_str!("../../../docs/mapping.md");
        for (name, _) in BuiltIn::ALL {
            assert!(mapping.contains(&format!("`{name}`")), "expected {name} in docs/mapping.md");
        }
    }

    #[test]
    fn a_field_holds_so_many_values() {
        let split = Change::Split { separator: Box::new(Finder::new(",")), trims: false };
        let apply = |separators: usize| {
            let mut value = Value::text(",".repeat(separators));
            split.apply(&mut value, "").map(|()| value)
        };
        assert!(matches!(apply(NODES), Ok(Value::Array(items)) if items.len() == NODES + 1));
        assert_eq!(apply(NODES + 1).unwrap_err().code, "transform.values");
        let json = |count: usize| format!("[{}1]", "1,".repeat(count));
        assert!(of_canonical(&json(NODES - 1)).is_ok());
        assert_eq!(of_canonical(&json(NODES)).unwrap_err().code, "transform.values");
    }
}
