//! Does a template do what its examples say: an input record becomes the expected one, or has the expected faults?

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Template;
use crate::document::{Members, Mistake, Mistakes};
use crate::fault::Fault;
use crate::format::json::{Shape, members, text};
use crate::format::{Format, SourceFacts, csv, instant, json, shown};
use crate::limits::TEMPLATE_EXAMPLES;
use crate::pipeline::{Decoded, Plan};
use crate::record::{self, Rows};
use crate::schema::DataType;

/// An example of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Example {
    description: Option<String>,
    /// What the record stands in: JSON, or CSV, where every value is a text.
    format: Format,
    /// What `now()` is.
    now: Timestamp,
    input: Map<String, Value>,
    expected: Expected,
}

/// What is to come of an example.
#[derive(Debug, Clone, PartialEq)]
enum Expected {
    Record(Map<String, Value>),
    /// The codes, each with its field where one is said.
    Faults(Vec<(String, Option<String>)>),
}

/// What came of an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// What the example is called, if anything.
    pub description: Option<String>,
    /// What differed; nothing if it is as expected.
    pub differences: Vec<Difference>,
}

/// Something that differs from what an example says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The field; none if it is a fault of the whole record.
    pub field: Option<String>,
    /// What the example says; none if it says nothing of it.
    pub expected: Option<String>,
    /// What was found; none if nothing.
    pub found: Option<String>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(field) = &self.field {
            write!(f, "{}: ", shown::name(field))?;
        }
        let [expected, found] =
            [&self.expected, &self.found].map(|said| said.as_deref().unwrap_or("nothing"));
        write!(f, "found {found}, expected {expected}")
    }
}

/// Reads the member `examples`.
pub(super) fn read(document: Option<&Value>, mistakes: &mut Mistakes) -> Vec<Example> {
    let items = mistakes.list("examples", document, TEMPLATE_EXAMPLES);
    items.into_iter().filter_map(|(at, item)| example(item, at, mistakes)).collect()
}

fn example(document: &Value, at: String, mistakes: &mut Mistakes) -> Option<Example> {
    let mut members = Members::new(at, document, mistakes)?;
    let description = members.text("description").map(ToOwned::to_owned);
    let format = members.read("format", |value| match value.as_str().and_then(Format::parse) {
        Some(format @ (Format::Json | Format::Csv)) => Ok(format),
        _ => Err("json or csv".into()),
    });
    let now = members.read("now", |value| {
        let read = value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
        read.ok_or_else(|| "an RFC 3339 date".into())
    });
    let input = object(&mut members, "input");
    if members.get("input").is_none() {
        members.wrong("input", "found nothing, expected the fields of a record");
    }
    let (record, faults) = (members.get("expected"), members.get("faults"));
    let expected = match (record, faults) {
        (Some(_), None) => object(&mut members, "expected").map(Expected::Record),
        (None, Some(_)) => Some(Expected::Faults(faults_of(&mut members))),
        _ => {
            let detail = "found both or nothing, expected the fields of a record, or faults beside the input";
            members.wrong("expected", detail);
            None
        }
    };
    members.end();
    Some(Example {
        description,
        format: format.unwrap_or(Format::Json),
        now: now.unwrap_or(Timestamp::UNIX_EPOCH),
        input: input?,
        expected: expected?,
    })
}

fn object(members: &mut Members<'_, '_>, name: &'static str) -> Option<Map<String, Value>> {
    members.read(name, |value| value.as_object().cloned().ok_or_else(|| "an object".into()))
}

fn faults_of(members: &mut Members<'_, '_>) -> Vec<(String, Option<String>)> {
    let items = members.list("faults", TEMPLATE_EXAMPLES);
    if items.is_empty() {
        members.wrong("faults", "found nothing, expected at least one fault");
    }
    let read = |(at, item): (String, &Value)| {
        let mut fault = Members::new(at, item, members.mistakes)?;
        let code = fault.required("code").map(ToOwned::to_owned);
        let field = fault.text("field").map(ToOwned::to_owned);
        fault.end();
        Some((code?, field))
    };
    items.into_iter().filter_map(read).collect()
}

impl Template {
    /// Sends the examples through the mapping and the schema; `data_type` is the type as the template has it.
    pub fn tried(&self, data_type: &Arc<DataType>) -> Vec<Tried> {
        let tried = |example: &Example| Tried {
            description: example.description.clone(),
            differences: self.differences(example, data_type),
        };
        self.examples.iter().map(tried).collect()
    }

