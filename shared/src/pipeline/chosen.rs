//! Which records of an import its filters leave out: told once a record is mapped, before it is judged.
//!
//! A record is left out where one of the conditions surely does not hold. One whose fields cannot be read is
//! judged like any other, and refused.

use super::checks::Checks;
use super::validate::{self, Rules};
use crate::filter::{Condition, Filter, Texts};
use crate::format::draft::Draft;
use crate::record::{Cell, Rows};
use crate::schema::DataType;

/// The conditions of an import, and the fields that they are about.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    conditions: Vec<Condition>,
    fields: Vec<usize>,
}

impl Chosen {
    /// Of records of a type.
    pub fn new(filter: &Filter, data_type: &DataType) -> Self {
        // Refused when the operation is created. Were it not, what nobody has asked for would better stay outside.
        let nothing = |_| vec![Condition::OneOf { field: data_type.key, texts: Texts::default() }];
        let conditions = filter.conditions(data_type).unwrap_or_else(nothing);
        let mut fields: Vec<usize> = conditions.iter().flat_map(Condition::fields).collect();
        fields.sort_unstable();
        fields.dedup();
        Self { conditions, fields }
    }

    /// Whether a record is left out.
    pub fn leaves_out(
        &self,
        (data_type, rules, checks): (&DataType, Rules, &Checks),
        rows: &mut Rows,
        draft: &mut Draft,
    ) -> bool {
        if self.conditions.is_empty() {
            return false;
        }
        let start = rows.scratch_start();
        let settled = |slot: &usize| validate::settled(data_type, *slot, rules, checks, rows, draft);
        let cells: Vec<Option<Cell>> = self.fields.iter().map(settled).collect();
        let mut value = |slot: usize| {
            let cell = self.fields.iter().position(|field| *field == slot).and_then(|index| cells[index])?;
            Some(rows.of_cell(cell))
        };
        let left_out = self.conditions.iter().any(|condition| condition.holds(&mut value) == Some(false));
        rows.truncate_scratch(start);
        left_out
    }
}
