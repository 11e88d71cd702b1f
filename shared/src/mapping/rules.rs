//! A mapping as it was written, compiled: names are numbers, dates have their formats, expressions are parsed.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value as Json;

use super::expression::{Expression, Wrong};
use super::fields::{Names, Place};
use super::path::Path;
use super::steps::{self, Step};
use crate::document::{Members, Mistake, Mistakes, kind};
use crate::fault::Fault;
use crate::format::shown;
use crate::limits::{MAPPING_BYTES, MAPPING_ENTRIES};
use crate::schema::FieldType;

/// A compiled mapping.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// Fields that only get another name; none drops the field.
    pub renames: Vec<(String, Option<String>)>,
    /// The fields that anything else is about.
    pub names: Names,
    /// The innermost first, so that `meta` is what `meta.importance` leaves of it.
    pub moves: Vec<Move>,
    /// Whether one goes where another one goes or comes from, or the rest is taken: then all are taken before any is
    /// put, so that two may change places.
    pub moves_meet: bool,
    pub rest: Rest<Place>,
    pub steps: Vec<Step>,
    pub computed: Vec<Computed>,
    /// Where fields come from: the target and the source, as their user wrote them.
    pub origins: Vec<(String, String)>,
}

/// A field that gets another place.
#[derive(Debug)]
pub(crate) struct Move {
    pub from: Place,
    /// None drops it.
    pub to: Option<Place>,
}

/// What becomes of the fields that no mapping names.
#[derive(Debug, Default)]
pub(crate) enum Rest<P> {
    #[default]
    Keep,
    Drop,
    Below(P),
}

/// A field that is made of others.
#[derive(Debug)]
pub(crate) struct Computed {
    pub to: Place,
    pub expression: Arc<Expression>,
    /// Each field that the expression refers to.
    pub inputs: Vec<(String, usize)>,
    pub kind: Option<Kind>,
}

/// What a computed field has to come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    String,
    Integer,
    Number,
    Boolean,
    Date,
    Array,
    Object,
}

impl Kind {
    const ALL: [(&'static str, Self); 9] = [
        ("string", Self::String),
        ("integer", Self::Integer),
        ("number", Self::Number),
        ("decimal", Self::Number),
        ("boolean", Self::Boolean),
        ("date", Self::Date),
        ("array", Self::Array),
        ("object", Self::Object),
        ("binary", Self::String),
    ];
}

impl Kind {
    /// The type of a field that holds it.
    pub fn field_type(self) -> FieldType {
        match self {
            Self::String => FieldType::String,
            Self::Integer => FieldType::Integer,
            Self::Number => FieldType::Number,
            Self::Boolean => FieldType::Boolean,
            Self::Date => FieldType::Date,
            Self::Array => FieldType::Array,
            Self::Object => FieldType::Object,
        }
    }
}

impl Rules {
    /// The faults, each with the field of the source that it came from.
    pub fn told(&self, mut faults: Vec<Fault>) -> Vec<Fault> {
        for fault in &mut faults {
            let origin = |field: &String| self.origins.iter().find(|(to, _)| to == field);
            if let Some((_, from)) = fault.field.as_ref().and_then(origin) {
                fault.message.push_str(&format!("; it came from {}", shown::text(from)));
            }
        }
        faults
    }

    /// Compiles a document.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(document: &Json) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Mistakes::default();
        let length = document.to_string().len();
        if length > MAPPING_BYTES {
            mistakes.add("", format!("found a mapping of {length} bytes, expected at most {MAPPING_BYTES}"));
            return Err(mistakes.0);
        }
        let rules = Self::of(document, &mut mistakes);
        mistakes.or(rules)
    }

