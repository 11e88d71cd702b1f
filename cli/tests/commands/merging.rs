//! `carrack import --merge`: records change the fields that they have, and nothing else.

use serde_json::json;

use crate::support::Home;

const BEFORE: &str = concat!(
    r#"{"id":"a","title":"A","content":"text","tags":["x"],"metadata":{"importance":"low","source":"mail"},"rank":1}"#,
    "\n",
    r#"{"id":"b","title":"B","content":"text","metadata":{"source":"chat"}}"#,
    "\n",
);

#[test]
fn a_table_with_one_nested_field_changes_that_field_alone() {
    let home = Home::new();
    home.write("before.ndjson", BEFORE);
    assert_eq!(home.run(&["import", "before.ndjson"]).code, Some(0));
    home.write("levels.csv", "id,level\na,high\nb,\nnew,low\n");
    home.write("levels.json", r#"{"fieldMappings": {"level": "metadata.importance"}}"#);
    let merge =
        ["import", "levels.csv", "--mapping", "levels.json", "--type", "contexts", "--merge", "--json"];
    let dry = home.run(&[&merge[..], &["--dry-run"]].concat()).json();
    let outcome = home.run(&merge);
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    let report = outcome.json();
    for told in [&dry, &report] {
        let counts =
            ["read", "created", "updated", "unchanged", "skipped", "rejected"].map(|name| &told[name]);
        assert_eq!(counts.map(|count| count.as_u64().unwrap()), [3, 0, 1, 1, 0, 1], "{told}");
    }
    assert_eq!(report["prediction"]["cameTrue"], true, "{report}");
    let rejects = home.lines(report["rejectsFile"].as_str().unwrap());
    let codes: Vec<_> =
        rejects[0]["faults"].as_array().unwrap().iter().map(|fault| &fault["field"]).collect();
    assert_eq!(
        (&rejects[0]["code"], codes),
        (&json!("required.missing"), vec![&json!("title"), &json!("content")])
    );
    assert_eq!((&rejects[0]["record"], &rejects[0]["raw"]), (&json!(3), &json!("new,low")));
    let rows = |name: &str| {
        assert_eq!(home.run(&["export", "--type", "contexts", "-o", name]).code, Some(0));
        home.lines(name)
    };
    let found = rows("merged.ndjson");
    let metadata = json!({"importance": "high", "source": "mail"});
    assert_eq!(found[0]["metadata"], metadata, "the source is still there: {found:?}");
    assert_eq!(
        (&found[0]["title"], &found[0]["tags"], &found[0]["rank"]),
        (&json!("A"), &json!(["x"]), &json!(1))
    );
    assert_eq!(found[1]["metadata"], json!({"source": "chat"}));
    let import = report["operationId"].as_str().unwrap();
    let refused = home.run(&["operations", "verify", import]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("a dry run of the same import tells"), "{refused:?}");
    let again = home.run(&[&merge[..], &["--dry-run"]].concat()).json();
    assert_eq!((&again["updated"], &again["unchanged"]), (&json!(0), &json!(2)), "{again}");
    let undo = home.run(&["operations", "undo", import, "--json"]).json();
    assert_eq!((&undo["removed"], &undo["restored"]), (&json!(0), &json!(1)), "{undo}");
    assert_eq!(rows("undone.ndjson")[0]["metadata"], json!({"importance": "low", "source": "mail"}));
}

#[test]
fn defaults_fill_rows_that_are_created_and_no_others() {
    let home = Home::new();
    let template = json!({
        "name": "Pets", "version": "1",
        "schema": {"type": "pets", "fields": [
            {"name": "id", "type": "string", "required": true},
            {"name": "name", "type": "string", "required": true},
            {"name": "species", "type": "string", "default": "cat"},
            {"name": "care", "type": "object", "default": {"food": "dry", "walks": 0}}
        ]}
    });
    home.write("pets.json", template.to_string());
    assert_eq!(home.run(&["templates", "create", "pets.json"]).code, Some(0));
    let import = |name: &str, lines: &str, more: &[&str]| {
        home.write(name, lines);
        let outcome =
            home.run(&[&["import", name, "--template", "Pets", "--merge", "--json"][..], more].concat());
        assert!(matches!(outcome.code, Some(0 | 3)), "{outcome:?}");
        outcome.json()
    };
    import("dog.ndjson", r#"{"id":"1","name":"Rex","species":"dog","care":{"food":"wet"}}"#, &[]);
    let both = [
        r#"{"id":"1","name":"Max","care":{"walks":3}}"#,
        r#"{"id":"2","name":"Kit"}"#,
        r#"{"id":"2","care":{"walks":1}}"#,
    ];
    let report = import("both.ndjson", &both.join("\n"), &["--batch-size", "1"]);
    let counts = ["created", "updated", "skipped", "rejected"].map(|name| report[name].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 0, 1], "a part of a row that the import itself creates: {report}");
    let report = import("again.ndjson", both[2], &[]);
    assert_eq!(report["updated"], 1, "the row is there now: {report}");
    assert_eq!(home.run(&["export", "--type", "pets", "-o", "out.ndjson"]).code, Some(0));
    let rows = home.lines("out.ndjson");
    let expected = [
        json!({"id": "1", "name": "Max", "species": "dog", "care": {"food": "wet", "walks": 3}}),
        json!({"id": "2", "name": "Kit", "species": "cat", "care": {"food": "dry", "walks": 1}}),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn only_one_way_with_taken_keys_may_be_asked_for() {
    let home = Home::new();
    home.write("before.ndjson", BEFORE);
    for other in ["--overwrite", "--skip-duplicates"] {
        let outcome = home.run(&["import", "before.ndjson", "--merge", other]);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains("--merge") && outcome.stderr.contains(other), "{outcome:?}");
    }
}

#[test]
fn objects_are_merged_to_a_depth_and_replaced_below() {
    let home = Home::new();
    let record = |leaf: &str, depth: usize| {
        let (open, close) = (r#"{"o":"#.repeat(depth), "}".repeat(depth));
        format!(r#"{{"id":"k","title":"t","content":"c","metadata":{open}{{"{leaf}":1}}{close}}}"#)
    };
    for (depth, left) in [(31, vec!["a", "b", "c"]), (100, vec!["c"])] {
        let lines: Vec<String> = ["a", "b", "c"].map(|leaf| record(leaf, depth)).to_vec();
        home.write("deep.ndjson", lines.join("\n"));
        let data = format!("data-{depth}");
        let run = |args: &[&str]| home.run(&[args, &["--data-dir", &data]].concat());
        let import = run(&["import", "deep.ndjson", "--merge", "--batch-size", "1", "--json"]);
        assert_eq!(import.code, Some(0), "{import:?}");
        assert_eq!((&import.json()["created"], &import.json()["skipped"]), (&json!(1), &json!(2)));
        let out = format!("out-{depth}.ndjson");
        assert_eq!(run(&["export", "--type", "contexts", "-o", &out]).code, Some(0));
        let row = home.lines(&out).remove(0);
        let leaves = (0..depth).fold(&row["metadata"], |object, _| &object["o"]);
        let names: Vec<&str> = leaves.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, left, "{depth}");
    }
}

#[test]
fn what_a_mapping_computes_of_nothing_is_nothing_that_a_record_has() {
    let home = Home::new();
    home.write("before.ndjson", r#"{"id":"k","title":"t","content":"c","type":"note"}"#);
    assert_eq!(home.run(&["import", "before.ndjson"]).code, Some(0));
    home.write("part.ndjson", r#"{"id":"k","content":"other"}"#);
    home.write("mapping.json", r#"{"computedFields":[{"name":"type","expression":"kind"}]}"#);
    let args =
        ["import", "part.ndjson", "--type", "contexts", "--mapping", "mapping.json", "--merge", "--json"];
    assert_eq!(home.run(&args).json()["updated"], 1);
    assert_eq!(home.run(&["export", "--type", "contexts", "-o", "out.ndjson"]).code, Some(0));
    let row = home.lines("out.ndjson").remove(0);
    assert_eq!((&row["type"], &row["content"]), (&json!("note"), &json!("other")), "{row}");
}

#[test]
fn filters_see_no_default_that_a_record_may_not_get() {
    let home = Home::new();
    let fields = json!([
        {"name": "id", "type": "string"}, {"name": "n", "type": "integer"},
        {"name": "status", "type": "string", "default": "new"}
    ]);
    let template = json!({"name": "Jobs", "version": "1", "schema": {"type": "jobs", "fields": fields}});
    home.write("jobs.json", template.to_string());
    home.write("before.ndjson", r#"{"id":"1","n":1,"status":"done"}"#);
    assert_eq!(home.run(&["import", "before.ndjson", "--template", "jobs.json"]).code, Some(0));
    home.write("part.ndjson", r#"{"id":"1","n":2}"#);
    for (asked, filtered, updated) in [("status == \"new\"", 1, 0), ("status == null", 0, 1)] {
        let args = ["import", "part.ndjson", "--template", "Jobs", "--merge", "--where", asked, "--json"];
        let report = home.run(&args).json();
        assert_eq!(
            (&report["filteredRecords"], &report["updated"]),
            (&json!(filtered), &json!(updated)),
            "{report}"
        );
    }
}
