//! One record after another, sent through a bound mapping.

use super::change::of_canonical;
use super::fields::Fields;
use super::mapper::{Direct, Mapper, collision};
use super::run;
use super::value::Value;
use crate::fault::{Fault, Stage};
use crate::format::Decoder;
use crate::format::draft::Draft;
use crate::format::json::text;
use crate::format::members::{Member, Members};
use crate::record::{Cell, Rows, Span, utf8};

/// Maps records; holds the buffers that this takes.
pub(crate) struct Run<'plan> {
    mapper: &'plan Mapper,
    source: Draft,
    members: Members<'plan>,
    fields: Fields,
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
            fields: Fields::default(),
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
        self.fields.clear(rules.names.0.len());
        decoder.record(record, start, rows, &mut self.source);
        for (name, _) in rules.renames.iter().filter(|(_, to)| to.is_none()) {
            self.source.leave_out(name, None);
        }
        if !self.source.is_readable() {
            self.hand_over_faults(draft);
            return;
        }
        self.load((record, start), rows, draft);
        self.hand_over_faults(draft);
        run::moved(rules, &mut self.fields, &mut self.source.extra, &mut |place, refusal| {
            self.mapper.fault(place, refusal, draft);
        });
        let Mapper { started, constants, fixed, parts, .. } = self.mapper;
        let given = run::Given { started, constants, fixed, parts: *parts };
        run::transformed(rules, &mut self.fields, &given, &mut |place, refusal| {
            self.mapper.fault(place, refusal, draft);
        });
        std::mem::swap(&mut self.source.extra, &mut draft.extra);
        let renamed = self.renamed(draft);
        self.direct(rows, draft);
        for (name, value) in renamed {
            self.members.put(&name, &Member::Json(&value), rows, draft);
        }
        self.put_all(rows, draft);
        self.members.end(draft);
    }

    /// Takes the fields that the rules are about out of the draft.
    fn load(&mut self, record: (&str, u32), rows: &Rows, draft: &mut Draft) {
        let mapper = self.mapper;
        for (number, name) in mapper.rules.names.0.iter().enumerate() {
            let cell =
                mapper.loads[number].map(|slot| (self.source.is_faulty(slot), self.source.cells[slot]));
            let value = match cell {
                Some((true, _)) => {
                    self.fields.faulty[number] = true;
                    continue;
                }
                Some((_, Cell::Text(span))) => Ok(text_of(span, record, rows)),
                Some((_, Cell::Json(span))) => of_canonical(&utf8(rows.bytes(span))),
                Some((_, Cell::Missing | Cell::Instant(_))) | None => match self.source.extra.take(name) {
                    Some(written) => of_canonical(&written),
                    None => continue,
                },
            };
            match value.and_then(|value| mapper.entered(number, value)) {
                Ok(value) => self.fields.values[number] = Some(value),
                Err(refusal) => {
                    self.fields.faulty[number] = true;
                    let outside = mapper.target.fields.len();
                    let number = mapper.loads[number].map_or(outside, |slot| mapper.becomes[slot]);
                    draft.fault(
                        Some(number),
                        Fault::new(Stage::Transform, refusal.code, refusal.message).in_field(name),
                    );
                }
            }
        }
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
    fn put_all(&mut self, rows: &mut Rows, draft: &mut Draft) {
        for (number, name) in self.mapper.rules.names.0.iter().enumerate() {
            let value = self.fields.values[number].take();
            if self.fields.faulty[number] {
                continue;
            }
            let slot = self.mapper.puts[number];
            if let (Some(cell), Some(slot)) = (self.fixed[number], slot) {
                self.members.settle(slot, cell, draft);
                continue;
            }
            let Some(value) = value else { continue };
            let wanted = slot.map(|slot| self.mapper.target.fields[slot].field_type);
            let start = rows.scratch_start();
            let member = match self.mapper.left(value, wanted) {
                Ok(None) => continue,
                Ok(Some(Value::Null)) => Ok(Member::Json("null")),
                Ok(Some(Value::Text(plain))) if memchr::memchr(0, plain.as_bytes()).is_some() => {
                    Err(text::nul())
                }
                Ok(Some(Value::Text(plain))) => Ok(Member::Text(rows.span_of_copy(plain.as_bytes()))),
                Ok(Some(value)) => {
                    value.write(1, rows.scratch()).map(|()| Member::Canonical(rows.span_of_scratch(start)))
                }
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

/// What a cell says. One that is a part of the record, which begins at byte `start`, is known to be a text.
fn text_of(span: Span, (record, start): (&str, u32), rows: &Rows) -> Value {
    let start = start as usize;
    let own = Rows::range_in_source(span)
        .and_then(|range| record.get(range.start.checked_sub(start)?..range.end.checked_sub(start)?));
    Value::Text(own.map_or_else(|| utf8(rows.bytes(span)).into_owned(), str::to_owned))
}