    fn of(document: &Json, mistakes: &mut Mistakes) -> Option<Self> {
        let mut parts = Members::new(String::new(), document, mistakes)?;
        let mappings = parts.get("fieldMappings");
        let [transformations, functions, computed] =
            ["transformations", "functions", "computedFields"].map(|name| parts.get(name));
        parts.end();
        let (paths, rest) = paths(mappings, mistakes);
        let mut names = Names::default();
        let functions = steps::functions(functions, mistakes);
        let steps = steps::read(transformations, &functions, &mut names, mistakes);
        let computed = self::computed(computed, &mut names, mistakes);
        let origins = paths.iter().filter_map(|(from, to)| {
            let to = to.as_ref()?;
            (to.names != from.names).then(|| (to.to_string(), from.to_string()))
        });
        let origins = origins.collect();
        let (renames, mut moves) = apart(paths, &names, matches!(rest, Rest::Keep));
        moves.sort_by_key(|(from, _)| std::cmp::Reverse(from.names.len()));
        let mut place = |path: &Path| names.place(path);
        let moves: Vec<Move> = moves
            .iter()
            .map(|(from, to)| Move { from: place(from), to: to.as_ref().map(&mut place) })
            .collect();
        let moves_meet = !matches!(rest, Rest::Keep) || meet(&moves);
        let rest = match rest {
            Rest::Keep => Rest::Keep,
            Rest::Drop => Rest::Drop,
            Rest::Below(below) => Rest::Below(names.place(&below)),
        };
        Some(Self { renames, names, moves, moves_meet, rest, steps, computed, origins })
    }
}

/// Whether a field goes where another one goes or comes from.
fn meet(moves: &[Move]) -> bool {
    let others = |own: usize| moves.iter().enumerate().filter(move |(other, _)| *other != own);
    moves.iter().enumerate().any(|(own, Move { to, .. })| {
        let meets = |place: &Place| to.as_ref().is_some_and(|to| to.meets(place));
        others(own).any(|(_, other)| meets(&other.from) || other.to.as_ref().is_some_and(meets))
    })
}

/// Where a field goes; none drops it.
type Mapped = (Path, Option<Path>);

/// The pairs of `fieldMappings`, and what becomes of the rest.
fn paths(value: Option<&Json>, mistakes: &mut Mistakes) -> (Vec<Mapped>, Rest<Path>) {
    let mut mapped: Vec<Mapped> = Vec::new();
    let mut rest = Rest::Keep;
    for (at, name, target) in mistakes.members("fieldMappings", value, MAPPING_ENTRIES) {
        if name == "*" {
            let read = self::rest(target);
            rest = mistakes.note(&at, read).unwrap_or(Rest::Keep);
            continue;
        }
        let from = mistakes.note(&at, Path::parse(name));
        let to = match target {
            Json::Null => Ok(None),
            Json::String(target) => Path::parse(target).map(Some),
            other => Err(format!("found {}, expected the name of a field, or null to drop it", kind(other))),
        };
        let (Some(from), Some(to)) = (from, mistakes.note(&at, to)) else { continue };
        if let Some((_, Some(other))) = mapped.iter().find(|(known, _)| known.names == from.names) {
            mistakes
                .add(&at, format!("found a field that goes to {} already", shown::text(&other.to_string())));
        }
        let target = to.as_ref();
        let meets = |(_, other): &&Mapped| {
            target.zip(other.as_ref()).is_some_and(|(one, other)| one.is_below(other) || other.is_below(one))
        };
        if let (Some(target), Some((source, Some(other)))) = (target, mapped.iter().find(meets)) {
            let [target, other, source] = [target, other, source].map(|path| shown::text(&path.to_string()));
            mistakes.add(
                &at,
                match target == other {
                    true => format!(
                        "found the target {target}, expected one to which {source} does not go already"
                    ),
                    false => format!(
                        "found the target {target} beside {other}, expected one that is not inside the other"
                    ),
                },
            );
        }
        mapped.push((from, to));
    }
    (mapped, rest)
}

