//! Rejects as a file like the one that was imported: corrected by a program, it is imported without a reject.

use crate::support::{Home, Server};

/// A file with two good records and bad ones, what corrects each of the bad ones in the file of rejects, and
/// how many of them cannot stand there.
struct Case {
    name: &'static str,
    flags: &'static [&'static str],
    content: &'static str,
    bad: u64,
    corrections: &'static [(&'static str, &'static str)],
    left_out: u64,
    /// What the file of rejects begins with.
    begins: &'static str,
}

const BAD_DATE: (&str, &str) = ("31/02/2024", "2024-02-28T00:00:00Z");

const CASES: [Case; 9] = [
    Case {
        name: "a.csv",
        flags: &["--delimiter", ";", "--quote", "'"],
        content: "id;title;content;createdAt\ng1;A;x;\nb1;B;'it''s\n a; text';31/02/2024\nb2;C;ragged\n\
            b3;'D'y;x;\ng2;E;x;\n",
        bad: 3,
        corrections: &[BAD_DATE, ("b2;C;ragged", "b2;C;ragged;"), ("'D'y", "D")],
        left_out: 0,
        begins: "'_error';'id';'title';'content';'createdAt'\n'date.invalid in createdAt: found \"31/02/2024\"",
    },
    Case {
        name: "headless.csv",
        flags: &["--header", "id,title,content,createdAt"],
        content: "g1,A,x,\nb1,B,y,31/02/2024\ng2,C,z,",
        bad: 1,
        corrections: &[BAD_DATE],
        left_out: 0,
        begins: "\"_error\",\"id\",",
    },
    Case {
        name: "a.json",
        flags: &[],
        content: r#"[{"id":"g1","title":"A","content":"x"}, {"id":"b1","title":"B","content":"y","createdAt":"31/02/2024"},
            { }, 42, {"id":"b2","title":"C",}, {"id":"g2","title":"D","content":"z"}]"#,
        bad: 4,
        corrections: &[
            BAD_DATE,
            ("\" }", "\",\"id\":\"b3\",\"title\":\"E\",\"content\":\"v\" }"),
            (",\n42", ""),
        ],
        left_out: 1,
        begins: "[\n{\"_error\":\"date.invalid in createdAt: ",
    },
    Case {
        name: "values.json",
        flags: &[],
        content: "{\"id\":\"g1\",\"title\":\"A\",\n\"content\":\"x\"}\n{\"id\":\"b1\",\"title\":\"B\",\n\
            \"content\":\"y\",\"createdAt\":\"31/02/2024\"} {\"id\":\"g2\",\"title\":\"D\",\"content\":\"z\"}",
        bad: 1,
        corrections: &[BAD_DATE],
        left_out: 0,
        begins: "[\n{\"_error\":",
    },
    Case {
        name: "a.ndjson",
        flags: &[],
        content: "{\"id\":\"g1\",\"title\":\"A\",\"content\":\"x\"}\n{\"id\":\"b2\",\"title\":\"C\"\n\
            {\"id\":\"b1\",\"title\":\"B\",\"content\":\"y\",\"createdAt\":\"31/02/2024\"}\n\
            {\"id\":\"g2\",\"title\":\"D\",\"content\":\"z\"}\n",
        bad: 2,
        corrections: &[BAD_DATE, ("\"C\"\n", "\"C\",\"content\":\"v\"}\n")],
        left_out: 0,
        begins: "{\"_error\":\"json.invalid: found no valid JSON",
    },
    Case {
        name: "a.xml",
        flags: &[],
        content: "<?xml version='1.0'?>\n<dump at='now'>\n<row><id>g1</id><title>A</title><content>x</content></row>\n\
            <row kind='a>b'><id>b1</id><title>B</title><content>y</content><createdAt>31/02/2024</createdAt></row>\n\
            <row/><row><id>b2</id><title>C</title><content>&nbsp;</content></row>\n\
            <row><id>g2</id><title>D</title><content>z</content></row>\n</dump>\n",
        bad: 3,
        corrections: &[
            BAD_DATE,
            ("</_error></row>", "</_error><id>b3</id><title>E</title><content>v</content></row>"),
            ("<content>&nbsp;", "<content>&#160;"),
        ],
        left_out: 0,
        begins: "<dump>\n  <row kind='a>b'><_error>date.invalid in createdAt: ",
    },
    Case {
        name: "a.yaml",
        flags: &[],
        content: "  - id: g1\n    title: A\n    content: x\n  -   id: b1\n      title: B\n      content: |\n        two\n\
            \n        lines\n      createdAt: 31/02/2024\n  - {id: b2, title: C}\n  -\n    id: b3\n    title: D\n\
            \n  - id: g2\n    title: D\n    content: z\n",
        bad: 3,
        corrections: &[
            BAD_DATE,
            ("title: C}", "title: C, content: v}"),
            ("    id: b3\n", "    id: b3\n    content: v\n"),
        ],
        left_out: 0,
        begins: "  -   _error: \"date.invalid in createdAt: ",
    },
    Case {
        name: "documents.yaml",
        flags: &[],
        content: "id: g1\ntitle: A\ncontent: x\n---\nid: b1\ntitle: B\ncontent: y\ncreatedAt: 31/02/2024\n---\n\
            id: b2\ntitle: \"C\n---\nid: g2\ntitle: D\ncontent: z\n",
        bad: 2,
        corrections: &[BAD_DATE],
        left_out: 1,
        begins: "---\n_error: \"date.invalid in createdAt: ",
    },
    Case {
        name: "a.md",
        flags: &[],
        content: "# Dump\n\n## Item 1\n**id:** g1\n**title:** A\n**content:** x\n\n## Item 2\n**id:** b1\n**title:** B\n\
            **content:** y\n**createdAt:** 31/02/2024\n\n## Item 3\nhello\n**id:** b2\n**title:** C\n**content:** v\n\
            \n## Item 4\n**id:** g2\n**title:** D\n**content:** z\n",
        bad: 2,
        corrections: &[BAD_DATE, ("hello\n", "")],
        left_out: 0,
        begins: "## Item 1\n**id:** b1\n**title:** B\n**content:** y\n**createdAt:** 31/02/2024\n**_error:** date.invalid",
    },
];

