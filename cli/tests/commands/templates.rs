//! Templates: stored by command and API, and records that are checked by one.

use serde_json::{Value, json};

use crate::guide::example;
use crate::support::{GOOD, Home, Server};

fn pets(version: &str, more: &[Value]) -> String {
    let mut fields = vec![
        json!({"name": "id", "type": "string"}),
        json!({"name": "born", "type": "date", "required": true}),
    ];
    fields.extend(more.iter().cloned());
    json!({"name": "Pets", "version": version, "schema": {"type": "pets", "fields": fields}}).to_string()
}

const PETS: &str = "id,born,name\n1,2020-01-01,Rex\n2,,Mia\n3,2021-01-01,Tom\n";

#[test]
fn a_template_makes_a_type_that_imports_and_exports_as_any_other() {
    let home = Home::new();
    home.write("pets.csv", PETS);
    home.write("pets.json", pets("1", &[]));
    let unknown = home.run(&["import", "pets.csv", "--type", "pets"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(
        unknown.stderr.contains("--type: found \"pets\", expected one of contexts, sessions, templates, all"),
        "{unknown:?}"
    );
    let imported = home.run(&["import", "pets.csv", "--template", "pets.json"]);
    assert_eq!(imported.code, Some(3), "{imported:?}");
    assert!(imported.stderr.contains("Pets@1 (pets, 2 fields) is stored"), "{imported:?}");
    for told in ["into pets", "created                2", "checked by the template Pets@1", "field \"born\""]
    {
        assert!(imported.stdout.contains(told), "{told}: {imported:?}");
    }
    let again = home.run(&["import", "pets.csv", "--template", "Pets", "--skip-duplicates", "--json"]);
    assert_eq!(again.json()["skipped"], 2);
    let looked = home.run(&["import", "pets.csv", "--skip-duplicates"]);
    assert!(looked.stdout.contains("into pets"), "told from the fields: {looked:?}");
    let exported = home.run(&["export", "--type", "pets", "--format", "csv", "-o", "-"]);
    let expected = "id,born,extra\n1,2020-01-01T00:00:00Z,\"{\"\"name\"\":\"\"Rex\"\"}\"";
    assert!(exported.stdout.starts_with(expected), "{exported:?}");
}

#[test]
fn the_mapping_of_a_template_is_used_unless_another_is_given() {
    let home = Home::new();
    let mut template: Value = serde_json::from_str(&pets("1", &[])).unwrap();
    template["transformation"] = json!({"mapping": {"chip": "id", "birthday": "born"}});
    home.write("t.json", template.to_string());
    home.write("pets.csv", "chip,birthday\n1,2020-01-01\n");
    let imported = home.run(&["import", "pets.csv", "--template", "t.json"]);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    home.write("m.json", r#"{"fieldMappings": {"number": "id", "date": "born"}}"#);
    home.write("more.csv", "number,date\n2,2021-01-01\n");
    let imported = home.run(&["import", "more.csv", "--template", "Pets", "--mapping", "m.json"]);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    let exported = home.run(&["export", "--type", "pets", "--format", "csv", "-o", "-"]).stdout;
    assert_eq!(exported, "id,born\n1,2020-01-01T00:00:00Z\n2,2021-01-01T00:00:00Z\n");
}

/// Fields of every type go out and come back, in every format; contents stand in the file where they are wanted.
#[test]
fn every_type_of_field_goes_out_and_comes_back() {
    let home = Home::new();
    let kinds = ["integer", "number", "decimal", "boolean", "date", "array", "object", "binary"];
    let mut fields = vec![json!({"name": "id", "type": "string"})];
    fields.extend(kinds.map(|kind| json!({"name": kind, "type": kind})));
    let schema = json!({"type": "things", "fields": fields});
    home.write("t.json", json!({"name": "Things", "version": "1", "schema": schema}).to_string());
    let record = concat!(
        r#"{"id":"001","integer":-9223372036854775808,"number":0.1,"decimal":12345678901234567890.123,"#,
        r#""boolean":false,"date":"2024-01-01T00:00:00Z","array":["a,b",1],"object":{"b":[null]},"binary":"AAH/"}"#
    );
    home.write("a.ndjson", record);
    let imported = home.run(&["import", "a.ndjson", "--template", "t.json"]);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    for format in ["json", "ndjson", "csv", "xml", "yaml", "markdown"] {
        let file = format!("out.{format}");
        let exported = home.run(&["export", "--type", "things", "--format", format, "--binary", "-o", &file]);
        assert_eq!(exported.code, Some(0), "{exported:?}");
        let elsewhere = ["--data-dir", format];
        let there = |args: &[&str]| home.run(&[&elsewhere[..], args].concat());
        let imported = there(&["import", &file, "--template", "t.json"]);
        assert_eq!(imported.code, Some(0), "{format}: {imported:?}");
        let again = there(&["export", "--type", "things", "--format", "ndjson", "--binary", "-o", "-"]);
        assert_eq!(again.stdout.trim_end(), record, "{format}");
    }
    let plain = home.run(&["export", "--type", "things", "--format", "ndjson", "-o", "-"]).stdout;
    assert!(plain.contains(r#""binary":{"size":3,"sha256":"#), "a reference: {plain}");
}

#[test]
fn a_new_version_adds_fields_and_may_not_change_any() {
    let home = Home::new();
    let create = |document: String| {
        home.write("t.json", document);
        home.run(&["templates", "create", "t.json"])
    };
    assert_eq!(create(pets("1", &[])).code, Some(0));
    assert!(create(pets("1", &[])).stdout.contains("is stored already"));
    let name = |kind: &str| json!({"name": "name", "type": kind});
    let other = create(pets("1", &[name("string")]));
    assert_eq!(other.code, Some(1), "{other:?}");
    assert!(other.stderr.contains("version 1 of Pets is another document"), "{other:?}");
    assert_eq!(create(pets("2", &[name("string")])).code, Some(0));
    let changed = create(pets("3", &[name("array")]));
    assert_eq!(changed.code, Some(2), "{changed:?}");
    let told = "schema.fields[2].type: found array, expected string: the table of pets holds that already";
    assert!(changed.stderr.contains(told), "{changed:?}");
    home.write("pets.csv", PETS);
    assert_eq!(home.run(&["import", "pets.csv", "--template", "Pets@2"]).code, Some(3));
    let exported = home.run(&["export", "--type", "pets", "--format", "csv", "-o", "-"]);
    assert!(exported.stdout.starts_with("id,born,name\n1,2020-01-01T00:00:00Z,Rex\n"), "{exported:?}");
    let listed = home.run(&["templates", "list"]).stdout;
    let names: Vec<&str> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["contexts@1.0.0", "sessions@1.0.0", "Pets@2", "Pets@1"]);
    let shown = home.run(&["templates", "show", "Pets@1", "--json"]).json();
    assert_eq!((&shown["version"], shown["schema"]["fields"].as_array().unwrap().len()), (&"1".into(), 2));
    let unknown = home.run(&["templates", "show", "Cars"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(1), ""));
}

/// What rows keep outside the schema fills the columns that their type gets.
#[test]
fn templates_move_from_one_deployment_to_another() {
    let (here, there) = (Home::new(), Home::new());
    // Stored later, though its version sorts before the other.
    let newer = json!({"name": "name", "type": "string"});
    for (name, document) in [("old.json", pets("9", &[])), ("new.json", pets("10", &[newer]))] {
        here.write(name, document);
        assert_eq!(here.run(&["templates", "create", name]).code, Some(0));
    }
    let listed = here.run(&["templates", "list", "--json"]);
    there.write("all.json", &listed.stdout);
    let created = there.run(&["templates", "create", "all.json"]);
    assert_eq!(created.code, Some(0), "{created:?}");
    for (line, told) in created.stdout.lines().zip([
        "contexts@1.0.0 (contexts, 9 fields) is stored already",
        "sessions@1.0.0 (sessions, 6 fields) is stored already",
        "Pets@9 (pets, 2 fields) is stored, id",
        "Pets@10 (pets, 3 fields) is stored, id",
    ]) {
        assert!(line.starts_with(told), "{line}");
    }
    let as_given = |mut shown: Value| {
        let all = shown.as_array_mut().unwrap();
        for name in ["id", "createdAt", "owner"] {
            all.iter_mut().for_each(|one| drop(one.as_object_mut().unwrap().shift_remove(name)));
        }
        shown
    };
    assert_eq!(as_given(there.run(&["templates", "list", "--json"]).json()), as_given(listed.json()));
    let again = there.run(&["templates", "create", "all.json", "--json"]).json();
    assert_eq!(again.as_array().unwrap().len(), 4);
    let shown = here.run(&["templates", "show", "Pets"]);
    there.write("shown.json", &shown.stdout);
    let same = there.run(&["templates", "create", "shown.json"]);
    assert!(same.stdout.starts_with("Pets@10 (pets, 3 fields) is stored already"), "{same:?}");
    there.write("bad.json", json!([pets("1", &[]), {"name": "x"}]).to_string());
    let bad = there.run(&["templates", "create", "bad.json"]);
    assert!(bad.code == Some(2) && bad.stderr.contains("template 1 of the file"), "{bad:?}");
}

#[test]
fn a_new_version_fills_its_columns_from_what_rows_keep() {
    let home = Home::new();
    home.write("t.json", pets("1", &[]));
    home.write(
        "pets.ndjson",
        concat!(
            "{\"id\":\"1\",\"born\":\"2020-01-01\",\"weight\":4.5,\"chip\":7}\n",
            "{\"id\":\"2\",\"born\":\"2020-01-01\",\"weight\":\"heavy\"}\n"
        ),
    );
    assert_eq!(home.run(&["import", "pets.ndjson", "--template", "t.json"]).code, Some(0));
    home.write("t.json", pets("2", &[json!({"name": "weight", "type": "number"})]));
    let created = home.run(&["templates", "create", "t.json"]);
    let told = "; of the values in extra 1 fill its new columns and 1 do not fit and stay there";
    assert!(created.stdout.trim_end().ends_with(told), "{created:?}");
    let exported = home.run(&["export", "--type", "pets", "--format", "csv", "-o", "-"]).stdout;
    let expected = "id,born,weight,extra\n1,2020-01-01T00:00:00Z,4.5,\"{\"\"chip\"\":7}\"\n\
        2,2020-01-01T00:00:00Z,,\"{\"\"weight\"\":\"\"heavy\"\"}\"\n";
    assert_eq!(exported, expected);
}

/// What a template asks goes for the operations that use it; its new field is a column for all.
#[test]
fn a_template_that_extends_a_type_changes_nothing_for_others() {
    let home = Home::new();
    home.write("old.json", r#"[{"id":"o","title":"O","content":"1","priority":3}]"#);
    assert_eq!(home.run(&["import", "old.json"]).code, Some(0));
    let field = |name: &str| json!({"name": name, "type": "string"});
    let fields =
        [field("id"), field("title"), json!({"name": "priority", "type": "integer", "required": true})];
    let schema = json!({"type": "contexts", "fields": fields});
    home.write("t.json", json!({"name": "T", "version": "1", "schema": schema}).to_string());
    assert_eq!(home.run(&["templates", "create", "t.json"]).code, Some(0));
    home.write("good.json", GOOD);
    let imported = home.run(&["import", "good.json"]);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    assert!(imported.stdout.contains("into contexts"), "{imported:?}");
    home.write("bad.json", r#"[{"id":"n","priority":3}]"#);
    assert_eq!(home.run(&["import", "bad.json", "--type", "contexts"]).code, Some(3));
    // A row of before has its value in the column, and goes out and comes back.
    home.run(&["export", "--type", "contexts", "--format", "csv", "-o", "out.csv"]);
    let again = home.run(&["import", "out.csv", "--type", "contexts", "--overwrite", "--json"]);
    assert_eq!((again.code, again.json()["rejected"].clone()), (Some(0), 0.into()), "{again:?}");
    let exported = home.run(&["export", "--type", "contexts", "--format", "ndjson", "-o", "-"]).stdout;
    assert!(exported.contains("\"priority\":3"), "{exported}");
}

/// Names that no element and no line of Markdown can have go out and come back, too.
#[test]
fn fields_may_have_odd_names() {
    let home = Home::new();
    let names = ["first name", "Größe m²", "2nd", "*", "x><evil/", "b:** c", "a&b"];
    let fields = names.iter().map(|name| json!({"name": name, "type": "string"}));
    let fields: Vec<Value> = [json!({"name": "id", "type": "string"})].into_iter().chain(fields).collect();
    let schema = json!({"type": "odd", "fields": fields});
    home.write("t.json", json!({"name": "Odd", "version": "1", "schema": schema}).to_string());
    let record: serde_json::Map<String, Value> = [("id".to_owned(), json!("1"))]
        .into_iter()
        .chain(names.iter().map(|name| ((*name).to_owned(), json!(format!("<{name}>")))))
        .collect();
    let record = Value::Object(record).to_string();
    home.write("a.ndjson", &record);
    assert_eq!(home.run(&["import", "a.ndjson", "--template", "t.json"]).code, Some(0));
    for format in ["json", "csv", "xml", "yaml", "markdown"] {
        let file = format!("out.{format}");
        assert_eq!(home.run(&["export", "--type", "odd", "-o", &file, "--format", format]).code, Some(0));
        let there = |args: &[&str]| home.run(&[&["--data-dir", format][..], args].concat());
        let imported = there(&["import", &file, "--template", "t.json"]);
        assert_eq!(imported.code, Some(0), "{format}: {imported:?}");
        let again = there(&["export", "--type", "odd", "--format", "ndjson", "-o", "-"]);
        assert_eq!(again.stdout.trim_end(), record, "{format}");
    }
}

#[test]
fn a_mapping_that_only_drops_fields_drops_them() {
    let home = Home::new();
    home.write("a.json", r#"[{"id":"1","title":"T","content":"c","junk":4}]"#);
    home.write("m.json", r#"{"fieldMappings":{"junk":null}}"#);
    assert_eq!(home.run(&["import", "a.json", "--mapping", "m.json"]).code, Some(0));
    let exported = home.run(&["export", "--type", "contexts", "--format", "ndjson", "-o", "-"]).stdout;
    assert_eq!(exported.trim_end(), r#"{"id":"1","title":"T","content":"c"}"#);
}

#[test]
fn what_is_wrong_with_a_template_is_told_at_once() {
    let home = Home::new();
    let missing = home.run(&["templates", "create", "gone.json"]);
    assert_eq!(
        (missing.code, missing.stderr.contains("gone.json: No such file")),
        (Some(2), true),
        "{missing:?}"
    );
    home.write("a.ndjson", "{}\n");
    let missing = home.run(&["import", "a.ndjson", "--template", "./gone.json"]);
    assert_eq!(
        (missing.code, missing.stderr.contains("found no file ./gone.json")),
        (Some(2), true),
        "{missing:?}"
    );
    home.write(
        "t.json",
        json!({"name": "", "schema": {"type": "all", "fields": [{"name": "a"}]}}).to_string(),
    );
    let wrong = home.run(&["templates", "create", "t.json"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    for told in
        ["version: found nothing", "name: found \"\"", "schema.type: found all", "schema.fields[0].type"]
    {
        assert!(wrong.stderr.contains(told), "{told}: {wrong:?}");
    }
    home.write("t.json", "{");
    assert!(home.run(&["templates", "create", "t.json"]).stderr.contains("expected a JSON document"));
    home.write("t.json", "{\"name\": \"a\",\n \"name\": \"b\"}");
    let twice = home.run(&["templates", "create", "t.json"]);
    let told =
        "t.json: expected a JSON document, found the member \"name\" twice in one object at line 2 column 7";
    assert!(twice.stderr.contains(told), "{twice:?}");
    let key = json!({"name": "K", "version": "1", "schema": {"type": "k", "fields": [
        {"name": "metadata", "type": "string", "unique": true}
    ]}});
    home.write("t.json", key.to_string());
    let refused = home.run(&["templates", "create", "t.json"]);
    assert!(refused.stderr.contains("schema.key: found metadata, expected another field"), "{refused:?}");
    home.write("good.json", GOOD);
    let refused = home.run(&["import", "good.json", "--template", "Cars"]);
    let told = "--template: found \"Cars\", expected the id or the name of a template";
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains(told), "{refused:?}");
    home.write("t.json", pets("1", &[]));
    let refused = home.run(&["import", "good.json", "--type", "contexts", "--template", "t.json"]);
    let told = "--template: found a template of pets, expected one of contexts as was asked for";
    assert!(refused.stderr.contains(told), "{refused:?}");
}

/// Pets with these examples.
fn tried(examples: &Value) -> Value {
    let mut template: Value = serde_json::from_str(&pets("1", &[])).unwrap();
    template["transformation"] = json!({"mapping": {"chip": "id"}});
    template["examples"] = examples.clone();
    template
}

#[test]
fn examples_are_tried_before_a_template_is_stored() {
    let home = Home::new();
    let good =
        json!({"input": {"chip": "1", "born": "2020-01-01"}, "expected": {"id": "1", "born": "2020-01-01"}});
    let bad = json!({
        "description": "nobody's", "input": {"born": "2020-01-01"}, "expected": {"id": "1", "born": "2020-01-01"},
    });
    home.write("t.json", tried(&json!([good, bad])).to_string());
    let failed = home.run(&["templates", "test", "t.json"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    let told = "Pets@1: 1 of 2 examples pass, 1 fail\n  example 2 (nobody's)\n    id: expected nothing, found \
        required.missing (found nothing, expected a string; it came from \"chip\")\n";
    assert_eq!(failed.stdout, told);
    let refused = home.run(&["templates", "create", "t.json"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("examples[1]: id: found required.missing"), "{refused:?}");
    assert_eq!(home.run(&["templates", "list"]).stdout.lines().count(), 2, "nothing is stored");
    home.write("t.json", tried(&json!([good])).to_string());
    assert_eq!(home.run(&["templates", "create", "t.json"]).code, Some(0));
    let passed = home.run(&["templates", "test", "Pets", "--json"]);
    let expected = json!({"template": "Pets@1", "passed": 1, "failed": 0, "examples": [
        {"example": 1, "description": null, "passed": true, "differences": []},
    ]});
    assert_eq!((passed.code, passed.json()), (Some(0), expected));
    let none = home.run(&["templates", "test", "contexts"]);
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), "contexts@1.0.0 has no examples\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn examples_are_tried_by_the_api() {
    let home = Home::new();
    let server = Server::start(&home);
    let post = |path: &str, document: &Value| {
        server.client.post(server.at(path)).bearer_auth(&server.token).json(document).send()
    };
    let template =
        tried(&json!([{"input": {"chip": 1}, "faults": [{"code": "type.string", "field": "id"}]}]));
    let found: Value = post("templates/test", &template).await.unwrap().json().await.unwrap();
    assert_eq!((&found["passed"], &found["failed"]), (&json!(0), &json!(1)));
    let told = json!([{"field": "born", "expected": null, "found": "required.missing (found nothing, expected a \
        string with an RFC 3339 date)"}]);
    assert_eq!(found["examples"][0]["differences"], told);
    assert_eq!(post("templates", &template).await.unwrap().status(), 422);
    let good = tried(
        &json!([{"input": {"chip": 1}, "faults": [{"code": "type.string"}, {"code": "required.missing"}]}]),
    );
    assert_eq!(post("templates", &good).await.unwrap().status(), 201);
    let found: Value = post("templates/Pets/test", &json!({})).await.unwrap().json().await.unwrap();
    assert_eq!((&found["template"], &found["passed"]), (&json!("Pets@1"), &json!(1)));
    assert_eq!(post("templates/none/test", &json!({})).await.unwrap().status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_template_is_created_and_found() {
    let home = Home::new();
    let server = Server::start(&home);
    let at = |path: &str| server.client.get(server.at(path)).bearer_auth(&server.token);
    let post = |document: &Value| {
        server.client.post(server.at("templates")).bearer_auth(&server.token).json(document).send()
    };
    let created = post(&example("Template")).await.unwrap();
    assert_eq!(created.status(), 201);
    let location = created.headers()["location"].to_str().unwrap().to_owned();
    let created: Value = created.json().await.unwrap();
    let id = created["id"].as_str().unwrap();
    assert_eq!(location, format!("/api/data-migration/templates/{id}"));
    for name in ["name", "description", "version", "schema", "transformation"] {
        assert_eq!(created[name], example("Template")[name], "{name}");
    }
    assert_eq!(post(&example("Template")).await.unwrap().status(), 200, "the same again");
    let mut other = example("Template");
    other["description"] = "another".into();
    assert_eq!(post(&other).await.unwrap().status(), 409);
    other["schema"]["fields"][3]["type"] = "object".into();
    other["version"] = "2".into();
    let refused = post(&other).await.unwrap();
    assert_eq!(refused.status(), 422);
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["errors"][0]["at"], "schema.fields[3].type");
    let all: Value = at("templates").send().await.unwrap().json().await.unwrap();
    let names: Vec<&str> = all.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["contexts", "sessions", "Standard Context Export"]);
    for reference in [id, "Standard%20Context%20Export", "Standard%20Context%20Export@1.0.0"] {
        let found: Value = at(&format!("templates/{reference}")).send().await.unwrap().json().await.unwrap();
        assert_eq!(found, created);
    }
    assert_eq!(at("templates/none").send().await.unwrap().status(), 404);
    let options = json!({"templateId": id}).to_string();
    let report =
        server.ended(&server.import(&[("file:a.json", GOOD), ("options", &options)], 202).await).await;
    assert_eq!(report["template"], "Standard Context Export@1.0.0", "{report}");
    assert_eq!(report["created"], 2);
}
