//! What nobody may find again: the keys of files, wherever Carrack writes anything.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{GOOD, Home, Outcome, Server, form};

/// A passphrase that stands nowhere else, and a raw key.
const CANARY: &str = "canary-7f3a-correct-horse-battery";
const RAW_CANARY: &str = "c0ffee00c0ffee11c0ffee22c0ffee33c0ffee44c0ffee55c0ffee66c0ffee77";
const OTHER: &str = "another-canary-that-opens-nothing";

/// Everything that must not be found: the texts, the bytes of the raw key, and both in Base64.
fn secrets() -> Vec<Vec<u8>> {
    let raw: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&RAW_CANARY[2 * at..2 * at + 2], 16).unwrap()).collect();
    let texts = [CANARY, RAW_CANARY, OTHER, "Y2FuYXJ5LTdmM2EtY29ycmVjdC1ob3JzZS", "wP/uAMD/7hHA/+4i"];
    texts.iter().map(|text| text.as_bytes().to_vec()).chain([raw]).collect()
}

fn assert_silent(what: &str, bytes: &[u8]) {
    for secret in secrets() {
        let found = bytes.windows(secret.len()).any(|window| window == secret);
        assert!(!found, "{what} tells {:?}", String::from_utf8_lossy(&secret));
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Looks through all that is stored below the home, the database and its journal too.
fn assert_nothing_is_kept(home: &Home) {
    let all = files(&home.path("."));
    assert!(all.iter().any(|path| path.ends_with("carrack.sqlite")), "{all:?}");
    for path in all {
        assert_silent(&path.display().to_string(), &std::fs::read(&path).unwrap());
    }
}

fn assert_tells_nothing(outcome: &Outcome) {
    assert_silent("standard output", outcome.stdout.as_bytes());
    assert_silent("standard error", outcome.stderr.as_bytes());
}

#[test]
fn keys_of_the_command_line_are_told_and_kept_nowhere() {
    let mut home = Home::new();
    home.set("PHRASE", CANARY);
    home.set("RAW", RAW_CANARY);
    home.set("OTHER", OTHER);
    home.write("good.json", GOOD);
    let mut logged = false;
    for (args, code) in [
        (&["import", "good.json"][..], 0),
        (&["export", "--type", "contexts", "--format", "json", "-o", "p.json", "--key", "env:PHRASE"], 0),
        (
            &[
                "export", "--type", "contexts", "--format", "csv", "-o", "r.csv", "--key", "env:RAW",
                "--split", "2KB",
            ],
            0,
        ),
        (&["import", "p.json", "--key", "env:PHRASE", "--skip-duplicates"], 0),
        (&["import", "r.manifest.json", "--key", "env:RAW", "--overwrite", "--json"], 0),
        // Refusals, also of a key where a reference is expected.
        (&["import", "p.json", "--key", "env:OTHER"], 2),
        (&["import", "r.manifest.json", "--key", "env:PHRASE"], 2),
        (&["import", "good.json", "--key", "env:PHRASE"], 2),
        (&["import", "p.json", "--key", CANARY], 2),
        (&["export", "--type", "contexts", "--format", "json", "-o", "x", "--key", RAW_CANARY], 2),
        (&["rekey", "p.json", "--key", "env:OTHER", "--new-key", "env:RAW"], 2),
        (&["rekey", "p.json", "--key", "env:PHRASE", "--new-key", "env:RAW"], 0),
        (&["operations", "list", "--json"], 0),
    ] {
        let outcome = home.run(&[&["-vvv"], args].concat());
        assert_eq!(outcome.code, Some(code), "{outcome:?}");
        assert_tells_nothing(&outcome);
        logged |= outcome.stderr.contains("DEBUG carrack");
    }
    assert!(logged, "nothing was logged, so nothing is shown");
    for operation in home.run(&["operations", "list", "--json"]).json().as_array().unwrap() {
        let id = operation["operationId"].as_str().unwrap();
        assert_tells_nothing(&home.run(&["operations", "show", id, "--json"]));
        assert_tells_nothing(&home.run(&["operations", "show", id]));
    }
    assert_nothing_is_kept(&home);
}

/// The guide's own option.
fn encryption(key: &str) -> Value {
    json!({ "enabled": true, "algorithm": "aes-256-gcm", "key": key })
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_the_api_are_told_and_kept_nowhere() {
    let mut home = Home::new();
    home.set("LOG_LEVEL", "trace");
    let server = Server::start(&home);
    server.ended(&server.import(&[("file:good.json", GOOD)], 202).await).await;
    let options = json!({ "format": "ndjson", "encryption": encryption(CANARY) });
    let body = json!({ "dataType": "contexts", "options": options }).to_string();
    let export = server.post("export", &body, 202).await;
    assert_silent("the answer", export.to_string().as_bytes());
    let report = server.ended(&export).await;
    assert_eq!(report["status"], "succeeded", "{report}");
    assert_silent("the report", report.to_string().as_bytes());
    let id = export["operationId"].as_str().unwrap();
    let download = server.client.get(server.at(&format!("operations/{id}/download")));
    let sealed = download.bearer_auth(&server.token).send().await.unwrap().bytes().await.unwrap();
    assert!(sealed.starts_with(b"\x8fCARRACK"), "{sealed:?}");

    for (key, status) in [(CANARY, 202), (OTHER, 422)] {
        let options = json!({ "skipDuplicates": true, "encryption": encryption(key) }).to_string();
        let file = reqwest::multipart::Part::bytes(sealed.to_vec()).file_name("a.ndjson.sealed");
        let form = form(&[("options", &options)]).part("file", file);
        let request = server.client.post(server.at("import")).header("Idempotency-Key", key.len());
        let answer = server.send(request.multipart(form), status).await;
        assert_silent("the answer", answer.to_string().as_bytes());
        if status == 202 {
            let report = server.ended(&answer).await;
            assert_eq!((&report["status"], &report["skipped"]), (&"succeeded".into(), &2.into()), "{report}");
            assert_silent("the report", report.to_string().as_bytes());
        }
    }
    for mistaken in [
        json!({ "enabled": true, "algorithm": "aes-256-gcm", "key": CANARY, "colour": OTHER }),
        json!({ "enabled": true, "algorithm": OTHER, "key": CANARY }),
        json!({ "enabled": true, "algorithm": "aes-256-gcm", "key": [CANARY] }),
        json!({ "enabled": CANARY, "key": CANARY }),
        json!(CANARY),
    ] {
        let body = json!({ "dataType": "contexts", "options": { "encryption": mistaken } }).to_string();
        let answer = server.post("export", &body, 422).await.to_string().replace(OTHER, "");
        assert_silent("the refusal", answer.as_bytes());
    }
    assert_nothing_is_kept(&home);
    let outcome = server.stop();
    assert!(outcome.stderr.contains("DEBUG carrack"), "{outcome:?}");
    assert_tells_nothing(&outcome);
}
