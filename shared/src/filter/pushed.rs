//! What of an expression a database can decide: a condition that every record meets for which the expression
//! comes to true, or fails. So a row that the database leaves out does not match, whatever else is asked of it.
//!
//! A part that is not known here asks for nothing. `a && b` is false where either is, even if the other one
//! fails; `a || b` is only decided where both are.

use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};
use cel::parser::Expression as Ast;

use super::condition::{Condition, Literal, Order};
use super::texts::Texts;
use crate::format::instant;
use crate::mapping::functions::{
    GREATER, GREATER_EQUALS, HAS, LESS, LESS_EQUALS, MEMBER, RECORD, TRUTH, TYPES, WITHIN,
};
use crate::schema::{DataType, FieldType};

/// What a record meets for which the expression comes to true, or fails; none where that may be any.
///
/// A row may keep a value under a field's name that the field could not take when its type grew: to the expression that
/// is the field's value, and no column has it. Such rows are all read.
pub(super) fn necessary(ast: &Ast, data_type: &DataType) -> Option<Condition> {
    let found = Pushed { data_type }.part(ast, true)?;
    let names = found.fields().into_iter().map(|field| data_type.fields[field].name.as_str().to_owned());
    let outside = Condition::Outside { extra: data_type.fields.len(), names: Texts::new(names) };
    Some(Condition::Any(vec![found, outside]))
}

/// The number of the field that a part stands for.
pub(super) fn field(ast: &Ast, data_type: &DataType) -> Option<usize> {
    match &ast.expr {
        Expr::Ident(name) => data_type.slot(name).filter(|_| !TYPES.contains(&name.as_str())),
        Expr::Call(call) if call.func_name == MEMBER => data_type.slot(of_record(call)?),
        _ => None,
    }
}

/// The name in `record.name`.
fn of_record(call: &CallExpr) -> Option<&str> {
    match &call.args[..] {
        [Ast { expr: Expr::Ident(record), .. }, name] if record == RECORD => text(name),
        _ => None,
    }
}

/// A text that no record lacks a place for.
fn text(ast: &Ast) -> Option<&str> {
    match &ast.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()).filter(|text| !text.contains('\0')),
        _ => None,
    }
}

struct Pushed<'d> {
    data_type: &'d DataType,
}

