//! What becomes of each keyword.

use serde_json::json;

use super::*;
use crate::template::Template;

/// The fields of a translated schema with this property `p`, beside the key; or what is wrong with it.
fn field(property: &Value) -> Result<Value, String> {
    field_with(property, &json!({}))
}

fn field_with(property: &Value, more: &Value) -> Result<Value, String> {
    let mut schema = json!({"properties": {"id": {"type": "string"}, "p": property}});
    schema.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let template = json!({"name": "Things", "version": "1", "schema": schema});
    let translated = translated(&template).map_err(|mistakes| told(&mistakes))?.into_owned();
    Template::read(&translated).map_err(|mistakes| format!("not one of ours: {}", told(&mistakes)))?;
    assert_eq!(translated["schema"]["type"], "things");
    let mut field = translated["schema"]["fields"][1].clone();
    let members = field.as_object_mut().unwrap();
    assert_eq!(members.remove("name"), Some("p".into()));
    if members.get("required") == Some(&false.into()) {
        members.remove("required");
    }
    if members.get("nullable") == Some(&false.into()) {
        members.remove("nullable");
    }
    Ok(field)
}

fn told(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[test]
fn keywords_are_kept() {
    for (property, expected) in [
        (json!({"type": "string"}), json!({"type": "string"})),
        (json!({"type": "integer"}), json!({"type": "integer"})),
        (json!({"type": "number"}), json!({"type": "number"})),
        (json!({"type": "boolean"}), json!({"type": "boolean"})),
        (json!({"type": "array"}), json!({"type": "array"})),
        (json!({"type": "object"}), json!({"type": "object"})),
        (json!({"type": ["string"]}), json!({"type": "string"})),
        (json!({"type": ["null", "integer"]}), json!({"type": "integer", "nullable": true})),
        (json!({"type": "string", "enum": ["a", "b"]}), json!({"type": "string", "enum": ["a", "b"]})),
        (
            json!({"type": ["string", "null"], "enum": ["a", null]}),
            json!({"type": "string", "enum": ["a"], "nullable": true}),
        ),
        (json!({"type": ["string", "null"], "enum": ["a"]}), json!({"type": "string", "enum": ["a"]})),
        (json!({"type": "string", "enum": ["a", null]}), json!({"type": "string", "enum": ["a"]})),
        (json!({"type": "integer", "const": 3}), json!({"type": "integer", "enum": [3]})),
        (json!({"type": "boolean", "const": true}), json!({"type": "boolean", "enum": [true]})),
        (json!({"type": "string", "pattern": "^\\d+$"}), json!({"type": "string", "pattern": "^[0-9]+$"})),
        (
            json!({"type": "string", "minLength": 1, "maxLength": 9}),
            json!({"type": "string", "minLength": 1, "maxLength": 9}),
        ),
        (
            json!({"type": "array", "minItems": 1, "maxItems": 9}),
            json!({"type": "array", "minLength": 1, "maxLength": 9}),
        ),
        (
            json!({"type": "integer", "minimum": 1, "maximum": 9}),
            json!({"type": "integer", "minimum": 1, "maximum": 9}),
        ),
        (
            json!({"type": "number", "minimum": -0.5, "maximum": 1e3}),
            json!({"type": "number", "minimum": -0.5, "maximum": 1e3}),
        ),
        (
            json!({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10}),
            json!({"type": "integer", "minimum": 1, "maximum": 9}),
        ),
        (
            json!({"type": "integer", "exclusiveMinimum": -1, "maximum": 10}),
            json!({"type": "integer", "minimum": 0, "maximum": 10}),
        ),
        (json!({"type": "string", "format": "date-time"}), json!({"type": "date"})),
        (json!({"type": "string", "format": "email"}), json!({"type": "string", "format": "email"})),
        (json!({"type": "string", "format": "uri"}), json!({"type": "string", "format": "uri"})),
        (json!({"type": "string", "format": "uuid"}), json!({"type": "string", "format": "uuid"})),
        (
            json!({"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}),
            json!({"type": "binary"}),
        ),
        (json!({"type": "string", "default": "x"}), json!({"type": "string", "default": "x"})),
        (json!({"type": "array", "items": true}), json!({"type": "array"})),
        (json!({"type": "array", "items": {}}), json!({"type": "array"})),
        (
            json!({"type": "array", "items": {"type": "string", "title": "t"}}),
            json!({"type": "array", "items": "string"}),
        ),
        (
            json!({"type": "array", "items": {"type": "object"}, "uniqueItems": false}),
            json!({"type": "array", "items": "object"}),
        ),
        (
            json!({"type": "string", "description": "d", "title": "t"}),
            json!({"type": "string", "description": "d"}),
        ),
        (
            json!({"type": "string", "title": "t", "examples": [1], "deprecated": true, "readOnly": true, "writeOnly": true, "$comment": "c", "$id": "x"}),
            json!({"type": "string", "description": "t"}),
        ),
    ] {
        assert_eq!(field(&property), Ok(expected), "{property}");
    }
    let required = json!({"required": ["p"], "x-key": "p"});
    assert_eq!(
        field_with(&json!({"type": "string"}), &required),
        Ok(json!({"type": "string", "required": true}))
    );
}

#[test]
fn references_lead_to_definitions() {
    let defs = json!({"$defs": {
        "name": {"type": "string", "maxLength": 9, "description": "of anybody"},
        "again": {"$ref": "#/$defs/name", "description": "once more"},
        "a/b": {"type": "integer"},
        "loop": {"$ref": "#/$defs/pool"}, "pool": {"$ref": "#/$defs/loop"},
        "odd": {"type": "string", "oneOf": []},
        "deep": {"type": "array", "items": {"$ref": "#/$defs/a~1b"}},
    }});
    for (property, expected) in [
        (
            json!({"$ref": "#/$defs/name"}),
            Ok(json!({"type": "string", "maxLength": 9, "description": "of anybody"})),
        ),
        (
            json!({"$ref": "#/$defs/again", "default": "x"}),
            Ok(json!({"type": "string", "maxLength": 9, "description": "once more", "default": "x"})),
        ),
        (json!({"$ref": "#/$defs/a~1b"}), Ok(json!({"type": "integer"}))),
        (json!({"$ref": "#/$defs/deep"}), Ok(json!({"type": "array", "items": "integer"}))),
        (
            json!({"$ref": "#/$defs/none"}),
            Err("schema.properties.p.$ref: found \"none\", expected the name of one of the $defs"),
        ),
        (
            json!({"$ref": "other.json"}),
            Err(
                "schema.properties.p.$ref: found \"other.json\", expected a place in this document, #/$defs/NAME",
            ),
        ),
        (
            json!({"$ref": "#"}),
            Err("schema.properties.p.$ref: found \"#\", expected a place in this document, #/$defs/NAME"),
        ),
        (
            json!({"$ref": "#/$defs/loop"}),
            Err(
                "schema.$defs.pool.$ref: found a reference that leads back to itself, expected one that ends",
            ),
        ),
        (
            json!({"$ref": "#/$defs/name", "minLength": 1}),
            Err("schema.properties.p.minLength: found it beside $ref, expected it where that leads"),
        ),
        (
            json!({"$ref": "#/$defs/odd"}),
            Err(
                "schema.$defs.odd.oneOf: found it, expected none: a template asks something of each field by itself",
            ),
        ),
    ] {
        assert_eq!(field_with(&property, &defs), expected.map_err(str::to_owned), "{property}");
    }
}

#[test]
fn what_cannot_be_kept_is_refused_with_its_place() {
    let p = |rest: &str| format!("schema.properties.p{rest}");
    let types = "one of string, integer, number, boolean, array, object, or one of them and null";
    for (property, expected) in [
        (json!({}), format!("{}: found nothing, expected {types}", p(".type"))),
        (json!({"type": "null"}), format!("{}: found \"null\", expected {types}", p(".type"))),
        (
            json!({"type": ["string", "integer"]}),
            format!("{}: found [\"string\",\"integer\"], expected {types}", p(".type")),
        ),
        (json!(true), format!("{}: found true, expected an object", p(""))),
        (
            json!({"type": "number", "exclusiveMinimum": 0}),
            format!(
                "{}: found the number 0 on number, expected a whole number of at most 15 digits, on an integer without minimum; or minimum, which is allowed itself",
                p(".exclusiveMinimum")
            ),
        ),
        (
            json!({"type": "integer", "exclusiveMaximum": 1.5}),
            format!(
                "{}: found the number 1.5 on integer, expected a whole number of at most 15 digits, on an integer without maximum; or maximum, which is allowed itself",
                p(".exclusiveMaximum")
            ),
        ),
        (
            json!({"type": "number", "multipleOf": 0.01}),
            format!(
                "{}: found it, expected none: of a number a template knows bounds and the type",
                p(".multipleOf")
            ),
        ),
        (
            json!({"type": "array", "uniqueItems": true}),
            format!(
                "{}: found it, expected none: of the items of an array a template knows the type and the number",
                p(".uniqueItems")
            ),
        ),
        (
            json!({"type": "array", "minLength": 1}),
            format!("{}: found it on array, expected minItems or nothing", p(".minLength")),
        ),
        (
            json!({"type": "string", "maxItems": 1}),
            format!("{}: found it on string, expected maxLength or nothing", p(".maxItems")),
        ),
        (
            json!({"type": "string", "items": {"type": "string"}}),
            format!("{}: found it on string, expected it only on array", p(".items")),
        ),
        (
            json!({"type": "array", "items": {"type": ["string", "null"]}}),
            format!("{}: found null, expected the one type of all items", p(".items.type")),
        ),
        (
            json!({"type": "array", "items": {"type": "string", "maxLength": 3}}),
            format!(
                "{}: unknown name, expected one of type, title, description, examples, $comment, $id, deprecated, readOnly, writeOnly, contentMediaType",
                p(".items.maxLength")
            ),
        ),
        (
            json!({"type": "string", "format": "ipv4"}),
            format!("{}: found \"ipv4\", expected one of date-time, email, uri, uuid", p(".format")),
        ),
        (
            json!({"type": "integer", "format": "email"}),
            format!("{}: found it on integer, expected it only on string", p(".format")),
        ),
        (
            json!({"type": "string", "minimum": 1}),
            format!(
                "{}: found it on string, expected it only on integer, number, decimal, date",
                p(".minimum")
            ),
        ),
        (
            json!({"type": "string", "contentEncoding": "base32"}),
            format!("{}: found \"base32\", expected base64", p(".contentEncoding")),
        ),
        (
            json!({"type": "string", "pattern": "(?=a)"}),
            format!("{}: found (? without : or <, expected a group", p(".pattern")),
        ),
        (
            json!({"type": "string", "enum": [1]}),
            format!("{}: found the number 1, expected a value of the type string", p(".enum")),
        ),
        (
            json!({"type": "string", "enum": [null]}),
            format!("{}: found an array, expected an array with a value that is not null", p(".enum")),
        ),
        (
            json!({"type": "string", "const": "a", "enum": ["a"]}),
            format!("{}: found it beside enum, expected one of them", p(".const")),
        ),
        (
            json!({"type": "integer", "default": "x"}),
            format!("{}: found \"x\", expected a value of the type integer", p(".default")),
        ),
    ] {
        let found = field(&property).unwrap_err();
        assert!(found.starts_with(&expected), "{property}:\n{found}\n{expected}");
    }
    for (name, value) in
        [("properties", json!({"a": {}})), ("required", json!(["a"])), ("additionalProperties", json!(false))]
    {
        let found = field(&json!({"type": "object", name: value})).unwrap_err();
        assert!(found.starts_with(&p(&format!(".{name}: found it, expected none: "))), "{found}");
    }
    for name in ["const", "enum", "minimum", "not", "pattern", "items"] {
        let found = field(&json!({"type": "array", name: null})).unwrap_err();
        assert!(found.starts_with(&p(&format!(".{name}: found null, expected a value"))), "{found}");
    }
    assert_eq!(field(&json!({"type": "array", "default": null})), Ok(json!({"type": "array"})));
    assert!(
        field(&json!({"type": ["array", 5]})).unwrap_err().contains("found [\"array\",5], expected one of")
    );
    // What is not asked is no question; what nothing meets is one.
    for (name, value) in
        [("uniqueItems", json!(false)), ("unevaluatedItems", json!(true)), ("propertyNames", json!({}))]
    {
        assert_eq!(field(&json!({"type": "array", name: value})), Ok(json!({"type": "array"})));
    }
    for (name, value) in [
        ("not", json!(true)),
        ("contains", json!({})),
        ("if", json!(true)),
        ("allOf", json!([])),
        ("unevaluatedItems", json!(false)),
        ("dependentRequired", json!({})),
        ("$anchor", json!("a")),
    ] {
        let found = field(&json!({"type": "array", name: value})).unwrap_err();
        assert!(found.starts_with(&p(&format!(".{name}: found it, expected none: "))), "{found}");
    }
    for (more, expected) in [
        (
            json!({"$schema": "http://json-schema.org/draft-07/schema#"}),
            "schema.$schema: found \"http://json-schema.org/draft-07/schema#\", expected https://json-schema.org/draft/2020-12/schema",
        ),
        (
            json!({"type": "array"}),
            "schema.type: found \"array\", expected object: its properties become the fields",
        ),
        (
            json!({"additionalProperties": false}),
            "schema.additionalProperties: found false, expected true or nothing: fields outside the schema are kept as they are",
        ),
        (
            json!({"required": ["q"]}),
            "schema.required[0]: found \"q\", expected the name of one of the properties",
        ),
        (json!({"required": [1]}), "schema.required[0]: found the number 1, expected a text"),
        (
            json!({"anyOf": []}),
            "schema.anyOf: found it, expected none: a template asks something of each field by itself",
        ),
        (json!({"nope": 1}), "schema.nope: unknown name, expected one of $schema, type, x-type, "),
        (json!({"x-type": "no type"}), "schema.x-type: found \"no type\", expected a letter"),
        (json!({"properties": {"a\"b": {"type": "string"}}}), "schema.properties."),
    ] {
        let found = field_with(&json!({"type": "string"}), &more).unwrap_err();
        assert!(found.starts_with(expected), "{more}:\n{found}\n{expected}");
    }
}

#[test]
fn a_schema_by_itself_is_a_template_of_its_title() {
    let schema = json!({
        "$schema": DIALECT, "$id": "https://example.com/blog.json", "title": "Blog post", "description": "what is posted",
        "type": "object", "required": ["title"], "additionalProperties": true, "x-key": "title",
        "properties": {"title": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
    });
    let made = translated(&schema).unwrap().into_owned();
    assert_eq!(made["name"], "Blog post");
    assert_eq!((&made["version"], &made["description"]), (&json!("1.0.0"), &json!("what is posted")));
    assert_eq!((&made["schema"]["type"], &made["schema"]["key"]), (&json!("blog-post"), &json!("title")));
    let template = Template::read(&made).unwrap();
    assert!(template.applied_to(None).unwrap().key_field().required);
    let mut other = schema.clone();
    other["x-type"] = "posts".into();
    other["x-version"] = "2".into();
    let made = translated(&other).unwrap().into_owned();
    assert_eq!((&made["version"], &made["schema"]["type"]), (&json!("2"), &json!("posts")));
    other.as_object_mut().unwrap().remove("title");
    assert_eq!(told(&translated(&other).unwrap_err()), "title: found nothing, expected a text");
}

#[test]
fn our_own_schemas_stay_what_they_are() {
    for document in [
        json!({"name": "a", "schema": {"type": "object", "fields": []}}),
        json!({"name": "a", "schema": 3}),
        json!({"name": "a"}),
        json!([]),
    ] {
        assert!(matches!(translated(&document), Ok(Cow::Borrowed(_))), "{document}");
    }
}
