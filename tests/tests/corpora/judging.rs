//! What is expected of a case, and whether it came so.

use carrack_shared::format::Format;
use serde_json::{Value, json};

use crate::reading::{Read, read, same};
use crate::suites::{Case, Wanted};

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Read, every record equal to the suite's.
    Equal,
    /// Refused, as the suite wants it, with these codes.
    Refused(String),
    /// Refused by a rule of ours, with these codes, where the suite would have it read.
    Rule(String),
    /// The suite leaves it open; what happens.
    Free(String),
    /// Neither as the suite wants it nor by a rule.
    Wrong(String),
}

/// The case as a whole source.
pub fn as_source(format: Format, case: &Case) -> End {
    let found = read(format, &case.input);
    match &case.wanted {
        Wanted::Refusal => refused(&found),
        Wanted::Anything => End::Free(shown(&found)),
        // An empty document is no record, and a suite calls it null like one that says so.
        Wanted::Values(values) => match equal(&found, &records(values)) {
            End::Equal => End::Equal,
            _ => equal(
                &found,
                &records(&values.iter().filter(|value| !value.is_null()).cloned().collect::<Vec<_>>()),
            ),
        },
    }
}

/// The case as the value of a member, between two records that are good.
pub fn as_value(format: Format, case: &Case) -> Option<End> {
    let input = match format {
        Format::Json => format!("[{{\"a\":1}},{{\"case\":{}}},{{\"b\":2}}]", case.input),
        Format::Yaml => format!("- a: 1\n- case:\n{}- b: 2\n", indented(&case.input)?),
        _ => return None,
    };
    let found = read(format, &input);
    let [first, last] = [json!({"a": 1}), json!({"b": 2})];
    assert_eq!(found.first(), Some(&Ok(first.to_string())), "{}: the record before it is read", case.name);
    Some(match &case.wanted {
        Wanted::Refusal => refused(&found),
        Wanted::Anything => End::Free(shown(&found[1..found.len().min(2)])),
        Wanted::Values(values) => {
            let [value] = &values[..] else { return None };
            equal(&found, &[Some(first), Some(json!({ "case": value })), Some(last)])
        }
    })
}

/// A document without markers, four blanks to the right; none where that would be another document.
fn indented(document: &str) -> Option<String> {
    let is_bare = |line: &str| !["---", "...", "%", "\u{feff}"].iter().any(|start| line.starts_with(start));
    let whole = document.ends_with('\n') && document.lines().all(is_bare);
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") };
    whole.then(|| document.split_terminator('\n').map(line).collect())
}

/// The records that values stand for: those of an array are its elements. What is no object is no record.
fn records(values: &[Value]) -> Vec<Option<Value>> {
    let elements = values.iter().flat_map(|value| match value {
        Value::Array(elements) => elements.clone(),
        other => vec![other.clone()],
    });
    elements.map(|element| element.is_object().then_some(element)).collect()
}

fn refused(found: &Read) -> End {
    match codes(found) {
        codes if codes.is_empty() => End::Wrong(format!("accepted as {}", shown(found))),
        codes => End::Refused(codes),
    }
}

fn equal(found: &Read, expected: &[Option<Value>]) -> End {
    let fits = |(found, expected): (&Result<String, String>, &Option<Value>)| match (found, expected) {
        (Ok(found), Some(expected)) => same(found, expected),
        (Err(code), None) => code == "record.not_object",
        _ => false,
    };
    if found.len() == expected.len() && found.iter().zip(expected).all(fits) {
        return End::Equal;
    }
    // What is accepted has to be equal, whatever else is refused.
    let known = |record: &String| expected.iter().flatten().any(|expected| same(record, expected));
    match codes(found) {
        codes if !codes.is_empty() && found.iter().flatten().all(known) => End::Rule(codes),
        _ => End::Wrong(format!("read as {}", shown(found))),
    }
}

/// The codes, each once.
fn codes(found: &[Result<String, String>]) -> String {
    let mut codes: Vec<&str> =
        found.iter().filter_map(|end| end.as_ref().err()).map(String::as_str).collect();
    codes.dedup();
    codes.join(", ")
}

/// Characters of a value that are shown.
const SHOWN: usize = 48;

fn shown(found: &[Result<String, String>]) -> String {
    let one = |end: &Result<String, String>| match end {
        Err(code) => code.clone(),
        Ok(record) => {
            let value = record.strip_prefix("{\"case\":").and_then(|rest| rest.strip_suffix('}'));
            let text = value.unwrap_or(record);
            let cut: String = text.chars().take(SHOWN).collect();
            if cut.len() < text.len() { format!("{cut}...") } else { cut }
        }
    };
    match &found.iter().map(one).collect::<Vec<_>>()[..] {
        [] => "no records".into(),
        ends => ends.join(" "),
    }
}
