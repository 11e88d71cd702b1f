//! What templates may say, and what is said of those that may not.

use serde_json::json;

use super::*;

fn told(mistakes: &[Mistake]) -> Vec<String> {
    mistakes.iter().map(ToString::to_string).collect()
}

#[test]
fn a_template_of_a_known_type_asks_more_of_its_fields() {
    let document = json!({
        "name": "Strict contexts", "version": "1.0.0",
        "schema": {"type": "context", "fields": [
            {"name": "id", "type": "string", "required": true, "pattern": "^c-[0-9]+$"},
            {"name": "content", "type": "string"},
            {"name": "author", "type": "string", "maxLength": 80},
        ]},
    });
    let template = Template::read(&document).unwrap();
    let contexts = schema::built_in("contexts").unwrap();
    let applied = template.applied_to(Some(&contexts)).unwrap();
    assert_eq!(applied.fields.len(), contexts.fields.len() + 1);
    assert_eq!(applied.key, contexts.key);
    assert_eq!(applied.slot("author"), Some(contexts.fields.len()), "new fields stand behind the known ones");
    let field = |name: &str| &applied.fields[applied.slot(name).unwrap()];
    assert_eq!(field("id").constraints.pattern.as_deref(), Some("^c-[0-9]+$"));
    assert!(!field("content").required, "the template has the last word");
    assert!(field("title").required, "what it does not name stays");
    let columns = applied.columns();
    assert!(columns.fields.iter().all(|field| field.constraints.is_empty()));
}

#[test]
fn a_template_of_a_new_type_makes_it() {
    let fields = json!([
        {"name": "sku", "type": "string", "unique": true},
        {"name": "since", "type": "date", "minimum": "2000-01-01"},
    ]);
    let document = json!({"name": "Parts", "version": "1", "schema": {"type": "parts", "fields": fields}});
    let made = Template::read(&document).unwrap().applied_to(None).unwrap();
    assert_eq!((made.name.as_str(), made.key_field().name.as_str()), ("parts", "sku"));
    assert!(made.key_field().required, "what identifies a record is always there");
}

#[test]
fn every_mistake_is_told_at_once() {
    let document = json!({
        "name": "a@b", "schema": {"type": "templates", "colour": 1, "fields": [
            {"name": "extra", "type": "text"},
            {"name": "b", "type": "string", "minimum": 1, "pattern": "(", "format": "phone", "required": "yes"},
            {"name": "b", "type": "date", "minimum": "soon", "enum": 5, "maxLength": 3},
            {"name": "c", "type": "integer", "enum": [1, 1.5, "two"], "default": true, "minimum": 1.2345678901234567},
            7,
        ]},
    });
    let mistakes = Template::read(&document).unwrap_err();
    let expected = [
        "name: found \"a@b\", expected 1 to 200 bytes without @ and control characters",
        "version: found nothing, expected a text",
        "schema.type: found templates, which is reserved, expected another name",
        "schema.fields[0].name: the name \"extra\" is reserved for the fields outside the schema",
        "schema.fields[0].type: found \"text\", expected one of ",
        "schema.fields[1].required: found \"yes\", expected true or false",
        "schema.fields[1].pattern: found \"(\", expected a regular expression",
        "schema.fields[1].format: found \"phone\", expected one of date-time, email, uri, uuid",
        "schema.fields[1].minimum: found it on string, expected it only on ",
        "schema.fields[2].enum: found the number 5, expected an array",
        "schema.fields[2].minimum: found \"soon\", expected an RFC 3339 date",
        "schema.fields[2].maxLength: found it on date, expected it only on string, array",
        "schema.fields[2].name: found b twice",
        "schema.fields[3].minimum: found the number 1.2345678901234567, expected a number of at most 15 digits, or a text with its digits",
        "schema.fields[3].enum: found the number 1.5, expected a value of the type integer",
        "schema.fields[3].enum: found \"two\", expected a value of the type integer",
        "schema.fields[3].default: found true, expected a value of the type integer",
        "schema.fields[4]: found the number 7, expected an object",
        "schema.colour: unknown name, expected one of type, key, fields",
    ];
    let told = told(&mistakes);
    for expected in expected {
        assert!(told.iter().any(|found| found.starts_with(expected)), "expected {expected}\nin {told:#?}");
    }
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for document in [json!([]), json!({}), json!({"name": "a", "version": "1", "schema": {}})] {
        assert!(!Template::read(&document).unwrap_err().is_empty(), "{document}");
    }
}

