//! A record while it is decoded: cells as the format gives them, fields outside the schema, faults.

use std::ops::Range;

use super::correction::ERROR;
use super::json::{Refusal, canonical_key, duplicate, text};
use crate::content::Content;
use crate::fault::{Fault, Stage};
use crate::limits;
use crate::record::{Cell, Origin, Rows};

/// One record under construction, used for one after another.
#[derive(Debug)]
pub(crate) struct Draft {
    /// A cell per field of the schema. A value that is neither text nor missing is JSON, whatever the field
    /// wants; dates are still text.
    pub cells: Vec<Cell>,
    /// The fields outside the schema.
    pub extra: Extra,
    /// What the record brings of binary content.
    pub contents: Vec<Content>,
    /// With the number of the field, for the order; a fault of the whole record stands first.
    faults: Vec<(Option<usize>, Fault)>,
    /// Whether there were more than are told.
    more: bool,
}

impl Draft {
    /// For records with so many fields.
    pub fn new(fields: usize) -> Self {
        let cells = vec![Cell::Missing; fields];
        Self { cells, extra: Extra::default(), contents: Vec::new(), faults: Vec::new(), more: false }
    }

    /// Empty again, for the next record.
    pub fn clear(&mut self) {
        self.cells.fill(Cell::Missing);
        self.extra.clear();
        self.contents.clear();
        self.faults.clear();
        self.more = false;
    }

    /// Notes a fault; `field` is its number, where it has one.
    pub fn fault(&mut self, field: Option<usize>, fault: Fault) {
        if self.faults.len() == limits::FAULTS {
            self.more = true;
        } else {
            self.faults.push((field, fault));
        }
    }

    /// The record cannot be read any further: this fault stands for all others.
    pub fn refuse(&mut self, refusal: Refusal) {
        self.faults.clear();
        self.more = false;
        self.faults.push((None, Fault::new(Stage::Decode, refusal.code, refusal.message)));
    }

    /// Whether field number `field` has a fault.
    pub fn is_faulty(&self, field: usize) -> bool {
        self.faults.iter().any(|(number, _)| *number == Some(field))
    }

    /// Whether the field or member of this name has a fault, or something inside it.
    pub fn is_faulty_in(&self, name: &str) -> bool {
        let is_about = |own: &str| {
            own.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.faults.iter().any(|(_, fault)| fault.field.as_deref().is_some_and(is_about))
    }

    /// Whether the values could be read, even if some of them are faulty.
    pub fn is_readable(&self) -> bool {
        !self.faults.iter().any(|(number, _)| number.is_none())
    }

    /// Forgets the field or member `name`, field number `slot` where it is one, with all that is wrong with it.
    pub fn leave_out(&mut self, name: &str, slot: Option<usize>) {
        if let Some(cell) = slot.and_then(|slot| self.cells.get_mut(slot)) {
            *cell = Cell::Missing;
        }
        self.extra.remove(name);
        let is_about = |number: Option<usize>, fault: &Fault| {
            number.is_some() && (number == slot || fault.field.as_deref() == Some(name))
        };
        self.faults.retain(|(number, fault)| !is_about(*number, fault));
    }

    /// Hands all faults over to another draft, each with the number and the name that it has there.
    pub fn hand_over(
        &mut self,
        other: &mut Self,
        mut place: impl FnMut(Option<usize>, Fault) -> (Option<usize>, Fault),
    ) {
        for (number, fault) in self.faults.drain(..) {
            let (number, fault) = place(number, fault);
            other.fault(number, fault);
        }
        other.more |= std::mem::take(&mut self.more);
    }

    /// Adds the record to `rows`.
    pub fn push(&mut self, origin: Origin, extra: Cell, rows: &mut Rows) {
        self.cells.push(extra);
        rows.push(origin, &self.cells);
        self.cells.pop();
    }

    /// Whether there is no fault.
    pub fn is_good(&self) -> bool {
        self.faults.is_empty()
    }

    /// The faults, in the order of the fields.
    pub fn take_faults(&mut self) -> Vec<Fault> {
        self.faults.sort_by_key(|(field, _)| *field);
        let mut faults: Vec<Fault> = self.faults.drain(..).map(|(_, fault)| fault).collect();
        if std::mem::take(&mut self.more) {
            let told = limits::FAULTS;
            let message = format!("found more than {told} faults in the record, of which {told} are told");
            faults.push(Fault::new(Stage::Decode, "record.faults", message));
        }
        faults
    }
}

impl Refusal {
    /// As a fault of the field or member `name`.
    pub fn in_field(self, name: &str) -> Fault {
        Fault::new(Stage::Decode, self.code, self.message).in_field(name)
    }
}

/// The fields of a record outside its schema.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    /// The names, one behind the other.
    names: Vec<u8>,
    /// The members as they are written, one behind the other.
    written: Vec<u8>,
    members: Vec<(Range<usize>, Range<usize>)>,
}

