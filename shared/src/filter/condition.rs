//! What is asked of one record: the reference for what databases select.

use std::cmp::Ordering;

use super::texts::Texts;
use crate::format::json::{elements, members};
use crate::record::{Rows, Value};

/// What is asked of the fields of a record, by their numbers. A field that the record does not have, or has as
/// null, meets no condition but [`Condition::There`].
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
        /// The member's name: letters, digits and underscores.
        name: String,
        /// What it may be.
        texts: Texts,
    },
    /// This value is of such an order to that one.
    Compared {
        /// A string, an integer or a boolean, as the other value is.
        field: usize,
        /// What is allowed.
        order: Order,
        /// The other value.
        with: Literal,
    },
    /// This text has that one in it.
    Contains {
        /// A string.
        field: usize,
        /// The text inside.
        text: String,
        /// Whether only its beginning counts.
        at_start: bool,
    },
    /// The record has this field, and not as null; or does not have it.
    There {
        /// Of any type.
        field: usize,
        /// Which of the two.
        is: bool,
    },
    /// The record has a value outside its schema under one of these names: what a row keeps that its column could
    /// not take.
    Outside {
        /// The number behind the last field, which is that of all that stands outside.
        extra: usize,
        /// The names.
        names: Texts,
    },
    /// All of these are met, at least one.
    All(Vec<Self>),
    /// One of these is met, at least one.
    Any(Vec<Self>),
}

/// A value with which a field is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// By its bytes, which is by its characters, too; without NUL.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// True or false.
    Truth(bool),
}

/// The order of two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `=`
    Equal,
    /// `<>`
    Unequal,
    /// `>=`
    GreaterOrEqual,
    /// `>`
    Greater,
}

impl Order {
    /// As SQL writes it.
    pub fn as_sql(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Equal => "=",
            Self::Unequal => "<>",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">",
        }
    }

    /// All others.
    pub fn opposite(self) -> Self {
        match self {
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
            Self::Equal => Self::Unequal,
            Self::Unequal => Self::Equal,
            Self::GreaterOrEqual => Self::Less,
            Self::Greater => Self::LessOrEqual,
        }
    }

    /// That of the same values, the other one first.
    pub fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Greater => Self::Less,
            Self::Equal | Self::Unequal => self,
        }
    }

    fn allows(self, found: Ordering) -> bool {
        match self {
            Self::Less => found.is_lt(),
            Self::LessOrEqual => found.is_le(),
            Self::Equal => found.is_eq(),
            Self::Unequal => found.is_ne(),
            Self::GreaterOrEqual => found.is_ge(),
            Self::Greater => found.is_gt(),
        }
    }
}

impl Literal {
    /// The order of a value to this one; none where they cannot be compared.
    fn order_of(&self, value: Value<'_>) -> Option<Ordering> {
        match (self, value) {
            (Self::Text(own), Value::Text(text)) => Some(text.cmp(own.as_bytes())),
            (Self::Whole(own), Value::Json(json)) => {
                let whole: i64 = std::str::from_utf8(json).ok()?.parse().ok()?;
                Some(whole.cmp(own))
            }
            (Self::Truth(own), Value::Json(json)) => match json {
                b"true" => Some(true.cmp(own)),
                b"false" => Some(false.cmp(own)),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Condition {
    /// The fields that it looks at.
    pub fn fields(&self) -> Vec<usize> {
        match self {
            Self::Within { fields, .. } => fields.clone(),
            Self::OneOf { field, .. }
            | Self::AnyElement { field, .. }
            | Self::Member { field, .. }
            | Self::Compared { field, .. }
            | Self::Contains { field, .. }
            | Self::There { field, .. }
            | Self::Outside { extra: field, .. } => vec![*field],
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::fields).collect(),
        }
    }

    /// Whether a record meets it whose fields `value` gives, as they are stored; none of a field that cannot be
    /// read, and then perhaps no answer.
    pub fn holds<'v>(&self, value: &mut dyn FnMut(usize) -> Option<Value<'v>>) -> Option<bool> {
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
                    members(text(json)).any(|(own, value)| own == name && texts.has_json(value))
                }
                _ => false,
            }),
            Self::Compared { field, order, with } => {
                Some(with.order_of(value(*field)?).is_some_and(|found| order.allows(found)))
            }
            Self::Contains { field, text: part, at_start } => Some(match value(*field)? {
                Value::Text(whole) if *at_start => text(whole).starts_with(part),
                Value::Text(whole) => text(whole).contains(part),
                _ => false,
            }),
            Self::There { field, is } => Some((value(*field)? != Value::Missing) == *is),
            Self::Outside { extra, names } => Some(match value(*extra)? {
                Value::Json(json) => members(text(json)).any(|(own, _)| names.has_raw(own)),
                _ => false,
            }),
            Self::All(parts) => Self::decided(parts, false, value),
            Self::Any(parts) => Self::decided(parts, true, value),
        }
    }

    /// The answer `decisive` if any part gives it; the other one if all parts do.
    fn decided<'v>(
        parts: &[Self],
        decisive: bool,
        value: &mut dyn FnMut(usize) -> Option<Value<'v>>,
    ) -> Option<bool> {
        let mut answer = Some(!decisive);
        for part in parts {
            match part.holds(value) {
                Some(found) if found == decisive => return Some(decisive),
                Some(_) => {}
                None => answer = None,
            }
        }
        answer
    }

    /// Whether row `row` meets all of these.
    pub fn all_hold(conditions: &[Self], rows: &Rows, row: usize) -> bool {
        conditions
            .iter()
            .all(|condition| condition.holds(&mut |slot| Some(rows.value(row, slot))) == Some(true))
    }
}
