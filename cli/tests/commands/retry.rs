//! `carrack operations retry`, and the same through the API: what can be retried, and what cannot.

use serde_json::{Value, json};

use crate::support::{GOOD, Home, MIXED, Server, form};

const MAPPING: &str = r#"{"transformations":[
    {"field":"createdAt","transformation":"replace","search":"31/02/2024","replacement":"2024-02-28T00:00:00Z"}]}"#;

fn id(report: &Value) -> String {
    report["operationId"].as_str().unwrap().to_owned()
}

/// An import with two rejects: a date, and a title that is missing.
fn imported(home: &Home) -> String {
    home.write("mixed.csv", MIXED);
    id(&home.run(&["import", "mixed.csv", "--type", "contexts", "--json"]).json())
}

#[test]
fn rejects_are_retried_as_they_stood_until_none_is_left() {
    let home = Home::new();
    let parent = imported(&home);
    home.write("mapping.json", MAPPING);
    let retry = home.run(&["operations", "retry", &parent, "--mapping", "mapping.json", "--json"]);
    let report = retry.json();
    assert_eq!(
        (retry.code, &report["read"], &report["created"]),
        (Some(3), &2.into(), &1.into()),
        "{retry:?}"
    );
    assert_eq!((&report["rejected"], &report["parentId"]), (&1.into(), &parent.as_str().into()), "{retry:?}");
    let child = id(&report);
    let twice = home.run(&["operations", "retry", &parent]);
    let expected = format!("was retried as {child} already, which is succeeded_with_rejects; retry that one");
    assert!(twice.code == Some(1) && twice.stderr.contains(&expected), "{twice:?}");
    // The mapping of the retry is that of its own retries, too.
    home.write("fixed.csv", "id,title,content,createdAt\nc,C,3,31/02/2024\n");
    let last = home.run(&["operations", "retry", &child, "fixed.csv"]);
    assert_eq!(last.code, Some(0), "{last:?}");
    assert!(last.stdout.contains(&format!("retries the rejects of {child}")), "{last:?}");
    let shown = home.run(&["operations", "show", &child, "--json"]).json();
    assert_eq!(shown["parentId"], parent.as_str());
    home.run(&["export", "--type", "contexts", "--format", "ndjson", "-o", "all.ndjson"]);
    assert_eq!(home.lines("all.ndjson").len(), 3);
}

#[test]
fn a_retry_leaves_out_what_its_parent_left_out() {
    let home = Home::new();
    home.write("mixed.csv", "id,title,content,type\na,,1,general\nb,B,2,code\n");
    let import = ["import", "mixed.csv", "--type", "contexts", "--types", "general", "--json"];
    let parent = home.run(&import).json();
    assert_eq!((&parent["rejected"], &parent["filteredRecords"]), (&1.into(), &1.into()), "{parent}");
    home.write("fixed.csv", "id,title,content,type\na,A,1,general\nb,B,2,code\n");
    let retry = home.run(&["operations", "retry", &id(&parent), "fixed.csv", "--json"]).json();
    assert_eq!((&retry["created"], &retry["filteredRecords"]), (&1.into(), &1.into()), "{retry}");
}

