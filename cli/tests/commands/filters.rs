//! Filters: only what is asked for is exported, asked for as the guide does it or by flags.

use serde_json::{Value, json};

use crate::guide::example;
use crate::support::{Home, Server};

/// One record that the guide's filters mean, and others that each of them leaves out.
fn records() -> String {
    let good = json!({
        "title": "t", "content": "c", "type": "general", "tags": ["x", "important"], "sessionId": "session-1",
        "createdAt": "2020-01-01T00:00:00Z", "updatedAt": "2024-12-31T23:59:59Z",
        "metadata": {"importance": "high"},
    });
    let changes = [
        ("good", json!({})),
        ("late", json!({"updatedAt": "2024-12-31T23:59:59.000001Z"})),
        ("early", json!({"updatedAt": null, "createdAt": "2023-12-31T23:59:59Z"})),
        ("never", json!({"updatedAt": null, "createdAt": null})),
        ("created", json!({"updatedAt": null, "createdAt": "2024-01-01"})),
        ("type", json!({"type": "note"})),
        ("tags", json!({"tags": ["x"]})),
        ("session", json!({"sessionId": "session-2"})),
        ("importance", json!({"metadata": {"importance": "low"}})),
        ("nothing", json!({"type": null, "tags": null, "sessionId": null, "metadata": null})),
    ];
    let records = changes.into_iter().map(|(id, changes)| {
        let mut record = good.clone();
        record["id"] = id.into();
        for (name, value) in changes.as_object().unwrap() {
            record[name] = value.clone();
        }
        record
    });
    Value::Array(records.collect()).to_string()
}

