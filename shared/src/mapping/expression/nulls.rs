//! What becomes of null, which stands for what a record does not have: a member of null, or one that an object
//! lacks, is null; what is asked of null is answered by false; what is to be made of null fails.
//!
//! CEL itself fails in each of these cases. [`super::check`] puts the functions of this file where the user wrote
//! an operator; no user can write their names.

use std::cmp::Ordering;

use cel::common::ast::operators;
use cel::common::types::{
    BOOL_TYPE, CelBool, CelList, CelNull, DYN_TYPE, LIST_TYPE, NULL_TYPE, STRING_TYPE, Type,
};
use cel::common::value::CowVal;
use cel::{DeclarationError, Env, ExecutionError};

/// `a.b` and `a["b"]`: the member or element, null where there is none.
pub const MEMBER: &str = "@member";
/// `has(a.b)`: of null false.
pub const HAS: &str = "@has";
/// Around what has to be true or false and may be null.
pub const TRUTH: &str = "@truth";
/// `a in b`.
pub const WITHIN: &str = "@within";
/// Around what a loop goes over: its argument, if it is an array; null has no elements.
pub const ARRAY: &str = "@array";
/// `a < b` and the like.
pub const LESS: &str = "@less";
/// `a <= b`.
pub const LESS_EQUALS: &str = "@less_equals";
/// `a > b`.
pub const GREATER: &str = "@greater";
/// `a >= b`.
pub const GREATER_EQUALS: &str = "@greater_equals";

/// The functions that stand for operators.
const INSTEAD: [(&str, &str); 6] = [
    (operators::INDEX, MEMBER),
    (operators::IN, WITHIN),
    (operators::LESS, LESS),
    (operators::LESS_EQUALS, LESS_EQUALS),
    (operators::GREATER, GREATER),
    (operators::GREATER_EQUALS, GREATER_EQUALS),
];

/// Methods of a text that answer true or false about it and another text.
const QUESTIONS: [&str; 4] = ["contains", "endsWith", "matches", "startsWith"];

/// The function that stands for an operator.
pub(super) fn instead(operator: &str) -> Option<&'static str> {
    INSTEAD.iter().find(|(own, _)| *own == operator).map(|(_, function)| *function)
}

/// The operator for which a function stands; the function itself where it stands for none.
pub(super) fn operator(function: &str) -> &str {
    INSTEAD.iter().find(|(_, own)| *own == function).map_or(function, |(operator, _)| operator)
}

type Values<'b, 'v> = Vec<CowVal<'b, 'v>>;
type Outcome<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

/// Declares them.
pub(super) fn declare(environment: &mut Env) -> Result<(), DeclarationError> {
    let any = || vec![DYN_TYPE, DYN_TYPE];
    environment.add_overload(MEMBER, MEMBER, any(), member)?;
    environment.add_overload(HAS, HAS, any(), has)?;
    environment.add_overload(WITHIN, WITHIN, any(), within)?;
    environment.add_overload(LESS, LESS, any(), |pair| ordered(LESS, pair, Ordering::is_lt))?;
    environment
        .add_overload(LESS_EQUALS, LESS_EQUALS, any(), |pair| ordered(LESS_EQUALS, pair, Ordering::is_le))?;
    environment.add_overload(GREATER, GREATER, any(), |pair| ordered(GREATER, pair, Ordering::is_gt))?;
    environment.add_overload(GREATER_EQUALS, GREATER_EQUALS, any(), |pair| {
        ordered(GREATER_EQUALS, pair, Ordering::is_ge)
    })?;
    environment.add_overload(TRUTH, "truth_of_bool", vec![BOOL_TYPE], itself)?;
    environment.add_overload(TRUTH, "truth_of_null", vec![NULL_TYPE], no)?;
    environment.add_overload(ARRAY, "array_of_list", vec![LIST_TYPE], itself)?;
    environment.add_overload(ARRAY, "array_of_null", vec![NULL_TYPE], nothing)?;
    environment.add_overload("matches", "null_matches", vec![NULL_TYPE, STRING_TYPE], no)?;
    for question in QUESTIONS {
        let pairs: [(&str, Type, Type); 2] =
            [("null", NULL_TYPE, DYN_TYPE), ("of_null", STRING_TYPE, NULL_TYPE)];
        for (name, target, other) in pairs {
            environment.add_member_overload(
                question,
                &format!("{question}_{name}"),
                target,
                vec![other],
                no,
            )?;
        }
    }
    Ok(())
}

