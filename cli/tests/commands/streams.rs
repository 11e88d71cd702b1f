//! Standard input and output as files, and the files of an export that another process has made.

use std::io::Write as _;
use std::process::Stdio;

use crate::support::{Home, Outcome, Server};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const RECORDS: u64 = 400;

fn records() -> String {
    (0..RECORDS)
        .map(|number| {
            format!("{{\"id\":\"{number:04}\",\"title\":\"t\",\"content\":\"{:x<100}\"}}\n", number)
        })
        .collect()
}

fn home() -> Home {
    let mut home = Home::new();
    home.set("KEY", KEY);
    home
}

/// Runs a command with these bytes on its standard input.
fn fed(home: &Home, args: &[&str], input: &[u8]) -> Outcome {
    let mut child = home.command(args).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeding = std::thread::spawn(move || {
        // A command that refuses what it is fed does not read to the end.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Outcome { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// What a command wrote to standard output, to the byte, and what it said beside it.
fn drained(home: &Home, args: &[&str]) -> (Vec<u8>, String) {
    let output = home.command(args).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    (output.stdout, said)
}

/// Out of one store and into another, through pipes, `via` the same flags for both.
fn through_pipes(from: &Home, to: &Home, via_from: &[&str], via_to: &[&str]) {
    let export = ["export", "--type", "contexts", "--format", "ndjson", "-o", "-"];
    for (layers, import) in [
        (&[][..], &[][..]),
        (&["--compression", "gzip"], &[]),
        (&["--compression", "brotli"], &["--compression", "brotli"]),
        (&["--compression", "zstd", "--key", "env:KEY"], &["--key", "env:KEY"]),
    ] {
        let (bytes, said) = drained(from, &[&export[..], layers, via_from].concat());
        assert!(said.contains("of contexts: succeeded\n"), "{said}");
        let import = [&["import", "-", "--overwrite"][..], import, via_to].concat();
        let outcome = fed(to, &import, &bytes);
        assert_eq!(outcome.code, Some(0), "{layers:?}: {outcome:?}");
        assert!(outcome.stdout.contains(&format!("read                 {RECORDS}\n")), "{outcome:?}");
        let (again, _) = drained(to, &[&export[..], via_to].concat());
        assert!(again == records().as_bytes(), "{layers:?}: other records came back");
    }
}

#[test]
fn an_export_flows_through_a_pipe_into_an_import() {
    let (from, to) = (home(), home());
    from.write("records.ndjson", records());
    from.run(&["import", "records.ndjson"]);
    through_pipes(&from, &to, &[], &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_take_and_give_streams() {
    let (mut from, mut to) = (home(), home());
    let (giver, taker) = (Server::start(&from), Server::start(&to));
    from.set("CARRACK_TOKEN", &giver.token);
    to.set("CARRACK_TOKEN", &taker.token);
    let sent = fed(&from, &["import", "-", "--server", &giver.url], records().as_bytes());
    assert_eq!(sent.code, Some(0), "{sent:?}");
    through_pipes(&from, &to, &["--server", &giver.url], &["--server", &taker.url]);
}

#[test]
fn rejects_and_refusals_of_standard_input_have_a_name() {
    let home = home();
    let mixed = "id,title,content,createdAt\na,A,1,2024-01-01T00:00:00Z\nb,B,2,31/02/2024\n";
    let outcome = fed(&home, &["import", "-", "--rejects", "bad"], mixed.as_bytes());
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    assert!(outcome.stdout.contains("stdin: record 2 (line 3, byte 54): field \"createdAt\""), "{outcome:?}");
    assert_eq!(home.lines("bad")[0]["file"], "stdin");
    for (args, input, code, said) in [
        (&["import", "-"][..], "", 2, "stdin: "),
        (&["import", "-", "-"], "[]", 2, "found - (standard input) twice, expected it once"),
    ] {
        let outcome = fed(&home, args, input.as_bytes());
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(code), ""), "{outcome:?}");
        assert!(outcome.stderr.contains(said), "{outcome:?}, expected {said}");
    }
}

/// The key stays with whoever made the export: a watch needs none to write its files.
#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_a_sealed_and_split_export_are_written_by_any_process() {
    let (home, mut client) = (home(), Home::new());
    home.write("records.ndjson", records());
    home.run(&["import", "records.ndjson"]);
    let server = Server::start(&home);
    client.set("CARRACK_TOKEN", &server.token);
    for (layers, file, first) in [
        (&["--key", "env:KEY"][..], "a.ndjson.sealed", "a.ndjson.sealed"),
        (&["--split", "8KB", "--compression", "gzip"], "b.ndjson.gz", "b.manifest.json"),
        (&["--split", "8KB", "--key", "env:KEY"], "c.ndjson.sealed", "c.manifest.json"),
    ] {
        let export = ["export", "--type", "contexts", "--format", "ndjson", "-o", file, "--json"];
        let made = home.run(&[&export[..], layers].concat());
        assert_eq!(made.code, Some(0), "{made:?}");
        let id = made.json()["operationId"].as_str().unwrap().to_owned();
        let elsewhere = tempfile::tempdir().unwrap();
        let there = elsewhere.path().join(file);
        let watch = ["operations", "watch", &id, "-o", there.to_str().unwrap()];
        let key: &[&str] = if layers.contains(&"--key") { &["--key", "env:KEY"] } else { &[] };
        for (from, server) in [(&home, &[][..]), (&client, &["--server", &server.url])] {
            let watched = from.run(&[&watch[..], server].concat());
            assert_eq!(watched.code, Some(0), "{watched:?}");
            assert!(watched.stdout.ends_with(&format!("{first}\n")), "{watched:?}");
            let file = elsewhere.path().join(first);
            let import = ["import", file.to_str().unwrap(), "--skip-duplicates", "--json"];
            let read = home.run(&[&import[..], key].concat());
            assert_eq!((read.code, &read.json()["skipped"]), (Some(0), &RECORDS.into()), "{read:?}");
        }
    }
    let stopped = server.stop();
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
}
