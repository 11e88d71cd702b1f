//! `carrack import`: reports, rejects, exit codes, and taking up what is unfinished.

use serde_json::Value;

use crate::support::{GOOD, Home, MIXED};

#[test]
fn an_import_reports_and_a_second_one_skips_all() {
    let home = Home::new();
    home.write("good.json", GOOD);
    let first = home.run(&["import", "good.json"]);
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(first.stdout.contains("into contexts: succeeded\n  read                   2"), "{first:?}");
    let second = home.run(&["import", "good.json", "--skip-duplicates"]);
    assert_eq!(second.code, Some(0), "{second:?}");
    assert!(second.stdout.contains("all 2 were skipped"), "{second:?}");
    let third = home.run(&["import", "good.json", "--overwrite", "--json"]).json();
    assert_eq!((&third["unchanged"], &third["updated"]), (&2.into(), &0.into()), "{third}");
}

#[test]
fn programs_get_one_object_with_fixed_names() {
    let home = Home::new();
    home.write("good.json", GOOD);
    let outcome = home.run(&["import", "good.json", "--json"]);
    let report = outcome.json();
    let names: Vec<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "operationId",
        "status",
        "read",
        "created",
        "updated",
        "unchanged",
        "skipped",
        "rejected",
        "bytes",
        "seconds",
        "rejectsFile",
    ];
    assert_eq!(names, expected);
    assert!(report["rejectsFile"].is_null() && outcome.stdout.lines().count() == 1, "{outcome:?}");
}

#[test]
fn a_dry_run_of_all_or_nothing_ends_as_the_import_does() {
    let home = Home::new();
    home.write("mixed.csv", MIXED);
    let strict = ["import", "mixed.csv", "--on-error", "strict", "--json"];
    let (dry, real) = (home.run(&[&strict[..], &["--dry-run"]].concat()), home.run(&strict));
    assert_eq!((dry.code, real.code), (Some(1), Some(1)), "{dry:?} {real:?}");
    let counts = |report: &Value| ["created", "skipped", "rejected"].map(|count| report[count].clone());
    assert_eq!(counts(&dry.json()), counts(&real.json()));
    assert_eq!(counts(&dry.json()), [0, 1, 2].map(Value::from));
    let failure = dry.json()["failure"]["message"].as_str().unwrap().to_owned();
    assert!(failure.ends_with("2 of 3 records are refused, so none would be imported"), "{failure}");
}

#[test]
fn an_input_of_text_without_records_is_no_success() {
    let home = Home::new();
    home.write("notes.md", "## Context 1\n**id:** 1\n");
    let outcome = home.run(&["import", "notes.md", "--type", "contexts"]);
    assert!(outcome.code == Some(1) && outcome.stdout.contains("no heading of a record"), "{outcome:?}");
}

#[test]
fn a_dry_run_changes_nothing_and_the_import_comes_as_it_said() {
    let home = Home::new();
    home.write("mixed.csv", MIXED);
    let dry = home.run(&["import", "mixed.csv", "--dry-run"]);
    assert_eq!(dry.code, Some(3), "{dry:?}");
    assert!(dry.stdout.starts_with("dry run ") && dry.stdout.contains("\nnothing was changed\n"), "{dry:?}");
    assert!(dry.stdout.contains("\nwould be created:\n  mixed.csv: record 1, key \"a\"\n"), "{dry:?}");
    let dry = home.run(&["import", "mixed.csv", "--dry-run", "--json"]).json();
    assert_eq!((&dry["created"], &dry["rejected"]), (&1.into(), &2.into()), "the table was as before: {dry}");
    assert_eq!(home.lines(dry["rejectsFile"].as_str().unwrap()).len(), 2);
    let real = home.run(&["import", "mixed.csv", "--json"]).json();
    assert_eq!((&real["created"], &real["rejected"]), (&1.into(), &2.into()), "{real}");
    assert_eq!(real["prediction"]["operationId"], dry["operationId"], "the newest one");
    assert_eq!(real["prediction"]["cameTrue"], true, "{real}");
    let late = home.run(&["import", "mixed.csv", "--on-error", "skip-errors"]);
    assert!(late.stdout.contains("which said 1 created, 2 rejected"), "{late:?}");
}

#[test]
fn bad_records_are_told_and_kept_with_their_place() {
    let home = Home::new();
    home.write("mixed.csv", MIXED);
    let outcome = home.run(&["import", "mixed.csv"]);
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    let place = "mixed.csv: record 2 (line 3, byte 54): field \"createdAt\": ";
    let id = outcome.stdout.split_whitespace().nth(1).unwrap();
    let file = format!("mixed.csv.{id}.rejects.ndjson");
    assert!(outcome.stdout.contains(&format!("rejects are in {file}\n")), "{outcome:?}");
    assert!(outcome.stdout.contains(place), "{outcome:?}");
    let rejects = home.lines(&file);
    assert_eq!(rejects.len(), 2);
    let first = &rejects[0];
    let expected = serde_json::json!({
        "file": "mixed.csv", "record": 2, "line": 3, "byteStart": 54, "byteEnd": 70, "field": "createdAt",
        "stage": "validate", "code": "date.invalid", "raw": "b,B,2,31/02/2024",
    });
    for (name, expected) in expected.as_object().unwrap() {
        assert_eq!(&first[name], expected, "{name} in {first}");
    }
    assert_eq!(first["faults"][0]["code"], "date.invalid");
}

