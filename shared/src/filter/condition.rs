//! What is asked of one record: the reference for what databases select.

use super::texts::Texts;
use crate::format::json::{elements, members};
use crate::record::{Rows, Value};

/// What is asked of the fields of a record, by their numbers. A field that the record does not have, or has as
/// null, meets no condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The first of these dates that is there lies between the two, both of which are allowed.
    Within {
        /// Dates, at least one.
        fields: Vec<usize>,
        /// Microseconds since 1970.
        start: Option<i64>,
        /// Microseconds since 1970.
        end: Option<i64>,
    },
    /// This text is one of these.
    OneOf {
        /// A string.
        field: usize,
        /// What it may be.
        texts: Texts,
    },
    /// An element of this array is one of these texts.
    AnyElement {
        /// An array.
        field: usize,
        /// What the element may be.
        texts: Texts,
    },
    /// A member of this object is one of these texts.
    Member {
        /// An object.
        field: usize,
        /// The member's name: letters.
        name: &'static str,
        /// What it may be.
        texts: Texts,
    },
}

impl Condition {
    /// The fields that it looks at.
    pub fn fields(&self) -> Vec<usize> {
        match self {
            Self::Within { fields, .. } => fields.clone(),
            Self::OneOf { field, .. } | Self::AnyElement { field, .. } | Self::Member { field, .. } => {
                vec![*field]
            }
        }
    }

    /// Whether a record meets it whose fields `value` gives, as they are stored; none of a field that cannot be
    /// read, and then perhaps no answer.
    pub fn holds<'v>(&self, value: &mut impl FnMut(usize) -> Option<Value<'v>>) -> Option<bool> {
        let text = |json: &'v [u8]| std::str::from_utf8(json).unwrap_or_default();
        match self {
            Self::Within { fields, start, end } => {
                for field in fields {
                    match value(*field)? {
                        Value::Missing => {}
                        Value::Instant(micros) => {
                            let begun = start.is_none_or(|start| micros >= start);
                            return Some(begun && end.is_none_or(|end| micros <= end));
                        }
                        _ => return Some(false),
                    }
                }
                Some(false)
            }
            Self::OneOf { field, texts } => {
                Some(matches!(value(*field)?, Value::Text(text) if texts.has(text)))
            }
            Self::AnyElement { field, texts } => Some(match value(*field)? {
                Value::Json(json) if json.starts_with(b"[") => {
                    elements(text(json)).any(|element| texts.has_json(element))
                }
                _ => false,
            }),
            Self::Member { field, name, texts } => Some(match value(*field)? {
                Value::Json(json) if json.starts_with(b"{") => {
                    members(text(json)).any(|(own, value)| own == *name && texts.has_json(value))
                }
                _ => false,
            }),
        }
    }

    /// Whether row `row` meets all of these.
    pub fn all_hold(conditions: &[Self], rows: &Rows, row: usize) -> bool {
        conditions
            .iter()
            .all(|condition| condition.holds(&mut |slot| Some(rows.value(row, slot))) == Some(true))
    }
}
