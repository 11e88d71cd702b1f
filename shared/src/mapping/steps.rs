//! The transformations of a mapping, compiled: each a field and what is done to it, in their order.

use std::sync::Arc;

use jiff::tz::TimeZone;
use memchr::memmem::Finder;
use serde_json::Value as Json;

use super::change::{BuiltIn, Change};
use super::date::{DateFormat, Dates, zone};
use super::expression::Expression;
use super::fields::{Names, Place};
use super::path::Path;
use super::rules::compiled;
use super::text::{Replace, Search};
use super::value::Value;
use crate::document::{Members, Mistakes};
use crate::format::shown;
use crate::limits::MAPPING_ENTRIES;
use crate::scalar;

/// One transformation.
#[derive(Debug)]
pub(crate) struct Step {
    pub at: Place,
    pub action: Action,
}

/// What it does.
#[derive(Debug)]
pub(crate) enum Action {
    /// Makes another value of what is there.
    Change(Change),
    /// Fills what is missing or null.
    Default(Value<'static>),
    /// Takes the first of these that is neither missing nor null.
    Coalesce(Vec<Place>),
}

/// The names of the transformations.
const NAMES: [&str; 16] = [
    "trim",
    "lowercase",
    "uppercase",
    "capitalize",
    "number",
    "boolean",
    "date",
    "split",
    "join",
    "replace",
    "default",
    "coalesce",
    "json",
    "hash",
    "slug",
    "custom",
];

/// The function that is [`Change::Split`].
const SPLIT_AND_TRIM: &str = "splitAndTrim";

/// What stands between the parts of a text where nothing is said.
const SEPARATOR: &str = ",";

/// The one name that the expression of a function may refer to.
const VALUE: &str = "value";

/// The user's own functions.
pub(super) type Functions = Vec<(String, Arc<Expression>)>;

/// Reads `functions`.
pub(super) fn functions(value: Option<&Json>, mistakes: &mut Mistakes) -> Functions {
    let mut functions = Functions::new();
    for (at, name, source) in mistakes.members("functions", value, MAPPING_ENTRIES) {
        if built_in_names().any(|known| known == name) {
            mistakes.add(&at, "found the name of a function that is built in, expected another one");
        }
        let Some(source) = source.as_str() else {
            mistakes.add(&at, "expected a text that is an expression over value");
            continue;
        };
        let expression = compiled(source).and_then(|expression| {
            let other = expression.fields().find(|name| *name != VALUE).map(shown::text);
            other.map_or(Ok(expression), |other| {
                Err(format!("found the name {other}, expected an expression over value alone"))
            })
        });
        functions
            .extend(mistakes.note(&at, expression).map(|compiled| (name.to_owned(), Arc::new(compiled))));
    }
    functions
}

/// Reads `transformations`.
pub(super) fn read(
    value: Option<&Json>,
    functions: &Functions,
    names: &mut Names,
    mistakes: &mut Mistakes,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for (at, entry) in mistakes.list("transformations", value, MAPPING_ENTRIES) {
        let Some(mut entry) = Members::new(at, entry, mistakes) else { continue };
        let field = path(&mut entry, "field");
        let Some(name) = entry.required("transformation") else { continue };
        let action = action(name, functions, names, &mut entry);
        // Of an unknown transformation nobody knows what belongs to it.
        if NAMES.contains(&name) {
            entry.end();
        }
        if let (Some(field), Some(action)) = (field, action) {
            steps.push(Step { at: names.place(&field), action });
        }
    }
    steps
}

fn path(entry: &mut Members<'_, '_>, name: &'static str) -> Option<Path> {
    let text = entry.required(name)?;
    let at = entry.place(name);
    entry.mistakes.note(&at, Path::parse(text))
}

fn action(
    name: &str,
    functions: &Functions,
    names: &mut Names,
    entry: &mut Members<'_, '_>,
) -> Option<Action> {
    let change = match name {
        "trim" => Change::Trim,
        "lowercase" => Change::Lowercase,
        "uppercase" => Change::Uppercase,
        "capitalize" => Change::Capitalize,
        "boolean" => Change::Boolean,
        "json" => Change::Json,
        "hash" => Change::Hash,
        "slug" => Change::Slug,
        "number" => number(entry)?,
        "date" => date(entry)?,
        "split" => Change::Split { separator: separator(entry), trims: false },
        "join" => Change::Join { separator: entry.text("separator").unwrap_or(SEPARATOR).to_owned() },
        "replace" => replace(entry)?,
        "custom" => custom(entry, functions)?,
        "default" => return default(entry),
        "coalesce" => return coalesce(entry, names),
        _ => {
            let found = shown::text(name);
            entry.wrong("transformation", format!("found {found}, expected one of {}", NAMES.join(", ")));
            return None;
        }
    };
    Some(Action::Change(change))
}

fn default(entry: &mut Members<'_, '_>) -> Option<Action> {
    match entry.get(VALUE) {
        Some(value) if !scalar::is_exact(value) => {
            entry.wrong(VALUE, "found a number of more than 15 digits, expected a text with its digits");
            None
        }
        Some(value) if !value.is_null() => Some(Action::Default(Value::of_document(value))),
        _ => {
            entry.wrong(VALUE, "found nothing, expected the value that the field gets");
            None
        }
    }
}

fn coalesce(entry: &mut Members<'_, '_>, names: &mut Names) -> Option<Action> {
    let mut places = Vec::new();
    for (at, text) in entry.texts("fields", MAPPING_ENTRIES) {
        places.push(entry.mistakes.note(&at, Path::parse(text)).map(|path| names.place(&path)));
    }
    places.into_iter().collect::<Option<Vec<_>>>().map(Action::Coalesce)
}

fn number(entry: &mut Members<'_, '_>) -> Option<Change> {
    let mut character = |name: &'static str| match entry.text(name) {
        None => Some(None),
        Some(text) => {
            let mut characters = text.chars();
            let only =
                characters.next().filter(|only| characters.as_str().is_empty() && !only.is_alphanumeric());
            if only.is_none_or(|only| matches!(only, '+' | '-')) {
                let found = shown::text(text);
                entry.wrong(
                    name,
                    format!("found {found}, expected one character that is no letter, digit or sign"),
                );
                return None;
            }
            Some(only)
        }
    };
    let (point, group) = (character("decimal"), character("group"));
    let (point, group) = (point?.unwrap_or('.'), group?);
    if group == Some(point) {
        entry.wrong(
            "group",
            format!("found {point:?}, which is the decimal mark, expected another character"),
        );
    }
    Some(Change::Number { point, group })
}

