//! What an expression can cost at most, told from the sizes of its fields before it is evaluated.
//!
//! CEL ends always, but loops one behind the other can double a text each, and loops inside each other go over
//! the product of their arrays. The library has no limit of its own for that. So a bound is worked out by the
//! same walk that evaluation would take, on sizes in place of values: an element of an array is as large as its
//! largest, a loop takes as many turns as there are elements, and each turn adds what one turn adds.

use std::borrow::Cow;

use cel::common::ast::{ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators};
use cel::parser::Expression as Ast;

use super::super::value::Value;
use super::check::RECORD;
use super::nulls::{ARRAY, MEMBER};

/// How large a value can be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape<'v> {
    /// Its bytes, and one for each part.
    pub total: u64,
    /// Its elements, where it is an array.
    length: u64,
    /// The total of its largest element or member; of a text, its own.
    element: u64,
    /// The value itself, where it is one of the record.
    value: Option<&'v Value<'v>>,
}

/// A text of such a number is not longer.
const NUMBER: u64 = 400;

/// Steps that it takes to compile a pattern.
const PATTERN: u64 = 10_000;

impl<'v> Shape<'v> {
    /// Null, or a number.
    pub const NOTHING: Self = Self { total: 8, length: 0, element: 8, value: None };

    const EMPTY: Self = Self { total: 0, length: 0, element: 0, value: None };

    /// The shape of a value.
    pub fn of(value: &'v Value<'v>) -> Self {
        let shape = match value {
            Value::Null | Value::Boolean(_) => Self::NOTHING,
            Value::Number(text) | Value::Text(text) => Self::text(text.len() as u64),
            Value::Array(items) => items.iter().map(Self::of).fold(Self::EMPTY, Self::with_part),
            Value::Object(members) => {
                let member = |(name, value): &'v (Cow<'v, str>, Value<'v>)| {
                    let own = Self::of(value);
                    Self { total: own.total.saturating_add(name.len() as u64), ..own }
                };
                members.iter().map(member).fold(Self::EMPTY, Self::with_part)
            }
        };
        Self { value: Some(value), ..shape }
    }

    fn text(bytes: u64) -> Self {
        Self::inside(bytes.saturating_add(8))
    }

    /// Whatever can be inside something of this size.
    fn inside(total: u64) -> Self {
        Self { total, length: total, element: total, value: None }
    }

    /// An array, or an object, with one part more.
    fn with_part(self, part: Self) -> Self {
        Self {
            total: self.total.saturating_add(part.total).saturating_add(1),
            length: self.length + 1,
            element: self.element.max(part.total),
            value: None,
        }
    }

    /// Both, one behind the other.
    fn and(self, other: Self) -> Self {
        Self {
            total: self.total.saturating_add(other.total),
            length: self.length.saturating_add(other.length),
            element: self.element.max(other.element),
            value: None,
        }
    }

    /// Either.
    fn or(self, other: Self) -> Self {
        Self {
            total: self.total.max(other.total),
            length: self.length.max(other.length),
            element: self.element.max(other.element),
            value: None,
        }
    }

    /// Any of its elements.
    fn any_element(self) -> Self {
        match self.value {
            Some(Value::Array(items)) => items.iter().map(Self::of).fold(Self::NOTHING, Self::or),
            _ => Self::inside(self.element.max(8)),
        }
    }

    /// One of its members.
    fn member(self, name: &str) -> Self {
        match self.value {
            Some(Value::Object(members)) => {
                let found = members.iter().find(|(own, _)| own == name);
                found.map_or(Self::NOTHING, |(_, value)| Self::of(value))
            }
            _ => Self::inside(self.element.max(8)),
        }
    }
}

/// What an expression comes to at most, and in how many steps; `known` gives the shapes of its fields.
pub(super) fn bound<'v>(ast: &Ast, known: &dyn Fn(&str) -> Shape<'v>) -> (Shape<'v>, u64) {
    match &ast.expr {
        Expr::Literal(LiteralValue::String(text)) => (Shape::text(text.inner().len() as u64), 1),
        Expr::Unspecified | Expr::Literal(_) => (Shape::NOTHING, 1),
        Expr::Ident(name) => {
            let shape = known(name.as_str());
            // A variable of a loop is a copy of the element.
            (shape, shape.total)
        }
        Expr::Call(call) if call.func_name == MEMBER && named(&call.args).is_some() => {
            let (operand, name) = named(&call.args).unwrap_or((ast, ""));
            match &operand.expr {
                Expr::Ident(record) if record == RECORD => field(name, known),
                _ => {
                    let (operand, steps) = bound(operand, known);
                    (operand.member(name), steps.saturating_add(1))
                }
            }
        }
        Expr::Call(call) => {
            let arguments = call.target.iter().map(AsRef::as_ref).chain(&call.args);
            let bounds: Vec<(Shape<'v>, u64)> = arguments.map(|argument| bound(argument, known)).collect();
            let own = bounds.iter().fold(1, |steps: u64, (shape, _)| steps.saturating_add(shape.total));
            let (shape, more) = called(&call.func_name, &bounds);
            let steps = bounds.iter().fold(own, |steps, (_, own)| steps.saturating_add(*own));
            (shape, steps.saturating_add(more).saturating_add(shape.total))
        }
        Expr::List(list) => several(&mut list.elements.iter().map(|element| bound(element, known))),
        Expr::Map(map) => several(&mut map.entries.iter().map(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => {
                let ((key, one), (value, other)) = (bound(&entry.key, known), bound(&entry.value, known));
                (key.and(value), one.saturating_add(other))
            }
            EntryExpr::StructField(field) => bound(&field.value, known),
        })),
        Expr::Struct(_) | Expr::Select(_) => (Shape::inside(u64::MAX), u64::MAX),
        Expr::Comprehension(inner) => each(inner, known),
    }
}

