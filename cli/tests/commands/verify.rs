//! `carrack operations verify`, and the same through the API: the report in its forms, the exit codes, and what cannot
//! be verified. And `carrack verify` of two sets of records.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{Home, Server};

const FILE: &str =
    "id,title,content,type\na,A,1,general\nb,B,2,code\nc,,3,code\na,A2,4,code\nd,D,5,general\n";

fn imported(home: &Home, more: &[&str]) -> String {
    home.write("records.csv", FILE);
    let import = [&["import", "records.csv", "--type", "contexts", "--json"], more].concat();
    home.run(&import).json()["operationId"].as_str().unwrap().to_owned()
}

/// As docs/verify.md says it is checked.
fn hash(report: &Value) -> String {
    let mut report = report.clone();
    report.as_object_mut().unwrap().remove("reportHash");
    report.sort_all_objects();
    Sha256::digest(report.to_string()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn an_import_is_verified_and_its_report_shows_changes() {
    let home = Home::new();
    let id = imported(&home, &["--skip-duplicates"]);
    let clean = home.run(&["operations", "verify", &id]);
    assert_eq!(clean.code, Some(0), "{clean:?}");
    assert!(clean.stdout.contains("into contexts: verified\n  read                   5\n"), "{clean:?}");
    assert!(clean.stdout.contains("\nverified: all 3 records are in the table"), "{clean:?}");

    // Of the import only this row is left when it is undone, for another one has written it.
    home.write("later.csv", "id,title,content,type\nb,X|Y,2,code\n");
    let later = home.run(&["import", "later.csv", "--type", "contexts", "--overwrite", "--json"]).json();
    assert_eq!(home.run(&["operations", "undo", &id]).code, Some(3));
    let verify = ["operations", "verify", &id, "--report", "report.json", "--json"];
    let found = home.run(&verify);
    assert_eq!(found.code, Some(3), "{found:?}");
    let report: Value = serde_json::from_str(&home.read("report.json")).unwrap();
    assert_eq!(report, found.json());
    let count = |name: &str| report["counts"][name].as_u64().unwrap();
    let names = ["read", "matched", "missing", "different", "skipped", "rejected", "extra"];
    assert_eq!(names.map(count), [5, 0, 2, 1, 1, 1, 0], "{report}");
    assert_eq!(report["counts"]["changedLater"], 1);
    assert_eq!((&report["balanced"], &report["verified"]), (&true.into(), &false.into()));
    assert_eq!((&report["importId"], &report["owner"]), (&id.as_str().into(), &"local".into()));
    assert_eq!(report["files"][0]["bytes"], FILE.len());
    assert_eq!(report["reportHash"], hash(&report));
    let keys: Vec<_> = report["examples"].as_array().unwrap().iter().map(|one| &one["key"]).collect();
    assert_eq!(keys, ["a", "d", "b"]);
    assert_eq!(report["examples"][2]["writtenBy"], later["operationId"]);
    let field = serde_json::json!([{"name": "title", "source": "B", "target": "X|Y"}]);
    assert_eq!((&report["examples"][2]["fields"], &report["examples"][2]["line"]), (&field, &3.into()));

    let verify = ["operations", "verify", &id, "--report", "report.md"];
    let found = home.run(&verify);
    assert!(found.code == Some(3) && found.stdout.ends_with("the report is in report.md\n"), "{found:?}");
    let text = home.read("report.md");
    for expected in [
        &format!("# Verification of import {id}\n"),
        "**not verified: of 3 records 2 missing from the table, 1 different there**",
        "| missing | 2 |\n",
        "\n5 = 0 + 2 + 1 + 1 + 1\n",
        "  - title: found \"X\\|Y\", expected \"B\"\n",
        "SHA-256 of the report: `",
    ] {
        assert!(text.contains(expected), "{expected} is missing in {text}");
    }
}

/// A verification takes its batches from the plan of the import, source by source.
#[test]
fn every_record_of_several_files_is_compared() {
    let home = Home::new();
    let record = |id: String| format!("{{\"id\":\"{id}\",\"title\":\"T\",\"content\":\"C\"}}");
    let records = |file: &str, more: &str| {
        let good: Vec<String> = (0..5).map(|number| record(format!("{file}{number}"))).collect();
        format!("[{},{more}{}]", good.join(","), record(format!("{file}9")))
    };
    // Refused as a whole, which is a batch of its own.
    let large = format!("{{\"id\":\"large\",\"title\":\"{}\"}},", "x".repeat(17 << 20));
    home.write("a.json", records("a", ""));
    home.write("b.json", records("b", &large));
    home.write("c.json", "[]");
    home.write("d.json", records("d", "{\"id\":\"no title\"},"));
    let files = ["a.json", "b.json", "c.json", "d.json"];
    let import = [&["import"], &files[..], &["--type", "contexts", "--batch-size", "2", "--json"]].concat();
    let imported = home.run(&import).json();
    let id = imported["operationId"].as_str().unwrap();
    let found = home.run(&["operations", "verify", id, "--json"]);
    let report = found.json();
    let count = |name: &str| report["counts"][name].as_u64().unwrap();
    assert_eq!(["read", "matched", "rejected", "missing", "extra"].map(count), [20, 18, 2, 0, 0], "{report}");
    assert_eq!(found.code, Some(0), "{report}");
    let batches = |id: &str| {
        let shown = home.run(&["operations", "show", id, "--json"]).json();
        shown["workers"][0]["batches"].as_u64().unwrap()
    };
    assert_eq!(batches(report["operationId"].as_str().unwrap()), batches(id));
}

#[test]
fn rows_that_have_become_long_are_compared_a_few_at_a_time() {
    let home = Home::new();
    let records = |content: &str, numbers: &mut dyn Iterator<Item = u32>| -> String {
        let line = |number| format!("{{\"id\":\"{number:03}\",\"title\":\"T\",\"content\":\"{content}\"}}\n");
        numbers.map(line).collect()
    };
    home.write("short.ndjson", records("short", &mut (0..120)));
    let import = home.run(&["import", "short.ndjson", "--type", "contexts", "--json"]).json();
    let id = import["operationId"].as_str().unwrap();
    // More than what is compared at a time, between others that are as they were.
    home.write(
        "long.ndjson",
        records(&"long".repeat(200_000), &mut (0..120).filter(|number| number % 2 == 0)),
    );
    home.run(&["import", "long.ndjson", "--type", "contexts", "--overwrite", "--json"]);
    let report = home.run(&["operations", "verify", id, "--json"]).json();
    let count = |name: &str| report["counts"][name].as_u64().unwrap();
    let names = ["read", "matched", "missing", "different", "changedLater"];
    assert_eq!(names.map(count), [120, 60, 0, 60, 60], "{report}");
    let lines = report["examples"].as_array().unwrap().iter().map(|one| one["line"].as_u64().unwrap());
    assert!(lines.eq((1..40).step_by(2)), "{report}");
}

#[test]
fn what_the_filters_left_out_is_told_apart() {
    let home = Home::new();
    let id = imported(&home, &["--types", "general"]);
    let found = home.run(&["operations", "verify", &id, "--json"]);
    let report = found.json();
    let count = |name: &str| report["counts"][name].as_u64().unwrap();
    assert_eq!(["read", "matched", "skipped", "filtered"].map(count), [5, 2, 3, 3], "{report}");
    assert_eq!(found.code, Some(0));
}

#[test]
fn what_cannot_be_verified_is_told_with_the_reason() {
    let home = Home::new();
    let id = imported(&home, &[]);
    let told = |args: &[&str], code: i32, expected: &str| {
        let outcome = home.run(&[&["operations", "verify"], args].concat());
        assert!(outcome.code == Some(code) && outcome.stderr.contains(expected), "{args:?}: {outcome:?}");
    };
    told(
        &[&id, "--report", "report.txt"],
        2,
        "--report: found report.txt, expected a name that ends with .json or .md",
    );
    told(&[&id, "--report", "missing/report.md"], 2, "--report");
    told(&["00000000-0000-0000-0000-000000000001"], 1, "there is no operation 0");
    let verify = home.run(&["operations", "verify", &id, "--json"]).json();
    let verify = verify["operationId"].as_str().unwrap();
    told(&[verify], 1, "is a verification, expected an import");
    let undo = home.run(&["operations", "undo", verify]);
    assert!(
        undo.code == Some(1) && undo.stderr.contains("is a verification, expected an import"),
        "{undo:?}"
    );
    let retry = home.run(&["operations", "retry", verify]);
    assert!(
        retry.code == Some(1) && retry.stderr.contains("is a verification, expected an import"),
        "{retry:?}"
    );
    home.write("records.csv", FILE.replace("D,5", "D,555"));
    told(&[&id], 1, "records.csv: found 85 bytes, expected the 83 bytes that were imported");
    std::fs::remove_file(home.path("records.csv")).unwrap();
    let at = home.path("records.csv");
    let expected = format!(
        "records.csv: found nothing at file:{}, expected the 83 bytes that were imported",
        at.display()
    );
    told(&[&id], 1, &expected);
    home.run(&["operations", "undo", &id]);
    told(&[&id], 1, "was undone, expected an import that is in its table");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_verifies_and_shows_the_report() {
    let (there, mut here) = (Home::new(), Home::new());
    let server = Server::start(&there);
    here.set("CARRACK_TOKEN", &server.token);
    here.write("records.csv", FILE);
    let import = ["import", "records.csv", "--type", "contexts", "--json", "--server", &server.url];
    let id = here.run(&import).json()["operationId"].as_str().unwrap().to_owned();
    let found = here.run(&["operations", "verify", &id, "--json", "--server", &server.url]);
    let report = found.json();
    assert_eq!((found.code, &report["counts"]["matched"]), (Some(0), &3.into()), "{found:?}");
    let shown = server.get(&format!("operations/{}", report["operationId"].as_str().unwrap())).await;
    assert_eq!(shown["verification"], report);
    assert_eq!((&shown["type"], &shown["parentId"]), (&"verify".into(), &id.as_str().into()));
    assert_eq!((&shown["matched"], &shown["extra"]), (&3.into(), &0.into()));
    let history = server.get("operations/history?limit=1").await;
    assert_eq!((&history[0]["matched"], &history[0]["verification"]), (&3.into(), &Value::Null));
    let verify = format!("operations/{id}/verify");
    let refused = server.post(&verify, r#"{"force":true}"#, 422).await;
    assert!(refused["detail"].as_str().unwrap().contains("force"), "{refused}");
    let again = server.post(&verify, "", 202).await;
    assert_eq!(server.ended(&again).await["verification"]["verified"], true);
    let of_verify = format!("operations/{}/verify", report["operationId"].as_str().unwrap());
    let refused = server.post(&of_verify, "{}", 409).await;
    assert!(
        refused["detail"].as_str().unwrap().ends_with("is a verification, expected an import"),
        "{refused}"
    );
    server.post("operations/00000000-0000-0000-0000-000000000001/verify", "", 404).await;
}

/// The same records in every form are equal; and of others it is told which are.
#[test]
fn two_sets_are_compared_whatever_holds_them() {
    let mut home = Home::new();
    home.write("a.csv", "id,title,content,n\na,A,1,1.50\nb,B,2,2\nc,C,3,3\n");
    home.run(&["import", "a.csv", "--type", "contexts"]);
    home.set("KEY", "correct horse battery staple");
    let export = |more: &[&str]| {
        let outcome = home.run(&[&["export", "--type", "contexts"], more].concat());
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
    };
    export(&["--format", "xml", "-o", "b.xml.gz", "--compression", "gzip"]);
    export(&["--format", "ndjson", "-o", "s.ndjson", "--split", "64KB"]);
    export(&["--format", "yaml", "-o", "k.yaml", "--key", "env:KEY"]);
    let table = "sqlite:carrack-data/carrack.sqlite";
    let operations = || -> Vec<Value> {
        let list = home.run(&["operations", "list", "--json"]).json();
        list.as_array().unwrap().iter().map(|one| one["operationId"].clone()).collect()
    };
    let before = operations();
    for (sets, more) in [
        (["b.xml.gz", "s.manifest.json"], &[][..]),
        (["s.manifest.json", "k.yaml"], &["--key-b", "env:KEY"]),
        ([table, "b.xml.gz"], &["--type", "contexts"]),
        (["k.yaml", table], &["--type", "contexts", "--key-a", "env:KEY"]),
        ([table, table], &["--type", "contexts"]),
    ] {
        let outcome = home.run(&[&["verify"], &sets[..], more].concat());
        assert_eq!(outcome.code, Some(0), "{sets:?}: {outcome:?}");
        assert!(outcome.stdout.ends_with("\nequal: both hold the same 3 records\n"), "{sets:?}: {outcome:?}");
    }
    let empty = home.run(&["verify", table, "b.xml.gz", "--type", "sessions", "--json"]);
    assert_eq!(
        (empty.code, &empty.json()["a"]["read"]),
        (Some(3), &0.into()),
        "a table without rows: {empty:?}"
    );
    home.write("c.csv", "id,title,content,n\nd,D,4,4\nc,C,3,3\nb,B,2,2.5\nc,C2,3,3\ne,E,,4\n,F,6,6\n");
    let found = home.run(&["verify", table, "c.csv", "--type", "contexts", "--report", "r.json", "--json"]);
    let report = found.json();
    assert_eq!(found.code, Some(3), "{found:?}");
    let counts = serde_json::json!({"equal": 1, "different": 1, "onlyInA": 1, "onlyInB": 2});
    assert_eq!(report["counts"], counts, "{report}");
    let b = serde_json::json!({"name": "c.csv", "read": 6, "duplicates": 1, "rejected": 1});
    assert_eq!(report["b"], b);
    let told: Vec<String> = report["examples"].as_array().unwrap().iter().map(Value::to_string).collect();
    for (told, expected) in told.iter().zip([
        r#"{"kind":"only_in_b","dataType":"contexts","key":"d","file":"c.csv","record":1}"#,
        r#"{"kind":"only_in_b","dataType":"contexts","key":"e","file":"c.csv","record":5}"#,
        r#"{"kind":"different","dataType":"contexts","key":"b","file":"c.csv","record":3,"#,
        r#"{"kind":"only_in_a","dataType":"contexts","key":"a","file":"contexts of sqlite:carrack-data/carrack.sqlite","#,
    ]) {
        assert!(told.starts_with(expected), "found {told}, expected {expected}");
    }
    assert_eq!((report["reportHash"].as_str(), told.len()), (Some(hash(&report).as_str()), 4));
    assert_eq!(serde_json::from_str::<Value>(&home.read("r.json")).unwrap(), report);
    assert_eq!(operations(), before, "nothing is left behind");
    let left = std::fs::read_dir(home.path("carrack-data")).unwrap();
    let left =
        left.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("compare-"));
    assert_eq!(left.count(), 0);
}

#[test]
fn a_comparison_that_cannot_be_made_says_why_and_leaves_nothing() {
    let home = Home::new();
    home.write("a.csv", FILE);
    home.write("bad.txt", "x");
    for (args, code, expected) in [
        (&["a.csv", "none.csv"][..], 2, "none.csv: No such file"),
        (&["a.csv", "bad.txt"], 2, "bad.txt: found a text that begins with \"x\""),
        (&["a.csv", "sqlite:none.sqlite", "--type", "contexts"], 2, "none.sqlite: found no file"),
        (&["a.csv", "sqlite:a.csv"], 2, "--type: expected the type of the table in sqlite:a.csv"),
        (
            &["a.csv", "a.csv", "--key-b", "file:bad.txt"],
            2,
            "--key-b: a.csv: found a file that is not encrypted",
        ),
        (&["a.csv", "a.csv", "--report", "a.csv"], 2, "expected a name that ends with .json or .md"),
        (&["a.csv", "a.csv", "--type", "unknown"], 2, "unknown"),
    ] {
        let outcome = home.run(&[&["verify"], args].concat());
        assert!(outcome.code == Some(code) && outcome.stderr.contains(expected), "{args:?}: {outcome:?}");
        assert!(!home.path("carrack-data").exists(), "{args:?}");
    }
}

/// Of own types, with what their template makes of the records.
#[test]
fn sets_of_a_type_of_ones_own_are_compared_through_its_template() {
    let home = Home::new();
    let template = r#"{"name":"Pets","version":"1","schema":{"type":"pets","fields":[
        {"name":"id","type":"string","required":true},{"name":"age","type":"integer"}]}}"#;
    home.write("pets.json", template);
    home.write("a.csv", "id,age\na,1\nb,2\n");
    home.write("b.ndjson", "{\"id\":\"b\",\"age\":2}\n{\"id\":\"a\",\"age\":1}\n");
    home.write("c.ndjson", "{\"id\":\"b\",\"age\":3}\n{\"id\":\"a\",\"age\":1}\n");
    for (b, code, expected) in
        [("b.ndjson", 0, "equal: both"), ("c.ndjson", 3, "age: \"2\" in A, \"3\" in B")]
    {
        let outcome = home.run(&["verify", "a.csv", b, "--template", "pets.json"]);
        assert!(outcome.code == Some(code) && outcome.stdout.contains(expected), "{b}: {outcome:?}");
    }
}
