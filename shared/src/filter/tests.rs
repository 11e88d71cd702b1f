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
            "type: unknown name, expected one of dateRange, types, tags, sessionIds, importance, where",
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

/// Whether an expression matches a row of `contexts` with these fields, or why it cannot be told.
fn decided(source: &str, fields: &Json, extra: &str) -> String {
    let contexts = built_in("contexts").unwrap();
    let filter = read(&json!({ "where": source }));
    filter.conditions(&contexts).unwrap();
    let mut rows = row(fields);
    if !extra.is_empty() {
        let mut cells: Vec<Cell> = vec![Cell::Missing; rows.width()];
        let last = cells.len() - 1;
        cells[contexts.key] = Cell::Text(rows.span_of_copy(b"k1"));
        cells[last] = Cell::Json(rows.span_of_copy(extra.as_bytes()));
        rows.push(Origin { position: Position::new(0, 2), frame: 0..0 }, &cells);
        rows.keep(&[false, true]);
    }
    match filter.judge(&contexts, Timestamp::UNIX_EPOCH).unwrap().matching(&rows) {
        Ok(found) => found[0].to_string(),
        Err(undecided) => undecided.to_string(),
    }
}

#[test]
fn expressions_see_records_as_they_are_stored() {
    let record = json!({
        "id": "k1", "title": "Größe", "type": "note", "tags": ["a", 3, null],
        "createdAt": "2024-01-31T10:00:00.5+01:00", "metadata": {"importance": "high", "n": 5},
    });
    for (source, expected) in [
        ("type == 'note' && 'a' in tags", "true"),
        ("metadata.importance == 'high' && metadata.n > 4", "true"),
        ("metadata.source == 'x' || metadata.source.name == 'x'", "false"),
        ("metadata.source == null && metadata.source != 'x'", "true"),
        ("title.size() == 5 && title.startsWith('Grö')", "true"),
        ("createdAt == '2024-01-31T09:00:00.500Z' && createdAt < '2024-02'", "true"),
        ("updatedAt > '1970'", "false"),
        ("!(updatedAt > '1970')", "true"),
        ("now() == '1970-01-01T00:00:00Z' && new Date() < createdAt", "true"),
        ("tags.exists(t, t == 3)", "true"),
        ("null == sessionId", "true"),
        ("record.more", "false"),
        ("metadata.flag", "false"),
        (
            "metadata.importance",
            "where, for the row with the key \"k1\": the expression came to \"high\", expected true or false",
        ),
        ("tags.contains(3)", "where, for the row with the key \"k1\": the expression failed: "),
        ("tags.contains(3) && type == 'other'", "false"),
        ("type == 'note' || tags.contains(3)", "true"),
        ("metadata.importance > 3", "where, for the row with the key \"k1\": the expression failed: "),
        ("type(metadata.n) == string && metadata.n.contains('x')", "false"),
    ] {
        let found = decided(source, &record, "");
        assert!(found.starts_with(expected), "{source}: {found}");
    }
    let extra = r#"{"first name":"Ada","more":{"deep":[1]},"tags":null}"#;
    for (source, expected) in [
        ("record['first name'] == 'Ada' && record.more.deep[0] == 1", "true"),
        ("record.moreover == null", "true"),
        ("tags == null && has(record.tags) && !has(record.metadata)", "true"),
        ("record.more == {'deep': [1]}", "true"),
    ] {
        assert_eq!(decided(source, &json!({}), extra), expected, "{source}");
    }
}

#[test]
fn expressions_that_make_no_sense_are_refused() {
    for (source, expected) in [
        ("type ==", "where: column 8: "),
        (
            "type == 'a'\n && nope(1)",
            "where: line 2, column 5: found the function \"nope\", expected one of ",
        ),
        ("record", "where: column 1: found record by itself"),
    ] {
        let found = told(&Filter::read(&json!({ "where": source })).unwrap_err());
        assert!(found.len() == 1 && found[0].starts_with(expected), "{source}: {found:?}");
    }
    let mistakes = Filter::read(&json!({"where": 3})).unwrap_err();
    assert_eq!(told(&mistakes), ["where: found the number 3, expected a text"]);
    let long = format!("type == '{}'", "x".repeat(4_096));
    assert!(told(&Filter::read(&json!({ "where": long })).unwrap_err())[0].contains("4096"));
    let comes_to =
        |what: &str| format!("where: found an expression that comes to {what}, expected true or false");
    let lacks = |name: &str| {
        format!(
            "where: contexts has no field {name}, expected one of its own, or record.{name} for one outside the schema"
        )
    };
    let compares = |one: &str, other: &str| {
        format!("where: found {one} that is compared with {other}, expected two values of one kind")
    };
    for (source, expected) in [
        ("tpye == 'a'", vec![lacks("tpye")]),
        ("a == b.c", vec![lacks("a"), lacks("b")]),
        ("title", vec![comes_to("a text")]),
        ("title + 'x'", vec![comes_to("a text")]),
        ("size(tags)", vec![comes_to("a number")]),
        ("tags.filter(t, t == 'a')", vec![comes_to("an array")]),
        ("metadata", vec![comes_to("an object")]),
        ("null", vec![comes_to("null")]),
        ("type == 'a' ? 1 : 2", vec![comes_to("a number")]),
        ("title == 3", vec![compares("a text", "a number")]),
        ("type == 'a' && !(createdAt > 2024)", vec![compares("a text", "a number")]),
        ("tags == 'a'", vec![compares("an array", "a text")]),
    ] {
        let mistakes = read(&json!({ "where": source })).conditions(&built_in("contexts").unwrap());
        assert_eq!(told(&mistakes.unwrap_err()), expected, "{source}");
    }
    for fine in ["true", "type == null", "record.tpye == 3", "tags.exists(tpye, tpye == 'a')", "bool('true')"]
    {
        assert_eq!(read(&json!({ "where": fine })).conditions(&built_in("contexts").unwrap()), Ok(vec![]));
    }
}

#[test]
fn an_expression_is_part_of_the_document() {
    let document = json!({"types": ["a"], "where": " type == 'a' "});
    let filter = read(&document);
    assert_eq!(filter.document(), document);
    let stored = serde_json::to_string(&filter).unwrap();
    assert_eq!(serde_json::from_str::<Filter>(&stored).unwrap(), filter);
    assert_ne!(filter, read(&json!({"types": ["a"], "where": "type == 'b'"})));
    for empty in ["", " \n"] {
        assert!(read(&json!({ "where": empty })).is_empty());
    }
    let mut sessions = (*built_in("sessions").unwrap()).clone();
    sessions.fields.retain(|field| field.name.as_str() != "title");
    assert!(read(&json!({"where": "title == 'a'"})).conditions(&sessions).is_err());
}