#[test]
fn what_was_corrected_by_a_program_is_imported_from_every_format() {
    for case in CASES {
        let home = Home::new();
        home.write(case.name, case.content);
        let import = ["import", case.name, "--type", "contexts", "--json"];
        let parent = home.run(&[&import[..], case.flags].concat()).json();
        assert_eq!((&parent["created"], &parent["rejected"]), (&2.into(), &case.bad.into()), "{parent}");
        let id = parent["operationId"].as_str().unwrap();
        // What is read back as it is meets the same faults, so nothing was lost on the way.
        let file = format!("rejects-of-{}", case.name);
        let written = home.run(&["operations", "rejects", id, "--as", "input", "-o", &file]);
        assert_eq!(written.code, Some(0), "{written:?}");
        let text = home.read(&file);
        assert!(text.starts_with(case.begins), "{}: {text}", case.name);
        assert_eq!(
            text.matches("left out, see the rejects as ndjson").count() as u64,
            case.left_out,
            "{text}"
        );
        let again = home.run(&["operations", "rejects", id, "--as", "input", "-o", "-"]);
        assert_eq!(again.stdout, text);
        let flags: Vec<&str> = case.flags.iter().copied().take_while(|flag| *flag != "--header").collect();
        let file_import =
            |file: &str| home.run(&[&["import", file, "--type", "contexts", "--json"][..], &flags].concat());
        let unchanged = file_import(&file).json();
        let expected = (&case.bad.into(), &case.bad.into(), &"succeeded_with_rejects".into());
        assert_eq!(
            (&unchanged["read"], &unchanged["rejected"], &unchanged["status"]),
            expected,
            "{}",
            case.name
        );
        let mut corrected = text;
        for (wrong, right) in case.corrections {
            // What is wrong is quoted in the error, too.
            assert!(corrected.contains(wrong), "{}: {wrong:?} in {corrected}", case.name);
            corrected = corrected.replace(wrong, right);
        }
        home.write(&file, &corrected);
        let child = file_import(&file).json();
        assert_eq!(child["rejected"], case.left_out, "{}: {child}\n{corrected}", case.name);
        let export = ["export", "--type", "contexts", "--format", "ndjson", "-o", "all.ndjson"];
        assert_eq!(home.run(&export).code, Some(0));
        let all = home.read("all.ndjson");
        assert!(!all.contains("_error"), "{all}");
        let created = child["created"].as_u64().unwrap();
        assert_eq!(all.lines().count() as u64, 2 + created, "{all}");
    }
}

