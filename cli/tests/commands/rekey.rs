//! `carrack rekey`: files that open with another key afterwards, and with the old one no more.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::support::{Home, Outcome};

/// 32 bytes in hex: used as the key, which takes no time.
const RAW: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const OTHER: &str = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Sixty records, sealed under `OLD`, in files of 2 KB at most.
fn sealed_home() -> Home {
    let mut home = Home::new();
    home.set("OLD", RAW);
    home.set("NEW", OTHER);
    let records: String = (0..60)
        .map(|id| format!("{{\"id\":\"{id}\",\"title\":\"t\",\"content\":\"{id:0>100}\"}}\n"))
        .collect();
    home.write("a.ndjson", records);
    assert_eq!(home.run(&["import", "a.ndjson"]).code, Some(0));
    let export = ["export", "--type", "contexts", "--format", "ndjson", "-o", "x.ndjson"];
    let outcome = home.run(&[&export[..], &["--key", "env:OLD", "--split", "2KB"]].concat());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    home
}

/// Checks the sealed files against the records that are there already.
fn import(home: &Home, key: &str) -> Outcome {
    home.run(&["import", "x.manifest.json", "--key", key, "--skip-duplicates", "--json"])
}

fn rekey(home: &Home, file: &str, old: &str, new: &str) -> Outcome {
    home.run(&["rekey", file, "--key", old, "--new-key", new])
}

#[test]
fn only_the_new_key_opens_afterwards() {
    let home = sealed_home();
    let length = home.path("x.0001-of-0005.ndjson").metadata().unwrap().len();
    let outcome = rekey(&home, "x.manifest.json", "env:OLD", "env:NEW");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.starts_with("5 files have the new key"), "{outcome:?}");
    assert_eq!(home.path("x.0001-of-0005.ndjson").metadata().unwrap().len(), length);
    assert_eq!(import(&home, "env:OLD").code, Some(2));
    assert_eq!(import(&home, "env:NEW").json()["skipped"], 60);
    let manifest: serde_json::Value = serde_json::from_str(&home.read("x.manifest.json")).unwrap();
    for file in manifest["files"].as_array().unwrap() {
        let content = std::fs::read(home.path(file["name"].as_str().unwrap())).unwrap();
        let hash: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(file["sha256"], hash);
    }
    assert!(!backups(&home), "no old header is left");
}

#[test]
fn what_was_not_finished_is_finished_by_the_same_command() {
    let home = sealed_home();
    assert_eq!(rekey(&home, "x.0003-of-0005.ndjson", "env:OLD", "env:NEW").code, Some(0));
    assert_eq!(rekey(&home, "x.manifest.json", "env:OLD", "env:NEW").code, Some(0));
    assert_eq!(import(&home, "env:NEW").json()["skipped"], 60);
}

#[test]
fn a_header_that_was_half_written_is_taken_from_beside_its_file() {
    let home = sealed_home();
    let file = home.path("x.0002-of-0005.ndjson");
    let whole = std::fs::read(&file).unwrap();
    for written in [0, 60, 115] {
        let mut torn = whole.clone();
        torn[..written].iter_mut().for_each(|byte| *byte ^= 0x55);
        std::fs::write(&file, torn).unwrap();
        home.write("x.0002-of-0005.ndjson.old-header", &whole[..116]);
        let [old, new] = if written == 60 { ["env:NEW", "env:OLD"] } else { ["env:OLD", "env:NEW"] };
        // The kept header is under the key of the beginning, whichever of the two that is now.
        let outcome = rekey(&home, "x.manifest.json", old, new);
        assert_eq!(outcome.code, Some(0), "{written}: {outcome:?}");
        assert!(!backups(&home), "{written}");
        assert_eq!(import(&home, new).json()["skipped"], 60, "{written}");
    }
}

#[test]
fn one_file_that_does_not_open_leaves_all_as_they_were() {
    let home = sealed_home();
    home.write("plain.json", "[]");
    let old = home.read("x.manifest.json");
    for (files, keys, expected) in [
        (&["x.0001-of-0005.ndjson"][..], ["NEW", "NEW"], "x.0001-of-0005.ndjson: the key does not open it"),
        (
            &["x.manifest.json", "plain.json"],
            ["OLD", "NEW"],
            "plain.json: found a file that is not encrypted",
        ),
        (&["plain.json"], ["NO_SUCH", "NEW"], "--key: the variable NO_SUCH: it is not set"),
        (&["plain.json"], ["OLD", "NO_SUCH"], "--new-key: the variable NO_SUCH: it is not set"),
    ] {
        let [key, new] = keys.map(|name| format!("env:{name}"));
        let outcome = home.run(&[&["rekey"], files, &["--key", &key, "--new-key", &new]].concat());
        assert!(outcome.code == Some(2) && outcome.stderr.contains(expected), "{outcome:?}");
    }
    assert_eq!(home.read("x.manifest.json"), old);
    assert_eq!(import(&home, "env:OLD").json()["skipped"], 60);
}

fn backups(home: &Home) -> bool {
    let folder = home.path("x.manifest.json");
    let entries = std::fs::read_dir(folder.parent().unwrap_or(Path::new("."))).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name())
        .any(|name| name.to_string_lossy().ends_with(".old-header"))
}
