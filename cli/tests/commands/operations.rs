//! `carrack operations` and `carrack tokens`.

use crate::support::{GOOD, Home, Server};

#[test]
fn an_operation_is_listed_shown_and_watched() {
    let home = Home::new();
    home.write("good.json", GOOD);
    let import = home.run(&["import", "good.json", "--json"]).json();
    let id = import["operationId"].as_str().unwrap();
    let list = home.run(&["operations", "list"]);
    assert!(list.stdout.starts_with(id) && list.stdout.contains("import contexts  succeeded"), "{list:?}");
    let shown = home.run(&["operations", "show", id, "--json"]).json();
    assert_eq!((&shown["importId"], &shown["files"][0]), (&id.into(), &"good.json".into()));
    assert!(home.run(&["operations", "show", id]).stdout.contains("dataType            contexts"));
    let watched = home.run(&["operations", "watch", id, "--json"]);
    assert_eq!((watched.code, &watched.json()["created"]), (Some(0), &2.into()));
    let active = home.run(&["operations", "list", "--active"]);
    assert_eq!(active.stdout, "", "{active:?}");
}

#[test]
fn formats_and_layers_are_shown() {
    let mut home = Home::new();
    home.set("SECRET", "correct horse");
    home.write("good.json", GOOD);
    home.run(&["import", "good.json"]);
    let export = [
        "export",
        "--type",
        "contexts",
        "--format",
        "ndjson",
        "-o",
        "x.ndjson.gz.sealed",
        "--key",
        "env:SECRET",
    ];
    let options = ["--compression", "gzip", "--compression-level", "9", "--json"];
    let exported = home.run(&[&export[..], &options].concat()).json();
    let import = ["import", "x.ndjson.gz.sealed", "--key", "env:SECRET", "--skip-duplicates", "--json"];
    let imported = home.run(&import).json();
    let wide: Vec<u8> = format!("\u{feff}{GOOD}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    home.write("wide.json", wide);
    let encoded = home.run(&["import", "wide.json", "--skip-duplicates", "--json"]).json();
    for (report, json, text) in [
        (
            exported,
            r#""format":"ndjson","compression":"gzip","compressionLevel":9,"encrypted":true,"#,
            "compressionLevel    9",
        ),
        (
            imported,
            r#""sources":[{"name":"x.ndjson.gz.sealed","format":"ndjson","compression":"gzip","encrypted":true}]"#,
            r#"{"name":"x.ndjson.gz.sealed","format":"ndjson","compression":"gzip","encrypted":true}"#,
        ),
        (
            encoded,
            r#""sources":[{"name":"wide.json","format":"json","encoding":"utf-16le"}]"#,
            r#"{"name":"wide.json","format":"json","encoding":"utf-16le"}"#,
        ),
    ] {
        let id = report["operationId"].as_str().unwrap();
        let shown = home.run(&["operations", "show", id, "--json"]);
        assert!(shown.stdout.contains(json), "{shown:?}, expected {json}");
        let shown = home.run(&["operations", "show", id]);
        assert!(shown.stdout.contains(text), "{shown:?}, expected {text}");
        assert!(!shown.stdout.contains("correct horse"), "{shown:?}");
    }
}

#[test]
fn a_refused_record_is_shown_as_it_stood() {
    let home = Home::new();
    let record = r#"{"id":"a","title":12345678901234567890123.10,"x":1,"x":2}"#;
    home.write("bad.json", format!("[\n{record}]"));
    let id = home.run(&["import", "bad.json", "--type", "contexts", "--json"]).json()["operationId"].clone();
    let id = id.as_str().unwrap();
    for args in [&["operations", "show", id][..], &["operations", "show", id, "--json"]] {
        let outcome = home.run(args);
        assert!(outcome.stdout.contains(record), "{outcome:?}");
    }
    let long = format!(r#"[{{"id":"a","content":"{}"}}]"#, "x".repeat(3000));
    home.write("long.json", long);
    let id = home.run(&["import", "long.json", "--type", "contexts", "--json"]).json()["operationId"].clone();
    let shown = home.run(&["operations", "show", id.as_str().unwrap()]);
    let longest = shown.stdout.lines().map(|line| line.chars().count()).max().unwrap();
    assert!((500..600).contains(&longest), "{longest}: {shown:?}");
}

#[test]
fn watching_finishes_what_a_killed_process_left() {
    let home = Home::new();
    home.write("good.json", GOOD);
    let id = home.leave_unfinished(&["import", "good.json"]);
    let watched = home.run(&["operations", "watch", &id]);
    assert_eq!(watched.code, Some(0), "{watched:?}");
    assert!(watched.stdout.contains("created                2"), "{watched:?}");
}

#[test]
fn leaving_a_watch_does_not_cancel() {
    let home = Home::new();
    home.write("good.json", GOOD);
    let _lock = home.hold_lock();
    let import = home.start(&["import", "good.json"]);
    import.wait_for_note("another process");
    let running = home.wait_for_operation(|operation| operation["status"] == "running");
    let id = running["operationId"].as_str().unwrap();
    let watch = home.start(&["operations", "watch", id]);
    watch.wait_for_note("another process");
    watch.signal("INT");
    let outcome = watch.outcome();
    assert_eq!(outcome.code, Some(130), "{outcome:?}");
    assert_eq!(home.run(&["operations", "show", id, "--json"]).json()["status"], "running");
}

#[test]
fn cancelling_ends_it_and_what_has_ended_cannot_be_cancelled() {
    let home = Home::new();
    home.write("good.json", GOOD);
    let lock = home.hold_lock();
    let import = home.start(&["import", "good.json"]);
    import.wait_for_note("another process");
    let running = home.wait_for_operation(|operation| operation["status"] == "running");
    import.signal("KILL");
    drop((import, lock));
    let id = running["operationId"].as_str().unwrap();
    let cancelled = home.run(&["operations", "cancel", id, "--json"]);
    assert_eq!(
        (cancelled.code, &cancelled.json()["status"]),
        (Some(0), &"cancelled".into()),
        "{cancelled:?}"
    );
    let done = home.run(&["import", "good.json", "--json"]).json();
    let late = home.run(&["operations", "cancel", done["operationId"].as_str().unwrap()]);
    assert_eq!(late.code, Some(1), "{late:?}");
    assert!(late.stderr.contains("is succeeded and cannot be cancelled any more"), "{late:?}");
}

/// Two thousand small batches, so that the cancel comes in the middle.
#[test]
fn the_answer_to_a_cancel_has_the_counts_and_errors_of_that_moment() {
    let home = Home::new();
    home.write("bad.json", r#"{"id":"a"}"#.repeat(20_000));
    let args = ["import", "bad.json", "--type", "contexts", "--batch-size", "10", "--json"];
    let import = home.start(&args);
    let running = home.wait_for_operation(|operation| operation["rejected"].as_u64() > Some(0));
    let cancelled = home.run(&["operations", "cancel", running["operationId"].as_str().unwrap(), "--json"]);
    let answer = cancelled.json();
    let report = import.outcome().json();
    assert_eq!((&report["status"], &answer["status"]), (&"cancelled".into(), &"cancelled".into()));
    assert_eq!(answer["rejected"], report["rejected"]);
    assert_eq!(answer["errors"].as_array().unwrap().len(), 20, "{answer}");
}

#[test]
fn an_import_is_undone_once_and_what_others_changed_stays() {
    let home = Home::new();
    let record = |id: &str, title: &str| format!(r#"{{"id":"{id}","title":"{title}","content":"c"}}"#);
    let import = |name: &str, records: &[(&str, &str)], more: &[&str]| {
        let lines: Vec<String> = records.iter().map(|(id, title)| record(id, title)).collect();
        home.write(name, lines.join("\n"));
        let report = home.run(&[&["import", name, "--type", "contexts", "--json"], more].concat()).json();
        report["operationId"].as_str().unwrap().to_owned()
    };
    import("a.ndjson", &[("k1", "one"), ("k2", "two")], &[]);
    let second = import("b.ndjson", &[("k1", "uno"), ("k2", "due"), ("k3", "tre")], &["--overwrite"]);
    import("c.ndjson", &[("k2", "zwei")], &["--overwrite", "--no-undo"]);
    let undo = home.run(&["operations", "undo", &second]);
    assert_eq!(undo.code, Some(3), "{undo:?}");
    for part in [
        &format!(" of import {second} into contexts: succeeded with rejects\n"),
        "  read                   3\n  removed                1\n  restored               1\n",
        "  conflicts              1\n",
        "  the row of the key \"k2\" is one of operation ",
        "(undo.changed)\nconflicts were left alone; --force goes over what others have changed since",
    ] {
        assert!(undo.stdout.contains(part), "{part:?}: {undo:?}");
    }
    let shown = home.run(&["operations", "show", &second, "--json"]).json();
    assert_eq!(shown["status"], "partly_undone");
    let forced = home.run(&["operations", "undo", &second, "--force", "--json"]);
    let report = forced.json();
    assert_eq!((forced.code, &report["parentId"]), (Some(0), &second.as_str().into()), "{forced:?}");
    assert_eq!(
        (&report["restored"], &report["unchanged"], &report["created"]),
        (&1.into(), &1.into(), &0.into())
    );
    let again = home.run(&["operations", "undo", &second]);
    assert_eq!(again.code, Some(1), "{again:?}");
    assert_eq!(again.stderr, format!("error: operation {second} was undone before\n"));
    home.run(&["export", "--type", "contexts", "-o", "out.ndjson"]);
    let rows = home.lines("out.ndjson");
    let titles: Vec<&str> = rows.iter().map(|row| row["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["one", "two"]);
    let undo_id = report["operationId"].as_str().unwrap();
    let of_undo = home.run(&["operations", "undo", undo_id]);
    assert!(of_undo.stderr.contains("is an undo, expected an import"), "{of_undo:?}");
    let watched = home.run(&["operations", "watch", undo_id]);
    assert_eq!(watched.code, Some(0), "{watched:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_at_once_is_undone_through_the_api() {
    let home = Home::new();
    let server = Server::start(&home);
    let import = async |title: &str, options: &str| {
        let file = format!(r#"{{"id":"k1","title":"{title}","content":"c"}}"#);
        let parts = [("dataType", "contexts"), ("options", options), ("file:a.ndjson", &file)];
        server.ended(&server.import(&parts, 202).await).await
    };
    import("one", "{}").await;
    let second = import("uno", r#"{"errorHandling":"strict","overwriteExisting":true}"#).await;
    assert_eq!(second["updated"], 1, "{second}");
    let id = second["operationId"].as_str().unwrap();
    let undo = server.ended(&server.post(&format!("operations/{id}/undo"), "", 202).await).await;
    assert_eq!((&undo["restored"], &undo["parentId"]), (&1.into(), &id.into()), "{undo}");
    assert_eq!(server.get(&format!("operations/{id}")).await["status"], "undone");
    let again = server.post(&format!("operations/{id}/undo"), "", 409).await;
    assert!(again["detail"].as_str().unwrap().contains("was undone before"), "{again}");
    drop(server.stop());
    home.run(&["export", "--type", "contexts", "-o", "out.ndjson"]);
    assert_eq!(home.lines("out.ndjson")[0]["title"], "one");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let home = Home::new();
    home.write("good.json", GOOD);
    home.run(&["import", "good.json"]);
    let mut child = home.command(&["operations", "list"]).spawn().unwrap();
    drop(child.stdout.take());
    let outcome = child.wait_with_output().unwrap();
    assert_eq!((outcome.status.code(), outcome.stderr), (Some(0), Vec::new()));
}

#[test]
fn what_does_not_exist_is_told() {
    let home = Home::new();
    let id = "01a20360-33ff-73c9-b519-204e2a02731b";
    for command in ["show", "watch", "cancel", "rejects", "undo"] {
        let outcome = home.run(&["operations", command, id]);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert_eq!(outcome.stderr, format!("error: there is no operation {id}\n"));
    }
}

#[test]
fn a_new_token_is_all_that_is_printed() {
    let home = Home::new();
    let (one, other) = (home.run(&["tokens", "create"]), home.run(&["tokens", "create"]));
    assert_eq!((one.code, one.stdout.trim().len(), one.stdout.lines().count()), (Some(0), 43, 1));
    assert_ne!(one.stdout, other.stdout);
    for file in ["carrack-data/carrack.sqlite", "carrack-data/carrack.sqlite-wal"] {
        let stored = std::fs::read(home.path(file)).unwrap_or_default();
        let found = stored.windows(43).any(|window| window == one.stdout.trim().as_bytes());
        assert!(!found, "only its hash is stored");
    }
}