fn member<'b, 'v>(arguments: Values<'b, 'v>) -> Outcome<'b, 'v> {
    let [operand, name] = pair(arguments)?;
    if is_null(&operand) {
        return Ok(operand);
    }
    let unfit = mismatch(MEMBER, &operand, &name);
    let found = match operand {
        CowVal::Borrowed(value) => value.as_indexer().ok_or_else(|| unfit.clone())?.get(name.as_ref()),
        CowVal::Owned(value) => {
            let indexer = value.into_indexer().ok_or_else(|| unfit.clone())?;
            indexer.steal(name.as_ref()).map(CowVal::Owned)
        }
    };
    match found {
        Err(ExecutionError::NoSuchKey(_)) => Ok(CowVal::owned(CelNull)),
        found => found.map_err(|error| in_context(error, unfit)),
    }
}

fn has<'b, 'v>(arguments: Values<'b, 'v>) -> Outcome<'b, 'v> {
    let [operand, name] = pair(arguments)?;
    if is_null(&operand) {
        return Ok(truth(false));
    }
    let unfit = || mismatch(MEMBER, &operand, &name);
    match operand.as_indexer().ok_or_else(unfit)?.get(name.as_ref()) {
        Ok(_) => Ok(truth(true)),
        Err(ExecutionError::NoSuchKey(_)) => Ok(truth(false)),
        Err(error) => Err(in_context(error, unfit())),
    }
}

fn within<'b, 'v>(arguments: Values<'b, 'v>) -> Outcome<'b, 'v> {
    let [value, container] = pair(arguments)?;
    if is_null(&container) {
        return Ok(truth(false));
    }
    let unfit = mismatch(WITHIN, &value, &container);
    let container = container.as_container().ok_or_else(|| unfit.clone())?;
    container.contains(value.as_ref()).map(truth).map_err(|error| in_context(error, unfit))
}

fn ordered<'b, 'v>(
    function: &str,
    arguments: Values<'b, 'v>,
    answer: impl Fn(Ordering) -> bool,
) -> Outcome<'b, 'v> {
    let [one, other] = pair(arguments)?;
    if is_null(&one) || is_null(&other) {
        return Ok(truth(false));
    }
    let unfit = mismatch(function, &one, &other);
    let comparer = one.as_comparer().ok_or_else(|| unfit.clone())?;
    comparer
        .compare(other.as_ref())
        .map(|order| truth(answer(order)))
        .map_err(|error| in_context(error, unfit))
}

fn itself<'b, 'v>(arguments: Values<'b, 'v>) -> Outcome<'b, 'v> {
    arguments.into_iter().next().ok_or_else(ExecutionError::missing_argument_or_target)
}

fn no<'b, 'v>(_: Values<'b, 'v>) -> Outcome<'b, 'v> {
    Ok(truth(false))
}

fn nothing<'b, 'v>(_: Values<'b, 'v>) -> Outcome<'b, 'v> {
    Ok(CowVal::owned(CelList::from(Vec::new())))
}

fn pair<'b, 'v>(arguments: Values<'b, 'v>) -> Result<[CowVal<'b, 'v>; 2], ExecutionError> {
    arguments.try_into().map_err(|_| ExecutionError::missing_argument_or_target())
}

fn truth<'b, 'v>(is: bool) -> CowVal<'b, 'v> {
    CowVal::owned(CelBool::from(is))
}

fn is_null(value: &CowVal<'_, '_>) -> bool {
    *value.get_type() == NULL_TYPE
}

fn mismatch(function: &str, one: &CowVal<'_, '_>, other: &CowVal<'_, '_>) -> ExecutionError {
    let names = [one, other].map(|value| value.get_type().name().to_owned());
    ExecutionError::no_such_overload(operator(function), names.into())
}

/// What the library says of a pair of values that do not go together does not say of which.
fn in_context(error: ExecutionError, unfit: ExecutionError) -> ExecutionError {
    match error {
        ExecutionError::ValuesNotComparable(..)
        | ExecutionError::UnsupportedKeyType(_)
        | ExecutionError::UnexpectedType { .. }
        | ExecutionError::NoSuchOverload(_) => unfit,
        other => other,
    }
}
