//! `carrack operations verify`, and the same through the API: the report in its forms, the exit codes, and what cannot
//! be verified.

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
    told(&[&id], 1, "records.csv: found nothing, expected the 83 bytes that were imported");
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
    assert_eq!(refused["detail"], "body: found something, expected none: a verification has no options");
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
