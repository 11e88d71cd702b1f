//! One operation of every type: what one store exports with all its types, another one imports as the same
//! rows of each, whatever is around it, embedded and by a fleet.

use std::path::Path;
use std::time::Duration;

use carrack_tests::fleet::Fleet;
use carrack_tests::hostile;
use carrack_tests::process::{Ended, Process, Setting};
use serde_json::Value;

const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// Records of each type. Their ids are the same in both: no key of one type meets one of the other.
const RECORDS: u32 = 320;

const TYPES: [&str; 2] = ["contexts", "sessions"];

/// Format, compression with its ending, whether it is sealed, whether it is split.
type Way = (&'static str, (&'static str, &'static str), bool, bool);

const WAYS: [Way; 6] = [
    ("json", ("none", ""), false, false),
    ("ndjson", ("gzip", ".gz"), false, true),
    ("csv", ("zstd", ".zst"), true, true),
    ("xml", ("brotli", ".br"), true, false),
    ("yaml", ("none", ""), true, true),
    ("markdown", ("brotli", ".br"), false, true),
];

/// Small enough that every type has several parts.
const PART: &str = "8KiB";

/// A key for the files, and one for what a deployment keeps of it.
const KEYS: [(&str, &str); 2] = [
    ("FILE_KEY", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
    ("CARRACK_MASTER_KEY", "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f"),
];

fn embedded(folder: &Path) -> Setting {
    let variables = KEYS.map(|(name, key)| (name.to_owned(), key.to_owned())).into();
    Setting { folder: folder.to_path_buf(), variables }
}

/// Runs a command that has to succeed.
async fn run(setting: &Setting, args: &[&str]) -> Ended {
    let ended = Process::start("carrack", args, setting).unwrap().wait(ENDS_WITHIN).await.unwrap();
    let said = std::fs::read_to_string(setting.folder.join("carrack.log")).unwrap_or_default();
    assert_eq!(ended.code, Some(0), "{args:?}: {}{said}", ended.stdout);
    ended
}

/// The tables, each as NDJSON.
async fn tables(setting: &Setting) -> Vec<Vec<u8>> {
    let mut tables = Vec::new();
    for data_type in TYPES {
        run(setting, &["export", "--type", data_type, "--format", "ndjson", "-o", "plain.ndjson"]).await;
        tables.push(std::fs::read(setting.folder.join("plain.ndjson")).unwrap());
    }
    tables
}

/// A store with hostile records of both types.
async fn filled(folder: &Path) -> Setting {
    let setting = embedded(folder);
    for (data_type, seed) in TYPES.into_iter().zip([3, 4]) {
        std::fs::write(folder.join("records.ndjson"), hostile::contexts(RECORDS, seed)).unwrap();
        run(&setting, &["import", "records.ndjson", "--type", data_type]).await;
    }
    setting
}

/// From one store through files into the other, over what is there.
async fn through_files(from: &Setting, to: &Setting, way: Way) {
    let files = tempfile::tempdir().unwrap();
    let (format, (compression, ending), sealed, split) = way;
    let key = if sealed { &["--key", "env:FILE_KEY"][..] } else { &[] };
    let split_flags = if split { &["--split", PART][..] } else { &[] };
    let name = format!("backup.{format}{ending}{}", if sealed { ".sealed" } else { "" });
    let file = files.path().join(name);
    let export = ["export", "--type", "all", "--format", format, "--compression", compression, "-o"];
    let export = [&export[..], &[file.to_str().unwrap(), "--json"], key, split_flags].concat();
    let exported: Value = serde_json::from_str(&run(from, &export).await.stdout).unwrap();
    let manifest = files.path().join("backup.manifest.json");
    let names = |data_type: &str| {
        let of_type = format!("backup.{data_type}.");
        let names = std::fs::read_dir(files.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with(&of_type)).count()
    };
    for data_type in TYPES {
        let found = names(data_type);
        assert!(if split { found > 1 } else { found == 1 }, "{way:?}: {found} files of {data_type}");
    }
    let import = ["import", manifest.to_str().unwrap(), "--overwrite", "--batch-size", "70", "--json"];
    let imported: Value = serde_json::from_str(&run(to, &[&import[..], key].concat()).await.stdout).unwrap();
    for report in [&exported, &imported] {
        let told = |number: usize| (&report["byType"][number]["dataType"], &report["byType"][number]["read"]);
        let expected = TYPES.map(|data_type| (Value::from(data_type), Value::from(RECORDS)));
        for (number, (data_type, read)) in expected.iter().enumerate() {
            assert_eq!(told(number), (data_type, read), "{way:?}: {report}");
        }
        assert_eq!(report["read"], 2 * RECORDS, "{way:?}: {report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_comes_back_through_every_layer() {
    let folder = tempfile::tempdir().unwrap();
    let from = filled(folder.path()).await;
    let expected = tables(&from).await;
    for way in WAYS {
        let other = tempfile::tempdir().unwrap();
        let to = embedded(other.path());
        through_files(&from, &to, way).await;
        assert!(tables(&to).await == expected, "{way:?}: other records came back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_exports_and_imports_every_type() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (filled(folder.path()).await, embedded(other.path()));
    let expected = tables(&from).await;
    let mut fleet = Fleet::new(&KEYS).await.unwrap();
    for name in ["coordinator", "worker-0"] {
        fleet.start(name).await.unwrap();
    }
    for way in [WAYS[0], WAYS[1], WAYS[3], WAYS[4]] {
        through_files(&from, &fleet.setting, way).await;
        assert!(tables(&fleet.setting).await == expected, "{way:?}: other records came to the fleet");
        through_files(&fleet.setting, &to, way).await;
        assert!(tables(&to).await == expected, "{way:?}: other records came from the fleet");
    }
    // An object without a byte has no range that a store would give.
    std::fs::write(fleet.path("none.ndjson"), "").unwrap();
    let nothing = run(&fleet.setting, &["import", "none.ndjson", "--type", "contexts", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&nothing.stdout).unwrap()["read"], 0, "{nothing:?}");
}
