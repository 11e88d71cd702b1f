//! The same commands through a server.

use crate::support::{GOOD, Home, MIXED, Server};

#[tokio::test(flavor = "multi_thread")]
async fn commands_work_through_a_server() {
    let (there, mut here) = (Home::new(), Home::new());
    let server = Server::start(&there);
    here.set("CARRACK_TOKEN", &server.token);
    here.write("good.json", GOOD);
    here.write("mixed.csv", MIXED);
    let good = here.run(&["import", "good.json", "--server", &server.url, "--json"]);
    assert_eq!((good.code, &good.json()["created"]), (Some(0), &2.into()), "{good:?}");
    let mixed = here.run(&["import", "mixed.csv", "--skip-duplicates", "--server", &server.url]);
    assert_eq!(mixed.code, Some(3), "{mixed:?}");
    assert!(mixed.stdout.contains("field \"createdAt\""), "{mixed:?}");
    let id = mixed.stdout.split_whitespace().nth(1).unwrap();
    assert_eq!(here.lines(&format!("mixed.csv.{id}.rejects.ndjson")).len(), 2);
    let args =
        ["export", "--type", "contexts", "--format", "json", "-o", "out.json", "--server", &server.url];
    let export = here.run(&args);
    assert_eq!(export.code, Some(0), "{export:?}");
    let exported: serde_json::Value = serde_json::from_str(&here.read("out.json")).unwrap();
    assert_eq!(exported, serde_json::from_str::<serde_json::Value>(GOOD).unwrap());
    let id = good.json()["operationId"].as_str().unwrap().to_owned();
    let shown = here.run(&["operations", "show", &id, "--json", "--server", &server.url]).json();
    assert_eq!(shown["status"], "succeeded");
    let cancel = here.run(&["operations", "cancel", &id, "--server", &server.url]);
    assert!(cancel.code == Some(1) && cancel.stderr.contains("cannot be cancelled any more"), "{cancel:?}");
    assert!(!here.path("carrack-data").exists(), "nothing is made here");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_a_server_are_one_line() {
    let (there, here) = (Home::new(), Home::new());
    let server = Server::start(&there);
    here.write("odd.json", r#"[{"name":"x"}]"#);
    let refused = here.run(&["import", "odd.json", "--server", &server.url, "--token", &server.token]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.starts_with("error: dataType: odd.json: the fields"), "{refused:?}");
    let stranger = here.run(&["operations", "list", "--server", &server.url, "--token", "-wrong"]);
    assert_eq!(stranger.code, Some(1), "{stranger:?}");
    assert!(stranger.stderr.starts_with("error: the server says 401: "), "{stranger:?}");
}
