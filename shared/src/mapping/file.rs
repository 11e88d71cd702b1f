//! A mapping in a file of its own: JSON or YAML, the document itself or under the name `mapping`.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value as Json;

use crate::document;
use crate::format::Format;
use crate::format::draft::Draft;
use crate::format::reading::Reading;
use crate::record::{Cell, Rows};
use crate::schema::DataType;

/// The name under which the document may stand.
const NAME: &str = "mapping";

/// The document in the text of a file.
///
/// # Errors
/// Says what was found and expected: it is neither JSON nor YAML, or has a name twice.
pub fn document(text: &str) -> Result<Json, String> {
    let text = text.trim_start_matches('\u{feff}');
    let read = match text.trim_start().starts_with(['{', '[']) {
        true => of_json(text),
        false => of_yaml(text),
    };
    read.map(|document| match document {
        Json::Object(mut members) if members.len() == 1 && members.contains_key(NAME) => {
            members.remove(NAME).unwrap_or_default()
        }
        document => document,
    })
}

fn of_json(text: &str) -> Result<Json, String> {
    document::parse(text.as_bytes()).map_err(|error| format!("expected a JSON document, found {error}"))
}

/// Read as a record of YAML is: one document, whose names differ and whose anchors are bounded.
fn of_yaml(text: &str) -> Result<Json, String> {
    let (mut framer, mut frames) = (Format::Yaml.framer(&Reading::default()), Vec::new());
    let framed = framer.push(text.as_bytes(), &mut frames).and_then(|()| framer.finish(&mut frames));
    framed.map_err(|fault| fault.message)?;
    let expected = "expected one document in JSON or YAML";
    let (Some(facts), [frame]) = (framer.facts(), &frames[..]) else {
        return Err(format!("found {} documents, {expected}", frames.len()));
    };
    let index = |offset: u64| usize::try_from(offset).unwrap_or(text.len());
    let record = text.get(index(frame.start)..index(frame.end)).unwrap_or_default();
    let anything = Arc::new(DataType::without_fields());
    let mut rows = Rows::new(Arc::clone(&anything), Bytes::copy_from_slice(record.as_bytes()), 0, 1);
    let mut draft = Draft::new(0);
    facts.meaning(&anything).decoder(record.as_bytes()).record(record, 0, &mut rows, &mut draft);
    if let Some(fault) = draft.take_faults().into_iter().next() {
        return Err(fault.message);
    }
    match draft.extra.cell(&mut rows) {
        Cell::Json(span) => serde_json::from_slice(rows.bytes(span)).map_err(|error| error.to_string()),
        _ => Err(format!("found nothing, {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_read_in_json_and_in_yaml() {
        let expected: Json = serde_json::from_str(
            r#"{"fieldMappings":{"a":"b","*":null},"transformations":[{"field":"b","transformation":"split","separator":";"}]}"#,
        )
        .unwrap();
        let yaml = "fieldMappings:\n  a: b\n  '*': null\ntransformations:\n  - field: b\n    transformation: split\n    separator: ';'\n";
        let indented = yaml.replace('\n', "\n  ");
        for text in [
            &expected.to_string(),
            &format!("\u{feff} {{\"mapping\":{expected}}}"),
            yaml,
            &format!("# old\n---\n{yaml}"),
            &format!("mapping:\n  {indented}"),
        ] {
            assert_eq!(document(text).as_ref(), Ok(&expected), "{text}");
        }
        for (text, expected) in [
            ("", "found 0 documents, expected one document in JSON or YAML"),
            ("a: 1\n---\nb: 2\n", "found 2 documents, expected one document in JSON or YAML"),
            (
                "{\"a\":1,\"a\":2}",
                "expected a JSON document, found the member \"a\" twice in one object at line 1 column 10",
            ),
            ("a: 1\na: 2\n", "found the member \"a\" twice in one object"),
            ("{\"a\"", "expected a JSON document, found EOF while parsing an object at line 1 column 4"),
            ("just text\n", "found a scalar, expected a mapping"),
        ] {
            assert_eq!(document(text), Err(expected.to_owned()), "{text}");
        }
    }
}
