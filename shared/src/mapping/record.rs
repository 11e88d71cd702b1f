//! One record after another, sent through a bound mapping.

use std::ops::Range;

use super::change::{json, of_canonical};
use super::fields::Fields;
use super::mapper::{Direct, Mapper, Outgoing, collision};
use super::run;
use super::value::{Value, storable};
use crate::format::Decoder;
use crate::format::draft::Draft;
use crate::format::json::Refusal;
use crate::format::members::{Member, Members};
use crate::record::{Cell, Rows, Span, utf8};

/// Maps records; holds the buffers that this takes.
pub(crate) struct Run<'plan> {
    mapper: &'plan Mapper,
    source: Draft,
    members: Members<'plan>,
    /// The texts of fields that are no part of the record, one behind the other.
    copied: String,
    copies: Vec<Copied>,
    /// For each name of the rules, the cell that it always is, where that is known.
    fixed: Vec<Option<Cell>>,
}

impl<'plan> Run<'plan> {
    /// By this mapping, into these rows.
    pub(super) fn new(mapper: &'plan Mapper, rows: &mut Rows) -> Self {
        Self {
            mapper,
            source: Draft::new(mapper.source.fields.len()),
            members: Members::new(&mapper.target),
            copied: String::new(),
            copies: Vec::new(),
            fixed: mapper.fixed.iter().map(|fixed| Some(fixed.as_ref()?.cell(rows))).collect(),
        }
    }

    /// Decodes the record `record`, which begins at byte `start` of the segment, and maps it into `draft`.
    pub fn record(
        &mut self,
        decoder: &mut dyn Decoder,
        record: &str,
        start: u32,
        rows: &mut Rows,
        draft: &mut Draft,
    ) {
        let rules = &self.mapper.rules;
        self.source.clear();
        self.members.begin(record.len());
        decoder.record(record, start, rows, &mut self.source);
        for (name, _) in rules.renames.iter().filter(|(_, to)| to.is_none()) {
            self.source.leave_out(name, None);
        }
        if !self.source.is_readable() {
            self.hand_over_faults(draft);
            return;
        }
        let record = Record { text: record, start };
        // Values borrow from it while the rest of this is in use.
        let mut copied = std::mem::take(&mut self.copied);
        let mut fields = self.load(record, &mut copied, rows, draft);
        self.hand_over_faults(draft);
        run::moved(rules, &mut fields, &mut self.source.extra, &mut |place, refusal| {
            self.mapper.fault(place, refusal, draft);
        });
        let Mapper { started, constants, fixed, parts, .. } = self.mapper;
        let given = run::Given { started, constants, fixed, parts: *parts };
        run::transformed(rules, &mut fields, &given, &mut |place, refusal| {
            self.mapper.fault(place, refusal, draft);
        });
        std::mem::swap(&mut self.source.extra, &mut draft.extra);
        let renamed = self.renamed(draft);
        self.direct(rows, draft);
        for (name, value) in renamed {
            self.members.put(&name, &Member::Json(&value), rows, draft);
        }
        self.put_all(record, &fields, rows, draft);
        self.members.end(draft);
        self.copied = copied;
    }

