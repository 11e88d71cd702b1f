//! What Carrack exports is read by the programs that everybody has, and every value is compared with that of
//! the table. A program that is not installed is named and left out; `python3` and `gzip` have to be there.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failure is a failed test; it says what it left out"
)]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use carrack_tests::process::{Process, Setting};
use carrack_tests::{hostile, services};

const RECORDS: u32 = 500;
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// Without Markdown, of which no program knows what a record is.
const FORMATS: [&str; 5] = ["ndjson", "json", "csv", "xml", "yaml"];

const GUNZIP: &str = "import gzip, sys; sys.stdout.buffer.write(gzip.open(sys.argv[1]).read())";
const UNBROTLI: &str =
    "import brotli, sys; sys.stdout.buffer.write(brotli.decompress(open(sys.argv[1], 'rb').read()))";

/// A compression, and a command that opens it.
const OPENERS: [(&str, &[&str]); 5] = [
    ("gzip", &["gzip", "-dc"]),
    ("gzip", &["python3", "-c", GUNZIP]),
    ("zstd", &["zstd", "-q", "-dc"]),
    ("brotli", &["brotli", "-dc"]),
    ("brotli", &["python3", "-c", UNBROTLI]),
];

async fn run(folder: &Path, args: &[&str]) {
    let setting = Setting { folder: folder.to_path_buf(), ..Setting::default() };
    let ended = Process::start("carrack", args, &setting).unwrap().wait(ENDS_WITHIN).await.unwrap();
    assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.stdout);
}

async fn export(folder: &Path, format: &str, options: &[&str], file: &str) {
    run(folder, &[&["export", "--type", "contexts", "--format", format, "-o", file], options].concat()).await;
}

/// A folder with the table of hostile records in every format.
async fn exports() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hostile.ndjson"), hostile::contexts(RECORDS, 11)).unwrap();
    run(folder.path(), &["import", "hostile.ndjson", "--type", "contexts"]).await;
    for format in FORMATS {
        export(folder.path(), format, &[], &format!("table.{format}")).await;
    }
    folder
}

fn compare(folder: &Path, files: &[&str]) -> Output {
    let script = services::workspace().join("tests/tools/records.py");
    Command::new("python3").arg(script).args(files).current_dir(folder).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn other_readers_find_the_same_values() {
    let folder = exports().await;
    let files: Vec<String> = FORMATS.iter().map(|format| format!("table.{format}")).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let told = compare(folder.path(), &files);
    let (lines, wrong) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success(), "{lines}{wrong}");
    for file in &files[1..] {
        let line = lines.lines().find(|line| line.contains(file)).unwrap();
        let equal = line == format!("{file}: {RECORDS} records are equal");
        assert!(equal || line.starts_with("left out: "), "{line}");
        if !equal {
            eprintln!("{line}");
        }
    }
    // What differs is found.
    let text = std::fs::read_to_string(folder.path().join("table.json")).unwrap();
    let at = text.rfind("\"title\":\"").unwrap() + "\"title\":\"".len();
    std::fs::write(folder.path().join("other.json"), format!("{}!{}", &text[..at], &text[at..])).unwrap();
    let told = compare(folder.path(), &["table.ndjson", "other.json"]);
    let wrong = String::from_utf8_lossy(&told.stderr);
    assert!(!told.status.success() && wrong.contains("other.json: record"), "{wrong}");
}

/// Whether a command can be run at all: its program is there, and the module that it needs.
fn is_there(command: &[&str]) -> bool {
    let mut check = Command::new(command[0]);
    match command {
        [_, "-c", script] if *script == UNBROTLI => check.args(["-c", "import brotli"]),
        _ => check.arg("--version"),
    };
    check.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn other_programs_open_compressed_exports_to_the_same_text() {
    let folder = exports().await;
    for (compression, command) in OPENERS {
        if command != ["gzip", "-dc"] && !is_there(command) {
            eprintln!("left out: {} for {compression}: it is not installed", command[0]);
            continue;
        }
        for format in FORMATS {
            let file = format!("packed.{format}");
            export(folder.path(), format, &["--compression", compression], &file).await;
            let mut opening = Command::new(command[0]);
            let opened = opening.args(&command[1..]).arg(&file).current_dir(folder.path()).output().unwrap();
            let expected = std::fs::read(folder.path().join(format!("table.{format}"))).unwrap();
            let said = String::from_utf8_lossy(&opened.stderr);
            assert!(opened.status.success() && said.is_empty(), "{command:?}: {said}");
            assert!(opened.stdout == expected, "{command:?} opens {file} to another text");
        }
    }
}