    /// What the examples say otherwise than it is, each at its place.
    pub fn broken_examples(&self, data_type: &Arc<DataType>) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        for (number, tried) in self.tried(data_type).into_iter().enumerate() {
            for difference in tried.differences {
                mistakes.push(Mistake::new(format!("examples[{number}]"), difference.to_string()));
            }
        }
        mistakes
    }

    fn differences(&self, example: &Example, data_type: &Arc<DataType>) -> Vec<Difference> {
        let (facts, record) = written(example.format, &example.input);
        let plan = Plan::checking(self.mapping.as_ref(), true, true, data_type, &facts, example.now);
        let found = plan.one(&record);
        match &example.expected {
            Expected::Record(expected) => compare(expected, &found, data_type),
            Expected::Faults(expected) => compare_faults(expected, &found),
        }
    }
}

/// A record of this format with these fields.
fn written(format: Format, fields: &Map<String, Value>) -> (SourceFacts, Bytes) {
    if format != Format::Csv {
        let facts = SourceFacts::Json(json::Facts::from(Shape::Lines));
        return (facts, Value::Object(fields.clone()).to_string().into());
    }
    let cell = |value: &Value| match value {
        // Nothing between two commas is missing; an empty text stands in quotes.
        Value::Null => String::new(),
        Value::String(text) => format!("\"{}\"", text.replace('"', "\"\"")),
        other => format!("\"{}\"", other.to_string().replace('"', "\"\"")),
    };
    let columns = fields.keys().cloned().collect();
    let record = fields.values().map(cell).collect::<Vec<_>>().join(",");
    (SourceFacts::Csv(csv::Facts { columns, dialect: csv::Dialect::default() }), record.into())
}

fn compare(expected: &Map<String, Value>, found: &Decoded, data_type: &Arc<DataType>) -> Vec<Difference> {
    if let Some(reject) = found.rejects.first() {
        let fault = |fault: &Fault| Difference {
            field: fault.field.clone(),
            expected: None,
            found: Some(told(fault)),
        };
        return reject.faults.iter().map(fault).collect();
    }
    // As the type would have it, whichever way its values are written.
    let (facts, record) = written(Format::Json, expected);
    let wanted = Plan::checking(None, false, true, data_type, &facts, Timestamp::UNIX_EPOCH).one(&record);
    if let Some(reject) = wanted.rejects.first() {
        let fault = |fault: &Fault| Difference {
            field: fault.field.clone(),
            expected: Some(format!("a record that there can be: {}", told(fault))),
            found: None,
        };
        return reject.faults.iter().map(fault).collect();
    }
    let (expected, found) = (values(&wanted.rows), values(&found.rows));
    let names = expected.keys().chain(found.keys().filter(|name| !expected.contains_key(*name)));
    let differing = names.filter(|name| expected.get(*name) != found.get(*name));
    let difference = |name: &String| Difference {
        field: Some(name.clone()),
        expected: expected.get(name).cloned(),
        found: found.get(name).cloned(),
    };
    differing.map(difference).collect()
}

/// The fields of the first row, those outside the schema too, each as JSON.
fn values(rows: &Rows) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    if rows.is_empty() {
        return values;
    }
    for (slot, field) in rows.data_type().fields.iter().enumerate() {
        let value = match rows.value(0, slot) {
            record::Value::Missing => continue,
            record::Value::Text(text) => Value::from(String::from_utf8_lossy(text)).to_string(),
            record::Value::Json(json) => String::from_utf8_lossy(json).into_owned(),
            record::Value::Instant(micros) => Value::from(instant::text(micros)).to_string(),
        };
        values.insert(field.name.as_str().to_owned(), value);
    }
    if let record::Value::Json(extra) = rows.value(0, rows.width() - 1) {
        let extra: Cow<'_, str> = String::from_utf8_lossy(extra);
        for (written, value) in members(&extra) {
            let mut name = Vec::new();
            // What is canonical can be read.
            let _ = text::unescape(written, &mut name);
            values.insert(String::from_utf8_lossy(&name).into_owned(), value.to_owned());
        }
    }
    values
}

fn compare_faults(expected: &[(String, Option<String>)], found: &Decoded) -> Vec<Difference> {
    let Some(reject) = found.rejects.first() else {
        let record = |(code, field): &(String, Option<String>)| Difference {
            field: field.clone(),
            expected: Some(code.clone()),
            found: Some("a record without a fault".into()),
        };
        return expected.iter().map(record).collect();
    };
    let mut open: Vec<&Fault> = reject.faults.iter().collect();
    let mut differences = Vec::new();
    for (code, field) in expected {
        let is_it =
            |fault: &&Fault| fault.code == code.as_str() && (field.is_none() || fault.field == *field);
        match open.iter().position(is_it) {
            Some(index) => drop(open.remove(index)),
            None => {
                differences.push(Difference {
                    field: field.clone(),
                    expected: Some(code.clone()),
                    found: None,
                });
            }
        }
    }
    differences.extend(open.into_iter().map(|fault| Difference {
        field: fault.field.clone(),
        expected: None,
        found: Some(told(fault)),
    }));
    differences
}

