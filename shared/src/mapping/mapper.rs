//! A mapping on its way through records: bound to the type that they become, and to the format that they have.
//!
//! Records are decoded by a type of their own, whose fields have the names of the source and the types of the
//! target: so a column `legacy_tags` that becomes `tags` is read as an array as `tags` itself would be. Fields
//! that only get another name then move as the cells that they are; only those which the mapping says more about
//! become values.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;

use super::change::json;
use super::fields::Place;
use super::fixed::{self, Fixed};
use super::record::Run;
use super::rules::{Rest, Rules};
use super::run;
use super::value::Value;
use crate::fault::{Fault, Stage};
use crate::format::draft::Draft;
use crate::format::json::Refusal;
use crate::format::{Format, instant, shown};
use crate::record::Rows;
use crate::schema::{DataType, FieldType};

/// A bound mapping.
#[derive(Debug)]
pub(crate) struct Mapper {
    pub(super) rules: Arc<Rules>,
    /// How records are decoded.
    pub(super) source: Arc<DataType>,
    /// What they become.
    pub(super) target: Arc<DataType>,
    /// When the operation was created.
    pub(super) started: String,
    /// For each field of `source`, the field of `target` that it is read as.
    pub(super) becomes: Vec<usize>,
    /// The fields that move as cells.
    pub(super) direct: Vec<Direct>,
    /// For each name of the rules, the field of `source` that it is.
    pub(super) loads: Vec<Option<usize>>,
    /// For each name of the rules, the field of `target` that it is.
    pub(super) puts: Vec<Option<usize>>,
    /// The names of the rules of which JSON in the cell of a table is what it says, because the rules lead into it.
    pub(super) entered: Vec<usize>,
    /// For each computed field, what it is of every record of the operation, where that is known.
    pub(super) constants: Vec<Option<Value<'static>>>,
    /// For each name of the rules, the cell that it always is, where that is known.
    pub(super) fixed: Vec<Option<Fixed>>,
    /// The fields outside `target` that only get another name, with that.
    pub(super) renamed: Vec<(String, String)>,
    /// Whether a record may be a part of one.
    pub(super) parts: bool,
    pub(super) format: Format,
}

/// What becomes of a value that goes into a field.
pub(super) enum Outgoing {
    Nothing,
    Itself,
    Other(Value<'static>),
}

/// A field of `source` that is one of `target`.
#[derive(Debug)]
pub(super) struct Direct {
    pub from: usize,
    pub to: usize,
    /// Whether it has another name there.
    pub renamed: bool,
}

impl Mapper {
    /// Binds.
    pub fn new(rules: &Arc<Rules>, target: &Arc<DataType>, format: Format, started: Timestamp) -> Self {
        let (mut fields, mut becomes, mut direct) = (Vec::new(), Vec::new(), Vec::new());
        let mut loads = vec![None; rules.names.0.len()];
        for (slot, field) in target.fields.iter().enumerate() {
            let Some(source) = source_of(rules, field.name.as_str()) else { continue };
            let number = rules.names.find(source);
            match number {
                Some(number) => loads[number] = Some(fields.len()),
                None => {
                    let renamed = source != field.name.as_str();
                    direct.push(Direct { from: fields.len(), to: slot, renamed });
                }
            }
            fields.push((source.to_owned(), read_as(rules, field.name.as_str(), field.field_type, format)));
            becomes.push(slot);
        }
        // Of a table also the columns that only the rules are about: as cells they are read once.
        for (number, name) in rules.names.0.iter().enumerate().filter(|_| is_table(format)) {
            if loads[number].is_none() && !fields.iter().any(|(own, _)| own == name) {
                loads[number] = Some(fields.len());
                let own = if is_entered(rules, number) { FieldType::Object } else { FieldType::String };
                fields.push((name.clone(), read_as(rules, name, own, format)));
                becomes.push(target.fields.len());
            }
        }
        let started = instant::text(started.as_microsecond());
        let constants = run::constants(rules, &started);
        let puts: Vec<Option<usize>> = rules.names.0.iter().map(|name| target.slot(name)).collect();
        let outside = |(from, to): &(String, Option<String>)| {
            let to = to.as_ref().filter(|to| target.slot(to).is_none())?;
            Some((from.clone(), to.clone()))
        };
        Self {
            rules: Arc::clone(rules),
            source: Arc::new(DataType::only_read(fields)),
            target: Arc::clone(target),
            started,
            becomes,
            direct,
            loads,
            fixed: fixed::of(rules, &constants, &puts, target),
            renamed: rules.renames.iter().filter_map(outside).collect(),
            entered: (0..puts.len())
                .filter(|number| is_table(format) && is_entered(rules, *number))
                .collect(),
            puts,
            parts: false,
            constants,
            format,
        }
    }

    /// For records that may be parts of one, which change rows that are there.
    pub fn of_parts(self) -> Self {
        Self { parts: true, ..self }
    }

    /// By which rules.
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// The type by which records are decoded.
    pub fn source(&self) -> &Arc<DataType> {
        &self.source
    }

    /// Maps one record after another into these rows.
    pub fn run(&self, rows: &mut Rows) -> Run<'_> {
        Run::new(self, rows)
    }
}

