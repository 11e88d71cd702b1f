//! Filters of imports: which records are left out, and that those are not judged.
#![allow(clippy::unwrap_used, reason = "a failure is a failed test")]

mod support;

use carrack_shared::filter::Filter;
use carrack_shared::format::Format;
use carrack_shared::mapping::Mapping;
use carrack_shared::pipeline::Plan;
use carrack_shared::spec::ImportSpec;
use jiff::Timestamp;
use serde_json::{Value, json};
use support::{WHOLE, contexts, spec, split};

/// The keys of the records that are loaded, the codes of those that are refused, and how many are left out.
fn sorted(spec: &ImportSpec, input: &str) -> (Vec<String>, Vec<String>, u64) {
    let (segments, facts, broken) = split(spec.format, input.as_bytes(), WHOLE, input.len());
    assert_eq!(broken, None, "{input}");
    let plan = Plan::compile(spec, &contexts(), &facts.unwrap(), Timestamp::UNIX_EPOCH);
    let (mut keys, mut codes, mut filtered) = (Vec::new(), Vec::new(), 0);
    for segment in &segments {
        let byte = |at: u64| usize::try_from(at).unwrap();
        let range = byte(segment.bytes.start)..byte(segment.bytes.end);
        let bytes = bytes::Bytes::copy_from_slice(&input.as_bytes()[range]);
        let decoded = plan.run(segment, &bytes).unwrap();
        let read = (decoded.rows.len() + decoded.rejects.len()) as u64 + decoded.filtered;
        assert_eq!(read, u64::from(segment.records), "every record is counted once");
        let key = |row| String::from_utf8(decoded.rows.key(row).to_vec()).unwrap();
        keys.extend((0..decoded.rows.len()).map(key));
        codes.extend(decoded.rejects.iter().map(|reject| reject.faults[0].code.to_string()));
        filtered += decoded.filtered;
    }
    (keys, codes, filtered)
}

fn filtered(filter: &Value) -> ImportSpec {
    ImportSpec { filter: Filter::read(filter).unwrap(), ..spec(Format::Json) }
}

#[test]
fn records_are_loaded_left_out_or_refused() {
    let note = json!({"types": ["note"]});
    let january = json!({"dateRange": {"start": "2024-01-01", "end": "2024-01-31"}, "types": ["note"]});
    let cases = [
        (&note, json!({"type": "note"}), "a", "", 0),
        (&note, json!({"type": "other"}), "", "", 1),
        (&note, json!({}), "", "", 1),
        (&note, json!({"type": null}), "", "", 1),
        // What is left out is not judged.
        (&note, json!({"type": "other", "title": 7, "createdAt": "never"}), "", "", 1),
        (&note, json!({"type": "note", "title": 7}), "", "type.string", 0),
        // What cannot be read is.
        (&note, json!({"type": ["note"]}), "", "type.string", 0),
        (&january, json!({"type": "note", "createdAt": "soon"}), "", "date.invalid", 0),
        (&january, json!({"type": "note", "createdAt": "2024-01-31"}), "a", "", 0),
        (&january, json!({"type": "other", "createdAt": "soon"}), "", "", 1),
        (&january, json!({"type": "note", "createdAt": "soon", "updatedAt": "2024-02-01"}), "", "", 1),
        (&january, json!({"type": "note", "createdAt": "2024-02-01", "updatedAt": "2024-01-31"}), "a", "", 0),
    ];
    for (filter, fields, loaded, refused, left_out) in cases {
        let mut record = json!({"id": "a", "title": "t", "content": "c"});
        record.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let texts = |text: &str| if text.is_empty() { Vec::new() } else { vec![text.to_owned()] };
        let expected = (texts(loaded), texts(refused), left_out);
        assert_eq!(sorted(&filtered(filter), &record.to_string()), expected, "{filter} {record}");
    }
    let (_, refused, left_out) = sorted(&filtered(&note), r#"{"id":"a","type":tru}"#);
    assert_eq!((refused.len(), left_out), (1, 0), "what cannot be read at all: {refused:?}");
}

#[test]
fn records_are_looked_at_as_they_are_stored_in_the_end() {
    let mapping = json!({
        "fieldMappings": {"kind": "type", "labels": "tags", "weight": "metadata.importance"},
        "transformations": [{"field": "type", "transformation": "lowercase"}],
    });
    let spec = ImportSpec {
        mapping: Some(Mapping::read(&mapping).unwrap()),
        include_metadata: false,
        format: Format::Csv,
        ..filtered(&json!({"types": ["note"], "tags": ["a b"], "importance": ["high"]}))
    };
    let input = "id,title,content,kind,labels,weight\n\
        1,t,c,NOTE,\"x,a b\",high\n2,t,c,NOTE,x,high\n3,t,c,NOTE,a b,low\n4,t,c,other,a b,high\n";
    assert_eq!(sorted(&spec, input), (vec!["1".into()], Vec::new(), 3));
}
