//! Computed fields that are the same of every record, and that nothing else is about: cells that are made once.

use super::fields::Place;
use super::rules::{Rest, Rules};
use super::run;
use super::value::Value;
use crate::format::instant;
use crate::record::{Cell, Rows};
use crate::schema::{DataType, FieldType};

/// What such a field holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fixed {
    Text(String),
    Instant(i64),
}

impl Fixed {
    /// As a cell of these rows.
    pub fn cell(&self, rows: &mut Rows) -> Cell {
        match self {
            Self::Text(text) => Cell::Text(rows.span_of_copy(text.as_bytes())),
            Self::Instant(micros) => Cell::Instant(*micros),
        }
    }
}

/// For each name of the rules, what is always in it. `constants` are the computed fields as far as they are known,
/// `puts` the fields of `target` that the names are.
pub(super) fn of(
    rules: &Rules,
    constants: &[Option<Value<'static>>],
    puts: &[Option<usize>],
    target: &DataType,
) -> Vec<Option<Fixed>> {
    let mut all: Vec<Option<Fixed>> = puts.iter().map(|_| None).collect();
    for (computed, constant) in rules.computed.iter().zip(constants) {
        let number = computed.to.top;
        let (Some(Value::Text(text)), Some(slot)) = (constant, puts[number]) else { continue };
        if is_alone(rules, &computed.to) {
            all[number] = fixed(text, target.fields[slot].field_type);
        }
    }
    all
}

/// The cell that a text becomes in any case; none where that depends on the format.
fn fixed(text: &str, wanted: FieldType) -> Option<Fixed> {
    match wanted {
        _ if text.is_empty() || text.contains('\0') => None,
        FieldType::String => Some(Fixed::Text(text.to_owned())),
        FieldType::Date => instant::parse(text).ok().map(Fixed::Instant),
        _ => None,
    }
}

/// Whether the place of a computed field is one that no other rule reads or writes.
fn is_alone(rules: &Rules, to: &Place) -> bool {
    let is_read =
        || rules.computed.iter().any(|other| other.inputs.iter().any(|(_, number)| *number == to.top));
    let uses = run::places(rules).filter(|place| place.is_about(to.top)).count();
    to.path.only().is_some() && uses == 1 && !matches!(rules.rest, Rest::Below(_)) && !is_read()
}
