//! Expressions in CEL, the Common Expression Language: compiled once, evaluated for each record.
//!
//! - The fields of the record are names (`title`), or members of `record` where a name is none that CEL knows
//!   (`record["first name"]`, `has(record.title)`). A field that the record does not have is `null`.
//! - A whole number is an `int`, another one a `double`; one that would not be the same as either is a text.
//! - A member that an object does not have is `null`, and what is asked of `null` is false; see [`nulls`].
//! - `now()`, also written `new Date()`, is the text of the instant at which the operation was created.
//! - Loops (`map`, `filter`, `all`, `exists`, `exists_one`) go over arrays only: the members of an object have
//!   no order, and the same input gives the same output.
//! - What an expression may cost is told from the sizes of its fields before it is evaluated; see [`cost`].

pub(crate) mod check;
mod convert;
mod cost;
mod joined;
pub(crate) mod nulls;

use std::sync::{Arc, LazyLock};

use cel::common::types::CelString;
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::parser::Expression as Ast;
use cel::{Context, Env, ExecutionError, extensions};

use self::check::{NOW, RECORD};
use self::cost::Shape;
use self::nulls::{ARRAY, MEMBER, TRUTH};
use super::value::Value;
use crate::format::json::Refusal;
use crate::limits::{EXPRESSION_BYTES, EXPRESSION_DEPTH, EXPRESSION_STEPS, RECORD_BYTES};

/// A compiled expression.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    ast: Ast,
    /// The fields that stand as names of their own.
    pub names: Vec<String>,
    /// Those that stand as members of `record`.
    pub members: Vec<String>,
    /// Whether what it comes to may be much larger than its fields.
    grows: bool,
    /// Where it only puts texts together, these.
    joined: Option<Vec<joined::Part>>,
}

/// What is wrong with an expression, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    pub what: String,
}

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::stdlib().with_optional_support(false);
    // All is declared once, under names and for values that nothing else has.
    let declared =
        environment.add_extension(extensions::strings).and_then(|()| nulls::declare(&mut environment));
    debug_assert!(declared.is_ok());
    Arc::new(environment)
});

impl Expression {
    /// Compiles.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn compile(source: &str) -> Result<Self, Wrong> {
        let at_start = |what: String| Wrong { line: 1, column: 1, what };
        if source.len() > EXPRESSION_BYTES {
            let found = source.len();
            return Err(at_start(format!(
                "found an expression of {found} bytes, expected at most {EXPRESSION_BYTES}"
            )));
        }
        let depth = u16::try_from(EXPRESSION_DEPTH).unwrap_or(u16::MAX);
        let source = check::without_new_date(source);
        let parser = ENVIRONMENT.parser().max_recursion_depth(depth);
        let (mut ast, places) = parser.parse_with_source_info(&source).map_err(|errors| {
            let first = errors.errors.first();
            let (line, column) = first.map_or((1, 0), |error| error.pos);
            let number = |value: isize| usize::try_from(value).unwrap_or_default().max(1);
            let what = first.map_or_else(|| "found no expression".into(), |error| check::syntax(&error.msg));
            Wrong { line: number(line), column: number(column), what }
        })?;
        let found = check::check(&mut ast).map_err(|(id, what)| {
            let at = places.offset_for(id).map_or(0, |(start, _)| start as usize);
            let mut before = source.get(..at).unwrap_or(&source);
            // A call is placed at its bracket; people look for its name.
            if source.get(at..).is_some_and(|behind| behind.starts_with('(')) {
                before = before.trim_end_matches(|last: char| last.is_alphanumeric() || last == '_');
            }
            let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
            Wrong { line: before.matches('\n').count() + 1, column, what }
        })?;
        let joined = joined::parts(&ast);
        Ok(Self { ast, names: found.names, members: found.members, grows: found.grows, joined })
    }

    /// Its parts, with the functions of [`check`] in their places.
    pub fn ast(&self) -> &Ast {
        &self.ast
    }

    /// The fields that it refers to, in either way.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.names.iter().chain(&self.members).map(String::as_str)
    }

    /// What it comes to for the fields that `field` gives, in an operation that was created at `started`.
    ///
    /// # Errors
    /// When it cannot be evaluated, or what it comes to is no value of a record.
    pub fn evaluate<'e>(
        &'e self,
        field: &impl Fn(&str) -> Option<&'e Value<'e>>,
        started: &'e str,
    ) -> Result<Value<'static>, Refusal> {
        match self.joined.as_deref().and_then(|parts| joined::text(parts, field)) {
            Some(text) => Ok(text),
            None => self.by_library(field, started),
        }
    }

    fn by_library<'e>(
        &'e self,
        field: &impl Fn(&str) -> Option<&'e Value<'e>>,
        started: &'e str,
    ) -> Result<Value<'static>, Refusal> {
        self.affordable(field)?;
        let named = |name: &'e String| field(name).map(|value| (name.as_str(), value));
        let resolver = Fields { fields: self.names.iter().filter_map(named).collect(), started };
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        context.set_variable_resolver(&resolver);
        for missing in self.names.iter().filter(|name| field(name).is_none()) {
            context.add_variable_from_value(missing.as_str(), cel::Value::Null);
        }
        if !self.members.is_empty() {
            let present = self.members.iter().filter_map(|name| Some((name.as_str(), field(name)?)));
            context.add_variable_as_val(RECORD, convert::object(present));
        }
        let result = context.resolve(&self.ast).map_err(|error| failed(&error))?;
        convert::from_cel(&result).map_err(|found| {
            let message = format!("the expression came to {found}, expected what JSON can say");
            Refusal::new("expression.failed", message)
        })
    }

    /// Refuses fields of such sizes that the expression could take long, or much memory.
    fn affordable<'v>(&self, field: &impl Fn(&str) -> Option<&'v Value<'v>>) -> Result<(), Refusal> {
        if !self.grows {
            // It takes a pass over its fields for each of its parts, of which there are few.
            return Ok(());
        }
        let (result, steps) =
            cost::bound(&self.ast, &|name: &str| field(name).map_or(Shape::NOTHING, Shape::of));
        if steps <= EXPRESSION_STEPS && result.total <= RECORD_BYTES {
            return Ok(());
        }
        let message = format!(
            "the expression could take {steps} steps and {} bytes for the fields of this record, expected at \
             most {EXPRESSION_STEPS} and {RECORD_BYTES}",
            result.total
        );
        Err(Refusal::new("expression.cost", message))
    }
}

