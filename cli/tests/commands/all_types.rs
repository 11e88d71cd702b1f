//! Every type with one operation: files of each, the manifest that says which is which, and the way back.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Home, Outcome, Server};

/// The keys of both types are the same, and so are two of each.
const CONTEXTS: &str = r#"[{"id":"a","title":"A","content":"1"},{"id":"b","title":"B","content":"2"},
    {"id":"a","title":"again","content":"3"},{"id":"c","title":"C","content":"4","createdAt":"31/02/2024"}]"#;
const SESSIONS: &str =
    r#"[{"id":"b","title":"S","userId":"u"},{"id":"a","userId":"v"},{"id":"b","userId":"w"}]"#;

const FORMATS: [&str; 6] = ["json", "ndjson", "csv", "xml", "yaml", "markdown"];

/// A store with two contexts and two sessions.
fn filled() -> (Home, Outcome) {
    let home = Home::new();
    home.write("contexts.json", CONTEXTS);
    home.write("sessions.json", SESSIONS);
    let args = ["import", "contexts.json", "sessions.json", "--batch-size", "1", "--json"];
    let outcome = home.run(&[&args[..], &["--type", "all"]].concat());
    (home, outcome)
}

fn counts(data_type: &str, [read, created, skipped, rejected]: [u64; 4]) -> Value {
    json!({"dataType": data_type, "read": read, "created": created, "updated": 0, "unchanged": 0,
           "skipped": skipped, "rejected": rejected})
}

#[test]
fn each_file_has_the_type_that_its_fields_tell() {
    let (home, outcome) = filled();
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    let report = outcome.json();
    let expected = [counts("contexts", [4, 2, 0, 2]), counts("sessions", [3, 2, 0, 1])];
    assert_eq!((&report["read"], &report["byType"]), (&7.into(), &json!(expected)), "{report}");
    let id = report["operationId"].as_str().unwrap();
    let lines = home.lines(&format!("contexts.json.{id}.rejects.ndjson"));
    let winner = |line: &Value| (line["file"].clone(), line["record"].clone(), line["winner"].clone());
    let expected = [
        (json!("contexts.json"), json!(3), json!({"file": "contexts.json", "record": 1})),
        (json!("contexts.json"), json!(4), Value::Null),
        (json!("sessions.json"), json!(3), json!({"file": "sessions.json", "record": 1})),
    ];
    assert_eq!(lines.iter().map(winner).collect::<Vec<_>>(), expected);
    let shown = home.run(&["operations", "show", id, "--json"]).json();
    assert_eq!((&shown["dataType"], &shown["fileTypes"]), (&"all".into(), &json!(["contexts", "sessions"])));
    let evidence = shown["typeEvidence"].as_str().unwrap();
    for told in ["contexts.json holds contexts: 4 of the first 4", "sessions.json holds sessions: 3 of the"] {
        assert!(evidence.contains(told), "{evidence}");
    }
    let again = home.run(&["import", "contexts.json", "sessions.json", "--type", "all", "--skip-duplicates"]);
    assert!(
        again
            .stdout
            .contains("\n  of contexts: 4 read, 3 skipped, 1 rejected\n  of sessions: 3 read, 3 skipped\n")
    );
}

