//! What an expression may hold: the functions that are known, loops of a bounded depth, fields by their names.

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SelectExpr, operators};
use cel::parser::Expression as Ast;

use super::nulls::{self, ARRAY, HAS, MEMBER, TRUTH};
use crate::format::shown;
use crate::limits::{EXPRESSION_DEPTH, EXPRESSION_LEVELS, EXPRESSION_LOOPS};

/// The variable that holds the fields whose names are none that CEL knows.
pub const RECORD: &str = "record";

/// The variable for [`NOW_FUNCTION`]; no user can write its name.
pub const NOW: &str = "@now";
const NOW_FUNCTION: &str = "now";

/// The functions that may be called; their cost is known in [`super::cost`].
pub(super) const FUNCTIONS: [&str; 21] = [
    "bool",
    "charAt",
    "contains",
    "double",
    "endsWith",
    "indexOf",
    "int",
    "join",
    "lastIndexOf",
    "lowerAscii",
    "matches",
    NOW_FUNCTION,
    "replace",
    "reverse",
    "size",
    "split",
    "startsWith",
    "string",
    "substring",
    "trim",
    "upperAscii",
];

/// Names that stand for types; `type(x) == string` compares with one.
pub const TYPES: [&str; 8] = ["bool", "double", "int", "list", "map", "null_type", "string", "uint"];

/// What an expression refers to.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub names: Vec<String>,
    pub members: Vec<String>,
    /// Whether there is a loop, or a function whose result may be much larger than its arguments.
    pub grows: bool,
}

/// A part, by its number, and what is wrong with it.
type Complaint = (u64, String);

/// Checks, and puts what the user cannot write in its place: the variable of `now()`, and the functions of
/// [`nulls`].
pub(super) fn check(ast: &mut Ast) -> Result<Found, Complaint> {
    let mut walk = Walk { found: Found::default(), bound: Vec::new(), loops: 0, levels: 0 };
    walk.part(ast)?;
    Ok(walk.found)
}

struct Walk {
    found: Found,
    /// The variables of the loops around.
    bound: Vec<String>,
    loops: usize,
    levels: usize,
}

impl Walk {
    fn part(&mut self, ast: &mut Ast) -> Result<(), Complaint> {
        if self.levels == EXPRESSION_LEVELS {
            let message = format!(
                "found more than {EXPRESSION_LEVELS} parts inside one another, expected at most so many"
            );
            return Err((ast.id, message));
        }
        self.levels += 1;
        let checked = self.kind(ast);
        self.levels -= 1;
        checked
    }

    fn kind(&mut self, ast: &mut Ast) -> Result<(), Complaint> {
        let id = ast.id;
        match &mut ast.expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) if name == RECORD => Err(record_by_itself(id)),
            Expr::Ident(name) => {
                let name = name.clone();
                self.name(&name);
                Ok(())
            }
            Expr::Select(select) => {
                ast.expr = self.select(id, select)?;
                Ok(())
            }
            Expr::Call(call)
                if call.func_name == NOW_FUNCTION && call.target.is_none() && call.args.is_empty() =>
            {
                ast.expr = Expr::Ident(NOW.into());
                Ok(())
            }
            Expr::Call(call) => self.call(id, call),
            Expr::List(list) => list.elements.iter_mut().try_for_each(|element| self.part(element)),
            Expr::Map(map) => map.entries.iter_mut().try_for_each(|entry| match &mut entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.part(&mut entry.key)?;
                    self.part(&mut entry.value)
                }
                EntryExpr::StructField(field) => self.part(&mut field.value),
            }),
            Expr::Struct(_) => Err((id, "found a message, expected a value such as {'a': 1}".into())),
            Expr::Comprehension(inner) => self.each(id, inner),
        }
    }

    /// `a.b`, or `has(a.b)`.
    fn select(&mut self, id: u64, select: &mut SelectExpr) -> Result<Expr, Complaint> {
        match &select.operand.expr {
            Expr::Ident(name) if name == RECORD => self.member(&select.field),
            _ => self.part(&mut select.operand)?,
        }
        let name = Expr::Literal(LiteralValue::String(select.field.clone().into()));
        let operand = std::mem::take(&mut *select.operand);
        Ok(function(if select.test { HAS } else { MEMBER }, vec![operand, Ast { id, expr: name }]))
    }

    fn call(&mut self, id: u64, call: &mut CallExpr) -> Result<(), Complaint> {
        if call.func_name == operators::INDEX
            && let [operand, index] = &call.args[..]
            && matches!(&operand.expr, Expr::Ident(name) if name == RECORD)
        {
            let Expr::Literal(LiteralValue::String(name)) = &index.expr else {
                return Err(record_by_itself(operand.id));
            };
            self.member(name.inner());
            MEMBER.clone_into(&mut call.func_name);
            return Ok(());
        }
        known(id, &call.func_name)?;
        self.found.grows |= matches!(call.func_name.as_str(), "join" | "replace");
        if call.func_name == "matches" {
            pattern(id, call.args.last())?;
        }
        if let Some(target) = &mut call.target {
            self.part(target)?;
        }
        call.args.iter_mut().try_for_each(|argument| self.part(argument))?;
        if let Some(function) = nulls::instead(&call.func_name) {
            function.clone_into(&mut call.func_name);
        }
        let truths = match call.func_name.as_str() {
            operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT => call.args.len(),
            operators::CONDITIONAL => 1,
            _ => 0,
        };
        call.args.iter_mut().take(truths).filter(|argument| may_be_null(argument)).for_each(|argument| {
            let Ast { id, expr } = std::mem::take(argument);
            *argument = Ast { id, expr: function(TRUTH, vec![Ast { id, expr }]) };
        });
        Ok(())
    }

    /// A loop.
    fn each(&mut self, id: u64, inner: &mut ComprehensionExpr) -> Result<(), Complaint> {
        self.found.grows = true;
        if inner.iter_var == RECORD || inner.iter_var2.as_deref() == Some(RECORD) {
            return Err((id, "found record as the variable of a loop, expected another name".into()));
        }
        self.part(&mut inner.iter_range)?;
        if self.loops == EXPRESSION_LOOPS {
            let message =
                format!("found a loop inside {EXPRESSION_LOOPS} others, expected at most {EXPRESSION_LOOPS}");
            return Err((id, message));
        }
        let range = std::mem::take(&mut inner.iter_range);
        let range_id = range.id;
        inner.iter_range = Ast { id: range_id, expr: function(ARRAY, vec![range]) };
        self.part(&mut inner.accu_init)?;
        let outside = self.bound.len();
        self.bound.extend([inner.iter_var.clone(), inner.accu_var.clone()]);
        self.bound.extend(inner.iter_var2.clone());
        self.loops += 1;
        let parts = [&mut inner.loop_cond, &mut inner.loop_step, &mut inner.result];
        let checked = parts.into_iter().try_for_each(|part| self.part(part));
        self.loops -= 1;
        self.bound.truncate(outside);
        checked
    }

    fn name(&mut self, name: &str) {
        let own = self.bound.iter().any(|bound| bound == name) || TYPES.contains(&name);
        if !own && !self.found.names.iter().any(|known| known == name) {
            self.found.names.push(name.to_owned());
        }
    }

    fn member(&mut self, name: &str) {
        if !self.found.members.iter().any(|known| known == name) {
            self.found.members.push(name.to_owned());
        }
    }
}

