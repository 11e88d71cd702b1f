//! Everything that the API refuses: each a problem document with its status and the place of the mistake,
//! and nothing left behind.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Instant;

use serde_json::Value;

use crate::support::{ENDS_WITHIN, GOOD, Home, Server};

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_a_known_token_are_refused() {
    let server = Server::start(&Home::new());
    let url = server.at("operations/active");
    for authorization in [None, Some("Bearer wrong"), Some("Basic abc"), Some("Bearer")] {
        let mut request = server.client.get(&url);
        if let Some(value) = authorization {
            request = request.header("Authorization", value);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401, "{authorization:?}");
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_a_problem_document() {
    let server = Server::start(&Home::new());
    let missing = "operations/01a20360-33ff-73c9-b519-204e2a02731b";
    let json = "application/json";
    let large = format!("{{\"dataType\":\"{}\"}}", "x".repeat(1_100_000));
    let cases: [(&str, &str, &str, &str, u16, &str); 14] = [
        ("GET", "nothing", "", "", 404, "there is nothing at /api/data-migration/nothing"),
        ("PUT", "import", "", "", 405, "/api/data-migration/import does not take PUT"),
        ("GET", missing, "", "", 404, "there is no operation"),
        ("GET", "operations/x/progress", "", "", 404, "there is no operation \"x\""),
        ("POST", &format!("{missing}/cancel"), "", "", 404, "there is no operation"),
        ("GET", &format!("{missing}/download"), "", "", 404, "there is no operation"),
        (
            "GET",
            "operations/history?limit=0",
            "",
            "",
            400,
            "limit: found \"0\", expected a whole number from 1 to 500",
        ),
        ("GET", "operations/history?page=2", "", "", 400, "query: unknown name \"page\""),
        ("POST", "export", "text/plain", "{}", 415, "Content-Type: found text/plain"),
        ("POST", "export", json, "{", 400, "body: expected JSON"),
        ("POST", "export", json, "{}", 422, "dataType: expected the name of a type"),
        (
            "POST",
            "export",
            json,
            r#"{"dataType":"users"}"#,
            422,
            "dataType: found \"users\", expected one of contexts, sessions, templates, all",
        ),
        ("POST", "export", json, &large, 413, "body: found more than 1048576 bytes"),
        (
            "POST",
            "import",
            json,
            "{}",
            415,
            "Content-Type: found application/json, expected multipart/form-data with a boundary",
        ),
    ];
    for (method, path, content_type, body, status, detail) in cases {
        let request = server.client.request(method.parse().unwrap(), server.at(path));
        let request = request.header("Content-Type", content_type).body(body.to_owned());
        check(&server, request, status, detail).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_later_is_refused_by_name() {
    let home = Home::new();
    let server = Server::start(&home);
    let filtered = r#"{"dataType":"sessions","options":{"filters":{"tags":["a"]}}}"#;
    let lacks = "sessions has no field tags of the type array, which this filter asks for";
    let secret = r#"{"dataType":"contexts","options":{"encryption":{"enabled":true,"algorithm":"rot13","key":"your-encryption-key"}}}"#;
    for (body, at, detail) in [
        (filtered, "options.filters.tags", lacks),
        (secret, "options.encryption", "algorithm: expected aes-256-gcm"),
    ] {
        let problem = server.post("export", body, 422).await;
        assert_eq!(problem["errors"][0]["at"], at, "{problem}");
        assert_eq!(problem["errors"][0]["detail"], detail);
        assert!(!problem.to_string().contains("your-encryption-key"), "{problem}");
    }
    let options =
        r#"{"format":"pdf","errorHandling":"harsh","dryRun":"yes","mapping":{"fieldMappings":{"a":1}}}"#;
    let problem = server.import(&[("dataType", "templates"), ("options", options)], 422).await;
    let places: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["at"].as_str().unwrap()).collect();
    let expected = [
        "options.format",
        "options.mapping.fieldMappings.a",
        "options.errorHandling",
        "options.dryRun",
        "file",
    ];
    assert_eq!(places, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_wrong_leaves_nothing_behind() {
    let home = Home::new();
    let server = Server::start(&home);
    let cases: [(&[(&str, &str)], &str); 8] = [
        (&[("dataType", "contexts")], "file: found none, expected at least one file"),
        (&[("file:a.json", GOOD), ("colour", "red")], "colour: unknown part of the form"),
        (&[("file:a.json", GOOD), ("dataType", "x"), ("dataType", "x")], "dataType: found it twice"),
        (
            &[("file:a.json", GOOD), ("dataType", "users")],
            "dataType: found \"users\", expected one of contexts, sessions",
        ),
        (&[("file:a.json", GOOD), ("options", "[]")], "options: found an array, expected an object"),
        (&[("file:a.json", GOOD), ("options", r#"{"colour":1}"#)], "options.colour: unknown name"),
        (&[("file:a.json", "")], "a.json"),
        (&[("file:a.json", r#"[{"name":"x"}]"#)], "fit none of the types"),
    ];
    for (parts, detail) in cases {
        let problem = server.import(parts, 422).await;
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}, expected {detail}");
    }
    assert_eq!(server.get("operations/history").await, serde_json::json!([]));
    nothing_is_left(&home, &server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_have_a_limit() {
    let mut home = Home::new();
    home.set("CARRACK_UPLOAD_LIMIT_BYTES", "1000");
    let server = Server::start(&home);
    for (length, status) in [(999, 202), (1000, 202), (1001, 413)] {
        let content = format!("{GOOD:<length$}");
        let answer = server.import(&[("file:a.json", &content)], status).await;
        if status == 413 {
            let detail = "file: found more than 1000 bytes, expected at most that (upload_limit_bytes)";
            assert_eq!(answer["detail"], detail);
        }
    }
    let half = format!("{GOOD:<600}");
    server.import(&[("file:a.json", &half), ("file:b.json", &half)], 413).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_is_no_import() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut connection = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    let head = format!(
        "POST /api/data-migration/import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 100000\r\n\r\n\
         --B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.json\"\r\n\r\n{GOOD}",
        server.token
    );
    connection.write_all(head.as_bytes()).unwrap();
    connection.flush().unwrap();
    until(&server, "the upload has begun", || !home.objects("").is_empty()).await;
    drop(connection);
    nothing_is_left(&home, &server).await;
    assert_eq!(server.get("operations/history").await, serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_the_state_is_a_conflict() {
    let home = Home::new();
    let server = Server::start(&home);
    let report = server.ended(&server.import(&[("file:a.json", GOOD)], 202).await).await;
    let id = report["operationId"].as_str().unwrap();
    let cancel = server.client.post(server.at(&format!("operations/{id}/cancel")));
    check(&server, cancel, 409, "is succeeded and cannot be cancelled any more").await;
    let download = server.client.get(server.at(&format!("operations/{id}/download")));
    check(&server, download, 409, "is an import, expected an export").await;
}

async fn check(server: &Server, request: reqwest::RequestBuilder, status: u16, detail: &str) {
    let response = request.bearer_auth(&server.token).send().await.unwrap();
    let found = response.status().as_u16();
    let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    let problem: Value = response.json().await.unwrap();
    assert_eq!(found, status, "{problem}, expected {detail}");
    assert_eq!(content_type, "application/problem+json", "{problem}");
    assert_eq!(problem["status"], status);
    assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}, expected {detail}");
    assert!(problem["type"].as_str().unwrap().starts_with("urn:carrack:problem:"), "{problem}");
}

/// Uploads are removed beside the answer, so this waits for it.
async fn nothing_is_left(home: &Home, server: &Server) {
    until(server, "no upload is left", || home.objects("").is_empty()).await;
}

/// Looks until it is so; each look waits for an answer of the server.
async fn until(server: &Server, what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + ENDS_WITHIN;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        server.get("operations/active").await;
    }
}