#[test]
fn the_files_of_all_types_are_imported_by_their_manifest() {
    let (home, _) = filled();
    std::fs::create_dir(home.path("backup")).unwrap();
    for (output, first, names) in [
        ("backup", "backup/manifest.json", &["backup/contexts.csv", "backup/sessions.csv"][..]),
        ("out.csv", "out.manifest.json", &["out.contexts.csv", "out.sessions.csv"]),
    ] {
        let export = home.run(&["export", "--type", "all", "--format", "csv", "-o", output]);
        assert_eq!(export.code, Some(0), "{export:?}");
        assert!(export.stdout.ends_with(&format!("written to {first}\n")), "{export:?}");
        assert!(
            export.stdout.contains("\n  of contexts: 2 records\n  of sessions: 2 records\n"),
            "{export:?}"
        );
        for (name, head) in names.iter().zip(["id,title,content", "id,title,userId"]) {
            assert!(home.read(name).starts_with(head), "{name}");
        }
        let manifest: Value = serde_json::from_str(&home.read(first)).unwrap();
        let types: Vec<_> =
            manifest["files"].as_array().unwrap().iter().map(|file| &file["dataType"]).collect();
        assert_eq!((&manifest["dataType"], json!(types)), (&json!("all"), json!(["contexts", "sessions"])));
        let other = Home::new();
        let manifest = home.path(first);
        let import = other.run(&["import", manifest.to_str().unwrap(), "--json"]);
        let expected = [counts("contexts", [2, 2, 0, 0]), counts("sessions", [2, 2, 0, 0])];
        assert_eq!((import.code, &import.json()["byType"]), (Some(0), &json!(expected)), "{import:?}");
    }
}

#[test]
fn what_does_not_fit_the_manifest_is_named_and_nothing_starts() {
    let (home, _) = filled();
    home.run(&["export", "--type", "all", "--format", "json", "-o", "x.json"]);
    let [contexts, sessions] = ["x.contexts.json", "x.sessions.json"].map(|name| home.read(name));
    let other = Home::new();
    let manifest = home.path("x.manifest.json");
    let manifest = manifest.to_str().unwrap();
    let refused = |args: &[&str], said: &str| {
        let outcome = other.run(args);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains(said), "{outcome:?}, expected {said}");
    };
    let asked = "--type: found a manifest of all, expected one of contexts as was asked for; import it with --type all";
    refused(&["import", manifest, "--type", "contexts"], asked);
    home.write("x.contexts.json", &sessions);
    home.write("x.sessions.json", &contexts);
    refused(&["import", manifest], "x.contexts.json: found ");
    refused(&["import", manifest], "x.sessions.json: found ");
    home.write("x.contexts.json", &contexts);
    std::fs::remove_file(home.path("x.sessions.json")).unwrap();
    refused(&["import", manifest], "x.sessions.json: No such file");
    let apart = ["contexts.json", "sessions.json"].map(|name| home.path(name).to_str().unwrap().to_owned());
    let mixed = "sessions.json: found sessions, expected contexts as in the first file; import them apart, or together";
    refused(&["import", &apart[0], &apart[1]], mixed);
    assert_eq!(other.run(&["operations", "list", "--json"]).json(), json!([]));
}

#[test]
fn tables_without_rows_come_back_as_none() {
    let home = Home::new();
    for format in FORMATS {
        for compression in ["none", "gzip", "brotli", "zstd"] {
            let export =
                ["export", "--type", "all", "--format", format, "--compression", compression, "-o", "x"];
            let exported = home.run(&export);
            assert_eq!(exported.code, Some(0), "{exported:?}");
            assert!(exported.stdout.contains("no table has any rows"), "{exported:?}");
            let imported = home.run(&["import", "x.manifest.json", "--json"]);
            let expected = [counts("contexts", [0; 4]), counts("sessions", [0; 4])];
            assert_eq!(
                (imported.code, &imported.json()["byType"]),
                (Some(0), &json!(expected)),
                "{imported:?}"
            );
        }
    }
    home.write("none", "");
    for format in ["ndjson", "markdown"] {
        let told = home.run(&["import", "none", "--type", "contexts", "--format", format]);
        assert!(told.code == Some(0) && told.stdout.contains("no record was found"), "{told:?}");
    }
}

