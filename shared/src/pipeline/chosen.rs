//! Which records of an import its filters leave out: told once a record is mapped, before it is judged.
//!
//! A record is left out where one of the conditions surely does not hold. One whose fields cannot be read is
//! judged like any other, and refused; so is one for which the expression fails.

use jiff::Timestamp;

use super::checks::Checks;
use super::validate::{self, Rules};
use crate::fault::Fault;
use crate::filter::{Condition, Filter, Judge, Texts, of_cell};
use crate::format::draft::Draft;
use crate::mapping::Value;
use crate::record::{Cell, Rows};
use crate::schema::DataType;

/// The conditions of an import, and the fields that they are about.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    conditions: Vec<Condition>,
    judge: Option<Judge>,
    fields: Vec<usize>,
}

/// What becomes of a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Kept,
    LeftOut,
    /// It cannot be told, because a field cannot be read.
    Unknown,
    Refused(Fault),
}

impl Chosen {
    /// Of records of a type, in an operation that was created at `started`.
    pub fn new(filter: &Filter, data_type: &DataType, started: Timestamp) -> Self {
        // Refused when the operation is created. Were it not, what nobody has asked for would better stay outside.
        let nothing = |_| vec![Condition::OneOf { field: data_type.key, texts: Texts::default() }];
        let conditions = filter.conditions(data_type).unwrap_or_else(nothing);
        let judge = filter.judge(data_type, started);
        let own = judge.iter().flat_map(Judge::inputs).filter_map(|input| input.slot);
        let mut fields: Vec<usize> = conditions.iter().flat_map(Condition::fields).chain(own).collect();
        fields.sort_unstable();
        fields.dedup();
        Self { conditions, judge, fields }
    }

    /// What becomes of a record.
    pub fn choice(
        &self,
        (data_type, rules, checks): (&DataType, Rules, &Checks),
        rows: &mut Rows,
        draft: &mut Draft,
    ) -> Choice {
        if self.conditions.is_empty() && self.judge.is_none() {
            return Choice::Kept;
        }
        let start = rows.scratch_start();
        let settled = |slot: &usize| validate::settled(data_type, *slot, rules, checks, rows, draft);
        let cells: Vec<Option<Cell>> = self.fields.iter().map(settled).collect();
        let cell =
            |slot: usize| self.fields.iter().position(|field| *field == slot).and_then(|index| cells[index]);
        let mut value = |slot: usize| Some(rows.of_cell(cell(slot)?));
        let found: Vec<Option<bool>> =
            self.conditions.iter().map(|condition| condition.holds(&mut value)).collect();
        let choice = match &self.judge {
            _ if found.contains(&Some(false)) => Choice::LeftOut,
            _ if found.contains(&None) => Choice::Unknown,
            Some(judge) => judged(judge, &cell, rows, draft),
            None => Choice::Kept,
        };
        rows.truncate_scratch(start);
        choice
    }
}

fn judged(judge: &Judge, cell: &dyn Fn(usize) -> Option<Cell>, rows: &Rows, draft: &Draft) -> Choice {
    let mut values = Vec::with_capacity(judge.inputs().len());
    for input in judge.inputs() {
        let own = match input.slot.map(cell) {
            Some(None) => return Choice::Unknown,
            None if draft.is_faulty_in(&input.name) => return Choice::Unknown,
            Some(Some(cell)) => of_cell(rows.of_cell(cell)),
            None => None,
        };
        let other = || Some(Value::of_canonical(&draft.extra.get(&input.name)?).into_owned());
        values.push(own.or_else(other));
    }
    match judge.decide(&values) {
        Ok(true) => Choice::Kept,
        Ok(false) => Choice::LeftOut,
        Err(fault) => Choice::Refused(fault),
    }
}
