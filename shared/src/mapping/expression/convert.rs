//! Values of records as CEL has them, and back.

use std::borrow::Cow;
use std::collections::HashMap;

use cel::Value as Cel;
use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString};
use cel::common::value::{CowVal, Val};
use cel::objects::Key;

use super::super::value::Value;
use crate::format::json::canonical_key;

/// A value; texts are borrowed.
pub(super) fn to_cel<'v>(value: &'v Value<'_>) -> CowVal<'v, 'v> {
    CowVal::Owned(boxed(value))
}

fn boxed<'v>(value: &'v Value<'_>) -> Box<dyn Val + 'v> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Boolean(flag) => Box::new(CelBool::from(*flag)),
        Value::Number(digits) => number(digits),
        Value::Text(text) => Box::new(CelString::from(&**text)),
        Value::Array(items) => Box::new(CelList::from(items.iter().map(boxed).collect::<Vec<_>>())),
        Value::Object(members) => object(members.iter().map(|(name, value)| (&**name, value))),
    }
}

/// An object of these members.
pub(super) fn object<'v>(members: impl Iterator<Item = (&'v str, &'v Value<'v>)>) -> Box<dyn Val + 'v> {
    let entry = |(name, value): (&'v str, &'v Value<'v>)| (CelMapKey::from(name.to_owned()), boxed(value));
    Box::new(CelMap::from(members.map(entry).collect::<HashMap<_, _>>()))
}

/// A number that CEL has exactly, or the text of one that it has not.
fn number(digits: &str) -> Box<dyn Val + '_> {
    if let Ok(whole) = digits.parse::<i64>() {
        return Box::new(CelInt::from(whole));
    }
    let double =
        digits.parse::<f64>().ok().filter(|double| digits.contains('.') && shortest(*double) == digits);
    match double {
        Some(double) => Box::new(CelDouble::from(double)),
        None => Box::new(CelString::from(digits)),
    }
}

/// The fewest digits that tell a number from its neighbours, without an exponent.
fn shortest(double: f64) -> String {
    if double == 0.0 { "0".into() } else { double.to_string() }
}

/// What an expression came to; or, where no record can hold it, what it is.
pub(super) fn from_cel(value: &Cel) -> Result<Value<'static>, String> {
    Ok(match value {
        Cel::Null => Value::Null,
        Cel::Bool(flag) => Value::Boolean(*flag),
        Cel::Int(whole) => Value::Number(whole.to_string().into()),
        Cel::UInt(whole) => Value::Number(whole.to_string().into()),
        Cel::Float(double) if double.is_finite() => Value::Number(shortest(*double).into()),
        Cel::Float(double) => return Err(format!("the number {double}").to_lowercase()),
        Cel::String(text) => Value::text(text.as_str()),
        Cel::List(items) => Value::Array(items.iter().map(from_cel).collect::<Result<_, _>>()?),
        Cel::Map(map) => {
            let member = |(name, value): (&Key, &Cel)| -> Result<(Cow<'static, str>, _), String> {
                match name {
                    Key::String(name) => Ok((Cow::Owned(name.as_str().to_owned()), from_cel(value)?)),
                    _ => Err("an object with a name that is no text".to_owned()),
                }
            };
            let mut members = map.map.iter().map(member).collect::<Result<Vec<_>, _>>()?;
            // CEL keeps them in no order.
            members.sort_by(|(one, _), (other, _)| {
                canonical_key(one.as_bytes()).cmp(&canonical_key(other.as_bytes()))
            });
            Value::Object(members)
        }
        Cel::Bytes(_) => return Err("bytes".into()),
        _ => return Err("a function or a type".into()),
    })
}