fn date(entry: &mut Members<'_, '_>) -> Option<Change> {
    let mut formats = Vec::new();
    for (at, text) in entry.texts("formats", MAPPING_ENTRIES) {
        formats.push(entry.mistakes.note(&at, DateFormat::parse(text)));
    }
    let zone = match entry.text("timeZone") {
        None => Some(TimeZone::UTC),
        Some(text) => {
            let at = entry.place("timeZone");
            entry.mistakes.note(&at, zone(text))
        }
    };
    let formats = formats.into_iter().collect::<Option<Vec<_>>>()?;
    Some(Change::Date(Arc::new(Dates { formats, zone: zone? })))
}

/// What stands between the parts of a text.
fn separator(entry: &mut Members<'_, '_>) -> Box<Finder<'static>> {
    let separator = match entry.text("separator") {
        Some("") => {
            entry.wrong("separator", "found an empty text, expected what stands between the parts");
            SEPARATOR
        }
        separator => separator.unwrap_or(SEPARATOR),
    };
    Box::new(Finder::new(separator).into_owned())
}

fn replace(entry: &mut Members<'_, '_>) -> Option<Change> {
    let (search, pattern) = (entry.text("search"), entry.text("pattern"));
    let by = entry.text("replacement").unwrap_or_default().to_owned();
    let search = match (search, pattern) {
        (Some(""), None) => {
            entry.wrong("search", "found an empty text, expected what is to be replaced");
            return None;
        }
        (Some(search), None) => Search::text(search),
        (None, Some(pattern)) => {
            let at = entry.place("pattern");
            let read = Search::pattern(pattern).map_err(|why| {
                format!("found {}, expected a regular expression: {why}", shown::text(pattern))
            });
            entry.mistakes.note(&at, read)?
        }
        (Some(_), Some(_)) => {
            entry.wrong("pattern", "found a pattern beside search, expected only one of them");
            return None;
        }
        (None, None) => {
            entry.wrong(
                "search",
                "found nothing, expected a text in search, or a regular expression in pattern",
            );
            return None;
        }
    };
    Some(Change::Replace(Arc::new(Replace { search, by })))
}

fn custom(entry: &mut Members<'_, '_>, functions: &Functions) -> Option<Change> {
    let name = entry.required("customFunction")?;
    if name == SPLIT_AND_TRIM {
        return Some(Change::Split { separator: separator(entry), trims: true });
    }
    let built_in =
        BuiltIn::ALL.iter().find(|(known, _)| *known == name).map(|(_, own)| Change::BuiltIn(*own));
    let own =
        || functions.iter().find(|(known, _)| known == name).map(|(_, own)| Change::Own(Arc::clone(own)));
    let found = built_in.or_else(own);
    if found.is_none() {
        let mut known: Vec<&str> = built_in_names().collect();
        known.extend(functions.iter().map(|(name, _)| name.as_str()));
        let found = shown::text(name);
        entry.wrong("customFunction", format!("found {found}, expected one of {}", known.join(", ")));
    }
    found
}

fn built_in_names() -> impl Iterator<Item = &'static str> {
    std::iter::once(SPLIT_AND_TRIM).chain(BuiltIn::ALL.iter().map(|(name, _)| *name))
}
