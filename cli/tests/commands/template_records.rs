//! Templates as records: exported to files and imported on another deployment, as any other type, through the store of
//! templates.

use serde_json::{Value, json};

use crate::support::{Home, Outcome, Server};

fn pets(version: &str, more: &[&str], beside: &Value) -> Value {
    let fields = ["id"].iter().chain(more).map(|name| json!({"name": name, "type": "string"}));
    let fields: Vec<Value> = fields.collect();
    let mut template =
        json!({"name": "Pets", "version": version, "schema": {"type": "pets", "fields": fields}});
    for (name, value) in beside.as_object().unwrap() {
        template[name] = value.clone();
    }
    template
}

fn create(home: &Home, template: &Value) {
    home.write("t.json", template.to_string());
    let created = home.run(&["templates", "create", "t.json"]);
    assert_eq!(created.code, Some(0), "{created:?}");
}

/// A deployment with two versions of a type, a schema of JSON Schema, and a built-in type that has grown.
fn filled() -> Home {
    let home = Home::new();
    let description = "wo ist \"ü\"?\n";
    create(&home, &pets("1", &["name"], &json!({"description": null})));
    create(&home, &pets("10", &["name", "born"], &json!({"description": description})));
    let transformation = json!({
        "mapping": {"chip": "id", "who": "name"},
        "computedFields": [{"name": "born", "expression": "'2020'", "type": "string"}],
    });
    let examples = json!([{"input": {"chip": "7"}, "expected": {"id": "7", "born": "2020"}}]);
    create(
        &home,
        &pets("2", &["name", "born"], &json!({"transformation": transformation, "examples": examples})),
    );
    create(
        &home,
        &json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Person", "type": "object",
            "x-key": "email", "properties": {"email": {"type": "string"}, "age": {"type": "number", "maximum": 1e2}},
        }),
    );
    create(
        &home,
        &json!({
            "name": "More", "version": "1",
            "schema": {"type": "contexts", "fields": [{"name": "author", "type": "string"}]},
        }),
    );
    home
}

/// What is stored, as far as it does not belong to the deployment.
fn listed(home: &Home, place: &[&str]) -> Vec<Value> {
    let list = home.run(&[&["templates", "list", "--json"], place].concat()).stdout;
    // Numbers are told by their value.
    let mut list: Vec<Value> = serde_json::from_str(&list.replace("100.0", "100")).unwrap();
    for template in &mut list {
        let members = template.as_object_mut().unwrap();
        if members["owner"] != "carrack" {
            members.remove("id");
            members.remove("createdAt");
        }
    }
    list
}

fn counts(outcome: &Outcome) -> [u64; 4] {
    let report = outcome.json();
    ["read", "created", "skipped", "rejected"].map(|name| report[name].as_u64().unwrap())
}