/// A correction that was none is explained anew, once.
#[test]
fn a_second_round_says_only_what_is_wrong_then() {
    for (name, content) in [
        ("a.csv", "id,title,content,createdAt\n1,,c,31/02/2024\n"),
        ("a.json", r#"[{"id":"1","title":5,"content":"c","createdAt":"31/02/2024"}]"#),
        ("a.ndjson", "{\"id\":\"1\",\"title\":5,\"content\":\"c\",\"createdAt\":\"31/02/2024\"}\n"),
        (
            "a.xml",
            "<data><item><id>1</id><content>c</content><createdAt>31/02/2024</createdAt></item></data>",
        ),
        ("a.yaml", "- id: \"1\"\n  title: [5]\n  content: c\n  createdAt: 31/02/2024\n"),
        ("flow.yaml", "- {id: \"1\", title: [5], content: c, createdAt: 31/02/2024}\n"),
        ("a.md", "## Item 1\n**id:** 1\n**content:** c\n**createdAt:** 31/02/2024\n"),
    ] {
        let home = Home::new();
        home.write(name, content);
        let mut file = name.to_owned();
        for round in 1..=3 {
            let report = home.run(&["import", &file, "--type", "contexts", "--json"]).json();
            assert_eq!((&report["read"], &report["rejected"]), (&1.into(), &1.into()), "{name}: {report}");
            let id = report["operationId"].as_str().unwrap().to_owned();
            let (_, ending) = name.split_once('.').unwrap();
            file = format!("round-{round}.{ending}");
            let outcome = home.run(&["operations", "rejects", &id, "--as", "input", "-o", &file]);
            assert_eq!(outcome.code, Some(0), "{name}: {outcome:?}");
            let written = home.read(&file);
            let names = if name.ends_with("xml") { 2 } else { 1 };
            assert_eq!(written.matches("_error").count(), names, "{name}: {written}");
            assert!(written.contains("31/02/2024"), "{name}: {written}");
        }
    }
}

#[test]
fn what_is_no_record_says_so_in_a_comment_of_yaml() {
    let home = Home::new();
    let records = ["42", "plain", "\"q: q\"", "[a]"];
    let mut file = "a.yaml".to_owned();
    home.write(&file, records.map(|record| format!("- {record}\n")).concat());
    for round in 1..=2 {
        let report = home.run(&["import", &file, "--type", "contexts", "--json"]).json();
        let id = report["operationId"].as_str().unwrap();
        let rejects =
            home.run(&["operations", "rejects", id, "--code", "record.not_object", "--json"]).json();
        assert_eq!(rejects["rejects"].as_array().map(Vec::len), Some(4), "{rejects}");
        file = format!("round-{round}.yaml");
        assert_eq!(home.run(&["operations", "rejects", id, "--as", "input", "-o", &file]).code, Some(0));
        let written = home.read(&file);
        let lines: Vec<_> = written.lines().collect();
        assert_eq!(lines.len(), 8, "{written}");
        for (pair, record) in lines.chunks(2).zip(records) {
            assert!(pair[0].starts_with("# _error: record.not_object: "), "{written}");
            assert_eq!(pair[1], format!("- {record}"), "{written}");
        }
    }
}

#[test]
fn what_has_no_record_is_named() {
    let home = Home::new();
    let long = "x".repeat(100_000);
    home.write(
        "cut.csv",
        format!("id,title,content,createdAt\na,A,1,31/02/2024\nb,B,{long},31/02/2024\nc,\"C\n"),
    );
    let parent = home.run(&["import", "cut.csv", "--type", "contexts", "--json"]).json();
    let id = parent["operationId"].as_str().unwrap();
    let file = home.run(&["operations", "rejects", id, "--as", "input", "-o", "-"]).stdout;
    let rows: Vec<&str> = file.lines().collect();
    assert_eq!(rows.len(), 4, "{file}");
    assert!(rows[2].ends_with(&format!(",b,B,{long},31/02/2024")), "a long record is whole");
    assert!(
        rows[3].starts_with("\"left out, see the rejects as ndjson: record 3 (line 4): csv.unclosed_quote: ")
    );
    assert!(rows[3].ends_with("\",,,,"), "{}", rows[3]);
}

#[test]
fn which_file_is_asked_for_where_several_have_rejects() {
    let home = Home::new();
    for name in ["a.csv", "b.csv", "c.csv"] {
        let date = if name == "b.csv" { "" } else { "31/02/2024" };
        home.write(name, format!("id,title,content,createdAt\n{name},A,1,{date}\n"));
    }
    let import = ["import", "a.csv", "b.csv", "c.csv", "--type", "contexts", "--json"];
    let id = home.run(&import).json()["operationId"].as_str().unwrap().to_owned();
    let rejects = ["operations", "rejects", &id, "--as", "input", "-o", "-"];
    let unsaid = home.run(&rejects);
    assert!(
        unsaid.code == Some(1) && unsaid.stderr.contains("which one: 1 (a.csv), 3 (c.csv)"),
        "{unsaid:?}"
    );
    let none = home.run(&[&rejects[..], &["--file", "2"]].concat());
    assert!(none.stderr.contains("file 2 of the operation has no rejects"), "{none:?}");
    let one = home.run(&[&rejects[..], &["--file", "3"]].concat());
    assert!(one.stdout.contains(",c.csv,A,1,31/02/2024\n") && !one.stdout.contains("a.csv"), "{one:?}");
    for (args, reason) in [
        (&["--as", "input"][..], "--output"),
        (&["-o", "-", "--file", "1"], "--file: expected --as input beside it"),
        (&["-o", "-", "--as", "input", "--code", "x"], "--as input: found --code or --after beside it"),
        (&["-o", "a.csv"], "is one of the files to import"),
    ] {
        let refused = home.run(&[&["operations", "rejects", &id][..], args].concat());
        assert!(refused.code == Some(2) && refused.stderr.contains(reason), "{refused:?}");
    }
}

#[tokio::test]
async fn the_api_gives_the_same_file() {
    let home = Home::new();
    home.write("a.csv", CASES[0].content);
    let import = ["import", "a.csv", "--type", "contexts", "--json", "--delimiter", ";", "--quote", "'"];
    let id = home.run(&import).json()["operationId"].as_str().unwrap().to_owned();
    let rejects = ["operations", "rejects", &id, "--as", "input", "-o", "-"];
    let expected = home.run(&rejects).stdout;
    let server = Server::start(&home);
    let remote = home.run(&[&rejects[..], &["--server", &server.url, "--token", &server.token]].concat());
    assert_eq!(remote.stdout, expected, "{remote:?}");
    let url = server.at(&format!("operations/{id}/rejects?as=input"));
    let answer = server.client.get(url).bearer_auth(&server.token).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
    assert_eq!(answer.text().await.unwrap(), expected);
    let ndjson = home.run(&["operations", "rejects", &id, "-o", "r.ndjson"]);
    assert_eq!((ndjson.code, home.lines("r.ndjson").len()), (Some(0), 3), "{ndjson:?}");
}

#[test]
fn the_file_of_another_encoding_says_that_it_is_utf_8() {
    let home = Home::new();
    home.write("a.csv", b"id,title,content,createdAt\n1,M\xfcnchen,\x80 5,gestern\n");
    let import = ["import", "a.csv", "--type", "contexts", "--encoding", "windows-1252", "--json"];
    let id = home.run(&import).json()["operationId"].as_str().unwrap().to_owned();
    assert_eq!(home.run(&["operations", "rejects", &id, "--as", "input", "-o", "fix.csv"]).code, Some(0));
    let corrected = home.read("fix.csv").replace(",gestern", ",2024-01-01");
    assert!(corrected.starts_with('\u{feff}'), "{corrected}");
    home.write("a.json", b"[{\"id\":\"2\",\"title\":\"M\xfcnchen\"}]");
    let json = ["import", "a.json", "--type", "contexts", "--encoding", "windows-1252", "--json"];
    let other = home.run(&json).json()["operationId"].as_str().unwrap().to_owned();
    let sheet = home.run(&["operations", "rejects", &other, "--as", "input", "-o", "-"]).stdout;
    let sheet: serde_json::Value = serde_json::from_str(&sheet).unwrap();
    assert_eq!(sheet[0]["title"], "München", "JSON begins with no mark");
    home.write("fix.csv", &corrected);
    let misread = home.run(&["import", "fix.csv", "--type", "contexts", "--encoding", "windows-1252"]);
    assert_eq!(misread.code, Some(2), "{misread:?}");
    assert!(misread.stderr.contains("found the mark of utf-8, expected windows-1252"), "{misread:?}");
    let retried = home.run(&["operations", "retry", &id, "fix.csv", "--json"]).json();
    assert_eq!((&retried["created"], &retried["rejected"]), (&1.into(), &0.into()), "{retried}");
    home.run(&["export", "--type", "contexts", "--format", "ndjson", "-o", "out"]);
    let row =
        "{\"id\":\"1\",\"title\":\"München\",\"content\":\"€ 5\",\"createdAt\":\"2024-01-01T00:00:00Z\"}\n";
    assert_eq!(home.read("out"), row);
}