#[test]
fn rejects_go_where_the_user_wants_them() {
    let home = Home::new();
    home.write("mixed.csv", MIXED);
    let args = ["import", "mixed.csv", "--on-error", "skip-errors", "--rejects", "bad.ndjson", "--json"];
    let report = home.run(&args).json();
    assert_eq!((&report["rejectsFile"], &report["rejected"]), (&"bad.ndjson".into(), &2.into()));
    assert_eq!(home.lines("bad.ndjson").len(), 2);
    let counted = home.run(&["import", "mixed.csv", "--on-error", "skip-errors", "--rejects", "bad.ndjson"]);
    assert!(counted.stdout.ends_with("rejects are in bad.ndjson\n"), "{counted:?}");
    assert_eq!(home.lines("bad.ndjson").len(), 3);
    home.write("good.json", r#"{"id":"z","title":"Z","content":"1"}"#);
    let clean = home.run(&["import", "good.json", "--rejects", "bad.ndjson"]);
    assert!(clean.stdout.ends_with("no rejects: bad.ndjson is empty\n"), "{clean:?}");
    assert_eq!(home.read("bad.ndjson"), "", "an earlier import's rejects do not stay under the name");
}

#[test]
fn no_run_writes_over_the_rejects_of_another() {
    let home = Home::new();
    home.write("mixed.csv", MIXED);
    let run = |args: &[&str]| {
        let report = home.run(args).json();
        let file = report["rejectsFile"].as_str().map(ToOwned::to_owned);
        (report["operationId"].as_str().unwrap().to_owned(), file)
    };
    let (first, file) = run(&["import", "mixed.csv", "--json"]);
    let file = file.unwrap();
    let (_, second) = run(&["import", "mixed.csv", "--json"]);
    assert_ne!(second.as_ref(), Some(&file));
    assert_eq!(home.lines(&second.unwrap()).len(), 3, "the good record is a duplicate the second time");
    assert_eq!(home.lines(&file).len(), 2, "as the first run left it");
    let (_, watched) = run(&["operations", "watch", &first, "--json"]);
    assert_eq!(watched.as_ref(), Some(&file), "the same rejects have the same name");
    assert_eq!(home.lines(&file).len(), 2);
}

#[test]
fn nothing_to_import_is_explained() {
    let home = Home::new();
    home.write("nothing.json", "[]");
    let outcome = home.run(&["import", "nothing.json", "--type", "contexts"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.contains("no record was found"), "{outcome:?}");
    let doubtful = home.run(&["import", "nothing.json"]);
    assert_eq!(doubtful.code, Some(2), "{doubtful:?}");
    assert!(doubtful.stderr.contains("error: --type: nothing.json: holds no record"), "{doubtful:?}");
}

#[test]
fn what_is_no_file_of_records_is_refused_and_starts_nothing() {
    let home = Home::new();
    home.write("empty.csv", "");
    std::fs::create_dir(home.path("folder")).unwrap();
    for (file, said) in [
        ("missing.json", "missing.json: No such file or directory"),
        ("folder", "folder: found a directory, expected a file"),
        ("empty.csv", "empty.csv: found an empty file, expected JSON, CSV, XML, YAML or Markdown in UTF-8"),
        ("/dev/null", "/dev/null: found a pipe or device"),
        ("-", "stdin: found an empty file"),
    ] {
        let outcome = home.run(&["import", file]);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        let told = format!("error: {said}");
        assert!(outcome.stderr.starts_with(&told), "{outcome:?}, expected {told}");
        assert_eq!(outcome.stderr.lines().count(), 1, "one line: {outcome:?}");
    }
    assert_eq!(home.run(&["operations", "list", "--json"]).json(), serde_json::json!([]));
}

#[test]
fn a_key_alone_tells_no_type() {
    let home = Home::new();
    home.write("people.csv", "id,name,age\n1,Ann,30\n");
    let refused = home.run(&["import", "people.csv"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("the fields [id, name, age] fit none of the types"), "{refused:?}");
    assert_eq!(home.run(&["import", "people.csv", "--type", "sessions"]).code, Some(0));
}

#[test]
fn a_source_that_breaks_off_is_told_once() {
    let home = Home::new();
    home.write("cut.json", r#"[{"id":"a","title":"A","content":"1"},{"id":"b""#);
    let outcome = home.run(&["import", "cut.json"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stdout.contains("(json.truncated)"), "{outcome:?}");
    assert_eq!(outcome.stderr, "", "the report says it all");
    let id = outcome.stdout.split_whitespace().nth(1).unwrap();
    let reject = &home.lines(&format!("cut.json.{id}.rejects.ndjson"))[0];
    assert!(reject["field"].is_null() && reject["faults"][0].get("field").unwrap().is_null(), "{reject}");
}

#[test]
fn that_another_operation_goes_on_is_told() {
    let home = Home::new();
    home.write("good.json", GOOD);
    home.write("other.json", GOOD);
    let id = home.leave_unfinished(&["import", "good.json"]);
    let next = home.run(&["import", "other.json", "--skip-duplicates", "--json"]);
    let told = format!("operation {id} was left unfinished, and goes on while this command runs");
    assert!(next.stderr.contains(&told), "{next:?}");
    let [ended, unfinished] =
        ["has ended meanwhile: succeeded", "is still unfinished; `carrack operations watch"];
    let ends = [ended, unfinished].map(|end| next.stderr.contains(&format!("operation {id} {end}")));
    assert!(ends[0] != ends[1], "{next:?}");
    assert!(!next.stderr.contains(next.json()["operationId"].as_str().unwrap()), "{next:?}");
}

#[test]
fn why_another_operation_has_failed_meanwhile_is_told() {
    let home = Home::new();
    home.write("good.json", GOOD);
    let id = home.leave_unfinished(&["import", "good.json"]);
    home.write("good.json", GOOD.replacen("\"id\"", "\"other\"", 1));
    let next = home.run(&["import", "good.json", "--overwrite", "--type", "contexts"]);
    let failed = next.stderr.contains(&format!("operation {id} has ended meanwhile: failed: good.json: "));
    // This import may have ended before the other one was looked at.
    let goes_on =
        next.stderr.contains(&format!("operation {id} is still unfinished; `carrack operations watch {id}`"));
    assert!(failed != goes_on, "{next:?}");
    let watched = home.run(&["operations", "watch", &id]);
    assert!(watched.code == Some(1) && watched.stdout.contains("(source.changed)"), "{watched:?}");
}

#[test]
fn the_same_import_takes_up_the_unfinished_one() {
    let home = Home::new();
    home.write("good.json", GOOD);
    let lock = home.hold_lock();
    let first = home.start(&["import", "good.json"]);
    first.wait_for_note("another process");
    let unfinished = home.wait_for_operation(|operation| operation["status"] == "running");
    let second = home.start(&["import", "good.json", "--json"]);
    second.wait_for_note("continuing the unfinished import");
    let new = home.start(&["import", "good.json", "--new", "--json"]);
    new.wait_for_note("another process");
    drop(lock);
    let report = second.outcome().json();
    assert_eq!(report["operationId"], unfinished["operationId"]);
    let waited = first.outcome();
    let new = new.outcome();
    // Both run side by side, and whichever comes first to a key creates its record.
    let both = [&report, &new.json()].map(|one| (one["created"].as_u64(), one["rejected"].as_u64()));
    assert!([(Some(2), Some(0)), (Some(0), Some(2))].contains(&both[0]) && both[0] != both[1], "{both:?}");
    assert_ne!(new.json()["operationId"], report["operationId"], "it was another import: {new:?}");
    let code = if both[0].0 == Some(2) { 0 } else { 3 };
    assert_eq!(waited.code, Some(code), "the process that was waiting sees the end too");
}

#[test]
fn an_interrupt_cancels_and_a_second_one_leaves() {
    let home = Home::new();
    home.write("good.json", GOOD);
    let lock = home.hold_lock();
    let import = home.start(&["import", "good.json", "--json"]);
    import.wait_for_note("another process");
    home.wait_for_operation(|operation| operation["status"] == "running");
    import.signal("INT");
    home.wait_for_operation(|operation| operation["status"] == "cancelling");
    drop(lock);
    let outcome = import.outcome();
    assert_eq!(outcome.code, Some(130), "{outcome:?}");
    assert_eq!((&outcome.json()["status"], &outcome.json()["created"]), (&"cancelled".into(), &0.into()));

    let _lock = home.hold_lock();
    let import = home.start(&["import", "good.json"]);
    import.wait_for_note("another process");
    home.wait_for_operation(|operation| operation["status"] == "running");
    import.signal("INT");
    import.wait_for_note("Ctrl-C once more");
    import.signal("INT");
    let outcome = import.outcome();
    assert_eq!(outcome.code, Some(130), "{outcome:?}");
    assert!(outcome.stderr.contains("`carrack operations watch"), "{outcome:?}");
}

#[test]
fn what_continues_is_the_whole_command() {
    let home = Home::new();
    home.write("good.json", GOOD);
    home.write("my.toml", "");
    std::fs::create_dir(home.path("carrack-data")).unwrap();
    std::os::unix::fs::symlink("carrack-data", home.path("my data")).unwrap();
    let _lock = home.hold_lock();
    let import = home.start(&["import", "good.json", "--config", "my.toml", "--data-dir", "my data"]);
    import.wait_for_note("another process");
    import.signal("TERM");
    let outcome = import.outcome();
    let flags = " --config my.toml --data-dir 'my data'` continues it";
    assert!(outcome.code == Some(130) && outcome.stderr.contains(flags), "{outcome:?}");
}
