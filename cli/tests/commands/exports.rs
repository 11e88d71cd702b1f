//! `carrack export`: the same records come out, whole or not at all.

use serde_json::Value;

use crate::support::{GOOD, Home};

#[test]
fn what_was_imported_is_exported() {
    let home = Home::new();
    home.write("good.json", GOOD);
    home.run(&["import", "good.json"]);
    let outcome = home.run(&["export", "--type", "contexts", "--format", "json", "-o", "out.json"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.ends_with("written to out.json\n"), "{outcome:?}");
    let expected: Value = serde_json::from_str(GOOD).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&home.read("out.json")).unwrap(), expected);
    let again = ["export", "--type", "context", "--format", "ndjson", "--binary", "-o", "out.json", "--json"];
    let report = home.run(&again).json();
    assert_eq!((&report["read"], &report["file"]), (&2.into(), &"out.json".into()));
    let lines = home.read("out.json");
    assert!(lines.starts_with("{\"id\":"), "replaced: {lines}");
    assert_eq!(lines.lines().count(), 2);
}

/// The lane without work must not keep the only slot from the other one, whichever of them asks first.
#[test]
fn one_task_at_a_time_is_enough_for_imports_and_exports() {
    for _ in 0..3 {
        let mut home = Home::new();
        home.set("CARRACK_WORKER__CONCURRENCY", "1");
        home.write("good.json", GOOD);
        for args in [
            &["import", "good.json"][..],
            &["export", "--type", "contexts", "--format", "json", "-o", "out.json"],
        ] {
            let outcome = home.run(args);
            assert_eq!(outcome.code, Some(0), "{outcome:?}");
        }
    }
}

#[test]
fn bytes_are_those_of_the_files() {
    let home = Home::new();
    let check = |rows: u32, source: &str| {
        home.write("in.json", source);
        let import = home.run(&["import", "in.json", "--type", "contexts", "--overwrite", "--json"]).json();
        assert_eq!(import["bytes"], source.len() as u64, "{import}");
        for format in ["json", "csv"] {
            let args = ["export", "--type", "contexts", "--format", format, "-o", "out", "--json"];
            let export = home.run(&args).json();
            assert_eq!((&export["read"], &export["bytes"]), (&rows.into(), &home.read("out").len().into()));
        }
    };
    check(0, " [ ]\n");
    check(2, GOOD);
    let record = |number: u32| format!(r#"{{"id":"k{number}","title":"","content":"","more":1}}"#);
    let many: Vec<_> = (0..10_001).map(record).collect();
    check(10_003, &format!("[\n{}\n]\n", many.join(" ,\n")));
}

#[test]
fn a_watch_writes_the_file_of_an_export_that_was_left() {
    let home = Home::new();
    home.write("good.json", GOOD);
    home.run(&["import", "good.json"]);
    let lock = home.hold_lock();
    let export = home.start(&["export", "--type", "contexts", "--format", "json", "-o", "my file.json"]);
    export.wait_for_note("another process");
    let left = home.wait_for_operation(|operation| operation["type"] == "export");
    let id = left["operationId"].as_str().unwrap();
    export.signal("TERM");
    let outcome = export.outcome();
    let again = format!("`carrack operations watch {id} -o 'my file.json'` continues it");
    assert!(outcome.code == Some(130) && outcome.stderr.contains(&again), "{outcome:?}");
    drop(lock);

    let without = home.run(&["operations", "watch", id]);
    assert_eq!(without.code, Some(0), "{without:?}");
    let how = format!("to write its file: `carrack operations watch {id} -o FILE`\n");
    assert!(without.stderr.ends_with(&how) && !without.stdout.contains("written"), "{without:?}");
    assert!(!home.path("my file.json").exists());
    let watched = home.run(&["operations", "watch", id, "-o", "my file.json"]);
    assert!(watched.stdout.ends_with("written to my file.json\n"), "{watched:?}");
    let expected: Value = serde_json::from_str(GOOD).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&home.read("my file.json")).unwrap(), expected);
}

#[test]
fn a_watch_refuses_the_file_that_an_operation_does_not_write() {
    let home = Home::new();
    home.write("good.json", GOOD);
    home.run(&["import", "good.json"]);
    home.run(&["export", "--type", "contexts", "--format", "json", "-o", "out.json"]);
    for (kind, option, said) in [
        ("import", "-o", "is an import, expected an export"),
        ("export", "--rejects", "of the kind export, expected an import"),
    ] {
        let operation = home.wait_for_operation(|operation| operation["type"] == kind);
        let id = operation["operationId"].as_str().unwrap();
        let outcome = home.run(&["operations", "watch", id, option, "file"]);
        assert!(outcome.code == Some(2) && outcome.stderr.contains(said), "{outcome:?}");
        assert!(!home.path("file").exists());
    }
}

