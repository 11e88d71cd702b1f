//! What an expression comes to, as far as its parts tell: so that one that is no question is refused before
//! anything begins.

use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};
use cel::parser::Expression as Ast;

use super::pushed::field;
use crate::mapping::functions::{GREATER, GREATER_EQUALS, HAS, LESS, LESS_EQUALS, NOW, TRUTH, WITHIN};
use crate::schema::{DataType, FieldType};

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Truth,
    Array,
    Object,
    Null,
}

impl Kind {
    fn shown(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Truth => "true or false",
            Self::Array => "an array",
            Self::Object => "an object",
            Self::Null => "null",
        }
    }
}

/// Refuses what never comes to true or false, and compares values that are never of one kind.
pub(super) fn check(ast: &Ast, data_type: &DataType) -> Result<(), String> {
    if let Some(kind) = kind(ast, data_type).filter(|kind| *kind != Kind::Truth) {
        let found = kind.shown();
        return Err(format!("found an expression that comes to {found}, expected true or false"));
    }
    comparisons(ast, data_type)
}

/// Checks the comparisons that stand outside of loops.
fn comparisons(ast: &Ast, data_type: &DataType) -> Result<(), String> {
    let Expr::Call(call) = &ast.expr else { return Ok(()) };
    match (call.func_name.as_str(), &call.args[..]) {
        (operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT | TRUTH, parts) => {
            parts.iter().try_for_each(|part| comparisons(part, data_type))
        }
        (
            LESS | LESS_EQUALS | GREATER | GREATER_EQUALS | operators::EQUALS | operators::NOT_EQUALS,
            [one, other],
        ) => match (kind(one, data_type), kind(other, data_type)) {
            (Some(one), Some(other)) if one != other && one != Kind::Null && other != Kind::Null => {
                let (one, other) = (one.shown(), other.shown());
                Err(format!("found {one} that is compared with {other}, expected two values of one kind"))
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// None where it depends on the record.
fn kind(ast: &Ast, data_type: &DataType) -> Option<Kind> {
    if let Some(slot) = field(ast, data_type) {
        return of_field(data_type.fields[slot].field_type);
    }
    match &ast.expr {
        Expr::Literal(literal) => match literal {
            LiteralValue::Boolean(_) => Some(Kind::Truth),
            LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Double(_) => Some(Kind::Number),
            LiteralValue::String(_) => Some(Kind::Text),
            LiteralValue::Null => Some(Kind::Null),
            LiteralValue::Bytes(_) => None,
        },
        Expr::Ident(name) if name == NOW => Some(Kind::Text),
        Expr::List(_) => Some(Kind::Array),
        Expr::Map(_) => Some(Kind::Object),
        // A loop gathers what it begins with: elements, or an answer.
        Expr::Comprehension(inner) => match &inner.accu_init.expr {
            Expr::List(_) => Some(Kind::Array),
            _ => Some(Kind::Truth),
        },
        Expr::Call(call) => of_call(call, data_type),
        _ => None,
    }
}

fn of_field(field_type: FieldType) -> Option<Kind> {
    match field_type {
        FieldType::String | FieldType::Date => Some(Kind::Text),
        FieldType::Integer => Some(Kind::Number),
        FieldType::Boolean => Some(Kind::Truth),
        FieldType::Array => Some(Kind::Array),
        FieldType::Object | FieldType::Binary => Some(Kind::Object),
        // One that CEL does not have exactly is a text to it.
        FieldType::Number | FieldType::Decimal => None,
    }
}

fn of_call(call: &CallExpr, data_type: &DataType) -> Option<Kind> {
    let argument = |index: usize| call.args.get(index).and_then(|argument| kind(argument, data_type));
    match call.func_name.as_str() {
        operators::LOGICAL_AND
        | operators::LOGICAL_OR
        | operators::LOGICAL_NOT
        | operators::EQUALS
        | operators::NOT_EQUALS
        | LESS
        | LESS_EQUALS
        | GREATER
        | GREATER_EQUALS
        | HAS
        | WITHIN
        | TRUTH
        | "bool"
        | "contains"
        | "endsWith"
        | "matches"
        | "startsWith" => Some(Kind::Truth),
        operators::SUBSTRACT
        | operators::MULTIPLY
        | operators::DIVIDE
        | operators::MODULO
        | operators::NEGATE
        | "double"
        | "indexOf"
        | "int"
        | "lastIndexOf"
        | "size" => Some(Kind::Number),
        "charAt" | "join" | "lowerAscii" | "replace" | "reverse" | "string" | "substring" | "trim"
        | "upperAscii" => Some(Kind::Text),
        "split" => Some(Kind::Array),
        operators::ADD => argument(0).or_else(|| argument(1)),
        operators::CONDITIONAL => argument(1).filter(|kind| Some(*kind) == argument(2)),
        _ => None,
    }
}