/// Runs `tar` on an archive; answers what it printed.
fn tar(home: &Home, args: &[&str], archive: &[u8]) -> String {
    home.write("all.tar", archive);
    let run =
        Command::new("tar").args(args).current_dir(home.path("")).stdin(Stdio::null()).output().unwrap();
    assert!(run.status.success(), "{run:?}");
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn standard_output_gets_an_archive_of_several_files() {
    let (home, _) = filled();
    for (flags, names) in [
        (&["--type", "all"][..], "contexts.json.gz\nsessions.json.gz\nmanifest.json\n".to_owned()),
        (
            &["--type", "all", "--split", "1KiB"],
            "contexts.0001-of-0001.json.gz\nsessions.0001-of-0001.json.gz\nmanifest.json\n".to_owned(),
        ),
    ] {
        let export = ["export", "--format", "json", "--compression", "gzip", "-o", "-"];
        let output = home.command(&[&export[..], flags].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(tar(&home, &["tf", "all.tar"], &output.stdout), names);
        tar(&home, &["xf", "all.tar"], &output.stdout);
        let import = home.run(&["import", "manifest.json", "--overwrite", "--json"]);
        assert_eq!((import.code, &import.json()["unchanged"]), (Some(0), &4.into()), "{import:?}");
        let packed = home.run(&["import", "all.tar"]);
        assert!(packed.code == Some(2) && packed.stderr.contains("found a tar archive"), "{packed:?}");
    }
}

#[test]
fn names_that_are_too_long_for_a_header_of_an_archive_come_whole() {
    let (home, _) = filled();
    for length in [85, 100, 120, 200] {
        let stem = "n".repeat(length);
        for flags in [&["--type", "all"][..], &["--type", "contexts", "--split", "1KiB"]] {
            let output = format!("{stem}.json");
            let export = home.run(&[&["export", "--format", "json", "-o", &output][..], flags].concat());
            assert_eq!(export.code, Some(0), "{export:?}");
            let import = home.run(&["import", &format!("{stem}.manifest.json"), "--overwrite"]);
            assert_eq!(import.code, Some(0), "{import:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_gives_and_takes_every_type() {
    let (home, _) = filled();
    let server = Server::start(&home);
    let export = server.post("export", r#"{"dataType":"all","options":{"format":"xml"}}"#, 202).await;
    let ended = server.ended(&export).await;
    assert_eq!((&ended["status"], &ended["dataType"]), (&"succeeded".into(), &"all".into()), "{ended}");
    assert_eq!(ended["files"], json!(["contexts.xml", "sessions.xml"]), "{ended}");
    assert_eq!(ended["byType"][1]["read"], 2, "{ended}");
    let path = format!("operations/{}/download", ended["operationId"].as_str().unwrap());
    for (query, names) in [
        ("", "contexts.xml\nsessions.xml\nmanifest.json\n"),
        ("?name=my.xml", "my.contexts.xml\nmy.sessions.xml\nmy.manifest.json\n"),
    ] {
        let request = server.client.get(server.at(&format!("{path}{query}"))).bearer_auth(&server.token);
        let archive = request.send().await.unwrap().bytes().await.unwrap();
        assert_eq!(tar(&home, &["tf", "all.tar"], &archive), names);
        tar(&home, &["xf", "all.tar"], &archive);
    }
    let [contexts, sessions, manifest] = ["contexts.xml", "sessions.xml", "manifest.json"]
        .map(|name| (format!("file:{name}"), home.read(name)));
    let options = ("options".to_owned(), r#"{"skipDuplicates":true}"#.to_owned());
    for data_type in ["all", "auto-detect"] {
        let data_type = ("dataType".to_owned(), data_type.to_owned());
        let parts = [&sessions, &manifest, &options, &data_type, &contexts];
        let parts: Vec<(&str, &str)> =
            parts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let imported = server.ended(&server.import(&parts, 202).await).await;
        let expected = [counts("contexts", [2, 0, 2, 0]), counts("sessions", [2, 0, 2, 0])];
        assert_eq!(imported["byType"], json!(expected), "{imported}");
        assert_eq!(imported["typeEvidence"], "the manifest says so", "{imported}");
    }
    let stopped = server.stop();
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
}
