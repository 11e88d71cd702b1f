//! Hostile inputs, embedded: each ends in a clear error or in rejects with their place, and nothing is lost.

use std::path::Path;
use std::time::Duration;

use carrack_tests::process::{Process, Setting};
use serde_json::Value;

const GOOD: &str = r#"{"id":"a","title":"t","content":"c"}"#;
const ENDS_WITHIN: Duration = Duration::from_secs(120);

/// What an import of one file came to.
struct Outcome {
    code: Option<i32>,
    report: Value,
    told: String,
    rejects: Vec<Value>,
}

async fn import(folder: &Path, file: &str) -> Outcome {
    let setting = Setting { folder: folder.to_path_buf(), ..Setting::default() };
    let args = ["import", file, "--type", "contexts", "--rejects", "rejects.ndjson", "--json"];
    let ended = Process::start("import", &args, &setting).unwrap().wait(ENDS_WITHIN).await.unwrap();
    let told = std::fs::read_to_string(folder.join("import.log")).unwrap_or_default();
    let rejects = std::fs::read_to_string(folder.join("rejects.ndjson")).unwrap_or_default();
    let rejects = rejects.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let report = serde_json::from_str(&ended.stdout).unwrap_or(Value::Null);
    assert!(!told.contains("panicked"), "{told}");
    Outcome { code: ended.code, report, told, rejects }
}

async fn import_bytes(name: &str, bytes: &[u8]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), bytes).unwrap();
    import(folder.path(), name).await
}

/// Good records around one that is bad: code of the reject, line, first byte.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_record_is_a_reject_with_its_place_and_the_others_load() {
    let large = format!(r#"[{GOOD},{{"id":"b","title":"t","content":"{}"}}]"#, "x".repeat(20 * 1024 * 1024));
    let large_cell = format!("id,title,content\na,t,c\nb,t,{}\n", "x".repeat(20 * 1024 * 1024));
    let table: [(&str, Vec<u8>, &str, u64, u64); 9] = [
        (
            "nul.json",
            format!("{GOOD}\n{{\"id\":\"b\",\"title\":\"\\u0000\",\"content\":\"c\"}}\n").into(),
            "text.nul",
            2,
            37,
        ),
        ("nul.csv", b"id,title,content\na,t,c\nb,\0,c\n".to_vec(), "text.nul", 3, 23),
        ("utf8.csv", b"id,title,content\na,t,c\nb,\xff,c\n".to_vec(), "encoding.utf8", 3, 23),
        (
            "utf8.json",
            [GOOD.as_bytes(), b"\n{\"id\":\"b\",\"title\":\"\xff\",\"content\":\"c\"}\n"].concat(),
            "encoding.utf8",
            2,
            37,
        ),
        (
            "date.json",
            format!(
                "[{GOOD},\n{{\"id\":\"b\",\"title\":\"t\",\"content\":\"c\",\"createdAt\":\"31/02/2024\"}}]"
            )
            .into(),
            "date.invalid",
            2,
            39,
        ),
        (
            "mac.csv",
            b"id,title,content,createdAt\ra,t,c,\rb,t,c,31/02/2024\r".to_vec(),
            "date.invalid",
            3,
            34,
        ),
        ("first.ndjson", format!("{{\"id\":\"b\",\"tit\n{GOOD}\n").into(), "json.invalid", 1, 0),
        ("large.json", large.into(), "record.too_large", 1, 38),
        ("large.csv", large_cell.into(), "record.too_large", 3, 23),
    ];
    for (name, bytes, code, line, start) in table {
        let Outcome { code: exit, report, told, rejects } = import_bytes(name, &bytes).await;
        assert_eq!(
            (exit, &report["created"], &report["rejected"]),
            (Some(3), &1.into(), &1.into()),
            "{name}: {told}"
        );
        let reject = &rejects[0];
        assert_eq!(
            (&reject["code"], &reject["line"], &reject["byteStart"]),
            (&code.into(), &line.into(), &start.into()),
            "{name}: {reject:.300}"
        );
        assert_eq!(reject["file"], name);
    }
}

/// The part before the break loads, the remainder is one reject, the operation fails and says where.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_loads_up_to_the_break_and_fails() {
    let table: [(&str, Vec<u8>, &str); 3] = [
        ("cut.json", format!("[{GOOD},{{\"id\":\"b\",\"tit").into(), "json.truncated"),
        ("quote.csv", b"id,title,content\na,t,c\nb,\"t,c\n".to_vec(), "csv.unclosed_quote"),
        ("comma.json", format!("[{GOOD} {GOOD}]").into(), "json.separator"),
    ];
    for (name, bytes, code) in table {
        let Outcome { code: exit, report, told, rejects } = import_bytes(name, &bytes).await;
        assert_eq!(
            (exit, &report["created"], &report["rejected"]),
            (Some(1), &1.into(), &1.into()),
            "{name}: {told}"
        );
        assert_eq!((&report["status"], &rejects[0]["code"]), (&"failed".into(), &code.into()), "{name}");
        let failure = report["failure"]["message"].as_str().unwrap();
        assert!(failure.starts_with(&format!("{name}: record 2 (line")), "{failure}");
    }
}

/// What was found and what was expected is said: by an error where nothing begins, by the report where the
/// file is known for what it is only when it is read.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_of_records_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("folder.json")).unwrap();
    std::fs::write(folder.path().join("empty.json"), "").unwrap();
    std::fs::write(folder.path().join("picture.csv"), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").unwrap();
    for (name, code, said) in [
        ("folder.json", 2, "directory"),
        ("missing.json", 2, "no such file"),
        ("empty.json", 2, "empty"),
        ("picture.csv", 1, "expected"),
    ] {
        let outcome = import(folder.path(), name).await;
        assert_eq!(outcome.code, Some(code), "{name}: {}", outcome.told);
        let told = format!("{} {}", outcome.told, outcome.report["failure"]).to_lowercase();
        assert!(told.contains(said) && told.contains(name), "{name}: {told}");
        std::fs::remove_file(folder.path().join("import.log")).unwrap();
    }
}