#[test]
fn what_the_name_of_a_file_says_is_what_is_in_it() {
    let home = Home::new();
    home.write("good.json", GOOD);
    home.run(&["import", "good.json"]);
    for (options, written) in [
        (&["-o", "a.json"][..], Ok("a.json")),
        (&["-o", "b.csv.gz"], Ok("b.csv.gz")),
        (&["-o", "c.xml.zst", "--compression-level", "9"], Ok("c.xml.zst")),
        (&["-o", "d.yaml", "--split", "4KB"], Ok("d.manifest.json")),
        (&["-o", "e.md", "--format", "markdown"], Ok("e.md")),
        (&["-o", "f.json.br", "--format", "ndjson"], Ok("f.json.br")),
        (
            &["-o", "x.csv", "--format", "json"],
            Err("-o: x.csv: found the ending of CSV, expected that of JSON as --format says\n"),
        ),
        (
            &["-o", "x.json.gz", "--format", "json", "--compression", "none"],
            Err("-o: x.json.gz: found the ending of gzip, expected none as --compression says\n"),
        ),
        (
            &["-o", "x.csv", "--format", "json", "--split", "1MB"],
            Err("-o: x.csv: found the ending of CSV, expected that of JSON as --format says\n"),
        ),
        (
            &["-o", "x"],
            Err("--format: found none, and no ending of x that says one; expected one of json, ndjson, csv,"),
        ),
        (
            &["-o", "-"],
            Err("--format: found none, and no ending of - that says one; expected one of json, ndjson, csv,"),
        ),
    ] {
        let outcome = home.run(&[&["export", "--type", "contexts"], options].concat());
        match written {
            Ok(file) => {
                assert_eq!(outcome.code, Some(0), "{outcome:?}");
                let again = home.run(&["import", file, "--skip-duplicates", "--json"]).json();
                assert_eq!((&again["read"], &again["skipped"]), (&2.into(), &2.into()), "{file}: {again}");
            }
            Err(said) => {
                assert_eq!(outcome.code, Some(2), "{outcome:?}");
                assert!(outcome.stderr.contains(said), "{outcome:?}, expected {said}");
                assert!(!home.path(options[1]).exists());
            }
        }
    }
}

#[test]
fn parts_of_an_earlier_export_are_told() {
    let home = Home::new();
    let record = |number: u32| format!(r#"{{"id":"k{number}","title":"t","content":"{}"}}"#, "c".repeat(400));
    home.write("in.ndjson", (0..40).map(record).collect::<Vec<_>>().join("\n"));
    home.run(&["import", "in.ndjson", "--type", "contexts"]);
    let export = |size: &str| home.run(&["export", "--type", "contexts", "-o", "x.ndjson", "--split", size]);
    let first = export("4KB");
    assert!(first.code == Some(0) && !first.stderr.contains("earlier"), "{first:?}");
    let again = export("4KB");
    assert!(!again.stderr.contains("earlier"), "the same names are replaced: {again:?}");
    let fewer = export("8KB");
    let said = "found parts of an earlier export beside the new ones: x.0001-of-0005.ndjson, x.0002-of-0005.ndjson, ";
    assert!(fewer.code == Some(0) && fewer.stderr.contains(said), "{fewer:?}");
    assert!(fewer.stderr.ends_with("; x.manifest.json does not name them, and they stay\n"), "{fewer:?}");
    let imported = home.run(&["import", "x.manifest.json", "--skip-duplicates", "--json"]).json();
    assert_eq!((&imported["read"], &imported["skipped"]), (&40.into(), &40.into()));
    assert!(home.path("x.0001-of-0005.ndjson").exists());
}

#[test]
fn an_empty_table_gives_an_empty_file_of_its_format() {
    let home = Home::new();
    for (format, expected) in [("json", "[]"), ("csv", "id,title,userId,createdAt,updatedAt,metadata")] {
        let outcome = home.run(&["export", "--type", "sessions", "--format", format, "-o", "out"]);
        assert!(outcome.stdout.contains("the table sessions has no rows"), "{outcome:?}");
        let found: String = home.read("out").chars().filter(|character| !character.is_whitespace()).collect();
        assert_eq!(found, expected);
    }
}