fn told(fault: &Fault) -> String {
    format!("{} ({})", fault.code, fault.message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(examples: &Value) -> Result<Template, Vec<Mistake>> {
        Template::read(&json!({
            "name": "Pets", "version": "1",
            "schema": {"type": "pets", "fields": [
                {"name": "id", "type": "string"},
                {"name": "born", "type": "date", "required": true},
                {"name": "legs", "type": "integer", "maximum": 8},
                {"name": "tags", "type": "array"},
                {"name": "seen", "type": "date"},
            ]},
            "transformation": {
                "mapping": {"chip": "id"},
                "transformations": [{"field": "born", "transformation": "date", "formats": ["%d.%m.%Y"]}],
                "computedFields": [{"name": "seen", "expression": "now()", "type": "date"}],
            },
            "examples": examples.clone(),
        }))
    }

    fn differences(example: &Value) -> Vec<String> {
        let template = template(&json!([example])).unwrap();
        let data_type = Arc::new(template.applied_to(None).unwrap());
        template.tried(&data_type)[0].differences.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn examples_tell_field_by_field_what_differs() {
        let input = json!({"chip": "7", "born": "14.03.2009", "colour": "red"});
        let good = json!({"id": "7", "born": "2009-03-14", "seen": "1970-01-01T00:00:00Z", "colour": "red"});
        let bad = json!({"id": "8", "born": "2009-03-14T01:00:00+01:00", "legs": 4, "seen": "1970-01-01"});
        let cases = [
            (json!({"input": input, "expected": good}), &[][..]),
            (
                json!({"input": input, "expected": bad}),
                &[
                    "id: found \"7\", expected \"8\"",
                    "legs: found nothing, expected 4",
                    "colour: found \"red\", expected nothing",
                ],
            ),
            (
                json!({"input": {"chip": "7", "born": "soon", "legs": 9}, "faults": [
                    {"code": "maximum.above", "field": "legs"}, {"code": "transform.date"},
                ]}),
                &[],
            ),
            (
                json!({"input": {"chip": "7", "born": "14.03.2009"}, "faults": [{"code": "key.too_long"}]}),
                &["found a record without a fault, expected key.too_long"],
            ),
            (
                json!({"format": "csv", "now": "2024-01-01T00:00:00Z",
                    "input": {"chip": "7", "born": "14.03.2009", "legs": "4", "tags": "a,b", "note": null},
                    "expected": {"id": "7", "born": "2009-03-14", "legs": 4, "tags": ["a", "b"], "seen": "2024-01-01"}}),
                &[],
            ),
            (
                json!({"input": {"chip": "7", "born": "14.03.2009", "legs": "4"}, "expected": good}),
                &["legs: found type.integer (found the text \"4\", expected an integer), expected nothing"],
            ),
            (
                json!({"input": input, "expected": {"id": 7}}),
                &[
                    "id: found nothing, expected a record that there can be: type.string (found the number 7, expected a string)",
                ],
            ),
        ];
        for (example, expected) in cases {
            let mut found = differences(&example);
            let mut expected = expected.to_vec();
            found.sort();
            expected.sort_unstable();
            assert_eq!(found, expected, "{example}");
        }
    }

    #[test]
    fn what_is_wrong_with_an_example_is_told_with_its_place() {
        let examples = json!([
            {"expected": {}},
            {"input": {}, "expected": {}, "faults": [{"code": "a"}]},
            {"input": [], "faults": []},
            {"input": {}, "faults": [{"field": "a"}], "format": "xml", "now": "soon", "colour": 1},
        ]);
        let told: Vec<String> = template(&examples).unwrap_err().iter().map(ToString::to_string).collect();
        for (found, expected) in told.iter().zip([
            "examples[0].input: found nothing",
            "examples[1].expected: found both or nothing",
            "examples[2].input: found an array, expected an object",
            "examples[2].faults: found nothing",
            "examples[3].format: found \"xml\", expected json or csv",
            "examples[3].now: found \"soon\"",
            "examples[3].faults[0].code: found nothing",
            "examples[3].colour: unknown name",
        ]) {
            assert!(found.starts_with(expected), "{found}: {expected}");
        }
        assert_eq!(told.len(), 8, "{told:?}");
    }
}
