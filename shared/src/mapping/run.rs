//! What the rules of a mapping do to the fields of one record.

use super::change::{of_canonical, without_exponent};
use super::fields::{Fields, Place};
use super::fixed::Fixed;
use super::mapper::collision;
use super::rules::{Computed, Kind, Move, Rest, Rules};
use super::steps::{Action, Step};
use super::text;
use super::value::Value;
use crate::format::draft::Extra;
use crate::format::instant;
use crate::format::json::Refusal;

/// Notes what is wrong with the field at a place.
type Note<'a> = &'a mut dyn FnMut(&Place, Refusal);

/// Every place that the rules lead to.
pub(super) fn places(rules: &Rules) -> impl Iterator<Item = &Place> {
    let moves = rules.moves.iter().flat_map(|moved| std::iter::once(&moved.from).chain(&moved.to));
    let steps = rules.steps.iter().flat_map(|step| {
        let more = if let Action::Coalesce(places) = &step.action { &places[..] } else { &[] };
        std::iter::once(&step.at).chain(more)
    });
    moves.chain(steps).chain(rules.computed.iter().map(|computed| &computed.to))
}

/// Moves fields to their places.
pub(super) fn moved(rules: &Rules, fields: &mut Fields<'_>, extra: &mut Extra, note: Note<'_>) {
    let mut waiting = Vec::new();
    for moved in &rules.moves {
        let found = fields.take(&moved.from);
        // A fault in the source is one of the target.
        let is_faulty = found.is_err() || fields.is_faulty(&moved.from);
        let found = found.unwrap_or_else(|refusal| {
            note(moved.to.as_ref().unwrap_or(&moved.from), refusal);
            None
        });
        match &moved.to {
            Some(to) if rules.moves_meet => waiting.push((moved, to, is_faulty, found)),
            Some(to) => land(fields, (moved, to), is_faulty, found, note),
            None => {}
        }
    }
    let rest = match &rules.rest {
        Rest::Keep => Vec::new(),
        Rest::Drop | Rest::Below(_) => left_over(rules, fields, extra),
    };
    for (moved, to, is_faulty, found) in waiting {
        land(fields, (moved, to), is_faulty, found, note);
    }
    if let Rest::Below(below) = &rules.rest {
        for (name, value) in rest {
            let to = below.member(&name);
            match value {
                Ok(value) => put(fields, &to, value, &|| name.clone(), note),
                Err(refusal) => note(&to, refusal),
            }
        }
    }
}

/// Puts what was taken for a move where it goes.
fn land<'v>(
    fields: &mut Fields<'v>,
    (moved, to): (&Move, &Place),
    is_faulty: bool,
    found: Option<Value<'v>>,
    note: Note<'_>,
) {
    fields.faulty[to.top] |= is_faulty;
    if let Some(value) = found {
        put(fields, to, value, &|| moved.from.path.to_string(), note);
    }
}

/// A field by its name, and its value if it can be read.
type Left<'v> = (String, Result<Value<'v>, Refusal>);

/// What no mapping has taken.
fn left_over<'v>(rules: &Rules, fields: &mut Fields<'v>, extra: &mut Extra) -> Vec<Left<'v>> {
    let names = rules.names.0.iter();
    let own =
        names.zip(&mut fields.values).filter_map(|(name, value)| Some((name.clone(), Ok(value.take()?))));
    let mut left: Vec<Left<'v>> = own.collect();
    let others = extra.take_all().into_iter();
    left.extend(others.map(|(name, written)| (name, of_canonical(&written).map(Value::into_owned))));
    left
}

fn put<'v>(fields: &mut Fields<'v>, to: &Place, value: Value<'v>, from: &dyn Fn() -> String, note: Note<'_>) {
    let found = match fields.get(to) {
        Ok(found) => found,
        Err(refusal) => {
            note(to, refusal);
            fields.faulty[to.top] = true;
            return;
        }
    };
    let is_there = found.is_some_and(|found| *found != Value::Null);
    match (is_there, &value) {
        (true, Value::Null) => {}
        (true, _) => {
            let fault = collision(&from(), &to.path.to_string());
            note(to, Refusal::new("transform.collision", fault.message));
            fields.faulty[to.top] = true;
        }
        (false, _) => {
            if let Err(refusal) = fields.put(to, value) {
                note(to, refusal);
            }
        }
    }
}

/// What each computed field comes to whatever the record: known of those that are made of no field.
pub(super) fn constants(rules: &Rules, started: &str) -> Vec<Option<Value<'static>>> {
    let constant = |computed: &Computed| {
        let is_constant = computed.inputs.is_empty();
        is_constant.then(|| compute(computed, &Fields::default(), started).ok()).flatten()
    };
    rules.computed.iter().map(constant).collect()
}