fn function(name: &str, args: Vec<Ast>) -> Expr {
    Expr::Call(CallExpr { func_name: name.into(), target: None, args })
}

/// Whether a part that has to be true or false may be null: a field, a member, or one of two parts.
fn may_be_null(ast: &Ast) -> bool {
    match &ast.expr {
        // What the library names itself is none.
        Expr::Ident(name) => !name.starts_with('@'),
        Expr::Call(call) => matches!(call.func_name.as_str(), MEMBER | operators::CONDITIONAL),
        _ => false,
    }
}

fn record_by_itself(id: u64) -> Complaint {
    (id, "found record by itself, expected record.name or record[\"name\"]".into())
}

/// Whether it is an operator, or a function that may be called.
fn known(id: u64, function: &str) -> Result<(), Complaint> {
    let is_operator = function.starts_with(|first: char| !first.is_alphanumeric());
    if is_operator || function == "type" || FUNCTIONS.contains(&function) {
        return Ok(());
    }
    let known = FUNCTIONS.join(", ");
    Err((id, format!("found the function {}, expected one of {known}", shown::text(function))))
}

/// Whether a pattern is known now, and small: it is compiled for each record.
fn pattern(id: u64, argument: Option<&Ast>) -> Result<(), Complaint> {
    let Some(Expr::Literal(LiteralValue::String(pattern))) = argument.map(|argument| &argument.expr) else {
        return Err((id, "found a pattern that is no text in quotes, expected one".into()));
    };
    let found = |why: String| format!("found a pattern that cannot be read: {}", complaint(&why));
    crate::pattern::compile(pattern.inner()).map(drop).map_err(|why| (id, found(why)))
}

/// Characters of another program's complaint that are told.
const COMPLAINT_CHARACTERS: usize = 200;

/// A complaint of the parser.
pub(super) fn syntax(message: &str) -> String {
    match message.contains("Recursion limit") {
        true => format!(
            "found more than {EXPRESSION_DEPTH} brackets inside one another, expected at most so many"
        ),
        false if message.contains("token recognition error at: '=") => {
            format!("{}: equality is written ==", complaint(message))
        }
        false => complaint(message),
    }
}

/// A complaint of a library: on one line, without its end, not too long.
pub(super) fn complaint(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = line.chars().take(COMPLAINT_CHARACTERS).collect();
    let more = if short.len() < line.len() { "…" } else { "" };
    let mut characters = short.chars();
    let first = characters.next().map(char::to_lowercase).into_iter().flatten();
    let lowered: String = first.chain(characters).collect();
    format!("{}{more}", lowered.trim_end_matches('.'))
}

/// The expression with `now()` for `new Date()`, outside of texts, and as long: so places stay what they are.
pub(super) fn without_new_date(source: &str) -> String {
    let mut written = String::with_capacity(source.len());
    let mut rest = source;
    let mut quote: Option<char> = None;
    while let Some(character) = rest.chars().next() {
        if quote.is_none()
            && !written.ends_with(|before: char| before.is_alphanumeric() || before == '_')
            && let Some(length) = new_date(rest)
        {
            written.push_str("now()");
            written.extend(std::iter::repeat_n(' ', length - "now()".len()));
            rest = &rest[length..];
            continue;
        }
        let mut taken = character.len_utf8();
        match quote {
            Some(_) if character == '\\' => taken += rest[taken..].chars().next().map_or(0, char::len_utf8),
            Some(open) if open == character => quote = None,
            None if matches!(character, '\'' | '"') => quote = Some(character),
            _ => {}
        }
        written.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    written
}

/// The bytes of `new Date()` at the start of a text.
fn new_date(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("new")?;
    let name = rest.trim_start();
    let rest = name.strip_prefix("Date").filter(|_| name.len() < rest.len())?;
    let rest = rest.trim_start().strip_prefix('(')?.trim_start().strip_prefix(')')?;
    Some(text.len() - rest.len())
}
