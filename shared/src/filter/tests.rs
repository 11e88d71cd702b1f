//! What filters ask for, and what records meet it.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::record::{Cell, Origin, Position, Rows};
use crate::schema::built_in;

fn read(document: &Json) -> Filter {
    Filter::read(document).unwrap()
}

fn told(mistakes: &[Mistake]) -> Vec<String> {
    mistakes.iter().map(ToString::to_string).collect()
}

/// A row of `contexts` with these fields, as they are stored.
fn row(fields: &Json) -> Rows {
    let data_type = built_in("contexts").unwrap();
    let mut rows = Rows::new(Arc::clone(&data_type), Bytes::new(), 0, 1);
    let mut cells = vec![Cell::Missing; rows.width()];
    for (name, value) in fields.as_object().unwrap() {
        let slot = data_type.slot(name).unwrap();
        cells[slot] = match (data_type.fields[slot].field_type, value) {
            (FieldType::Date, Json::String(text)) => Cell::Instant(instant::parse(text).unwrap()),
            (_, Json::String(text)) => Cell::Text(rows.span_of_copy(text.as_bytes())),
            (_, other) => Cell::Json(rows.span_of_copy(other.to_string().as_bytes())),
        };
    }
    rows.push(Origin { position: Position::new(0, 1), frame: 0..0 }, &cells);
    rows
}

fn matches(filter: &Json, fields: &Json) -> bool {
    let conditions = read(filter).conditions(&built_in("contexts").unwrap()).unwrap();
    Condition::all_hold(&conditions, &row(fields), 0)
}