impl Pushed<'_> {
    /// What a record meets for which a part comes to `wanted`, or fails. Null counts as false.
    fn part(&self, ast: &Ast, wanted: bool) -> Option<Condition> {
        if let Some(field) = self.field_of(ast, FieldType::Boolean) {
            return Some(self.compared(field, Order::Equal, Literal::Truth(true), wanted));
        }
        let Expr::Call(call) = &ast.expr else { return None };
        match (call.func_name.as_str(), &call.args[..]) {
            (operators::LOGICAL_NOT, [part]) => self.part(part, !wanted),
            (TRUTH, [part]) => self.part(part, wanted),
            (operators::LOGICAL_AND, parts) => self.joined(parts, wanted, wanted),
            (operators::LOGICAL_OR, parts) => self.joined(parts, wanted, !wanted),
            (HAS, _) if !wanted => {
                let field = self.data_type.slot(of_record(call)?)?;
                Some(Condition::There { field, is: false })
            }
            (WITHIN, [value, list]) if wanted => self.within(value, list),
            (name @ ("contains" | "startsWith"), [part]) if wanted => {
                let field = self.field_of(call.target.as_ref()?, FieldType::String)?;
                let text = text(part)?.to_owned();
                Some(Condition::Contains { field, text, at_start: name == "startsWith" })
            }
            (name, [one, other]) => {
                let order = order(name)?;
                self.comparison(one, order, other, wanted)
                    .or_else(|| self.comparison(other, order.mirrored(), one, wanted))
            }
            _ => None,
        }
    }

    /// Parts of which `all` are needed, or one.
    fn joined(&self, parts: &[Ast], wanted: bool, all: bool) -> Option<Condition> {
        let mut known: Vec<Condition> = parts.iter().filter_map(|part| self.part(part, wanted)).collect();
        match known.len() {
            0 => None,
            found if !all => (found == parts.len()).then_some(Condition::Any(known)),
            1 => known.pop(),
            _ => Some(Condition::All(known)),
        }
    }

    /// A field beside a value.
    fn comparison(&self, field: &Ast, order: Order, value: &Ast, wanted: bool) -> Option<Condition> {
        let is_order_of_equals = matches!(order, Order::Equal | Order::Unequal);
        if let (Some(texts), true) = (text(value), (order == Order::Equal) == wanted && is_order_of_equals)
            && let Some(found) = self.member(field, [texts])
        {
            return Some(found);
        }
        let field = self::field(field, self.data_type)?;
        let literal = match (self.data_type.fields[field].field_type, &value.expr) {
            (_, Expr::Literal(LiteralValue::Null)) => {
                let is_null = (order == Order::Equal) == wanted;
                return is_order_of_equals.then_some(Condition::There { field, is: !is_null });
            }
            (FieldType::String, _) => Literal::Text(text(value)?.to_owned()),
            (FieldType::Integer, Expr::Literal(LiteralValue::Int(whole))) => Literal::Whole(*whole.inner()),
            (FieldType::Boolean, Expr::Literal(LiteralValue::Boolean(flag))) => {
                if !is_order_of_equals {
                    return None;
                }
                Literal::Truth(*flag.inner())
            }
            (FieldType::Date, _) => return date(field, order, text(value)?, wanted),
            _ => return None,
        };
        Some(self.compared(field, order, literal, wanted))
    }

    fn compared(&self, field: usize, order: Order, with: Literal, wanted: bool) -> Condition {
        let asked = if wanted { order } else { order.opposite() };
        let compared = Condition::Compared { field, order: asked, with };
        or_missing(field, compared, null_matches(order, wanted))
    }

    /// `field in ["a", "b"]`, and `"a" in field`.
    fn within(&self, value: &Ast, list: &Ast) -> Option<Condition> {
        if let (Some(text), Some(field)) = (text(value), self.field_of(list, FieldType::Array)) {
            return Some(Condition::AnyElement { field, texts: Texts::new([text.to_owned()]) });
        }
        let Expr::List(list) = &list.expr else { return None };
        let texts: Option<Vec<&str>> = list.elements.iter().map(text).collect();
        let texts = texts.filter(|texts| !texts.is_empty())?;
        if let Some(field) = self.field_of(value, FieldType::String) {
            let texts = Texts::new(texts.into_iter().map(str::to_owned));
            return Some(Condition::OneOf { field, texts });
        }
        self.member(value, texts)
    }

    /// The member of a field, which is one of these texts.
    fn member<'t>(&self, ast: &Ast, texts: impl IntoIterator<Item = &'t str>) -> Option<Condition> {
        let Expr::Call(call) = &ast.expr else { return None };
        let [object, name] = &call.args[..] else { return None };
        let field = self.field_of(object, FieldType::Object).filter(|_| call.func_name == MEMBER)?;
        let is_plain = |name: &&str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let name = text(name).filter(is_plain)?.to_owned();
        Some(Condition::Member { field, name, texts: Texts::new(texts.into_iter().map(str::to_owned)) })
    }

    fn field_of(&self, ast: &Ast, field_type: FieldType) -> Option<usize> {
        field(ast, self.data_type).filter(|slot| self.data_type.fields[*slot].field_type == field_type)
    }
}

/// Whether null beside a value gives `wanted`: it is unequal to it, and has no order.
fn null_matches(order: Order, wanted: bool) -> bool {
    (order == Order::Unequal) == wanted
}

fn or_missing(field: usize, condition: Condition, is: bool) -> Condition {
    match is {
        true => Condition::Any(vec![condition, Condition::There { field, is: false }]),
        false => condition,
    }
}

fn order(function: &str) -> Option<Order> {
    Some(match function {
        LESS => Order::Less,
        LESS_EQUALS => Order::LessOrEqual,
        GREATER => Order::Greater,
        GREATER_EQUALS => Order::GreaterOrEqual,
        operators::EQUALS => Order::Equal,
        operators::NOT_EQUALS => Order::Unequal,
        _ => return None,
    })
}

/// A date beside a text. Dates are compared as the texts that they are to an expression, `2024-01-31T10:00:00.5Z`; to
/// the second, that is their order in time.
fn date(field: usize, order: Order, text: &str, wanted: bool) -> Option<Condition> {
    let first = first_of(text)?;
    let asked = if wanted { order } else { order.opposite() };
    let (start, end) = match asked {
        Order::Less | Order::LessOrEqual => (None, Some(first + SECOND - 1)),
        Order::Equal => (Some(first), Some(first + SECOND - 1)),
        Order::Greater | Order::GreaterOrEqual => (Some(first), None),
        Order::Unequal => return None,
    };
    let within = Condition::Within { fields: vec![field], start, end };
    Some(or_missing(field, within, null_matches(order, wanted)))
}

/// Microseconds.
const SECOND: i64 = 1_000_000;

/// The first instant whose text begins with this one, or with its first second.
fn first_of(text: &str) -> Option<i64> {
    let known = text.get(..text.len().min("2024-01-31T10:00:00".len()))?;
    let rest = match known.len() {
        4 => "-01-01T00:00:00",
        7 => "-01T00:00:00",
        10 => "T00:00:00",
        13 => ":00:00",
        16 => ":00",
        19 => "",
        _ => return None,
    };
    let whole = format!("{known}{rest}Z");
    let first = instant::parse(&whole).ok()?;
    // Written in the one way in which an expression sees it.
    (instant::text(first) == whole).then_some(first)
}