/// The ids of an exported file.
fn ids(text: &str) -> Vec<String> {
    let records: Vec<Value> = serde_json::from_str(text).unwrap();
    records.iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_filters_of_the_guide_select_what_they_say() {
    let home = Home::new();
    let server = Server::start(&home);
    let records = records();
    server.ended(&server.import(&[("file:a.json", records.as_str())], 202).await).await;
    // Of the alternatives that it lists the first, and none for the compression.
    let mut endpoint = example("Export endpoint");
    endpoint["dataType"] = "contexts".into();
    endpoint["options"]["format"] = "json".into();
    endpoint["options"]["compression"] = "none".into();
    let [endpoint, quick_start] = [endpoint, example("REST export")].map(|body| body.to_string());
    let all_of_2024 = &["created", "good", "importance", "nothing", "session", "tags", "type"][..];
    for (body, expected) in [(&endpoint, &["created", "good"][..]), (&quick_start, all_of_2024)] {
        let report = server.ended(&server.post("export", body, 202).await).await;
        let count = expected.len();
        assert_eq!(report["status"], "succeeded", "{report}");
        for (name, expected) in [
            ("read", Value::from(count)),
            ("totalRecords", count.into()),
            ("totalRecordsExact", true.into()),
            ("currentRecord", count.into()),
            ("successfulRecords", count.into()),
            ("progress", 100.0.into()),
        ] {
            assert_eq!(report[name], expected, "{name} in {report}");
        }
        assert_eq!(report["filters"]["dateRange"]["start"], "2024-01-01T00:00:00Z");
        let url = format!("{}{}", server.url, report["filePath"].as_str().unwrap());
        let response = server.client.get(url).bearer_auth(&server.token).send().await.unwrap();
        assert_eq!(ids(&response.text().await.unwrap()), expected);
    }
}

#[test]
fn flags_ask_for_the_same() {
    let home = Home::new();
    home.write("a.json", records());
    home.run(&["import", "a.json"]);
    for (flags, expected) in [
        (
            &["--from", "2024-12-31"][..],
            &["good", "importance", "late", "nothing", "session", "tags", "type"][..],
        ),
        (&["--to", "2023-12-31"], &["early"]),
        (&["--from", "2024-01-01", "--to", "2024-01-01"], &["created"]),
        (&["--types", "note,general", "--tags", "nothing has it"], &[]),
        (&["--session-ids", "session-2"], &["session"]),
        (&["--importance", "low", "--importance", r#"["medium"]"#], &["importance"]),
    ] {
        for format in ["json", "csv", "xml", "yaml", "markdown"] {
            let args = ["export", "--type", "contexts", "--json", "--format", format, "-o", "out"];
            let report = home.run(&[&args[..], flags].concat()).json();
            assert_eq!(report["read"], expected.len(), "{flags:?} {format}: {report}");
            // Whatever was exported is read back as so many records.
            let back = Home::new();
            back.write("in", home.read("out"));
            let args = ["import", "in", "--type", "contexts", "--format", format, "--json"];
            let report = back.run(&args).json();
            assert_eq!(report["created"], expected.len(), "{flags:?} {format}: {report}");
            if format == "json" {
                assert_eq!(ids(&home.read("out")), expected, "{flags:?}");
            }
        }
    }
    let none = home.run(&["export", "--type", "contexts", "--tags", "nothing has it", "-o", "out.json"]);
    assert!(none.stdout.contains("no record matches the filters"), "{none:?}");
}

#[test]
fn what_a_type_does_not_have_is_refused_by_name() {
    let home = Home::new();
    home.write("a.json", records());
    home.run(&["import", "a.json"]);
    let lacks = "sessions has no field tags of the type array, which this filter asks for";
    for (args, expected) in [
        (&["--type", "all", "--tags", "a"][..], format!("--tags: {lacks}")),
        (&["--type", "session", "--tags", "a"], format!("--tags: {lacks}")),
        (
            &["--type", "contexts", "--from", "soon"],
            "--from: found \"soon\", expected an RFC 3339 date".into(),
        ),
        (&["--type", "contexts", "--types", ""], "--types: found nothing, expected a text".into()),
        (&["--type", "contexts", "--where", " "], "--where: found nothing, expected an expression".into()),
        (&["--type", "contexts", "--where", "type = 1"], "--where: column 6: ".into()),
        (
            &["--type", "all", "--where", "type == 'a'"],
            "--where: sessions has no field type, expected one of its own, or record.type for one outside the schema"
                .into(),
        ),
    ] {
        let outcome = home.run(&[&["export", "-o", "out.json"], args].concat());
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains(&expected), "{outcome:?}");
    }
    let all =
        home.run(&["export", "--type", "all", "--from", "2024-12-31", "-o", "out.json", "--json"]).json();
    assert_eq!((&all["read"], &all["byType"][0]["read"]), (&7.into(), &7.into()), "{all}");
}

/// More rows than one batch has, so that whole batches have none that match.
#[test]
fn batches_without_a_match_leave_no_trace() {
    let home = Home::new();
    let record = |number: u32| {
        let kind = if number % 9_000 == 17 { "rare" } else { "common" };
        json!({"id": format!("k{number:05}"), "title": "", "content": "", "type": kind}).to_string()
    };
    let records: Vec<String> = (0..31_000).map(record).collect();
    home.write("a.ndjson", records.join("\n"));
    home.run(&["import", "a.ndjson", "--type", "contexts"]);
    for (format, compression) in [("json", "none"), ("markdown", "gzip"), ("csv", "zstd")] {
        let out = ["--format", format, "--compression", compression, "-o", "out", "--json"];
        let report =
            home.run(&[&["export", "--type", "contexts", "--types", "rare"][..], &out].concat()).json();
        assert_eq!(report["read"], 4, "{format}: {report}");
        let back =
            home.run(&["import", "out", "--type", "contexts", "--format", format, "--overwrite", "--json"]);
        assert_eq!(back.json()["unchanged"], 4, "{format}: {back:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_leaves_out_what_does_not_match() {
    let home = Home::new();
    let server = Server::start(&home);
    let records = records().replace(r#""id":"type""#, r#""bad":1,"id":7"#);
    let options = r#"{"filters":{"dateRange":{"start":"2024-01-01T00:00:00Z"},"types":["general"]}}"#;
    let parts = [("file:a.json", records.as_str()), ("options", options), ("dataType", "contexts")];
    let report = server.ended(&server.import(&parts, 202).await).await;
    for (name, expected) in [
        ("read", 10),
        ("created", 6),
        ("skipped", 4),
        ("filteredRecords", 4),
        ("rejected", 0),
        ("totalRecords", 10),
    ] {
        assert_eq!(report[name], expected, "{name} in {report}");
    }
    assert_eq!(report["filters"]["types"], json!(["general"]));
    let plain =
        server.ended(&server.import(&[("file:b.json", "[]"), ("dataType", "contexts")], 202).await).await;
    assert!(plain.get("filteredRecords").is_none() && plain.get("filters").is_none(), "{plain}");
}

#[test]
fn flags_of_an_import_say_the_same() {
    let home = Home::new();
    home.write("a.json", records());
    let outcome = home.run(&["import", "a.json", "--types", "note", "--from", "2024-01-01"]);
    assert!(outcome.stdout.contains("\n  9 left out by the filters, counted as skipped\n"), "{outcome:?}");
    let flags = ["import", "a.json", "--types", "note,general", "--from", "2024-12-31T23:59:59Z", "--json"];
    let report = home.run(&[&flags[..], &["--skip-duplicates"]].concat()).json();
    // One is there already, and four do not match.
    let counts = ["read", "created", "skipped", "filteredRecords"].map(|name| report[name].as_u64().unwrap());
    assert_eq!(counts, [10, 5, 5, 4], "{report}");
    let sessions = home.run(&["import", "a.json", "--type", "sessions", "--tags", "x"]);
    assert_eq!(sessions.code, Some(2), "{sessions:?}");
    assert!(sessions.stderr.contains("--tags: sessions has no field tags"), "{sessions:?}");
}

#[test]
fn expressions_choose_records_in_both_directions() {
    let home = Home::new();
    home.write("a.json", records());
    home.run(&["import", "a.json"]);
    for (source, expected) in [
        ("type == 'note' || sessionId != 'session-1'", &["nothing", "session", "type"][..]),
        ("'important' in tags && updatedAt > '2024-12-31T23:59:59Z'", &[]),
        ("createdAt == '2024-01-01T00:00:00Z'", &["created"]),
        ("metadata.importance == 'low'", &["importance"]),
        ("id.startsWith('n') && !(type == 'general')", &["nothing"]),
        ("updatedAt == null && createdAt != null", &["created", "early"]),
        ("tags.exists(tag, tag == 'x') && size(tags) == 1", &["tags"]),
    ] {
        let args =
            ["export", "--type", "contexts", "--json", "-o", "out", "--format", "json", "--where", source];
        let report = home.run(&args).json();
        assert_eq!(ids(&home.read("out")), expected, "{source}");
        assert_eq!(report["read"], expected.len(), "{source}: {report}");
        let other = Home::new();
        other.write("a.json", records());
        let report = other.run(&["import", "a.json", "--json", "--where", source]).json();
        assert_eq!(report["created"], expected.len(), "{source}: {report}");
        assert_eq!(report["filteredRecords"], 10 - expected.len(), "{source}: {report}");
    }
    // Beside another filter, over every type, and where nothing is changed.
    let both = [
        "export", "--type", "contexts", "--types", "note", "--where", "id > 'u'", "-o", "out.json", "--json",
    ];
    assert_eq!(home.run(&both).json()["read"], 0);
    let all = [
        "export",
        "--type",
        "all",
        "--where",
        "updatedAt >= '2024-12-31T23:59:59Z'",
        "-o",
        "all.json",
        "--json",
    ];
    assert_eq!(home.run(&all).json()["byType"][0]["read"], 6);
    let dry = ["import", "a.json", "--dry-run", "--overwrite", "--where", "type == 'note'", "--json"];
    let report = home.run(&dry).json();
    assert_eq!((&report["read"], &report["filteredRecords"]), (&json!(10), &json!(9)), "{report}");
}

#[test]
fn what_a_column_could_not_take_is_still_the_value_of_its_field() {
    let home = Home::new();
    let pets = |version: &str, more: &[(&str, &str)]| {
        let mut fields = vec![json!({"name": "id", "type": "string"})];
        fields.extend(more.iter().map(|(name, kind)| json!({"name": name, "type": kind})));
        json!({"name": "Pets", "version": version, "schema": {"type": "pets", "fields": fields}}).to_string()
    };
    home.write("pets.ndjson", r#"{"id":"1","born":"2030 or so","age":"12","tags":{"vip":1},"nick":5}"#);
    home.write("one.json", pets("1", &[]));
    assert_eq!(home.run(&["import", "pets.ndjson", "--template", "one.json"]).code, Some(0));
    let grown = [("born", "date"), ("age", "integer"), ("tags", "array"), ("nick", "string")];
    home.write("two.json", pets("2", &grown));
    assert_eq!(home.run(&["templates", "create", "two.json"]).code, Some(0));
    for asked in ["born != null", "born > '2025'", "age != null", "'vip' in tags", "nick != null"] {
        let out = home.run(&["export", "--type", "pets", "--where", asked, "--format", "json", "-o", "-"]);
        assert_eq!((out.code, ids(&out.stdout)), (Some(0), vec!["1".to_owned()]), "{asked}: {out:?}");
    }
}

#[test]
fn an_expression_that_fails_for_a_record_refuses_it_or_ends_the_export() {
    let home = Home::new();
    let record =
        |id: &str, size: Value| json!({"id": id, "title": "t", "content": "c", "metadata": {"size": size}});
    let records = [record("a", json!(5)), record("b", json!("large")), record("c", json!(null))];
    home.write("a.json", Value::from(records.to_vec()).to_string());
    let flags = ["import", "a.json", "--type", "contexts", "--where", "metadata.size > 3"];
    let outcome = home.run(&flags);
    let told = "a.json: record 2 (line 1, byte 60): where: the expression failed: found string and int, for which there is no >\n";
    assert!(outcome.stdout.contains(told), "{outcome:?}");
    let strict = [&flags[..], &["--on-error", "strict", "--overwrite"]].concat();
    let outcome = home.run(&strict);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stdout.contains("1 of 3 records are refused, so none was imported"), "{outcome:?}");

    home.run(&["import", "a.json", "--type", "contexts", "--overwrite"]);
    let failed =
        home.run(&["export", "--type", "contexts", "--where", "metadata.size > 3", "-o", "out.json"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    let told = "where, for the row with the key \"b\": the expression failed: found string and int";
    assert!(failed.stdout.contains(told) && failed.stdout.contains("(filter.where)"), "{failed:?}");
    assert!(!home.path("out.json").exists(), "nothing is published");
    let asked = "type(metadata.size) == int && metadata.size > 3";
    home.run(&["export", "--type", "contexts", "--where", asked, "-o", "out.json"]);
    assert_eq!(ids(&home.read("out.json")), ["a"]);
}

/// A retry asks the same of the records as they are then.
#[test]
fn a_retry_keeps_the_expression() {
    let home = Home::new();
    let record = |id: &str, title: Value, size: Value| json!({"id": id, "title": title, "content": "c", "metadata": {"size": size}});
    let records = [
        record("a", json!("t"), json!(5)),
        record("b", json!(7), json!(9)),
        record("c", json!("t"), json!("large")),
    ];
    home.write("a.json", Value::from(records.to_vec()).to_string());
    let first =
        home.run(&["import", "a.json", "--type", "contexts", "--where", "metadata.size > 3", "--json"]);
    let first = first.json();
    assert_eq!((&first["created"], &first["rejected"]), (&json!(1), &json!(2)), "{first}");
    let mapping = json!({"computedFields": [
        {"name": "title", "expression": "string(title)"},
        {"name": "metadata", "expression": "type(metadata.size) == string ? {'size': 1} : metadata"},
    ]});
    home.write("m.json", mapping.to_string());
    let id = first["operationId"].as_str().unwrap();
    let retried = home.run(&["operations", "retry", id, "--mapping", "m.json", "--json"]).json();
    let counts = ["read", "created", "skipped", "filteredRecords", "rejected"];
    assert_eq!(counts.map(|name| retried[name].as_u64().unwrap()), [2, 1, 1, 1, 0], "{retried}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expression_is_an_option_of_the_api() {
    let home = Home::new();
    let server = Server::start(&home);
    let records = records();
    let filters =
        json!({"filters": {"where": "type == 'general' && metadata.importance == 'high'"}}).to_string();
    let parts = [("file:a.json", records.as_str()), ("options", &filters), ("dataType", "contexts")];
    let report = server.ended(&server.import(&parts, 202).await).await;
    assert_eq!((&report["created"], &report["filteredRecords"]), (&json!(7), &json!(3)), "{report}");
    let body =
        json!({"dataType": "contexts", "options": {"filters": {"where": "id in ['good', 'late', 'type']"}}});
    let report = server.ended(&server.post("export", &body.to_string(), 202).await).await;
    assert_eq!((&report["read"], &report["totalRecordsExact"]), (&json!(2), &json!(true)), "{report}");
    for (source, detail) in [
        ("id ==", "column 6: "),
        ("title", "found an expression that comes to a text, expected true or false"),
    ] {
        let body = json!({"dataType": "contexts", "options": {"filters": {"where": source}}});
        let problem = server.post("export", &body.to_string(), 422).await;
        assert!(problem.to_string().contains("options.filters.where"), "{problem}");
        assert!(problem.to_string().contains(detail), "{problem}");
    }
}