#[test]
fn another_deployment_gets_the_same_templates_and_types_in_every_format() {
    let home = filled();
    let expected = listed(&home, &[]);
    home.write("key", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    home.write("pets.csv", "chip,who\n7,Rex\n");
    for (format, more) in [
        ("json", &[][..]),
        ("ndjson", &["--compression", "zstd"]),
        ("csv", &["--key", "file:key"]),
        ("xml", &["--split", "1KiB"]),
        ("yaml", &["--compression", "zstd", "--key", "file:key"]),
        ("markdown", &["--split", "1KiB", "--compression", "gzip"]),
    ] {
        let folder = format!("files-{format}");
        std::fs::create_dir(home.path(&folder)).unwrap();
        let file = format!("{folder}/x.{format}");
        let export = ["export", "--type", "templates", "--format", format, "-o", &file, "--json"];
        let exported = home.run(&[&export[..], more].concat());
        assert_eq!(exported.code, Some(0), "{exported:?}");
        assert_eq!(exported.json()["read"], 5, "what is built in is everywhere: {exported:?}");
        let is_split = more.contains(&"--split");
        let file = if is_split { format!("{folder}/x.manifest.json") } else { file };
        let key = if more.contains(&"--key") { &["--key", "file:key"][..] } else { &[] };
        let there = ["--data-dir", format];
        let import = [&["import", &file, "--type", "template", "--json"][..], key, &there].concat();
        let imported = home.run(&import);
        assert_eq!(imported.code, Some(0), "{format}: {imported:?}");
        assert_eq!(counts(&imported), [5, 5, 0, 0], "{format}");
        assert_eq!(listed(&home, &there), expected, "{format}");
        let again = home.run(&[&import[..], &["--skip-duplicates"]].concat());
        assert_eq!((again.code, counts(&again)), (Some(0), [5, 0, 5, 0]), "{format}: {again:?}");
        let rejected = home.run(&import);
        assert_eq!((rejected.code, counts(&rejected)), (Some(3), [5, 0, 0, 5]), "{format}: {rejected:?}");
        // A name means the version that was stored last, and the tables are there.
        let used = home.run(&[&["import", "pets.csv", "--template", "Pets"][..], &there].concat());
        assert_eq!(used.code, Some(0), "{format}: {used:?}");
        let rows =
            home.run(&[&["export", "--type", "pets", "--format", "csv", "-o", "-"][..], &there].concat());
        assert_eq!(rows.stdout, "id,name,born\n7,Rex,2020\n", "{format}");
    }
    let back = home.run(&[
        "import",
        "files-csv/x.csv",
        "--type",
        "templates",
        "--key",
        "file:key",
        "--skip-duplicates",
        "--json",
    ]);
    assert_eq!(counts(&back), [5, 0, 5, 0], "the same where they come from");
}

#[test]
fn what_lists_and_people_write_is_imported_too() {
    let home = filled();
    home.write("list.json", home.run(&["templates", "list", "--json"]).stdout);
    let there = ["--data-dir", "there"];
    // Newest first, and beside them those that are built in.
    let import = ["import", "list.json", "--type", "templates", "--skip-duplicates", "--json"];
    let imported = home.run(&[&import[..], &there].concat());
    assert_eq!(counts(&imported), [7, 5, 2, 0], "{imported:?}");
    home.write("own.csv", "what,release,schema\nCats,1,\"{\"\"type\"\":\"\"cats\"\",\"\"fields\"\":[{\"\"name\"\":\"\"id\"\",\"\"type\"\":\"\"string\"\"}]}\"\n");
    home.write("map.json", r#"{"fieldMappings": {"what": "name", "release": "version"}}"#);
    let mapped = home.run(&["import", "own.csv", "--type", "templates", "--mapping", "map.json", "--json"]);
    assert_eq!((mapped.code, counts(&mapped)), (Some(0), [1, 1, 0, 0]), "{mapped:?}");
    assert_eq!(home.run(&["export", "--type", "cats", "-o", "cats.json"]).code, Some(0));
    let guessed = home.run(&["import", "list.json"]);
    assert_eq!(guessed.code, Some(2), "nobody guesses that a file holds templates: {guessed:?}");
}

#[test]
fn what_is_wrong_with_a_template_is_a_reject_that_can_be_mended() {
    let home = Home::new();
    let broken =
        pets("4", &["name"], &json!({"examples": [{"input": {"id": "1"}, "expected": {"id": "2"}}]}));
    let mut other_key = pets("5", &["name"], &json!({}));
    other_key["schema"]["key"] = json!("name");
    let records = vec![
        pets("1", &["name"], &json!({})),
        json!({"name": "a@b", "schema": {"type": "templates", "fields": [{"name": "_id", "type": "text"}]}, "oops": 1}),
        pets("1", &["name"], &json!({})),
        pets("1", &["name", "born"], &json!({})),
        broken,
        other_key,
        json!({"name": "contexts", "version": "1.0.0", "schema": {"type": "contexts", "fields": []}}),
        json!({"name": "X", "version": "1", "schema": "pets"}),
        json!({"name": "X", "version": "1", "schema": {"type": "PETS", "fields": [{"name": "id", "type": "string"}]}}),
        json!({"title": "X", "type": "object", "x-key": "no", "oneOf": [], "properties": {"a": {"type": "text"}}}),
        json!({"name": "X", "version": "1", "schema": {"type": "x", "fields": []}, "description": "x".repeat(1 << 20)}),
        json!({"id": 7, "name": ["X"], "schema": null}),
        json!({}),
    ];
    let last = pets("3", &["name", "born"], &json!({})).to_string();
    let no_double =
        r#"{"name":"X","version":"1","schema":{"type":"x","fields":[]},"examples":[{"input":1e400}]}"#;
    let deep = format!(r#"{{"name":"X","version":"1","deep":{}{}}}"#, "[".repeat(127), "]".repeat(127));
    let mut lines: Vec<String> = records.iter().map(ToString::to_string).collect();
    lines.extend([no_double.to_owned(), deep, last]);
    home.write("t.ndjson", lines.join("\n"));
    let imported = home.run(&["import", "t.ndjson", "--type", "templates", "--json"]);
    assert_eq!((imported.code, counts(&imported)), (Some(3), [16, 2, 0, 14]), "{imported:?}");
    let rejects = home.lines(imported.json()["rejectsFile"].as_str().unwrap());
    let told: Vec<(u64, Vec<(String, String)>)> = rejects
        .iter()
        .map(|reject| {
            let of = |fault: &Value, name: &str| fault[name].as_str().unwrap_or_default().to_owned();
            let faults = reject["faults"].as_array().unwrap().iter();
            (
                reject["record"].as_u64().unwrap(),
                faults.map(|fault| (of(fault, "code"), of(fault, "field"))).collect(),
            )
        })
        .collect();
    let wrong = |places: &[&str]| -> Vec<(String, String)> {
        places.iter().map(|place| ("template.wrong".to_owned(), (*place).to_owned())).collect()
    };
    let one = |code: &str, field: &str| vec![(code.to_owned(), field.to_owned())];
    let expected = [
        (
            2,
            wrong(&[
                "name",
                "version",
                "oops",
                "schema.type",
                "schema.fields[0].name",
                "schema.fields[0].type",
            ]),
        ),
        (3, one("duplicate.existing", "")),
        (4, one("template.conflict", "")),
        (5, wrong(&["examples[0]"])),
        (6, wrong(&["schema.key"])),
        (7, wrong(&["name"])),
        (8, one("type.object", "schema")),
        (9, wrong(&["schema.type"])),
        (10, wrong(&["oneOf", "properties.a.type"])),
        (11, wrong(&["template"])),
        (12, [one("type.string", "id"), one("type.string", "name")].concat()),
        (13, wrong(&["name", "version", "schema"])),
        (14, wrong(&["examples"])),
        (15, wrong(&[""])),
    ];
    for (found, expected) in told.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(told.len(), expected.len());
    assert_eq!(rejects[0]["raw"], lines[1], "as it stood in the file");
    // Those after it went on, and the rejects come back as a file that can be mended.
    let id = imported.json()["operationId"].as_str().unwrap().to_owned();
    let sheet = home.run(&["operations", "rejects", &id, "--as", "input", "-o", "fix.ndjson"]);
    assert_eq!(sheet.code, Some(0), "{sheet:?}");
    let fixed =
        home.read("fix.ndjson").lines().nth(2).unwrap().replacen(r#""version":"1""#, r#""version":"6""#, 1);
    home.write("fixed.ndjson", fixed);
    let retried = home.run(&["operations", "retry", &id, "fixed.ndjson", "--json"]);
    assert_eq!((retried.code, counts(&retried)), (Some(0), [1, 1, 0, 0]), "{retried:?}");
    let names: Vec<String> = listed(&home, &[])[2..].iter().map(|one| one["version"].to_string()).collect();
    assert_eq!(names, [r#""6""#, r#""3""#, r#""1""#]);
}

#[test]
fn a_json_schema_makes_the_same_columns_either_way() {
    let home = Home::new();
    let schema = r#"{"title":"Person","type":"object","x-key":"email",
        "properties":{"longest_name":{"type":"string"},"email":{"type":"string"},"b":{"type":"string"}}}"#;
    home.write("person.json", schema);
    home.write("persons.json", format!("[{schema}]"));
    let import = ["import", "persons.json", "--type", "templates", "--skip-duplicates", "--json"];
    let elsewhere = home.run(&[&import[..], &["--data-dir", "there"]].concat());
    assert_eq!(counts(&elsewhere), [1, 1, 0, 0], "{elsewhere:?}");
    assert_eq!(home.run(&["templates", "create", "person.json"]).code, Some(0));
    assert_eq!(listed(&home, &[]), listed(&home, &["--data-dir", "there"]));
    let again = home.run(&import);
    assert_eq!(counts(&again), [1, 0, 1, 0], "{again:?}");
}

#[test]
fn what_templates_cannot_do_is_refused_by_name() {
    let home = filled();
    assert_eq!(home.run(&["export", "--type", "templates", "-o", "x.json"]).code, Some(0));
    let id = home.run(&["import", "x.json", "--type", "templates", "--skip-duplicates", "--json"]).json();
    let id = id["operationId"].as_str().unwrap();
    for (args, code, told) in [
        (&["import", "x.json", "--type", "templates", "--overwrite"][..], 2, "--overwrite: "),
        (&["import", "x.json", "--type", "templates", "--merge"], 2, "--merge: "),
        (&["import", "x.json", "--type", "templates", "--on-error", "strict"], 2, "--on-error: "),
        (&["import", "x.json", "--type", "templates", "--dry-run"], 2, "carrack templates test"),
        (&["import", "x.json", "--type", "templates", "--template", "Pets"], 2, "--template: "),
        (&["import", "x.json", "--type", "templates", "--tags", "a"], 2, "--tags: "),
        (&["export", "--type", "templates", "--template", "Pets", "-o", "y.json"], 2, "--template: "),
        (&["verify", "x.json", "x.json", "--type", "templates"], 2, "export both sides"),
        (&["operations", "undo", id], 1, "has imported templates, which never change and stay"),
        (&["operations", "verify", id], 1, "has imported templates, expected"),
    ] {
        let refused = home.run(args);
        assert!(refused.code == Some(code) && refused.stderr.contains(told), "{args:?}: {refused:?}");
    }
}

#[test]
fn filters_choose_among_templates() {
    let home = filled();
    let chosen = ["--where", "name == 'Pets' && version != '1'"];
    let export = ["export", "--type", "templates", "--format", "ndjson", "-o", "x.ndjson", "--json"];
    let exported = home.run(&[&export[..], &chosen].concat());
    assert_eq!(exported.code, Some(0), "{exported:?}");
    assert_eq!(home.read("x.ndjson").lines().count(), 2);
    let import = ["import", "x.ndjson", "--type", "templates", "--data-dir", "there", "--json"];
    let imported = home.run(&[&import[..], &["--where", "version == '10'"]].concat());
    assert_eq!(counts(&imported), [2, 1, 1, 0], "{imported:?}");
}

#[tokio::test]
async fn the_api_moves_templates() {
    let (from, to) = (filled(), Home::new());
    let expected = listed(&from, &[]);
    let server = Server::start(&from);
    let exported = server.post("export", r#"{"dataType": "templates"}"#, 202).await;
    let exported = server.ended(&exported).await;
    let id = exported["operationId"].as_str().unwrap();
    let request = server
        .client
        .get(server.at(&format!("operations/{id}/download?name=x.json")))
        .bearer_auth(&server.token);
    let file = request.send().await.unwrap().text().await.unwrap();
    let other = Server::start(&to);
    let parts = [("file:t.json", file.as_str()), ("dataType", "templates"), ("options", "{}")];
    let imported = other.ended(&other.import(&parts, 202).await).await;
    assert_eq!((&imported["status"], &imported["created"]), (&"succeeded".into(), &5.into()), "{imported}");
    let wrong = [parts[0], parts[1], ("options", r#"{"merge": true, "dryRun": true}"#)];
    let wrong = other.import(&wrong, 422).await;
    let places: Vec<&str> =
        wrong["errors"].as_array().unwrap().iter().filter_map(|error| error["at"].as_str()).collect();
    assert_eq!(places, ["options.merge", "options.dryRun"], "{wrong}");
    other.stop();
    let by_owner = |mut list: Vec<Value>| {
        list.retain_mut(|template| template["owner"].take() != "carrack");
        list
    };
    assert_eq!(by_owner(listed(&to, &[])), by_owner(expected));
}