impl Extra {
    fn clear(&mut self) {
        self.names.clear();
        self.written.clear();
        self.members.clear();
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether there is a member of this name.
    pub fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(own, _)| &self.names[own.clone()] == name.as_bytes())
    }

    /// Takes the members of this name out.
    fn remove(&mut self, name: &str) {
        let names = &self.names;
        self.members.retain(|(own, _)| &names[own.clone()] != name.as_bytes());
    }

    /// The value of the member of this name, as it is written.
    pub fn get(&self, name: &str) -> Option<String> {
        let (own, written) =
            self.members.iter().find(|(own, _)| &self.names[own.clone()] == name.as_bytes())?;
        Some(self.value(own, written))
    }

    /// Takes the member of this name out: its value, as it is written.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let index = self.members.iter().position(|(own, _)| &self.names[own.clone()] == name.as_bytes())?;
        let (own, written) = self.members.remove(index);
        Some(self.value(&own, &written))
    }

    /// Takes all members out: names, and values as they are written.
    pub fn take_all(&mut self) -> Vec<(String, String)> {
        let members = std::mem::take(&mut self.members);
        let name = |own: &Range<usize>| String::from_utf8_lossy(&self.names[own.clone()]).into_owned();
        let all = members.iter().map(|(own, written)| (name(own), self.value(own, written))).collect();
        self.clear();
        all
    }

    /// What stands behind `"name":`.
    fn value(&self, name: &Range<usize>, written: &Range<usize>) -> String {
        let mut escaped = Vec::new();
        text::escape(&self.names[name.clone()], &mut escaped);
        let value = &self.written[written.start + escaped.len() + "\"\":".len()..written.end];
        String::from_utf8_lossy(value).into_owned()
    }

    /// The names of the members.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.members.iter().map(|(name, _)| String::from_utf8_lossy(&self.names[name.clone()]).into_owned())
    }

    /// Adds a member; `write` appends its value in canonical form.
    pub fn add(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        // What an earlier import found wrong with the record is no part of it.
        if name == ERROR {
            return Ok(());
        }
        if name.contains('\0') {
            return Err(text::nul());
        }
        let (name_start, start) = (self.names.len(), self.written.len());
        self.names.extend_from_slice(name.as_bytes());
        self.written.push(b'"');
        text::escape(name.as_bytes(), &mut self.written);
        self.written.extend_from_slice(b"\":");
        write(&mut self.written)?;
        self.members.push((name_start..self.names.len(), start..self.written.len()));
        Ok(())
    }

    /// Writes the members as one canonical object: a cell, missing if there are none. Names must differ.
    pub fn cell(&mut self, rows: &mut Rows) -> Cell {
        if self.members.is_empty() {
            return Cell::Missing;
        }
        self.sort();
        let start = rows.scratch_start();
        let out = rows.scratch();
        for (index, (_, written)) in self.members.iter().enumerate() {
            out.push(if index == 0 { b'{' } else { b',' });
            out.extend_from_slice(&self.written[written.clone()]);
        }
        out.push(b'}');
        Cell::Json(rows.span_of_scratch(start))
    }

    /// The first name that two members have.
    pub fn duplicate(&mut self) -> Option<Fault> {
        self.sort();
        let name = |member: &(Range<usize>, Range<usize>)| &self.names[member.0.clone()];
        let twice = self.members.windows(2).find(|pair| name(&pair[0]) == name(&pair[1]))?;
        let name = String::from_utf8_lossy(name(&twice[0])).into_owned();
        Some(duplicate(&name).in_field(&name))
    }

    fn sort(&mut self) {
        let names = &self.names;
        self.members.sort_by(|(one, _), (other, _)| {
            canonical_key(&names[one.clone()]).cmp(&canonical_key(&names[other.clone()]))
        });
    }
}
