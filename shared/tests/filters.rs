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

#[test]
fn expressions_are_asked_of_records_as_they_would_be_stored() {
    let cases = [
        ("type == 'note'", json!({"type": "note"}), "a", "", 0),
        ("type == 'note'", json!({}), "", "", 1),
        ("type == 'note'", json!({"type": "other", "title": 7, "createdAt": "never"}), "", "", 1),
        ("createdAt == '2024-01-31T00:00:00Z'", json!({"createdAt": "2024-01-31"}), "a", "", 0),
        ("createdAt > '2024'", json!({"createdAt": "soon"}), "", "date.invalid", 0),
        ("createdAt > '2024' || title == 't'", json!({"createdAt": "soon"}), "", "date.invalid", 0),
        (
            "record.more == 1 && record['a b'].c[0] == 'x'",
            json!({"more": 1, "a b": {"c": ["x"]}}),
            "a",
            "",
            0,
        ),
        ("record.more == null", json!({"more": null}), "a", "", 0),
        ("has(record.more) && has(record.type)", json!({"more": null, "type": null}), "a", "", 0),
        ("metadata.source == 'x'", json!({"metadata": {"source": "x"}}), "a", "", 0),
        ("metadata.source == 'x'", json!({}), "", "", 1),
        ("tags.contains(3)", json!({"tags": ["x"]}), "", "filter.where", 0),
        ("tags.contains(3)", json!({}), "", "", 1),
        ("metadata.n > 3", json!({"metadata": {"n": "4"}}), "", "filter.where", 0),
        ("metadata.n", json!({"metadata": {"n": 4}}), "", "filter.where", 0),
        // All that is wrong is told, in the order of the fields.
        ("metadata.n", json!({"metadata": {"n": 4}, "title": 7}), "", "type.string", 0),
        ("now() == '1970-01-01T00:00:00Z'", json!({}), "a", "", 0),
    ];
    for (source, fields, loaded, refused, left_out) in cases {
        let mut record = json!({"id": "a", "title": "t", "content": "c"});
        record.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let texts = |text: &str| if text.is_empty() { Vec::new() } else { vec![text.to_owned()] };
        let expected = (texts(loaded), texts(refused), left_out);
        let spec = filtered(&json!({ "where": source }));
        assert_eq!(sorted(&spec, &record.to_string()), expected, "{source} {record}");
    }
    // Another filter decides first.
    let both = filtered(&json!({"types": ["note"], "where": "tags.contains(3)"}));
    let record = r#"{"id":"a","title":"t","content":"c","type":"other","tags":[]}"#;
    assert_eq!(sorted(&both, record), (Vec::new(), Vec::new(), 1));
}

#[test]
fn expressions_see_what_a_mapping_has_made() {
    let mapping = json!({
        "fieldMappings": {"kind": "type", "weight": "metadata.weight", "extra one": "more"},
        "transformations": [{"field": "metadata.weight", "transformation": "number"}],
    });
    let spec = ImportSpec {
        mapping: Some(Mapping::read(&mapping).unwrap()),
        include_metadata: false,
        format: Format::Csv,
        ..filtered(&json!({"where": "type != 'draft' && metadata.weight >= 2.5 && record.more == 'y'"}))
    };
    let input = "id,title,content,kind,weight,extra one\n\
        1,t,c,note,3,y\n2,t,c,draft,3,y\n3,t,c,note,2.4,y\n4,t,c,note,2.5,x\n5,t,c,,2.5,y\n6,t,c,note,heavy,y\n";
    let expected = (vec!["1".into(), "5".into()], vec!["transform.number".into()], 3);
    assert_eq!(sorted(&spec, input), expected);
}