/// The fields of a record, as CEL asks for them.
struct Fields<'v> {
    /// Those that the record has.
    fields: Vec<(&'v str, &'v Value<'v>)>,
    started: &'v str,
}

impl VariableResolver for Fields<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        match name {
            NOW => Some(CowVal::owned(CelString::from(self.started))),
            _ => self.fields.iter().find(|(own, _)| *own == name).map(|(_, value)| convert::to_cel(value)),
        }
    }
}

fn failed(error: &ExecutionError) -> Refusal {
    let message = match error {
        ExecutionError::NoSuchOverload(what) if what.function() == ARRAY => {
            let found = what.argument_types().join(", ");
            format!("the expression failed: found {found} where a loop wants an array")
        }
        ExecutionError::NoSuchOverload(what) if what.function() == TRUTH => {
            let found = what.argument_types().join(", ");
            format!("the expression failed: found {found}, expected true or false")
        }
        ExecutionError::NoSuchOverload(what) if what.function() == nulls::operator(MEMBER) => {
            let found = what.argument_types().join(" and ");
            format!(
                "the expression failed: found {found}, expected an object and a name, or an array and a number"
            )
        }
        ExecutionError::NoSuchOverload(what) => {
            let name = what.function().trim_matches(['_', '@']);
            let found = what.argument_types().join(" and ").replace("null_type", "null");
            format!("the expression failed: found {found}, for which there is no {name}")
        }
        ExecutionError::UnsupportedBinaryOperator(operator, one, other) => {
            let [one, other] = [one, other].map(cel::Value::type_of);
            format!("the expression failed: found {one} and {other}, for which there is no {operator}")
        }
        other => format!("the expression failed: {}", check::complaint(&other.to_string())),
    };
    Refusal::new("expression.failed", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::EXPRESSION_LEVELS;

    fn evaluated(source: &str, record: &str) -> String {
        let Value::Object(members) = Value::of_canonical(record) else { panic!("an object") };
        let field = |name: &str| members.iter().find(|(own, _)| own == name).map(|(_, value)| value);
        match Expression::compile(source) {
            Ok(compiled) => match compiled.evaluate(&field, "2024-01-01T00:00:00Z") {
                Ok(value) => {
                    let mut json = Vec::new();
                    value.write(1, &mut json).unwrap();
                    String::from_utf8(json).unwrap()
                }
                Err(refusal) => format!("{}: {}", refusal.code, refusal.message),
            },
            Err(Wrong { line, column, what }) => format!("{line}:{column}: {what}"),
        }
    }

    #[test]
    fn expressions_come_to_values() {
        let record = r#"{"a":"x","n":41,"d":0.1,"big":12345678901234567890123,"long":0.12345678901234567890123,"t":["b","a"],"o":{"k":"v"},"no":null,"f f":1}"#;
        for (source, expected) in [
            ("a + '-' + a", r#""x-x""#),
            ("n + 1", "42"),
            ("double(n) / 2.0", "20.5"),
            ("d + 0.2", "0.30000000000000004"),
            ("big", r#""12345678901234567890123""#),
            ("long", r#""0.12345678901234567890123""#),
            ("big + a", r#""12345678901234567890123x""#),
            ("t.map(e, e + a)", r#"["bx","ax"]"#),
            ("t.filter(e, e > 'a')", r#"["b"]"#),
            ("t.exists(e, e == 'a') && !t.all(e, e == 'a')", "true"),
            ("o.k", r#""v""#),
            ("o", r#"{"k":"v"}"#),
            ("{'z': 1, 'y': [null]}", r#"{"y":[null],"z":1}"#),
            ("missing == null ? 'none' : missing", r#""none""#),
            ("no == null", "true"),
            ("has(record.a) && !has(record.missing)", "true"),
            ("record['f f'] + 1", "2"),
            ("record.o.k + a", r#""vx""#),
            ("now()", r#""2024-01-01T00:00:00Z""#),
            ("new Date()", r#""2024-01-01T00:00:00Z""#),
            ("'new Date()' + \"new Date()\"", r#""new Date()new Date()""#),
            ("new   Date( ) == now()", "true"),
            ("a.upperAscii() + string(n)", r#""X41""#),
            ("'a,b'.split(',')", r#"["a","b"]"#),
            ("t.join('/')", r#""b/a""#),
            ("a.matches('^[x-z]$')", "true"),
            ("size(t) > 1 ? t[0] : ''", r#""b""#),
            ("1e3", "1000"),
            ("-0.0", "0"),
            ("type(n) == int", "true"),
        ] {
            assert_eq!(evaluated(source, record), expected, "{source}");
        }
    }

    #[test]
    fn what_is_not_there_is_null_and_what_is_asked_of_it_is_false() {
        let record = r#"{"a":"x","n":1,"t":["b",{"k":true},null],"o":{"k":"v","no":null,"d":{"e":[1]}},"no":null,"yes":true}"#;
        for (source, expected) in [
            ("o.nope", "null"),
            ("o['nope']", "null"),
            ("o.nope.more['and'].more", "null"),
            ("o.d.e[0]", "1"),
            ("o['d']['e'][0]", "1"),
            ("o.d.nope == null", "true"),
            ("no.more == 'x'", "false"),
            ("missing.more != 'x'", "true"),
            ("record.nope", "null"),
            ("record['nope'].more", "null"),
            ("record.o['k']", r#""v""#),
            ("{'a': {'b': 1}}.a.b + {'a': 1}['a']", "2"),
            ("{'a': 1}.b", "null"),
            ("t[1].k && t[1].no == null", "true"),
            ("t.exists(e, e == null)", "true"),
            ("t.filter(e, type(e) == map && e.k)", r#"[{"k":true}]"#),
            // has() tells what is there, also null.
            ("has(o.k) && has(o.no) && !has(o.nope)", "true"),
            ("has(o.d.e) && !has(o.nope.e) && !has(missing.e)", "true"),
            ("has(record.a) && has(record.no) && !has(record.nope)", "true"),
            ("has(record.o.k) && !has(record.missing.k)", "true"),
            // Order.
            ("missing < 1 || missing > 1 || missing <= null || 1 >= missing", "false"),
            ("!(missing > 1)", "true"),
            ("n >= 1 && n < 2 && 1 <= n && 2.5 > n", "true"),
            ("a > 'w' && a < 'xx' && 'x' <= a", "true"),
            // Questions.
            ("missing.contains('x') || missing.startsWith('x') || missing.endsWith('x')", "false"),
            ("missing.matches('.*') || matches(missing, '.*')", "false"),
            ("a.contains(missing) || a.startsWith(missing) || missing.endsWith(missing)", "false"),
            ("a.contains('x') && a.startsWith('x') && a.endsWith('x') && a.matches('x')", "true"),
            ("'x' in missing", "false"),
            ("missing in ['x'] || !(missing in [null])", "false"),
            ("'b' in t && !('c' in t) && 'k' in o", "true"),
            // Truth.
            ("missing || yes", "true"),
            ("missing && yes", "false"),
            ("!missing && !o.nope && !!yes", "true"),
            ("missing ? 1 : 2", "2"),
            ("(yes ? missing : yes) || yes", "true"),
            // Loops.
            ("missing.exists(e, true) || missing.exists_one(e, true)", "false"),
            ("missing.all(e, false)", "true"),
            ("missing.map(e, e)", "[]"),
            ("t.exists(e, missing)", "false"),
        ] {
            assert_eq!(evaluated(source, record), expected, "{source}");
        }
    }

    #[test]
    fn mistakes_have_a_place() {
        let long = format!("'{}'", "x".repeat(EXPRESSION_BYTES));
        let deep = format!("{}1{}", "(".repeat(400), ")".repeat(400));
        for (source, expected) in [
            ("", "1:1: "),
            ("a +", "1:4: "),
            ("a\n + ]", "2:4: "),
            ("a + Math.random()", "1:10: found the function \"random\", expected one of "),
            ("'é' + nope(a)", "1:7: found the function \"nope\", expected one of "),
            ("new Date(2024)", "1:5: "),
            ("size(record)", "1:6: found record by itself, expected record.name or record[\"name\"]"),
            ("record[a]", "1:1: found record by itself, expected record.name or record[\"name\"]"),
            ("a.matches(b)", "1:3: found a pattern that is no text in quotes"),
            ("a.matches('(')", "1:3: found a pattern that cannot be read: "),
            ("a.matches('(a{1000}){1000}')", "1:3: found a pattern that cannot be read: "),
            ("Foo{a: 1}", "1:"),
            ("t.map(x, x.map(y, y.map(z, z)))", "1:21: found a loop inside 2 others, expected at most 2"),
            (&long, "1:1: found an expression of 4098 bytes, expected at most 4096"),
            (&deep, "1:34: found more than 32 brackets inside one another, expected at most so many"),
            (
                &format!("a{}", "+1".repeat(EXPRESSION_LEVELS)),
                "1:1: found more than 250 parts inside one another",
            ),
        ] {
            let found = evaluated(source, "{}");
            assert!(found.starts_with(expected), "{source}: {found}");
        }
    }

    #[test]
    fn the_deepest_expressions_are_evaluated() {
        let levels = EXPRESSION_LEVELS - 1;
        let record = r#"{"a":"x","n":1,"t":["y"]}"#;
        for (source, expected) in [
            (format!("n{}", " + 1".repeat(levels)), EXPRESSION_LEVELS.to_string()),
            (format!("a{}", ".trim()".repeat(levels)), r#""x""#.into()),
            (format!("true{}", " && true".repeat(levels)), "true".into()),
            (format!("{}n == n{}", "(".repeat(30), ")".repeat(30)), "true".into()),
            (format!("t{}", ".map(e, e)".repeat(100)), r#"["y"]"#.into()),
            (format!("a == 'y'{}", " || n > 1".repeat(levels - 1)), "false".into()),
            (format!("no{}", " ? 1 : no".repeat(30)), "null".into()),
            (format!("no{} == null", ".no".repeat(levels - 1)), "true".into()),
            (format!("{}no", "!".repeat(levels)), (levels % 2 == 1).to_string()),
        ] {
            assert_eq!(evaluated(&source, record), expected, "{source}");
        }
    }

    #[test]
    fn failures_are_told() {
        let record = r#"{"a":"x","n":9223372036854775807,"o":{"b":1,"c":2},"t":[0]}"#;
        for (source, expected) in [
            ("a + 1", "the expression failed: found string and int, for which there is no add"),
            ("missing + 'x'", "the expression failed: found null and string, for which there is no add"),
            ("a.nope", "the expression failed: found string and string, expected an object and a name"),
            ("t['x']", "the expression failed: found list and string, expected an object and a name"),
            ("missing.size()", "the expression failed: found null, for which there is no size"),
            ("t.contains(3)", "the expression failed: found list and int, for which there is no contains"),
            ("a && true", "the expression failed: found string, expected true or false"),
            ("!(n in a)", "the expression failed: found int and string, for which there is no in"),
            ("a < n", "the expression failed: found string and int, for which there is no <"),
            ("o.map(k, k)", "the expression failed: found map where a loop wants an array"),
            ("n + 1", "the expression failed: "),
            ("1 / t[0]", "the expression failed: "),
            ("1.0 / 0.0", "the expression came to the number inf, expected what JSON can say"),
            ("b'x'", "the expression came to bytes, expected what JSON can say"),
            (
                "{1: 2}",
                "the expression came to an object with a name that is no text, expected what JSON can say",
            ),
            ("t[5]", "the expression failed: "),
            ("int('x')", "the expression failed: "),
        ] {
            let found = evaluated(source, record);
            assert!(found.starts_with(&format!("expression.failed: {expected}")), "{source}: {found}");
        }
    }

    #[test]
    fn what_could_take_long_is_not_begun() {
        let list = |count: usize| format!("{{\"t\":[{}]}}", vec!["1"; count].join(","));
        for (source, passes, fails) in
            [("t.filter(x, x > 0)", 10_000, 500_000), ("t.all(x, t.all(y, y == x))", 100, 2_000)]
        {
            assert!(!evaluated(source, &list(passes)).contains("expression.cost"), "{source}");
            assert!(
                evaluated(source, &list(fails)).starts_with("expression.cost: the expression could take")
            );
        }
        // Each loop doubles the text of the one before it.
        let doubling = format!("['xxxxxxxx']{}", ".map(x, x + x)".repeat(40));
        assert!(evaluated(&doubling, "{}").starts_with("expression.cost"), "{}", evaluated(&doubling, "{}"));
    }
}
