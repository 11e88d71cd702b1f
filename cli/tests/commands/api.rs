//! The API as the guide shows it: every request that is in scope, over a real server.

use serde_json::Value;

use crate::support::{GOOD, Home, MIXED, Server, form};

/// The guide's REST import, word for word.
const GUIDE_OPTIONS: &str = r#"{"format":"json","validateSchema":true}"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_import_works() {
    let home = Home::new();
    let server = Server::start(&home);
    let parts = [("file:data.json", GOOD), ("dataType", "contexts"), ("options", GUIDE_OPTIONS)];
    let accepted = server.import(&parts, 202).await;
    assert_eq!((&accepted["type"], &accepted["importId"]), (&"import".into(), &accepted["operationId"]));
    let report = server.ended(&accepted).await;
    for (name, expected) in [
        ("status", Value::from("succeeded")),
        ("progress", 100.0.into()),
        ("currentRecord", 2.into()),
        ("totalRecords", 2.into()),
        ("totalRecordsExact", true.into()),
        ("successfulRecords", 2.into()),
        ("created", 2.into()),
    ] {
        assert_eq!(report[name], expected, "{name} in {report}");
    }
    assert_eq!(report["errors"], serde_json::json!([]));
    let outcome = server.stop();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn validating_a_file_imports_nothing() {
    let home = Home::new();
    let server = Server::start(&home);
    let parts = [("file:data.json", GOOD), ("dataType", "contexts"), ("options", GUIDE_OPTIONS)];
    for _ in 0..2 {
        let report = server.ended(&server.post_form("validate", &parts, 202).await).await;
        assert_eq!((&report["dryRun"], &report["created"]), (&true.into(), &2.into()), "{report}");
        assert_eq!(report["examples"][1]["record"], 2, "{report}");
    }
    let report = server.ended(&server.import(&parts, 202).await).await;
    assert_eq!((&report["dryRun"], &report["created"]), (&Value::Null, &2.into()), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_come_in_any_order_and_files_in_any_number() {
    let home = Home::new();
    let server = Server::start(&home);
    let more = r#"{"id":"c","title":"C","content":"3"}"#;
    let full = r#"{"format":"json","validateSchema":true,"skipDuplicates":true,"batchSize":100,"dryRun":false,"errorHandling":"lenient"}"#;
    let parts =
        [("file:one.json", GOOD), ("options", full), ("file:two.json", more), ("dataType", "auto-detect")];
    let report = server.ended(&server.import(&parts, 202).await).await;
    assert_eq!((&report["created"], &report["files"][1]), (&3.into(), &"two.json".into()), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_listed_unless_they_are_to_be_skipped() {
    let home = Home::new();
    let server = Server::start(&home);
    let report = server.ended(&server.import(&[("file:m.csv", MIXED)], 202).await).await;
    assert_eq!(report["status"], "succeeded_with_rejects");
    assert_eq!(report["validationErrors"][0]["field"], "createdAt", "{report}");
    assert_eq!(report["validationErrors"][0]["record"], 2);
    assert!(report["validationErrors"][0]["message"].as_str().unwrap().contains("31/02/2024"));
    let path = format!("operations/{}/rejects", report["operationId"].as_str().unwrap());
    let request = server.client.get(server.at(&path)).bearer_auth(&server.token);
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let lines = response.text().await.unwrap();
    assert_eq!(lines.lines().count(), 2);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["file"], &first["code"]), (&"m.csv".into(), &"date.invalid".into()));

    let parts =
        [("file:m.csv", MIXED), ("options", r#"{"errorHandling":"skip-errors","overwriteExisting":true}"#)];
    let quiet = server.ended(&server.import(&parts, 202).await).await;
    assert_eq!(quiet["rejected"], 2);
    assert_eq!(
        (&quiet["errors"], &quiet["validationErrors"]),
        (&serde_json::json!([]), &serde_json::json!([]))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_downloaded_whole() {
    let home = Home::new();
    let server = Server::start(&home);
    server.ended(&server.import(&[("file:a.json", GOOD)], 202).await).await;
    let body = r#"{"dataType":"contexts","options":{"format":"json","includeMetadata":true,"includeBinaryData":true}}"#;
    let report = server.ended(&server.post("export", body, 202).await).await;
    assert_eq!((&report["exportId"], &report["totalRecords"]), (&report["operationId"], &2.into()));
    let url = format!("{}{}", server.url, report["filePath"].as_str().unwrap());
    let response = server.client.get(url).bearer_auth(&server.token).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    let disposition = response.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert!(disposition.starts_with("attachment; filename=\"contexts-"), "{disposition}");
    let length = response.content_length().unwrap();
    let text = response.text().await.unwrap();
    assert_eq!(length, text.len() as u64);
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), serde_json::from_str::<Value>(GOOD).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_are_active_then_history() {
    let home = Home::new();
    let lock = home.hold_lock();
    let server = Server::start(&home);
    let accepted = server.import(&[("file:a.json", GOOD)], 202).await;
    let id = accepted["operationId"].as_str().unwrap();
    assert_eq!(server.get("operations/active").await[0]["operationId"], id);
    let cancelled = server.post(&format!("operations/{id}/cancel"), "", 200).await;
    assert_eq!(cancelled["status"], "cancelling");
    drop(lock);
    let report = server.ended(&accepted).await;
    assert_eq!((&report["status"], &report["created"]), (&"cancelled".into(), &0.into()), "{report}");
    assert_eq!(server.get("operations/active").await, serde_json::json!([]));
    server.ended(&server.import(&[("file:a.json", GOOD)], 202).await).await;
    let history = server.get("operations/history?limit=50").await;
    assert_eq!(history.as_array().unwrap().len(), 2);
    assert_eq!(history[1]["operationId"], id, "the newest comes first");
    assert_eq!(server.get("operations/history?limit=1").await.as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_sent_twice_creates_one_operation() {
    let home = Home::new();
    let server = Server::start(&home);
    let send = |content: &str, status: u16| {
        let request = server.client.post(server.at("import")).multipart(form(&[("file:a.json", content)]));
        server.send(request.header("Idempotency-Key", "k-1"), status)
    };
    let first = send(GOOD, 202).await;
    let second = send(GOOD, 202).await;
    assert_eq!(first["operationId"], second["operationId"]);
    let other = send(r#"{"id":"z","title":"Z","content":"1"}"#, 422).await;
    assert!(other["detail"].as_str().unwrap().starts_with("Idempotency-Key: found one"), "{other}");
    server.ended(&first).await;
    assert_eq!(home.objects("sources").len(), 1, "only the first upload is kept");

    let export = |body: &str, status: u16| {
        let request = server.client.post(server.at("export")).header("Content-Type", "application/json");
        server.send(request.header("Idempotency-Key", "k-2").body(body.to_owned()), status)
    };
    let body = r#"{"dataType":"contexts"}"#;
    assert_eq!(export(body, 202).await["operationId"], export(body, 202).await["operationId"]);
    export(r#"{"dataType":"sessions"}"#, 422).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_needs_no_token() {
    let server = Server::start(&Home::new());
    for (path, status) in [("healthz", "alive"), ("readyz", "ready")] {
        let response = reqwest::get(format!("{}/{path}", server.url)).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.json::<Value>().await.unwrap()["status"], status);
    }
}

/// Two thousand small batches, so that the cancel comes in the middle.
#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_a_cancel_counts_every_batch() {
    let home = Home::new();
    let server = Server::start(&home);
    let bad = r#"{"id":"a"}"#.repeat(20_000);
    let parts = [("file:a.json", bad.as_str()), ("dataType", "contexts"), ("options", r#"{"batchSize":10}"#)];
    let started = server.import(&parts, 202).await;
    let id = started["operationId"].as_str().unwrap();
    home.wait_for_operation(|operation| operation["rejected"].as_u64() > Some(0));
    server.get(&format!("operations/{id}/progress")).await;
    let cancel = server.client.post(server.at(&format!("operations/{id}/cancel")));
    let answer = server.send(cancel, 200).await;
    assert_eq!(answer["errors"].as_array().unwrap().len(), 20, "{answer}");
    let ended = server.ended(&started).await;
    assert_eq!((&ended["status"], &ended["rejected"]), (&"cancelled".into(), &answer["rejected"]));
}
