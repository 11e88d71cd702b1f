//! `carrack import`: how files are read, as the options say or as looking tells.

use crate::support::{GOOD, Home};

const TABLE: &str = "id;title;content;metadata\n1;a;b,c;\"{\"\"k\"\":1}\"\n2;a\n";
const BARE: &str = "1|'t|u'|c\n";
const DOCUMENT: &str =
    r#"{"n":1,"data":{"count":1,"contexts":[{"id":"1","title":"t","content":"c","metadata":{"k":1}}]}}"#;
const ELEMENTS: &str =
    "<dump><n/><list><item><id>1</id><title>t</title><content>c</content></item></list></dump>";
const LINES: &str = "{\"id\":\"1\",\"title\":\"t\",\"content\":\"c\"}\nbroken\n";

/// A file's name and content, the options, how many records are created and rejected, and the one created.
type Case = (&'static str, &'static str, &'static [&'static str], (u64, u64), &'static str);

#[test]
fn files_are_read_as_they_are_or_as_the_options_say() {
    let cases: &[Case] = &[
        ("a.csv", TABLE, &[], (1, 1), r#"{"id":"1","title":"a","content":"b,c","metadata":{"k":1}}"#),
        ("a.csv", TABLE, &["--no-metadata"], (1, 1), r#"{"id":"1","title":"a","content":"b,c"}"#),
        (
            "a.csv",
            BARE,
            &["--delimiter", "|", "--quote", "'", "--header", "id,title,content"],
            (1, 0),
            r#"{"id":"1","title":"t|u","content":"c"}"#,
        ),
        (
            "a.json",
            DOCUMENT,
            &["--records-at", "$.data.contexts", "--no-metadata"],
            (1, 0),
            r#"{"id":"1","title":"t","content":"c"}"#,
        ),
        (
            "a.xml",
            ELEMENTS,
            &["--records-at", "/dump/list/item"],
            (1, 0),
            r#"{"id":"1","title":"t","content":"c"}"#,
        ),
        ("a.xml", ELEMENTS, &["--records-at", "item"], (1, 0), r#"{"id":"1","title":"t","content":"c"}"#),
        ("a.txt", LINES, &["--format", "ndjson"], (1, 1), r#"{"id":"1","title":"t","content":"c"}"#),
    ];
    for (name, content, options, counts, expected) in cases {
        let home = Home::new();
        home.write(name, content);
        let report = home.run(&[&["import", name, "--json"], *options].concat()).json();
        let found = (report["created"].as_u64().unwrap(), report["rejected"].as_u64().unwrap());
        assert_eq!(found, *counts, "{name} {options:?}: {report}");
        let outcome = home.run(&["export", "--type", "contexts", "--format", "ndjson", "-o", "out.ndjson"]);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert_eq!(home.read("out.ndjson"), format!("{expected}\n"), "{name} {options:?}");
    }
}

#[test]
fn the_delimiter_is_told() {
    let home = Home::new();
    home.write("a.csv", TABLE);
    let report = home.run(&["import", "a.csv", "--json"]).json();
    assert_eq!(report["delimiter"], ";", "{report}");
    let outcome = home.run(&["import", "a.csv", "--overwrite"]);
    assert!(outcome.stdout.contains("\n  delimiter            \";\"\n"), "{outcome:?}");
}

#[test]
fn contradictions_are_told() {
    let home = Home::new();
    home.write("a.csv", TABLE);
    home.write("b.csv", "id,title\n1,2\n");
    home.write("a.json", DOCUMENT);
    home.write("a.ndjson", "[]");
    home.write("named.json", TABLE);
    let as_named = "as its name says; name the format where the name is wrong";
    for (arguments, expected) in [
        (
            &["a.csv", "--delimiter", ","][..],
            r#"a.csv: found fields with ";" between them, expected "," as the delimiter says"#,
        ),
        (
            &["a.csv", "b.csv", "--type", "contexts"],
            "b.csv: found fields with ',' between them, expected ';' as in the first file; import them apart",
        ),
        (
            &["a.csv", "--records-at", "$.a"],
            "--records-at: a.csv: found $.a for csv, expected a path for json or xml only",
        ),
        (
            &["a.json", "--quote", "'", "--records-at", "$.data.contexts"],
            "--quote: a.json: found a quote for json, expected one for csv only",
        ),
        (
            &["a.json", "--records-at", "item"],
            "--records-at: a.json: found item, expected a path for JSON, such as $.data.contexts",
        ),
        (
            &["a.json"],
            "a.json: found one object, which holds records in the array $.data.contexts; to import those, name it: --records-at '$.data.contexts' (recordsAt)",
        ),
        (
            &["a.ndjson"],
            &*format!(
                r#"a.ndjson: found a JSON array (it begins with "["), expected one JSON object per line (NDJSON) {as_named}"#
            ),
        ),
        (
            &["named.json"],
            &*format!(r#"named.json: found a text that begins with "i", expected JSON {as_named}"#),
        ),
    ] {
        let outcome = home.run(&[&["import"], arguments].concat());
        assert_eq!((outcome.code, &*outcome.stderr), (Some(2), &*format!("error: {expected}\n")));
    }
    let lost = home.run(&["import", "a.json", "--records-at", "$.data.records", "--type", "contexts"]);
    let expected = r#"found no member "records" in $.data, which holds "count", "contexts"; expected the array $.data.records (json.records_at)"#;
    assert!(lost.code == Some(1) && lost.stdout.contains(expected), "{lost:?}");
}

#[test]
fn what_cannot_be_told_by_its_content_is_hinted_at() {
    let home = Home::new();
    home.write("good.json", GOOD);
    home.run(&["import", "good.json"]);
    let export = ["export", "--type", "contexts", "--format", "json", "-o", "x.json.br"];
    assert_eq!(home.run(&[&export[..], &["--compression", "brotli"]].concat()).code, Some(0));
    let brotli = std::fs::read(home.path("x.json.br")).unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_path_with_name(home.path("good.json"), "good.json").unwrap();
    let archive = archive.into_inner().unwrap();
    let hint = Some("--compression brotli");
    for (name, content, said) in [
        ("noname", &brotli[..], hint),
        ("x.json", &brotli, hint),
        ("cut.json", &brotli[..brotli.len() / 2], hint),
        ("text", b"some text", None),
        ("x.tar", &archive, Some("found a tar archive")),
        ("tar.json", &archive, Some("unpack it first (tar xf)")),
    ] {
        home.write(name, content);
        let outcome = home.run(&["import", name, "--skip-duplicates"]);
        assert_eq!(outcome.code, Some(2), "{name}: {outcome:?}");
        let expected = said.unwrap_or("found");
        assert!(outcome.stderr.contains(expected), "{name}: {outcome:?}, expected {expected}");
        assert_eq!(outcome.stderr.contains("brotli"), said == hint, "{name}: {outcome:?}");
    }
    let outcome = home.run(&["import", "noname", "--compression", "brotli", "--skip-duplicates"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}
