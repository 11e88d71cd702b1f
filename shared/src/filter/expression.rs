//! An expression as a filter: the records for which it comes to true match.
//!
//! It sees a record as it is stored: dates are texts in UTC, the fields outside the schema stand beside the others.
//! A database may leave out what surely does not match ([`super::pushed`]); it is decided here, in both directions.

use std::sync::Arc;

use jiff::Timestamp;

use super::{kinds, pushed};
use crate::document::Mistakes;
use crate::fault::{Fault, Stage};
use crate::filter::Condition;
use crate::format::instant;
use crate::format::shown;
use crate::mapping::{Expression, Value};
use crate::record::{self, Rows, utf8};
use crate::schema::DataType;

/// The option's name.
pub(super) const WHERE: &str = "where";

/// An expression, as it was written and compiled.
#[derive(Debug, Clone)]
pub(super) struct Predicate {
    pub source: String,
    compiled: Arc<Expression>,
}

impl PartialEq for Predicate {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Predicate {}

impl Predicate {
    /// Compiles; what is wrong has its line and column.
    pub fn read(source: &str) -> Result<Self, String> {
        let compiled = Arc::new(crate::mapping::compiled(source)?);
        Ok(Self { source: source.to_owned(), compiled })
    }

    /// Notes what makes no sense for records of a type.
    pub fn check(&self, data_type: &DataType, mistakes: &mut Mistakes) {
        let lacks = |name: &&String| data_type.slot(name).is_none();
        for name in self.compiled.names.iter().filter(lacks) {
            let (known, name) = (data_type.name.as_str(), shown::name(name));
            let detail = format!(
                "{known} has no field {name}, expected one of its own, or record.{name} for one outside the schema"
            );
            mistakes.add(WHERE, detail);
        }
        if let Err(detail) = kinds::check(self.compiled.ast(), data_type) {
            mistakes.add(WHERE, detail);
        }
    }

    /// What every record meets for which it comes to true, or to nothing because it fails.
    pub fn necessary(&self, data_type: &DataType) -> Option<Condition> {
        pushed::necessary(self.compiled.ast(), data_type)
    }
}

/// An expression that decides on the records of a type, in an operation that has begun.
#[derive(Debug)]
pub struct Judge {
    compiled: Arc<Expression>,
    inputs: Vec<Input>,
    started: String,
}

/// A field that the expression refers to.
#[derive(Debug)]
pub(crate) struct Input {
    pub name: String,
    /// Its number; none where it is outside the schema.
    pub slot: Option<usize>,
}

/// A row of which cannot be told whether it matches, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "where, for the row with the key {key:?}: {why}; expected true or false for every row: ask first whether it can \
     be told, as in type(x) == string && x.contains(\"y\")"
)]
pub struct Undecided {
    key: String,
    why: String,
}

impl Judge {
    pub(super) fn new(predicate: &Predicate, data_type: &DataType, started: Timestamp) -> Self {
        let compiled = Arc::clone(&predicate.compiled);
        let mut inputs: Vec<Input> = Vec::new();
        for name in compiled.fields() {
            if !inputs.iter().any(|input| input.name == name) {
                inputs.push(Input { name: name.to_owned(), slot: data_type.slot(name) });
            }
        }
        Self { compiled, inputs, started: instant::text(started.as_microsecond()) }
    }

    /// The fields that it refers to.
    pub(crate) fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Whether a record matches that has these values, one for each of [`Judge::inputs`].
    pub(crate) fn decide(&self, values: &[Option<Value<'_>>]) -> Result<bool, Fault> {
        let field = |name: &str| {
            let index = self.inputs.iter().position(|input| input.name == name)?;
            values.get(index)?.as_ref()
        };
        let unfit = |why: String| Fault::new(Stage::Transform, "filter.where", format!("where: {why}"));
        match self.compiled.evaluate(&field, &self.started) {
            Ok(Value::Boolean(flag)) => Ok(flag),
            // As everywhere in the expression.
            Ok(Value::Null) => Ok(false),
            Ok(other) => {
                Err(unfit(format!("the expression came to {}, expected true or false", other.shown())))
            }
            Err(refusal) => Err(unfit(refusal.message)),
        }
    }

    /// Which of these rows match.
    ///
    /// # Errors
    /// The first of which it cannot be told.
    pub fn matching(&self, rows: &Rows) -> Result<Vec<bool>, Undecided> {
        let one = |row| {
            self.decide(&self.of_row(rows, row)).map_err(|fault| Undecided {
                key: String::from_utf8_lossy(rows.key(row)).into_owned(),
                why: fault.message.strip_prefix("where: ").unwrap_or(&fault.message).to_owned(),
            })
        };
        (0..rows.len()).map(one).collect()
    }

    fn of_row<'v>(&self, rows: &'v Rows, row: usize) -> Vec<Option<Value<'v>>> {
        let mut extra = match rows.value(row, rows.width() - 1) {
            record::Value::Json(json) => match Value::of_canonical_bytes(json) {
                Value::Object(members) => members,
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        let mut outside = |name: &str| {
            let index = extra.iter().position(|(own, _)| own == name)?;
            Some(extra.swap_remove(index).1)
        };
        let value = |input: &Input| {
            let own = input.slot.and_then(|slot| of_cell(rows.value(row, slot)));
            // That a field is null stands outside, too.
            own.or_else(|| outside(&input.name))
        };
        self.inputs.iter().map(value).collect()
    }
}

/// A stored value as an expression sees it; none where the field is missing.
pub(crate) fn of_cell(value: record::Value<'_>) -> Option<Value<'_>> {
    Some(match value {
        record::Value::Missing => return None,
        record::Value::Text(bytes) => Value::Text(utf8(bytes)),
        record::Value::Instant(micros) => Value::text(instant::text(micros)),
        record::Value::Json(json) => Value::of_canonical_bytes(json),
    })
}