/// What a field of a record that is mapped holds, by its name; `type_of` knows it of the fields before.
pub(super) fn type_of(rules: &Rules, name: &str, type_of: &dyn Fn(&str) -> Option<FieldType>) -> FieldType {
    let computed = rules.computed.iter().find(|computed| computed.to.path.only() == Some(name));
    if let Some(kind) = computed.and_then(|computed| computed.kind) {
        return kind.field_type();
    }
    let below = |place: &Place| {
        place.path.only().is_none() && place.path.names.first().is_some_and(|own| own == name)
    };
    let moved = rules.moves.iter().filter_map(|moved| moved.to.as_ref());
    let is_made = moved.chain(rules.computed.iter().map(|computed| &computed.to)).any(below);
    let own = source_of(rules, name).and_then(type_of);
    own.unwrap_or(if is_made { FieldType::Object } else { FieldType::String })
}

/// The source whose cell is read as the field `name`: the one that is mapped to it, or its own.
fn source_of<'r>(rules: &'r Rules, name: &'r str) -> Option<&'r str> {
    let renamed =
        rules.renames.iter().find(|(_, to)| to.as_deref() == Some(name)).map(|(from, _)| from.as_str());
    let moved =
        rules.moves.iter().find(|moved| moved.to.as_ref().is_some_and(|to| to.path.only() == Some(name)));
    if let Some(from) = renamed.or_else(|| moved.and_then(|moved| moved.from.path.only())) {
        return Some(from);
    }
    let goes = rules.renames.iter().any(|(from, _)| from == name)
        || rules.moves.iter().any(|moved| moved.from.path.only() == Some(name))
        || !matches!(rules.rest, Rest::Keep);
    (!goes && moved.is_none()).then_some(name)
}

/// The type by which the cell of a field is read. A transformation gets what is written in a table's cell, and
/// not the elements that it would be.
fn read_as(rules: &Rules, name: &str, own: FieldType, format: Format) -> FieldType {
    let transformed = || rules.steps.iter().any(|step| step.at.path.only() == Some(name));
    if is_table(format) && transformed() { FieldType::String } else { own }
}

/// Whether the rules lead into the value of the name with this number.
fn is_entered(rules: &Rules, number: usize) -> bool {
    run::places(rules).any(|place| place.top == number && !place.below.is_empty())
}

/// Whether all values are texts, with arrays written in a way of their own.
fn is_table(format: Format) -> bool {
    matches!(format, Format::Csv | Format::Markdown)
}

impl Mapper {
    /// A value as it goes: a text that a table wrote for an array, an object or nothing is what it stands for.
    pub(super) fn left(&self, value: &Value<'_>, wanted: Option<FieldType>) -> Result<Outgoing, Refusal> {
        let (Value::Text(plain), Some(wanted)) = (value, wanted) else { return Ok(Outgoing::Itself) };
        let is_table = is_table(self.format);
        match wanted {
            // Of the other types an empty text is a value.
            FieldType::String => Ok(Outgoing::Itself),
            _ if plain.is_empty()
                && (is_table || self.format == Format::Xml)
                && wanted != FieldType::Binary =>
            {
                Ok(Outgoing::Nothing)
            }
            FieldType::Array if is_table && plain.starts_with('[') => json(plain).map(Outgoing::Other),
            FieldType::Array if is_table => {
                let trims = self.format == Format::Markdown;
                let element = |part: &str| Value::text(if trims { part.trim() } else { part });
                Ok(Outgoing::Other(Value::Array(plain.split(',').map(element).collect())))
            }
            FieldType::Object | FieldType::Binary if is_table && plain.starts_with('{') => {
                json(plain).map(Outgoing::Other)
            }
            _ => Ok(Outgoing::Itself),
        }
    }

    /// Notes what is wrong with the field of the source that has this name of the rules.
    pub(super) fn fault_of_source(&self, number: usize, refusal: Refusal, draft: &mut Draft) {
        let slot = self.loads[number].map_or(self.target.fields.len(), |slot| self.becomes[slot]);
        let fault = Fault::new(Stage::Transform, refusal.code, refusal.message);
        draft.fault(Some(slot), fault.in_field(&self.rules.names.0[number]));
    }

    /// Notes what is wrong with the field at a place.
    pub(super) fn fault(&self, place: &Place, refusal: Refusal, draft: &mut Draft) {
        let top = place.path.names.first().map_or("", String::as_str);
        let number = self.target.slot(top).unwrap_or(self.target.fields.len());
        let Refusal { code, message } = refusal;
        draft.fault(
            Some(number),
            Fault::new(Stage::Transform, code, message).in_field(place.path.to_string()),
        );
    }
}

/// What is said of a record that has both the field that is mapped and the one that it is mapped to.
pub(super) fn collision(from: &str, to: &str) -> Fault {
    let message = format!(
        "found the field {} beside {}, which becomes it, expected only one of them",
        shown::text(to),
        shown::text(from)
    );
    let code: Cow<'static, str> = "transform.collision".into();
    Fault { stage: Stage::Transform, code, field: Some(to.to_owned()), message }
}
