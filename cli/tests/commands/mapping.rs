//! `carrack import --mapping`: the guide's two legacy imports, the one that the documents tell, and mistakes.

use serde_json::{Value, json};

use crate::support::{Home, Server};

/// The options of the guide's "Field Mapping and Transformation", as JSON.
const KEYWORDS: &str = r#"{
"format": "csv",
"validateSchema": true,
"skipDuplicates": true,
"batchSize": 100,
"dryRun": false,
"errorHandling": "lenient",
"mapping": {
"fieldMappings": {
"legacy_title": "title",
"legacy_body": "content",
"legacy_category": "type",
"legacy_keywords": "tags"
},
"transformations": [
{
"field": "title",
"transformation": "trim"
},
{
"field": "type",
"transformation": "lowercase"
},
{
"field": "tags",
"transformation": "custom",
"customFunction": "splitAndTrim"
}
]
}
}"#;

/// The options of the guide's "Legacy System Migration", as JSON.
const OLD_DATES: &str = r#"{
"format": "csv",
"validateSchema": true,
"skipDuplicates": true,
"batchSize": 25,
"dryRun": false,
"errorHandling": "lenient",
"mapping": {
"fieldMappings": {
"old_id": "id",
"old_name": "title",
"old_description": "content",
"old_type": "type",
"old_created": "createdAt"
},
"transformations": [
{
"field": "createdAt",
"transformation": "custom",
"customFunction": "parseOldDateFormat"
},
{
"field": "type",
"transformation": "lowercase"
}
]
}
}"#;

const WITH_KEYWORDS: &str = "id,legacy_title,legacy_body,legacy_category,legacy_keywords\n\
    1, Hello ,World,GENERAL,\" a , b c,\"\n2,No keywords,x,Analysis,\n";

const WITH_DATES: &str = "old_id,old_name,old_description,old_type,old_created,dept\n\
    17,Old,text,REPORT,14.03.2009 15:26,IT\n18,Older,text,note,\"Mar 14, 1999\",HR\n19,Doubtful,text,note,03/04/2009,HR\n";

