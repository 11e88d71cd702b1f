//! Exports through templates: the fields of the template, and those that it computes.

use serde_json::{Value, json};

use crate::guide::example;
use crate::support::Home;

fn guide() -> String {
    example("Template").to_string()
}

fn home() -> Home {
    let home = Home::new();
    home.write("guide.json", guide());
    let records = json!([
        {"id": "a", "title": "A", "content": "1", "tags": ["x", "y"], "type": "note", "more": 1},
        {"id": "b", "title": "B, \"b\"", "content": "2", "metadata": {"importance": "high"}},
    ]);
    home.write("in.json", records.to_string());
    assert_eq!(home.run(&["import", "in.json"]).code, Some(0));
    home
}

#[test]
fn the_template_of_the_guide_makes_an_export_that_is_imported_again() {
    let home = home();
    let flags = ["--type", "contexts", "--template", "guide.json", "--json"];
    let report = home.run(&[&["export", "-o", "out.json"], &flags[..]].concat()).json();
    assert_eq!(report["read"], 2, "{report}");
    let out: Vec<Value> = serde_json::from_str(&home.read("out.json")).unwrap();
    let operations = home.run(&["operations", "list", "--json"]).json();
    let started: jiff::Timestamp = operations[0]["startTime"].as_str().unwrap().parse().unwrap();
    assert_eq!(operations[0]["template"], "Standard Context Export@1.0.0");
    for (found, expected) in out.iter().zip([
        json!({"id": "a", "title": "A", "content": "1", "tags": ["x", "y"]}),
        json!({"id": "b", "title": "B, \"b\"", "content": "2"}),
    ]) {
        let mut found = found.clone();
        let exported = found.as_object_mut().unwrap().remove("exportedAt").unwrap();
        assert_eq!(exported.as_str().unwrap().parse::<jiff::Timestamp>().unwrap(), started, "its start");
        assert_eq!(found, expected);
    }
    let named = ["--type", "context", "--template", "Standard Context Export", "--json"];
    home.run(&[&["export", "-o", "out.csv"], &named[..]].concat()).json();
    let csv = home.read("out.csv");
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "id,title,content,tags,exportedAt");
    assert!(lines[1].starts_with("a,A,1,\"x,y\",20") && lines[1].ends_with('Z'), "{csv}");
    assert!(lines[2].starts_with("b,\"B, \"\"b\"\"\",2,,20"), "{csv}");
    for file in ["out.json", "out.csv"] {
        let back = Home::new();
        back.write("guide.json", guide());
        back.write(file, home.read(file));
        let report = back.run(&["import", file, "--template", "guide.json", "--json"]).json();
        assert_eq!((&report["created"], &report["rejected"]), (&2.into(), &0.into()), "{file}: {report}");
    }
}

#[test]
fn every_format_has_the_fields_of_the_template_only() {
    let home = home();
    for (format, compression) in
        [("ndjson", "gzip"), ("csv", "zstd"), ("xml", "none"), ("yaml", "none"), ("markdown", "brotli")]
    {
        let out = ["--format", format, "--compression", compression, "-o", "out", "--types", "note"];
        let flags = ["export", "--type", "contexts", "--template", "guide.json", "--json"];
        assert_eq!(home.run(&[&flags[..], &out].concat()).json()["read"], 1, "{format}");
        let back = Home::new();
        back.write("out", std::fs::read(home.path("out")).unwrap());
        let import = [
            "import",
            "out",
            "--type",
            "contexts",
            "--format",
            format,
            "--compression",
            compression,
            "--json",
        ];
        assert_eq!(back.run(&import).json()["created"], 1, "{format}");
        back.run(&["export", "--type", "contexts", "-o", "back.json"]);
        let records: Vec<Value> = serde_json::from_str(&back.read("back.json")).unwrap();
        let names: Vec<&String> = records[0].as_object().unwrap().keys().collect();
        assert_eq!(names.len(), 5, "{format}: {names:?}");
    }
}

#[test]
fn what_does_not_fit_is_told() {
    let home = home();
    let template = guide().replace("new Date()", "content + 1");
    home.write("bad.json", template.replace("1.0.0", "2.0.0"));
    let export = |flags: &[&str]| home.run(&[&["export", "-o", "out.json"], flags].concat());
    let failed = export(&["--type", "contexts", "--template", "bad.json"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(
        failed.stdout.contains("the row with the key \"a\" does not go through the template"),
        "{failed:?}"
    );
    assert!(failed.stdout.contains("(template.unfit)"), "{failed:?}");
    for (flags, expected) in [
        (["--type", "all", "--template", "guide.json"], "--template: found a template for an export of all"),
        (["--type", "sessions", "--template", "guide.json"], "--template: found a template of contexts"),
        (["--type", "contexts", "--template", "nobody knows it"], "--template: found \"nobody knows it\""),
    ] {
        let outcome = export(&flags);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains(expected), "{outcome:?}");
    }
}