/// What becomes of the fields that are not named.
fn rest(target: &Json) -> Result<Rest<Path>, String> {
    let expected = || {
        let found = kind(target);
        format!(
            "found {found}, expected \"*\" to keep the rest, \"name.*\" to put it below a field, or null to drop it"
        )
    };
    match target {
        Json::Null => Ok(Rest::Drop),
        Json::String(target) if target == "*" => Ok(Rest::Keep),
        Json::String(target) => {
            let path = target.strip_suffix(".*").ok_or_else(expected)?;
            Path::parse(path).map(Rest::Below)
        }
        _ => Err(expected()),
    }
}

/// The pairs that are mere renames, and the others.
fn apart(
    mapped: Vec<Mapped>,
    names: &Names,
    rest_stays: bool,
) -> (Vec<(String, Option<String>)>, Vec<Mapped>) {
    if !rest_stays {
        return (Vec::new(), mapped);
    }
    let mut about: HashSet<String> = names.0.iter().cloned().collect();
    let is_simple =
        |(from, to): &Mapped| from.only().is_some() && to.as_ref().is_none_or(|to| to.only().is_some());
    let ends = |(from, to): &Mapped| {
        let tops = [Some(from), to.as_ref()].into_iter().flatten();
        tops.flat_map(|path| path.names.first().into_iter().chain(&path.whole).cloned()).collect::<Vec<_>>()
    };
    about.extend(mapped.iter().filter(|pair| !is_simple(pair)).flat_map(ends));
    // A name that is met on one side of a pair is met on the other side, too.
    loop {
        let known = about.len();
        for pair in &mapped {
            let ends = ends(pair);
            if ends.iter().any(|end| about.contains(end)) {
                about.extend(ends);
            }
        }
        if about.len() == known {
            break;
        }
    }
    let (renames, moves): (Vec<_>, Vec<_>) =
        mapped.into_iter().partition(|pair| !ends(pair).iter().any(|end| about.contains(end)));
    let plain = |path: &Path| path.only().unwrap_or_default().to_owned();
    (renames.iter().map(|(from, to)| (plain(from), to.as_ref().map(plain))).collect(), moves)
}

fn computed(value: Option<&Json>, names: &mut Names, mistakes: &mut Mistakes) -> Vec<Computed> {
    let mut computed: Vec<Computed> = Vec::new();
    for (at, entry) in mistakes.list("computedFields", value, MAPPING_ENTRIES) {
        let Some(mut entry) = Members::new(at, entry, mistakes) else { continue };
        let (name, source, kind) = (entry.required("name"), entry.required("expression"), entry.text("type"));
        let to = name.and_then(|name| {
            let at = entry.place("name");
            entry.mistakes.note(&at, Path::parse(name))
        });
        let expression = source.and_then(|source| {
            let at = entry.place("expression");
            entry.mistakes.note(&at, compiled(source))
        });
        let known =
            kind.map(|name| Kind::ALL.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind));
        if known == Some(None) {
            let names: Vec<&str> = Kind::ALL.iter().map(|(name, _)| *name).collect();
            let found = shown::text(kind.unwrap_or_default());
            entry.wrong("type", format!("found {found}, expected one of {}", names.join(", ")));
        }
        if let Some(to) = &to
            && computed.iter().any(|other| other.to.path.is_below(to) || to.is_below(&other.to.path))
        {
            let found = shown::text(&to.to_string());
            entry.wrong("name", format!("found {found}, expected one that is not computed already"));
        }
        entry.end();
        if let (Some(to), Some(expression)) = (to, expression) {
            let inputs = expression.fields().map(|name| (name.to_owned(), names.number(name))).collect();
            let to = names.place(&to);
            computed.push(Computed { to, expression: Arc::new(expression), inputs, kind: known.flatten() });
        }
    }
    computed
}

/// Compiles an expression; what is wrong with it has its line and column.
pub(crate) fn compiled(source: &str) -> Result<Expression, String> {
    Expression::compile(source).map_err(|Wrong { line, column, what }| match line {
        1 => format!("column {column}: {what}"),
        _ => format!("line {line}, column {column}: {what}"),
    })
}