/// What the table holds, ordered by key.
fn contexts(home: &Home) -> Vec<Value> {
    let outcome = home.run(&["export", "--type", "contexts", "--format", "ndjson", "-o", "-"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The mapping of options.
fn of_options(options: &str) -> String {
    serde_json::from_str::<Value>(options).unwrap()["mapping"].to_string()
}

fn with_keywords() -> Vec<Value> {
    vec![
        json!({"id":"1","title":"Hello","content":"World","type":"general","tags":["a","b c"]}),
        json!({"id":"2","title":"No keywords","content":"x","type":"analysis"}),
    ]
}

fn with_dates() -> Vec<Value> {
    vec![
        json!({"id":"17","title":"Old","content":"text","type":"report","createdAt":"2009-03-14T15:26:00Z","dept":"IT"}),
        json!({"id":"18","title":"Older","content":"text","type":"note","createdAt":"1999-03-14T00:00:00Z","dept":"HR"}),
    ]
}

#[test]
fn the_guides_legacy_files_are_imported() {
    for (name, input, options, expected, rejected) in [
        ("legacy-export.csv", WITH_KEYWORDS, KEYWORDS, with_keywords(), 0),
        ("legacy-export.csv", WITH_DATES, OLD_DATES, with_dates(), 1),
    ] {
        let home = Home::new();
        home.write(name, input);
        home.write("mapping.json", of_options(options));
        // The type is told by the names that the fields have in the end.
        let outcome = home.run(&["import", name, "--mapping", "mapping.json", "--batch-size", "1", "--json"]);
        let report = outcome.json();
        assert_eq!((&report["created"], &report["rejected"]), (&2.into(), &rejected.into()), "{outcome:?}");
        assert_eq!(contexts(&home), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_options_are_taken_as_they_stand() {
    let home = Home::new();
    let server = Server::start(&home);
    let refused = Value::from("createdAt");
    for (input, options, field) in [(WITH_KEYWORDS, KEYWORDS, Value::Null), (WITH_DATES, OLD_DATES, refused)]
    {
        let parts = [("file:legacy-export.csv", input), ("dataType", "contexts"), ("options", options)];
        let report = server.ended(&server.import(&parts, 202).await).await;
        assert_eq!(report["created"], 2, "{report}");
        assert_eq!(report["errors"][0]["field"], field, "{report}");
    }
    let mut all = with_keywords();
    all.splice(1..1, with_dates());
    server.stop();
    assert_eq!(contexts(&home), all);
}

#[test]
fn the_import_of_the_documents_works() {
    let document = include_str!("../../../docs/mapping.md");
    let block = |begins: &str, kind: &str| {
        let (_, behind) = document.split_once(&format!("```{kind}\n{begins}")).unwrap();
        format!("{begins}{}", behind.split_once("\n```").unwrap().0)
    };
    let home = Home::new();
    let file = block("old_id;", "csv") + "\n";
    // All its characters but the euro sign have the numbers in windows-1252 that Unicode gives them.
    let narrow =
        file.chars().map(|character| if character == '€' { 0x80 } else { u8::try_from(character).unwrap() });
    home.write("legacy.csv", narrow.collect::<Vec<u8>>());
    home.write("mapping.json", block("{\n  \"fieldMappings\": {\n    \"old_id\"", "json"));
    let command = block("carrack import legacy.csv", "sh");
    let arguments: Vec<&str> = command.split_whitespace().skip(1).collect();
    let outcome = home.run(&arguments);
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    for line in block("legacy.csv: record 1", "text").lines() {
        assert!(outcome.stdout.contains(line), "{outcome:?}, expected {line}");
    }
    let expected = json!({"id":"18","title":"Café notes","content":"Prices; in €","type":"note","createdAt":"2009-03-14T00:00:00Z"});
    assert_eq!(contexts(&home), [expected]);
}

#[test]
fn a_mapping_may_be_yaml() {
    let home = Home::new();
    home.write("a.json", r#"[{"key":1,"titel":"T","text":"C","meta":{"importance":"high","by":"me"}}]"#);
    home.write(
        "mapping.yaml",
        "mapping:\n  fieldMappings: {key: id, titel: title, text: content, meta.importance: metadata.importance, '*': null}\n  \
         transformations:\n  - {field: id, transformation: custom, customFunction: toText}\n  \
         computedFields:\n  - {name: type, expression: \"metadata.importance == 'high' ? 'urgent' : 'general'\"}\n",
    );
    let outcome = home.run(&["import", "a.json", "--mapping", "mapping.yaml"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let expected =
        json!({"id":"1","title":"T","content":"C","type":"urgent","metadata":{"importance":"high"}});
    assert_eq!(contexts(&home), [expected]);
}

#[test]
fn mistakes_of_a_mapping_are_told_with_the_others() {
    let home = Home::new();
    home.write("a.csv", WITH_DATES);
    home.write(
        "bad.json",
        r#"{"fieldMappings":{"a":"t","b":"t"},"transformations":[{"field":"t","transformation":"date"}]}"#,
    );
    home.write("broken.json", "{");
    home.write("list.yaml", "- a\n- b\n");
    for (file, parts) in [
        (
            "bad.json",
            &[
                "--mapping: fieldMappings.b: found the target \"t\", expected one to which \"a\" does not go already",
                "--mapping: transformations[0].formats: found nothing, expected a list of at least one text",
                "--format: found \"pdf\", expected one of",
            ][..],
        ),
        ("broken.json", &["--mapping: broken.json: expected a JSON document, found EOF", "--format: "]),
        ("list.yaml", &["--mapping: list.yaml: found 2 documents, expected one", "--format: "]),
        ("none.json", &["--mapping: none.json: No such file", "--format: "]),
    ] {
        let outcome = home.run(&["import", "a.csv", "--mapping", file, "--format", "pdf"]);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        for part in parts {
            assert!(outcome.stderr.contains(part), "{outcome:?}, expected {part}");
        }
    }
}

#[test]
fn what_looks_like_a_slip_is_noted_before_and_after() {
    let home = Home::new();
    home.write("a.csv", "key,titel,text\n1,T,C\n");
    home.write(
        "slips.json",
        r#"{"fieldMappings": {"key": "id", "titel": "title", "text": "content", "gone": "type", "created": "createdat"}}"#,
    );
    let mut import = vec!["import", "a.csv", "--type", "contexts", "--mapping", "slips.json"];
    let notes = [
        "note: the mapping takes the field \"gone\", of which",
        "note: the mapping takes the field \"created\", of which",
        "note: the mapping makes the field \"createdat\", which the type does not have",
    ];
    for more in ["--dry-run", "--overwrite"] {
        import.push(more);
        let outcome = home.run(&import);
        for note in notes {
            assert!(outcome.stdout.contains(note) && outcome.stderr.contains(note), "{note}: {outcome:?}");
        }
        import.pop();
    }
    assert_eq!(
        home.run(&[&import[..], &["--json", "--skip-duplicates"]].concat()).json()["remarks"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
}