#[test]
fn the_filters_of_the_guide_are_read() {
    let guide = json!({
        "dateRange": {"start": "2024-01-01T00:00:00Z", "end": "2024-12-31T23:59:59Z"},
        "types": ["general", "analysis"],
        "tags": ["important"],
        "sessionIds": ["session-1"],
        "importance": ["high"],
    });
    let filter = read(&guide);
    let canonical = guide.to_string().replace(r#"["general","analysis"]"#, r#"["analysis","general"]"#);
    assert_eq!(filter.document(), serde_json::from_str::<Json>(&canonical).unwrap());
    let stored = serde_json::to_string(&filter).unwrap();
    assert_eq!(serde_json::from_str::<Filter>(&stored).unwrap(), filter);
    assert_eq!(filter.conditions(&built_in("contexts").unwrap()).unwrap().len(), 5);
}

#[test]
fn what_is_empty_asks_for_nothing() {
    for document in [
        json!({}),
        json!({"types": [], "tags": null, "dateRange": {}, "sessionIds": [], "importance": []}),
        json!({"dateRange": {"start": null, "end": null}}),
    ] {
        let filter = read(&document);
        assert!(filter.is_empty() && filter.conditions(&built_in("sessions").unwrap()).unwrap().is_empty());
        assert_eq!(filter.document(), json!({}));
    }
}

#[test]
fn every_mistake_has_its_place() {
    let many: Vec<String> = (0..=FILTER_TEXTS).map(|number| number.to_string()).collect();
    for (document, expected) in [
        (json!([]), "found an array, expected an object"),
        (
            json!({"type": ["a"]}),
            "type: unknown name, expected one of dateRange, types, tags, sessionIds, importance",
        ),
        (json!({"tags": "a"}), "tags: found \"a\", expected an array"),
        (json!({"tags": ["a", 1]}), "tags[1]: found the number 1, expected a text"),
        (json!({"tags": ["a\u{0}"]}), "tags[0]: found a text with NUL, which no record has"),
        (json!({"tags": many}), "tags: found 1001 entries, expected at most 1000"),
        (json!({"dateRange": "2024"}), "dateRange: found \"2024\", expected an object"),
        (json!({"dateRange": {"from": 1}}), "dateRange.from: unknown name, expected one of start, end"),
        (
            json!({"dateRange": {"start": "yesterday"}}),
            "dateRange.start: found \"yesterday\", expected an RFC 3339 date, such as 2024-01-31 or 2024-01-31T00:00:00Z",
        ),
        (
            json!({"dateRange": {"end": "2024-01-01T00:00:00.0000001Z"}}),
            "dateRange.end: found \"2024-01-01T00:00:00.0000001Z\", expected a date of at most six decimals",
        ),
        (
            json!({"dateRange": {"start": "2024-01-02", "end": "2024-01-01"}}),
            "dateRange.end: found 2024-01-01T23:59:59.999999Z, expected 2024-01-02T00:00:00Z or later, as start says",
        ),
    ] {
        assert_eq!(told(&Filter::read(&document).unwrap_err()), [expected]);
    }
    assert!(Filter::read(&json!({"tags": &many[1..]})).is_ok(), "exactly as many as may be");
}

#[test]
fn a_type_without_the_field_is_named() {
    let all = json!({
        "dateRange": {"start": "2024-01-01"}, "types": ["a"], "tags": ["a"], "sessionIds": ["a"], "importance": ["a"],
    });
    let mistakes = read(&all).conditions(&built_in("sessions").unwrap()).unwrap_err();
    let lacks = |at: &str, name: &str, kind: &str| {
        format!("{at}: sessions has no field {name} of the type {kind}, which this filter asks for")
    };
    let expected = [
        lacks("types", "type", "string"),
        lacks("tags", "tags", "array"),
        lacks("sessionIds", "sessionId", "string"),
    ];
    assert_eq!(told(&mistakes), expected);
    let mut bare = (*built_in("sessions").unwrap()).clone();
    bare.fields.retain(|field| field.field_type != FieldType::Date);
    let mistakes = read(&json!({"dateRange": {"end": "2024-01-01"}})).conditions(&bare).unwrap_err();
    assert_eq!(told(&mistakes), [lacks("dateRange", "updatedAt or createdAt", "date")]);
}

#[test]
fn records_meet_what_is_asked_of_them() {
    let day = |start: &str, end: &str| json!({"dateRange": {"start": start, "end": end}});
    let january = day("2024-01-01", "2024-01-31");
    let cases = [
        (&january, json!({"createdAt": "2024-01-01T00:00:00Z"}), true),
        (&january, json!({"createdAt": "2023-12-31T23:59:59.999999Z"}), false),
        (&january, json!({"createdAt": "2024-01-31T23:59:59.999999Z"}), true),
        (&january, json!({"createdAt": "2024-02-01T00:00:00Z"}), false),
        (&january, json!({"updatedAt": "2024-02-01T00:00:00Z", "createdAt": "2024-01-02T00:00:00Z"}), false),
        (&january, json!({"updatedAt": "2024-01-02T00:00:00Z", "createdAt": "2020-01-02T00:00:00Z"}), true),
        (&january, json!({}), false),
        (
            &day("2024-01-01T12:00:00Z", "2024-01-01T12:00:00Z"),
            json!({"createdAt": "2024-01-01T12:00:00Z"}),
            true,
        ),
        (&json!({"types": ["a", "b"]}), json!({"type": "b"}), true),
        (&json!({"types": ["a", "b"]}), json!({"type": "B"}), false),
        (&json!({"types": ["a", "b"]}), json!({}), false),
        (&json!({"types": [""]}), json!({"type": ""}), true),
        (&json!({"types": ["%"]}), json!({"type": "x"}), false),
        (&json!({"sessionIds": ["s"]}), json!({"sessionId": "s"}), true),
        (&json!({"tags": ["a", "b"]}), json!({"tags": ["x", "b"]}), true),
        (&json!({"tags": ["a"]}), json!({"tags": ["ab", ["a"], {"a": 1}, null, 1]}), false),
        (&json!({"tags": ["a"]}), json!({"tags": []}), false),
        (&json!({"tags": ["1", "null"]}), json!({"tags": [1, null]}), false),
        (&json!({"tags": ["a\"\n\\"]}), json!({"tags": ["a\"\n\\"]}), true),
        (&json!({"importance": ["high"]}), json!({"metadata": {"importance": "high", "more": 1}}), true),
        (&json!({"importance": ["high"]}), json!({"metadata": {"x": {"importance": "high"}}}), false),
        (&json!({"importance": ["1"]}), json!({"metadata": {"importance": 1}}), false),
        (&json!({"importance": ["high"]}), json!({"metadata": {}}), false),
        (&json!({"importance": ["high"], "types": ["a"]}), json!({"type": "a"}), false),
        (&json!({}), json!({}), true),
    ];
    for (filter, fields, expected) in cases {
        assert_eq!(matches(filter, &fields), expected, "{filter} {fields}");
    }
}

#[test]
fn what_cannot_be_read_is_not_decided() {
    let contexts = built_in("contexts").unwrap();
    let conditions =
        read(&json!({"types": ["a"], "dateRange": {"start": "2024-01-01"}})).conditions(&contexts).unwrap();
    let unreadable = contexts.slot("createdAt").unwrap();
    let rows = row(&json!({"type": "a"}));
    let found = conditions
        .iter()
        .map(|condition| condition.holds(&mut |slot| (slot != unreadable).then(|| rows.value(0, slot))));
    assert_eq!(found.collect::<Vec<_>>(), [None, Some(true)]);
}
