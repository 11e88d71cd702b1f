//! Templates that are JSON Schemas: translated when they are stored, and then as any other.

use serde_json::{Value, json};

use crate::support::{Home, Server};

/// As introductions to JSON Schema write it, but for the key.
const PERSON: &str = r##"{
  "$id": "https://example.com/person.schema.json",
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Person",
  "description": "somebody we know",
  "type": "object",
  "x-key": "lastName",
  "properties": {
    "firstName": {"type": "string", "description": "The person's first name."},
    "lastName": {"type": "string", "description": "The person's last name."},
    "age": {
      "description": "Age in years which must be equal to or greater than zero.",
      "type": "integer",
      "minimum": 0
    },
    "emails": {"type": "array", "items": {"$ref": "#/$defs/text"}, "maxItems": 2},
    "since": {"type": ["string", "null"], "format": "date-time"}
  },
  "$defs": {"text": {"type": "string"}}
}"##;

const PERSONS: &str = r#"[
{"firstName": "John", "lastName": "Doe", "age": 21, "emails": ["j@doe.example"], "since": null},
{"firstName": "Ada", "lastName": "Lovelace", "more": {"kept": true}},
{"firstName": "Not", "lastName": "Born", "age": -1},
{"firstName": "No name", "age": 5},
{"lastName": "Numbers", "emails": ["a", 5]},
{"lastName": "Nobody", "firstName": null}
]"#;

#[test]
fn a_json_schema_is_a_template_as_any_other() {
    let home = Home::new();
    home.write("person.schema.json", PERSON);
    home.write("persons.json", PERSONS);
    let stored = home.run(&["templates", "create", "person.schema.json"]);
    assert_eq!(stored.code, Some(0), "{stored:?}");
    assert!(stored.stdout.contains("Person@1.0.0 (person, 5 fields) is stored, id "), "{stored:?}");
    let again = home.run(&["templates", "create", "person.schema.json"]);
    assert!(again.stdout.contains("is stored already"), "{again:?}");
    let shown = home.run(&["templates", "show", "Person", "--json"]).json();
    assert_eq!(
        shown["schema"],
        json!({"type": "person", "key": "lastName", "fields": [
            {"name": "firstName", "type": "string", "required": false, "description": "The person's first name.", "nullable": false},
            {"name": "lastName", "type": "string", "required": false, "description": "The person's last name.", "nullable": false},
            {"name": "age", "type": "integer", "required": false, "nullable": false, "minimum": 0,
             "description": "Age in years which must be equal to or greater than zero."},
            {"name": "emails", "type": "array", "required": false, "nullable": false, "maxLength": 2, "items": "string"},
            {"name": "since", "type": "date", "required": false, "nullable": true},
        ]})
    );
    assert_eq!(shown["description"], "somebody we know");
    let imported = home.run(&["import", "persons.json", "--template", "Person"]);
    assert_eq!(imported.code, Some(3), "{imported:?}");
    for told in [
        "into person",
        "created                2",
        "record 3 (line 4, byte 169): field \"age\": found -1, expected at least 0",
        "field \"lastName\": found nothing, expected a string",
        "field \"emails\": found the number 5 as item 2, expected only items of the type string",
        "field \"firstName\": found null, expected a string",
    ] {
        assert!(imported.stdout.contains(told), "{told}: {imported:?}");
    }
    // A file is stored first, here as it was.
    let file = ["import", "persons.json", "--template", "person.schema.json", "--skip-duplicates", "--json"];
    let report = home.run(&file).json();
    assert_eq!((&report["skipped"], &report["rejected"]), (&json!(2), &json!(4)), "{report}");
}

#[test]
fn what_cannot_be_kept_is_refused_with_its_place() {
    let home = Home::new();
    // The product of the same introductions has a price above zero, and dimensions.
    let product = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Product", "type": "object",
        "properties": {
            "productId": {"type": "integer"},
            "price": {"type": "number", "exclusiveMinimum": 0},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": true},
            "dimensions": {"type": "object", "properties": {"length": {"type": "number"}}, "required": ["length"]},
        },
        "required": ["productId"],
    });
    home.write("product.json", product.to_string());
    let refused = home.run(&["templates", "create", "product.json"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    for place in
        ["price.exclusiveMinimum", "tags.uniqueItems", "dimensions.properties", "dimensions.required"]
    {
        assert!(refused.stderr.contains(&format!("properties.{place}: found ")), "{place}: {refused:?}");
    }
    assert_eq!(home.run(&["templates", "show", "Product"]).code, Some(1), "nothing is stored");
    // Whatever else is right, something has to identify a record.
    let bare = json!({"title": "Bare", "properties": {"a": {"type": "string"}}});
    home.write("bare.json", bare.to_string());
    let refused = home.run(&["templates", "create", "bare.json"]);
    assert!(refused.stderr.contains("schema.key: found no field named id"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_takes_a_json_schema_as_the_schema() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut template = json!({
        "name": "Visits", "version": "3", "schema": {
            "x-type": "visits",
            "properties": {"id": {"type": "string", "pattern": "^\\d{3}$"}, "cost": {"type": "number", "minimum": 0}},
            "required": ["id", "cost"],
        },
        "examples": [
            {"input": {"id": "123", "cost": 2.5}, "expected": {"id": "123", "cost": 2.5}},
            {"input": {"id": "12", "cost": -1}, "faults": [{"code": "pattern.mismatch"}, {"code": "minimum.below"}]},
        ],
    });
    let report = server.post("templates/test", &template.to_string(), 200).await;
    assert_eq!((&report["passed"], &report["failed"]), (&json!(2), &json!(0)), "{report}");
    let stored = server.post("templates", &template.to_string(), 201).await;
    assert_eq!((&stored["schema"]["type"], &stored["version"]), (&json!("visits"), &json!("3")), "{stored}");
    assert_eq!(stored["schema"]["fields"][0]["pattern"], "^[0-9]{3}$");
    let parts = [("file:a.csv", "id,cost\n123,1\n12,2\n124,-1\n"), ("options", r#"{"templateId":"Visits"}"#)];
    let report = server.ended(&server.import(&parts, 202).await).await;
    assert_eq!((&report["created"], &report["rejected"]), (&json!(1), &json!(2)), "{report}");
    template["schema"]["oneOf"] = json!([{}]);
    let problem = server.post("templates", &template.to_string(), 422).await;
    let told: Vec<&Value> = problem["errors"].as_array().unwrap().iter().map(|error| &error["at"]).collect();
    assert_eq!(told, ["schema.oneOf"], "{problem}");
}