/// A loop.
fn each<'v>(inner: &ComprehensionExpr, known: &dyn Fn(&str) -> Shape<'v>) -> (Shape<'v>, u64) {
    let (range, before) = bound(&inner.iter_range, known);
    let (start, begun) = bound(&inner.accu_init, known);
    let (element, turns) = (range.any_element(), range.length);
    // The macros name what they gather once, so each turn adds what it adds to nothing. Gathering itself is done
    // in place, which is why it does not count among the steps of a turn.
    let inside = |name: &str| match name {
        _ if name == inner.iter_var || inner.iter_var2.as_deref() == Some(name) => element,
        _ if name == inner.accu_var => Shape::EMPTY,
        _ => known(name),
    };
    let (_, condition) = bound(&inner.loop_cond, &inside);
    let (added, step) = bound(&inner.loop_step, &inside);
    let gathered = Shape {
        total: start.total.saturating_add(added.total.saturating_mul(turns)),
        length: start.length.saturating_add(added.length.saturating_mul(turns)),
        element: start.element.max(added.element),
        value: None,
    };
    let known_behind = |name: &str| if name == inner.accu_var { gathered } else { known(name) };
    let (result, after) = bound(&inner.result, &known_behind);
    let each_turn = condition.saturating_add(step).saturating_add(1);
    let all = [before, begun, each_turn.saturating_mul(turns), after];
    (result, all.into_iter().fold(0, u64::saturating_add))
}

/// A field of the record, which CEL reads from a copy of all that are named so.
fn field<'v>(name: &str, known: &dyn Fn(&str) -> Shape<'v>) -> (Shape<'v>, u64) {
    let shape = known(name);
    (shape, shape.total)
}

/// What has a member, and the name of that.
fn named(arguments: &[Ast]) -> Option<(&Ast, &str)> {
    match arguments {
        [operand, Ast { expr: Expr::Literal(LiteralValue::String(name)), .. }] => {
            Some((operand, name.inner()))
        }
        _ => None,
    }
}

/// What a function comes to, and the steps that it takes on top of a pass over its arguments and its result.
fn called<'v>(name: &str, arguments: &[(Shape<'v>, u64)]) -> (Shape<'v>, u64) {
    let shape = |index: usize| arguments.get(index).map_or(Shape::NOTHING, |(shape, _)| *shape);
    let result = match name {
        operators::CONDITIONAL => shape(1).or(shape(2)),
        operators::ADD => shape(0).and(shape(1)),
        MEMBER => shape(0).any_element(),
        ARRAY | "charAt" | "lowerAscii" | "reverse" | "substring" | "trim" | "upperAscii" => shape(0),
        "matches" => return (Shape::NOTHING, PATTERN),
        "string" => Shape::text(shape(0).total.max(NUMBER)),
        // At most an element for each byte, and one more.
        "split" => {
            let text = shape(0).total;
            let length = text.saturating_add(1);
            Shape { total: text.saturating_add(length.saturating_mul(8)), length, element: text, value: None }
        }
        "join" => {
            let (list, between) = (shape(0), shape(1));
            Shape::text(list.total.saturating_add(list.length.saturating_mul(between.total)))
        }
        "replace" => {
            let (text, by) = (shape(0).total, shape(2).total);
            Shape::text(text.saturating_add(text.saturating_add(1).saturating_mul(by)))
        }
        // Comparisons, numbers and truth values.
        _ => Shape::NOTHING,
    };
    (result, 0)
}

/// Elements, or members, in one.
fn several<'v>(parts: &mut dyn Iterator<Item = (Shape<'v>, u64)>) -> (Shape<'v>, u64) {
    parts
        .fold((Shape::EMPTY, 1), |(all, steps), (part, own)| (all.with_part(part), steps.saturating_add(own)))
}