    /// Takes the fields that the rules are about out of the draft. Their values borrow from the record, and what is
    /// no part of it from `copied`.
    fn load<'v>(
        &mut self,
        record: Record<'v>,
        copied: &'v mut String,
        rows: &Rows,
        draft: &mut Draft,
    ) -> Fields<'v> {
        let mapper = self.mapper;
        let mut fields = Fields::none(mapper.loads.len());
        copied.clear();
        let has_others = !self.source.extra.is_empty();
        for (number, load) in mapper.loads.iter().enumerate() {
            if load.is_some_and(|slot| self.source.is_faulty(slot)) {
                fields.faulty[number] = true;
                continue;
            }
            let (start, cell) = (copied.len(), load.map_or(Cell::Missing, |slot| self.source.cells[slot]));
            match cell {
                Cell::Text(span) if let Some(part) = record.part(span) => {
                    fields.values[number] = Some(Value::Text(part.into()));
                    continue;
                }
                Cell::Text(span) | Cell::Json(span) => copied.push_str(&utf8(rows.bytes(span))),
                Cell::Missing | Cell::Instant(_) if has_others => {
                    match self.source.extra.take(&mapper.rules.names.0[number]) {
                        Some(written) => copied.push_str(&written),
                        None => continue,
                    }
                }
                Cell::Missing | Cell::Instant(_) => continue,
            }
            let is_json = !matches!(cell, Cell::Text(_));
            self.copies.push(Copied { number, is_json, range: start..copied.len() });
        }
        let mut set = |fields: &mut Fields<'v>, number: usize, value: Result<_, _>| {
            fields.faulty[number] = value.is_err();
            fields.values[number] =
                value.map_err(|refusal| mapper.fault_of_source(number, refusal, draft)).ok();
        };
        let copied: &'v str = copied;
        for Copied { number, is_json, range } in self.copies.drain(..) {
            let text = &copied[range];
            set(&mut fields, number, if is_json { of_canonical(text) } else { Ok(Value::Text(text.into())) });
        }
        for number in &mapper.entered {
            match &fields.values[*number] {
                Some(Value::Text(plain)) if plain.starts_with('{') => {
                    let value = json(plain);
                    set(&mut fields, *number, value);
                }
                _ => {}
            }
        }
        fields
    }

    /// Faults of decoding belong to the fields that the source's become.
    fn hand_over_faults(&mut self, draft: &mut Draft) {
        let mapper = self.mapper;
        let (source, target) = (&mapper.source, &mapper.target);
        self.source.hand_over(draft, |number, fault| match number {
            // One that only the rules are about keeps the name that it came with.
            Some(slot) if slot < source.fields.len() => match target.fields.get(mapper.becomes[slot]) {
                Some(field) => (Some(mapper.becomes[slot]), fault.in_field(field.name.as_str())),
                None => (Some(target.fields.len()), fault),
            },
            Some(_) => (Some(target.fields.len()), fault),
            None => (None, fault),
        });
    }

    /// Gives fields outside the schema their other names; answers them with their values.
    fn renamed(&self, draft: &mut Draft) -> Vec<(String, String)> {
        let renames = self.mapper.renamed.iter();
        let taken = renames.filter_map(|(from, to)| Some((from, to.clone(), draft.extra.take(from)?)));
        let taken: Vec<_> = taken.collect();
        let mut renamed = Vec::new();
        for (from, to, value) in taken {
            if draft.extra.has(&to) {
                draft.fault(Some(self.mapper.target.fields.len()), collision(from, &to));
            } else {
                renamed.push((to, value));
            }
        }
        renamed
    }

    /// Moves the cells that stay what they are.
    fn direct(&mut self, rows: &mut Rows, draft: &mut Draft) {
        let mapper = self.mapper;
        if draft.extra.is_empty() {
            for direct in &mapper.direct {
                draft.cells[direct.to] = self.source.cells[direct.from];
            }
            return;
        }
        let source = |direct: &Direct| mapper.source.fields[direct.from].name.as_str();
        // That a field is there and null stands under its old name; all are taken before any is put.
        let nulls: Vec<bool> = mapper
            .direct
            .iter()
            .map(|direct| direct.renamed && draft.extra.take(source(direct)).is_some())
            .collect();
        for (direct, is_null) in mapper.direct.iter().zip(nulls) {
            let (cell, to) = (self.source.cells[direct.from], direct.to);
            draft.cells[to] = cell;
            if !direct.renamed {
                continue;
            }
            let target = mapper.target.fields[to].name.as_str();
            match draft.extra.take(target) {
                Some(own) if own != "null" && (cell != Cell::Missing || draft.is_faulty(to)) => {
                    draft.fault(Some(to), collision(source(direct), target));
                }
                Some(own) if cell == Cell::Missing => {
                    self.members.put(target, &Member::Json(&own), rows, draft);
                }
                _ if is_null => self.members.put(target, &Member::Json("null"), rows, draft),
                _ => {}
            }
        }
    }

    /// Puts the values that the rules are about.
    fn put_all(&mut self, record: Record<'_>, fields: &Fields<'_>, rows: &mut Rows, draft: &mut Draft) {
        for (number, name) in self.mapper.rules.names.0.iter().enumerate() {
            if fields.faulty[number] {
                continue;
            }
            let slot = self.mapper.puts[number];
            if let (Some(cell), Some(slot)) = (self.fixed[number], slot) {
                self.members.settle(slot, cell, draft);
                continue;
            }
            let Some(value) = &fields.values[number] else { continue };
            let wanted = slot.map(|slot| self.mapper.target.fields[slot].field_type);
            let member = match self.mapper.left(value, wanted) {
                Ok(Outgoing::Nothing) => continue,
                Ok(Outgoing::Itself) => record.member(value, rows),
                Ok(Outgoing::Other(other)) => record.member(&other, rows),
                Err(refusal) => Err(refusal),
            };
            let member = match member {
                Ok(member) => member,
                Err(refusal) => {
                    self.members.fault(name, refusal, draft);
                    continue;
                }
            };
            match slot {
                Some(slot) => self.members.fill(slot, &member, rows, draft),
                None => self.members.put(name, &member, rows, draft),
            }
        }
    }
}

/// The text of a field: canonical JSON, or what the field says.
#[derive(Debug)]
struct Copied {
    /// The number of the field's name.
    number: usize,
    is_json: bool,
    range: Range<usize>,
}

/// A record as it is written, and the byte of the segment at which it begins.
#[derive(Debug, Clone, Copy)]
struct Record<'v> {
    text: &'v str,
    start: u32,
}

impl<'v> Record<'v> {
    /// The part of the record that a span is.
    fn part(self, span: Span) -> Option<&'v str> {
        let (start, range) = (self.start as usize, Rows::range_in_source(span)?);
        self.text.get(range.start.checked_sub(start)?..range.end.checked_sub(start)?)
    }

    /// A value as a member of the record that is made.
    fn member(self, value: &Value<'_>, rows: &mut Rows) -> Result<Member<'static>, Refusal> {
        match value {
            Value::Null => Ok(Member::Json("null")),
            Value::Text(plain) => self.span_of(plain, rows).map(Member::Text),
            value => {
                let start = rows.scratch_start();
                value.write(1, rows.scratch())?;
                Ok(Member::Canonical(rows.span_of_scratch(start)))
            }
        }
    }

    /// The span of a text: a copy only where it does not stand in the memory of the record, which has no NUL.
    fn span_of(self, plain: &str, rows: &mut Rows) -> Result<Span, Refusal> {
        let offset = plain.as_ptr().addr().checked_sub(self.text.as_ptr().addr());
        let is_part = |from: &usize| from + plain.len() <= self.text.len();
        if let Some(from) = offset.filter(is_part).and_then(|from| u32::try_from(from).ok()) {
            let length = u32::try_from(plain.len()).unwrap_or(u32::MAX);
            return Ok(Rows::span_of_source(self.start + from..self.start + from + length));
        }
        storable(plain)?;
        Ok(rows.span_of_copy(plain.as_bytes()))
    }
}