#[test]
fn a_transformation_is_a_mapping() {
    let template = |transformation: Value| {
        let fields = json!([{"name": "id", "type": "string"}]);
        Template::read(&json!({
            "name": "a", "version": "1", "schema": {"type": "pets", "fields": fields},
            "transformation": transformation,
        }))
    };
    let computed = json!({"name": "exportedAt", "expression": "new Date()", "type": "date"});
    let read = template(json!({"mapping": {"old": "id"}, "computedFields": [computed]})).unwrap();
    assert_eq!(read.mapping.unwrap().names(&["old".into()]), ["id", "exportedAt"]);
    assert_eq!(template(json!({})).unwrap().mapping, None);
    let wrong = json!({"mapping": {"old": 7}, "computedFields": [{"name": "x"}], "colour": 1});
    let mistakes = told(&template(wrong).unwrap_err());
    for (found, expected) in mistakes.iter().zip([
        "transformation.colour: unknown name",
        "transformation.mapping.old: found the number 7",
        "transformation.computedFields[0].expression: ",
    ]) {
        assert!(found.starts_with(expected), "found {found}, expected {expected}");
    }
}

#[test]
fn constraints_are_exact_and_can_be_kept() {
    let read = |field: Value| {
        let fields = json!([{"name": "id", "type": "string"}, field]);
        Template::read(&json!({"name": "a", "version": "1", "schema": {"type": "pets", "fields": fields}}))
    };
    let small = read(json!({"name": "n", "type": "number", "minimum": 1e-7, "maximum": -0.0})).unwrap_err();
    assert_eq!(told(&small), ["schema.fields[1].minimum: found 0.0000001, expected at most the maximum 0"]);
    let bounds = read(json!({"name": "n", "type": "decimal", "minimum": -1e-7, "default": "0.1"})).unwrap();
    assert_eq!(bounds.fields[1].constraints.minimum.as_deref(), Some("-0.0000001"));
    let digits = "schema.fields[1].default: found the number 0.12345678901234568, expected a number of at most 15 digits, or a \
                  text with its digits";
    for (field, expected) in [
        (json!({"name": "n", "type": "decimal", "default": 0.123_456_789_012_345_68}), digits),
        (
            json!({"name": "n", "type": "string", "default": "long", "maxLength": 2}),
            "schema.fields[1].default: found 4 characters, expected at most 2",
        ),
        (
            json!({"name": "n", "type": "string", "default": "\u{0}"}),
            "schema.fields[1].default: found \"\\u{0}\", expected a value of the type string",
        ),
        (
            json!({"name": "n", "type": "string", "minLength": 3, "maxLength": 2}),
            "schema.fields[1].minLength: found 3, expected at most maxLength 2",
        ),
        (json!({"name": "ID", "type": "string"}), "schema.fields[1].name: found ID twice"),
        (
            json!({"name": "Extra", "type": "string"}),
            "schema.fields[1].name: the name \"Extra\" is reserved for the fields outside the schema",
        ),
    ] {
        assert_eq!(told(&read(field).unwrap_err()), [expected]);
    }
    for name in ["Contexts", "Manifest", "ALL", "a/b", "1a", "größe", "a\u{1b}"] {
        let document = json!({"name": "a", "version": "1", "schema": {"type": name, "fields": []}});
        assert!(told(&Template::read(&document).unwrap_err())[0].starts_with("schema.type: "), "{name}");
    }
}

#[test]
fn what_does_not_fit_a_table_is_told() {
    let read =
        |schema: Value| Template::read(&json!({"name": "a", "version": "1", "schema": schema})).unwrap();
    let contexts = schema::built_in("contexts").unwrap();
    let field = |name: &str, kind: &str| json!({"name": name, "type": kind});
    let cases = [
        (
            read(json!({"type": "contexts", "key": "title", "fields": [field("tags", "string")]})),
            Some(&*contexts),
            &[
                "schema.fields[0].type: found string, expected array: the table of contexts holds that already",
                "schema.key: found the key title, expected id as its table has",
            ][..],
        ),
        (
            read(json!({"type": "pets", "fields": [field("name", "string")]})),
            None,
            &[
                "schema.key: found no field named id and none with unique: true, expected a field that identifies a record",
            ],
        ),
        (
            read(json!({"type": "pets", "key": "since", "fields": [field("since", "date")]})),
            None,
            &["schema.fields[0].type: found date, expected string: the field identifies a record"],
        ),
        (
            read(json!({"type": "pets", "key": "x", "fields": [field("id", "string")]})),
            None,
            &["schema.key: found x, expected the name of a field"],
        ),
    ];
    for (template, table, expected) in cases {
        assert_eq!(told(&template.applied_to(table).unwrap_err()), expected);
    }
    let twice = json!([{"name": "a", "type": "string", "unique": true}, {"name": "b", "type": "string", "unique": true}]);
    let document = json!({"name": "a", "version": "1", "schema": {"type": "pets", "fields": twice}});
    assert!(
        told(&Template::read(&document).unwrap_err())[0]
            .starts_with("schema.fields[1].unique: found true beside")
    );
}
