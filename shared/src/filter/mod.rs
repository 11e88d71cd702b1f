//! Filters: which records an operation is about.
//!
//! The document is the guide's: `dateRange`, `types`, `tags`, `sessionIds`, `importance`, and beside them `where`, an
//! expression; all have to hold. It is stored in a canonical form, so that two ways of asking for the same are one.
//! For a data type it becomes [`Condition`]s, which databases take over and [`Condition::holds`] decides everywhere
//! else, and a [`Judge`] for the expression; `docs/filters.md` tells it to users.

mod condition;
mod expression;
mod kinds;
mod pushed;
mod texts;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value as Json, json};

pub use self::condition::{Condition, Literal, Order};
pub(crate) use self::expression::of_cell;
pub use self::expression::{Judge, Undecided};
use self::expression::{Predicate, WHERE};
pub use self::texts::Texts;
use crate::document::{Members, Mistake, Mistakes, kind};
use crate::format::instant::{self, NoInstant};
use crate::limits::FILTER_TEXTS;
use crate::schema::{DataType, FieldType, METADATA};

/// What is asked of records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// When they were last changed, in microseconds since 1970.
    dates: Dates,
    types: Texts,
    tags: Texts,
    session_ids: Texts,
    importance: Texts,
    predicate: Option<Predicate>,
}

/// A stretch of time; both ends are part of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Dates {
    start: Option<i64>,
    end: Option<i64>,
}

/// The field that tells when a record was last changed.
const UPDATED_AT: &str = "updatedAt";
/// The field that tells it of a record that was never changed.
const CREATED_AT: &str = "createdAt";
/// The member of `metadata` that `importance` is about.
const IMPORTANCE: &str = "importance";
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

impl Filter {
    /// Reads a document. What is empty asks for nothing.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn read(document: &Json) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Mistakes::default();
        let filter = Members::new(String::new(), document, &mut mistakes).map(|mut members| {
            let filter = Self {
                dates: dates(&mut members),
                types: texts(&mut members, "types"),
                tags: texts(&mut members, "tags"),
                session_ids: texts(&mut members, "sessionIds"),
                importance: texts(&mut members, "importance"),
                predicate: predicate(&mut members),
            };
            members.end();
            filter
        });
        mistakes.or(filter)
    }

    /// Whether every record matches.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The document in its canonical form.
    pub fn document(&self) -> Json {
        let mut document = Map::new();
        let mut range = Map::new();
        for (name, end) in [("start", self.dates.start), ("end", self.dates.end)] {
            range.extend(end.map(|end| (name.to_owned(), json!(instant::text(end)))));
        }
        if !range.is_empty() {
            document.insert("dateRange".into(), range.into());
        }
        for (name, texts) in self.lists().into_iter().filter(|(_, texts)| !texts.is_empty()) {
            document.insert(name.into(), texts.iter().collect());
        }
        if let Some(predicate) = &self.predicate {
            document.insert(WHERE.into(), predicate.source.as_str().into());
        }
        document.into()
    }

    /// What it asks of the fields of a type, but for its expression: all of it has to hold.
    ///
    /// # Errors
    /// What asks for a field that the type does not have, and an expression that makes no sense for the type.
    pub fn conditions(&self, data_type: &DataType) -> Result<Vec<Condition>, Vec<Mistake>> {
        let mut mistakes = Mistakes::default();
        let mut conditions = Vec::new();
        let Dates { start, end } = self.dates;
        if self.dates != Dates::default() {
            let is_date = |name: &str| slot(data_type, name, FieldType::Date).ok();
            let fields: Vec<usize> = [UPDATED_AT, CREATED_AT].into_iter().filter_map(is_date).collect();
            if fields.is_empty() {
                mistakes.add("dateRange", lacks(data_type, "updatedAt or createdAt", FieldType::Date));
            } else {
                conditions.push(Condition::Within { fields, start, end });
            }
        }
        for (name, texts) in self.lists().into_iter().filter(|(_, texts)| !texts.is_empty()) {
            let texts = texts.clone();
            let condition = match name {
                "types" => {
                    slot(data_type, "type", FieldType::String).map(|field| Condition::OneOf { field, texts })
                }
                "sessionIds" => slot(data_type, "sessionId", FieldType::String)
                    .map(|field| Condition::OneOf { field, texts }),
                "tags" => slot(data_type, "tags", FieldType::Array)
                    .map(|field| Condition::AnyElement { field, texts }),
                _ => slot(data_type, METADATA, FieldType::Object).map(|field| Condition::Member {
                    field,
                    name: IMPORTANCE.into(),
                    texts,
                }),
            };
            conditions.extend(mistakes.note(name, condition));
        }
        if let Some(predicate) = &self.predicate {
            predicate.check(data_type, &mut mistakes);
        }
        mistakes.or(Some(conditions))
    }

    /// What its expression asks, in an operation that was created at `started`.
    pub fn judge(&self, data_type: &DataType, started: Timestamp) -> Option<Judge> {
        self.predicate.as_ref().map(|predicate| Judge::new(predicate, data_type, started))
    }

    /// What every record meets for which its expression comes to true, or fails: for databases, which need not read
    /// the others.
    pub fn necessary(&self, data_type: &DataType) -> Option<Condition> {
        self.predicate.as_ref().and_then(|predicate| predicate.necessary(data_type))
    }

    fn lists(&self) -> [(&'static str, &Texts); 4] {
        [
            ("types", &self.types),
            ("tags", &self.tags),
            ("sessionIds", &self.session_ids),
            ("importance", &self.importance),
        ]
    }
}

