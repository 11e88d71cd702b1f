//! Expressions that only put texts together, `type + '/' + title` or a name alone, evaluated without the library,
//! which takes ten times as long for them: texts one behind the other come to the same however they are bracketed.
//! Where a field is no text, what the expression means is for the library to say.

use cel::common::ast::{Expr, LiteralValue, operators};
use cel::parser::Expression as Ast;

use super::super::value::Value;
use super::check::{NOW, RECORD, TYPES};
use super::nulls::MEMBER;

/// What stands between two `+`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Field(String),
}

/// The parts of such an expression, as [`super::check`] has left it; none where it is another one.
pub(super) fn parts(ast: &Ast) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    gather(ast, &mut parts).then_some(parts)
}

fn gather(ast: &Ast, parts: &mut Vec<Part>) -> bool {
    match &ast.expr {
        Expr::Literal(LiteralValue::String(text)) => parts.push(Part::Text(text.inner().to_owned())),
        Expr::Ident(name) if name != NOW && !TYPES.contains(&name.as_str()) => {
            parts.push(Part::Field(name.clone()));
        }
        Expr::Call(call) => match (call.func_name.as_str(), &call.target, &call.args[..]) {
            (operators::ADD, None, [one, other]) => return gather(one, parts) && gather(other, parts),
            (
                MEMBER,
                None,
                [
                    Ast { expr: Expr::Ident(record), .. },
                    Ast { expr: Expr::Literal(LiteralValue::String(name)), .. },
                ],
            ) if record == RECORD => parts.push(Part::Field(name.inner().to_owned())),
            _ => return false,
        },
        _ => return false,
    }
    true
}

/// The text that they come to, if every field is one.
pub(super) fn text<'v>(
    parts: &'v [Part],
    field: &impl Fn(&str) -> Option<&'v Value<'v>>,
) -> Option<Value<'static>> {
    let text = |part: &'v Part| match part {
        Part::Text(text) => Some(text.as_str()),
        Part::Field(name) => match field(name)? {
            Value::Text(text) => Some(&**text),
            _ => None,
        },
    };
    let length = parts.iter().map(|part| Some(text(part)?.len())).sum::<Option<usize>>()?;
    let mut joined = String::with_capacity(length);
    parts.iter().filter_map(text).for_each(|text| joined.push_str(text));
    Some(Value::text(joined))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Expression;
    use super::*;

    /// Sums of fields and texts, bracketed in every way.
    fn sums() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("a".to_owned()),
            Just("b".to_owned()),
            Just("missing".to_owned()),
            Just("record.c".to_owned()),
            Just("record['d d']".to_owned()),
            "[a-zé/ ]{0,4}".prop_map(|text| format!("'{text}'")),
            Just(r#""\"\\\n""#.to_owned()),
        ];
        leaf.prop_recursive(4, 12, 2, |inner| {
            (inner.clone(), inner).prop_map(|(one, other)| format!("({one} + {other})"))
        })
    }

    fn values() -> impl Strategy<Value = Value<'static>> {
        prop_oneof![
            6 => "[ -~é\u{0}]{0,6}".prop_map(Value::text),
            1 => Just(Value::Null),
            1 => Just(Value::Boolean(true)),
            1 => prop_oneof![Just("1"), Just("0.5"), Just("12345678901234567890")].prop_map(|digits| Value::Number(digits.into())),
            1 => Just(Value::Array(vec![Value::Text("x".into())])),
            1 => Just(Value::Object(Vec::new())),
        ]
    }

    proptest! {
        #[test]
        fn texts_come_to_what_the_library_says(source in sums(), values in proptest::collection::vec(values(), 4)) {
            let expression = Expression::compile(&source).unwrap();
            prop_assert!(expression.joined.is_some(), "{source}");
            let field = |name: &str| {
                let index = ["a", "b", "c", "d d"].iter().position(|own| *own == name)?;
                values.get(index)
            };
            let (own, theirs) = (expression.evaluate(&field, ""), expression.by_library(&field, ""));
            let told = |outcome: Result<Value<'static>, crate::format::json::Refusal>| {
                outcome.map_err(|refusal| (refusal.code, refusal.message))
            };
            prop_assert_eq!(told(own), told(theirs), "{}", source);
        }
    }

    #[test]
    fn other_expressions_are_left_to_the_library() {
        for source in [
            "a - b",
            "a + 1",
            "now()",
            "a + string",
            "a.b + a",
            "[a] + [b]",
            "a == b",
            "a.trim()",
            "t.map(x, x)",
        ] {
            assert_eq!(Expression::compile(source).unwrap().joined, None, "{source}");
        }
    }
}