#[test]
fn what_cannot_be_retried_is_told() {
    let home = Home::new();
    home.write("good.json", GOOD);
    let good = id(&home.run(&["import", "good.json", "--json"]).json());
    let export = id(&home.run(&["export", "--type", "contexts", "-o", "x.json", "--json"]).json());
    home.write("cut.csv", "id,title,content\nz,\"Z");
    let cut = id(&home.run(&["import", "cut.csv", "--type", "contexts", "--json"]).json());
    let parent = imported(&home);
    home.write("wrong.json", "{\"fieldMappings\":{\"a\":1}}");
    for (args, code, reason) in [
        (&[good.as_str()][..], 1, "has no rejects, expected some to retry"),
        (&[&export], 1, "is an export, expected an import"),
        (&[&cut], 1, "has no reject that is a record by itself"),
        (&["01a20360-33ff-73c9-b519-204e2a02731b"], 1, "there is no operation"),
        (&[&parent, "nowhere.csv"], 2, "nowhere.csv"),
        (&[&parent, "--mapping", "wrong.json"], 2, "--mapping: "),
        (&[&parent, "--template", "nobody"], 2, "--template: found \"nobody\""),
    ] {
        let refused = home.run(&[&["operations", "retry"], args].concat());
        assert!(refused.code == Some(code) && refused.stderr.contains(reason), "{args:?}: {refused:?}");
    }
    // A retry that failed does not stand in the way of another one.
    home.write("broken.csv", "id,title,content,createdAt\nc,\"C\n");
    let failed = home.run(&["operations", "retry", &parent, "broken.csv"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    let again = home.run(&["operations", "retry", &parent, "--json"]);
    // Its record a is a duplicate of one of good.json.
    assert_eq!((again.code, &again.json()["rejected"]), (Some(3), &3.into()), "{again:?}");
}

#[test]
fn a_running_import_is_not_retried() {
    let home = Home::new();
    home.write("mixed.csv", MIXED);
    let _lock = home.hold_lock();
    let import = home.start(&["import", "mixed.csv", "--type", "contexts"]);
    import.wait_for_note("another process");
    let running = id(&home.wait_for_operation(|operation| operation["status"] == "running"));
    let early = home.run(&["operations", "retry", &running]);
    assert!(early.stderr.contains("is running, expected one that has ended"), "{early:?}");
}

#[tokio::test]
async fn the_api_retries() {
    let home = Home::new();
    let (parent, other) = (imported(&home), imported(&home));
    let server = Server::start(&home);
    let path = format!("operations/{parent}/retry");
    let wrong = server.post(&path, r#"{"batchSize":1}"#, 422).await;
    assert_eq!(wrong["errors"][0]["at"], "options.batchSize", "{wrong}");
    let changes = json!({ "mapping": serde_json::from_str::<Value>(MAPPING).unwrap() });
    let keyed = |path: &str, key: &str, body: String| {
        let request = server.client.post(server.at(path)).header("Content-Type", "application/json");
        request.header("Idempotency-Key", key).body(body)
    };
    let first = server.send(keyed(&path, "k-1", changes.to_string()), 202).await;
    let child = server.ended(&first).await;
    let sources = home.objects("sources").len();
    for _ in 0..2 {
        let again = server.send(keyed(&path, "k-1", changes.to_string()), 202).await;
        assert_eq!(again["operationId"], first["operationId"], "{again}");
    }
    let other_key = server.send(keyed(&path, "k-2", changes.to_string()), 409).await;
    assert!(other_key["detail"].as_str().unwrap().contains("was retried as"), "{other_key}");
    server.send(keyed(&path, "k-1", "{}".into()), 422).await;
    assert_eq!(home.objects("sources").len(), sources, "what was written in vain is gone");
    assert_eq!(
        (&child["read"], &child["created"], &child["parentId"]),
        (&2.into(), &1.into(), &parent.as_str().into())
    );
    let twice = server.send(server.client.post(server.at(&path)), 409).await;
    assert!(twice["detail"].as_str().unwrap().contains("was retried as"), "{twice}");
    let file = "id,title,content,createdAt,_error\nc,C,3,,gone\n";
    let path = format!("operations/{other}/retry");
    let send = |file: &str, status: u16| {
        let files = form(&[("file:fixed.csv", file), ("options", "{}")]);
        let request = server.client.post(server.at(&path)).header("Idempotency-Key", "k-3");
        server.send(request.multipart(files), status)
    };
    let child = server.ended(&send(file, 202).await).await;
    assert_eq!(send(file, 202).await["operationId"], child["operationId"]);
    send("id,title\nz,Z\n", 422).await;
    assert_eq!((&child["status"], &child["created"]), (&"succeeded".into(), &1.into()), "{child}");
    let third = imported(&home);
    let remote = ["--server", &server.url, "--token", &server.token, "--json"];
    home.write("mapping.json", MAPPING);
    let retry =
        home.run(&[&["operations", "retry", &third, "--mapping", "mapping.json"][..], &remote].concat());
    // Its records a and b are there already: duplicates are rejects as ever.
    assert_eq!((&retry.json()["read"], &retry.json()["rejected"]), (&3.into(), &3.into()), "{retry:?}");
}