impl Serialize for Filter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.document().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(&Json::deserialize(deserializer)?).map_err(|mistakes| {
            let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            D::Error::custom(told.join("; "))
        })
    }
}

fn predicate(members: &mut Members<'_, '_>) -> Option<Predicate> {
    members.parsed(WHERE, |source| match source.trim().is_empty() {
        true => Ok(None),
        false => Predicate::read(source).map(Some),
    })?
}

fn dates(members: &mut Members<'_, '_>) -> Dates {
    let Some(value) = members.get("dateRange") else { return Dates::default() };
    let at = members.place("dateRange");
    let Some(mut range) = Members::new(at, value, members.mistakes) else { return Dates::default() };
    let start = range.read("start", |value| date(value, 0));
    let end = range.read("end", |value| date(value, DAY - 1));
    if let (Some(first), Some(last)) = (start, end)
        && first > last
    {
        let (first, last) = (instant::text(first), instant::text(last));
        range.wrong("end", format!("found {last}, expected {first} or later, as start says"));
    }
    range.end();
    Dates { start, end }
}

/// An instant; `day` microseconds behind midnight where only a day is named.
fn date(value: &Json, day: i64) -> Result<i64, String> {
    let expected = || "an RFC 3339 date, such as 2024-01-31 or 2024-01-31T00:00:00Z".to_owned();
    let text = value.as_str().ok_or_else(expected)?;
    let more = if text.len() == "2024-01-31".len() { day } else { 0 };
    match instant::parse(text) {
        Ok(micros) => Ok(micros + more),
        Err(NoInstant::Precision) => Err("a date of at most six decimals".into()),
        Err(NoInstant::Invalid) => Err(expected()),
    }
}

fn texts(members: &mut Members<'_, '_>, name: &'static str) -> Texts {
    let mut texts = Vec::new();
    for (at, item) in members.list(name, FILTER_TEXTS) {
        match item.as_str() {
            Some(text) if !text.contains('\0') => texts.push(text.to_owned()),
            Some(_) => members.mistakes.add(at, "found a text with NUL, which no record has"),
            None => members.mistakes.add(at, format!("found {}, expected a text", kind(item))),
        }
    }
    Texts::new(texts)
}

/// The number of a field of this name and type.
fn slot(data_type: &DataType, name: &str, field_type: FieldType) -> Result<usize, String> {
    let slot = data_type.slot(name).filter(|slot| data_type.fields[*slot].field_type == field_type);
    slot.ok_or_else(|| lacks(data_type, name, field_type))
}

fn lacks(data_type: &DataType, name: &str, field_type: FieldType) -> String {
    let (known, kind) = (data_type.name.as_str(), field_type.as_str());
    format!("{known} has no field {name} of the type {kind}, which this filter asks for")
}

#[cfg(test)]
mod tests;
