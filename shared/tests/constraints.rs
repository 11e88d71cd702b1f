//! What a template asks of values, wherever the input is cut.
#![allow(clippy::unwrap_used, reason = "a failure is a failed test")]

mod support;

use std::sync::Arc;

use carrack_shared::format::Format;
use carrack_shared::pipeline::split::Rules;
use carrack_shared::schema::DataType;
use carrack_shared::template::Template;
use serde_json::json;
use support::{WHOLE, only_as, run_as};

fn pets() -> Arc<DataType> {
    let fields = json!([
        {"name": "id", "type": "string", "pattern": "^[0-9]+$"},
        {"name": "kind", "type": "string", "enum": ["cat", "dog"], "default": "cat"},
        {"name": "age", "type": "integer", "minimum": 0, "maximum": "40"},
        {"name": "mail", "type": "string", "format": "email", "nullable": false},
        {"name": "tags", "type": "array", "maxLength": 2, "default": ["new"]},
        {"name": "born", "type": "date", "minimum": "2000-01-01", "required": true, "nullable": true},
    ]);
    let document = json!({"name": "Pets", "version": "1", "schema": {"type": "pets", "fields": fields}});
    Arc::new(Template::read(&document).unwrap().applied_to(None).unwrap())
}

#[test]
fn every_record_is_checked_and_completed() {
    let cases = [
        (r#"{"id":"1","born":"2020-01-01"}"#, &["'1' 'cat' - - [\"new\"] 1577836800000000 -"][..]),
        (
            r#"{"id":"1","kind":null,"born":null,"age":40,"tags":[]}"#,
            &["'1' - 40 - [] - {\"born\":null,\"kind\":null}"],
        ),
        (
            r#"{"id":"x","kind":"cow","age":41,"mail":null,"tags":[1,2,3],"born":"1999-12-31T23:59:59Z"}"#,
            &[
                "pattern.mismatch id: found \"x\", expected a text that matches \"^[0-9]+$\"",
                "enum.not_allowed kind: found \"cow\", expected one of \"cat\", \"dog\"",
                "maximum.above age: found 41, expected at most 40",
                "required.missing mail: found null, expected a string",
                "length.too_long tags: found 3 items, expected at most 2",
                "minimum.below born: found 1999-12-31T23:59:59Z, expected at least 2000-01-01T00:00:00Z",
            ],
        ),
        (
            r#"{"id":"1","age":"old","mail":"a@b","kind":7}"#,
            &[
                "type.string kind: found the number 7, expected a string",
                "type.integer age: found the text \"old\", expected an integer",
                "format.email mail: found \"a@b\", expected an e-mail address",
                "required.missing born: found nothing, expected a string with an RFC 3339 date",
            ],
        ),
    ];
    for (record, expected) in cases {
        assert_eq!(only_as(&pets(), Format::Json, record.as_bytes()), expected, "{record}");
    }
    let text = "id,age,mail,born\n1,-1,a@b.cd,2001-01-01\n";
    let told = ["minimum.below age: found -1, expected at least 0"];
    assert_eq!(only_as(&pets(), Format::Csv, text.as_bytes()), told, "a text of CSV is a number first");
}

#[test]
fn where_the_input_is_cut_changes_nothing() {
    let record = |number: usize| {
        let (age, kind) = (number as i64 % 50 - 2, ["cat", "dog", "cow"][number % 3]);
        format!(
            "{{\"id\":\"{number}\",\"age\":{age},\"kind\":\"{kind}\",\"born\":\"20{:02}-01-01\"}}\n",
            number % 30
        )
    };
    let input: String = (0..100).map(record).collect();
    let whole = run_as(&pets(), Format::Ndjson, input.as_bytes(), WHOLE, 1_000);
    assert!(whole.0.len() > 90);
    for batch_records in [1, 7, 33] {
        let rules = Rules { batch_records, ..WHOLE };
        assert_eq!(run_as(&pets(), Format::Ndjson, input.as_bytes(), rules, 5), whole, "{batch_records}");
    }
}