/// What is the same of every record.
pub(super) struct Given<'m> {
    /// The instant at which the operation was created.
    pub started: &'m str,
    /// What [`constants`] answers.
    pub constants: &'m [Option<Value<'static>>],
    /// For each name, whether its field is put as the cell that it always is.
    pub fixed: &'m [Option<Fixed>],
    /// Whether a record may be a part of one: a field that comes to null is then one that it does not have.
    pub parts: bool,
}

/// Applies the transformations, and computes the fields that are not known to be constant.
pub(super) fn transformed(rules: &Rules, fields: &mut Fields<'_>, given: &Given<'_>, note: Note<'_>) {
    let Given { started, constants, fixed, parts } = *given;
    for Step { at, action } in rules.steps.iter() {
        if fields.is_faulty(at) {
            continue;
        }
        if let Err(refusal) = act(action, at, fields, started) {
            note(at, refusal);
            fields.faulty[at.top] = true;
        }
    }
    for (computed, constant) in rules.computed.iter().zip(constants) {
        if fixed[computed.to.top].is_some() {
            continue;
        }
        // What cannot be told because of another fault is not a fault of its own.
        if computed.inputs.iter().any(|(_, number)| fields.faulty[*number]) || fields.is_faulty(&computed.to)
        {
            continue;
        }
        let value = match constant {
            Some(value) => Ok(value.clone()),
            None => compute(computed, fields, started),
        };
        let done = match value {
            Ok(Value::Null) if parts => fields.take(&computed.to).map(drop),
            value => value.and_then(|value| fields.put(&computed.to, value)),
        };
        if let Err(refusal) = done {
            note(&computed.to, refusal);
            fields.faulty[computed.to.top] = true;
        }
    }
}

fn act(action: &Action, at: &Place, fields: &mut Fields<'_>, started: &str) -> Result<(), Refusal> {
    match action {
        Action::Change(change) => {
            let Some(value) = fields.get_mut(at)? else { return Ok(()) };
            let changed = change.apply(value, started);
            // What it half became is nothing.
            if changed.is_err() {
                *value = Value::Null;
            }
            changed
        }
        Action::Default(value) => match fields.get(at)? {
            None | Some(Value::Null) => fields.put(at, value.clone()),
            Some(_) => Ok(()),
        },
        Action::Coalesce(places) => {
            for place in places {
                match fields.get(place)? {
                    None | Some(Value::Null) => {}
                    Some(found) => {
                        let found = found.clone();
                        return fields.put(at, found);
                    }
                }
            }
            Ok(())
        }
    }
}

fn compute(computed: &Computed, fields: &Fields<'_>, started: &str) -> Result<Value<'static>, Refusal> {
    let field = |name: &str| {
        let (_, number) = computed.inputs.iter().find(|(own, _)| own == name)?;
        fields.values[*number].as_ref()
    };
    let value = computed.expression.evaluate(&field, started)?;
    let Some(kind) = computed.kind else { return Ok(value) };
    let digits = |text: &str| text::number(text, '.', None);
    let wrong = |value: &Value<'_>, expected: &str| {
        let message = format!("the expression came to {}, expected {expected}", value.shown());
        Err(Refusal::new("expression.type", message))
    };
    match (kind, value) {
        (_, Value::Null) => Ok(Value::Null),
        (Kind::String, value @ Value::Text(_))
        | (Kind::Number, value @ Value::Number(_))
        | (Kind::Boolean, value @ Value::Boolean(_))
        | (Kind::Array, value @ Value::Array(_))
        | (Kind::Object, value @ Value::Object(_)) => Ok(value),
        (Kind::Integer, Value::Number(whole)) if !whole.contains('.') => Ok(Value::Number(whole)),
        // A number that CEL does not have exactly is a text to it.
        (Kind::Number | Kind::Integer, Value::Text(text)) if digits(&text).is_some() => {
            match without_exponent(&digits(&text).unwrap_or_default())? {
                Value::Number(number) if kind == Kind::Integer && number.contains('.') => {
                    wrong(&Value::Number(number), "a whole number")
                }
                number => Ok(number),
            }
        }
        (Kind::Date, Value::Text(text)) if instant::parse(&text).is_ok() => Ok(Value::Text(text)),
        (Kind::String, value) => wrong(&value, "a text"),
        (Kind::Integer, value) => wrong(&value, "a whole number"),
        (Kind::Number, value) => wrong(&value, "a number"),
        (Kind::Boolean, value) => wrong(&value, "true or false"),
        (Kind::Date, value) => wrong(&value, "an RFC 3339 date"),
        (Kind::Array, value) => wrong(&value, "an array"),
        (Kind::Object, value) => wrong(&value, "an object"),
    }
}
