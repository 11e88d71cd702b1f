//! `carrack operations rejects`, and the same through the API.

use std::fmt::Write as _;

use crate::support::{Home, Server};
use serde_json::Value;

/// Twelve good records and thirty bad ones.
fn legacy() -> String {
    let mut text = "id,title,content,createdAt\n".to_owned();
    for number in 0..42 {
        let (title, date) = match number % 7 {
            0 | 1 => ("fine", "2024-01-01T00:00:00Z"),
            2 | 3 => ("late", "31/02/2024"),
            4 | 5 => ("", "soon"),
            _ => ("a,ragged", "2024-01-01T00:00:00Z"),
        };
        writeln!(text, "r{number:02},{title},some,{date}").unwrap();
    }
    text
}

fn imported(home: &Home) -> String {
    home.write("legacy.csv", legacy());
    let import = home.run(&["import", "legacy.csv", "--batch-size", "5", "--json"]).json();
    assert_eq!((&import["created"], &import["rejected"]), (&12.into(), &30.into()), "{import}");
    import["operationId"].as_str().unwrap().to_owned()
}

/// Code, field, count and first line of each kind.
fn kinds(summary: &Value) -> Vec<(String, Value, u64, u64)> {
    let kinds = summary["kinds"].as_array().unwrap().iter();
    let read = |kind: &Value| {
        let number = |value: &Value| value.as_u64().unwrap();
        let code = kind["code"].as_str().unwrap().to_owned();
        (code, kind["field"].clone(), number(&kind["count"]), number(&kind["first"]["line"]))
    };
    kinds.map(read).collect()
}

fn expected_kinds() -> Vec<(String, Value, u64, u64)> {
    vec![
        ("date.invalid".into(), "createdAt".into(), 24, 4),
        ("required.missing".into(), "title".into(), 12, 6),
        ("csv.ragged".into(), Value::Null, 6, 8),
    ]
}

#[test]
fn rejects_are_counted_by_kind_and_shown_in_pages() {
    let home = Home::new();
    let id = imported(&home);
    let told = home.run(&["operations", "rejects", &id, "--limit", "3"]);
    let expected = "\
30 records were rejected
  24 × date.invalid in \"createdAt\", e.g. line 4 of legacy.csv
  12 × required.missing in \"title\", e.g. line 6 of legacy.csv
  6 × csv.ragged, e.g. line 8 of legacy.csv
legacy.csv: record 3 (line 4, byte 97): field \"createdAt\": ";
    assert!(told.stdout.starts_with(expected), "{told:?}");
    let expected = "record 5 (line 6, byte 147): field \"title\": found nothing, expected a string
  also field \"createdAt\": found \"soon\", expected an RFC 3339 date
  required.missing: `validateSchema: false` asks only for the key
  date.invalid: write `2024-02-28` or `2024-02-28T10:00:00Z`";
    assert!(told.stdout.contains(expected), "{told:?}");
    assert!(told.stderr.contains(&format!("more: carrack operations rejects {id} --after 1:5")), "{told:?}");
    let mut pages = Vec::new();
    let mut after = "1:0".to_owned();
    loop {
        let args = ["operations", "rejects", &id, "--after", &after, "--limit", "11", "--json"];
        let page = home.run(&args).json();
        assert_eq!(kinds(&page["summary"]), expected_kinds());
        let rejects = page["rejects"].as_array().unwrap().clone();
        let Some(last) = rejects.last() else { break };
        after = last["position"].as_str().unwrap().to_owned();
        pages.push(rejects.len());
    }
    assert_eq!(pages, [11, 11, 8]);
    let none = home.run(&["operations", "rejects", &id, "--code", "no.such"]);
    assert!(none.stderr.contains("no reject has a fault of the code \"no.such\""), "{none:?}");
    let lonely = home.run(&["operations", "rejects", &id, "--file", "1"]);
    assert!(lonely.code == Some(2) && lonely.stderr.contains("--as"), "{lonely:?}");
    let ragged = home.run(&["operations", "rejects", &id, "--code", "csv.ragged", "--json"]).json();
    assert_eq!(ragged["rejects"].as_array().unwrap().len(), 6);
    for (args, reason) in [
        (["--after", "17"], "expected the position of a reject, such as 1:17"),
        (["--limit", "0"], "expected a whole number from 1 to 500"),
    ] {
        let refused = home.run(&[&["operations", "rejects", &id][..], &args].concat());
        assert!(refused.code == Some(2) && refused.stderr.contains(reason), "{refused:?}");
    }
}

#[test]
fn the_report_tells_what_is_wrong_with_all_rejects() {
    let home = Home::new();
    home.write("legacy.csv", legacy());
    let told = home.run(&["import", "legacy.csv"]);
    let expected = "
  and 25 more; all 30:
  24 × date.invalid in \"createdAt\", e.g. line 4 of legacy.csv
  12 × required.missing in \"title\", e.g. line 6 of legacy.csv
  6 × csv.ragged, e.g. line 8 of legacy.csv
";
    assert!(told.stdout.ends_with(expected), "{told:?}");
}

#[tokio::test]
async fn the_api_counts_and_pages_as_the_command_does() {
    let home = Home::new();
    let id = imported(&home);
    let server = Server::start(&home);
    let summary = server.get(&format!("operations/{id}/rejects/summary")).await;
    assert_eq!((kinds(&summary), &summary["rejected"]), (expected_kinds(), &30.into()));
    for (query, expected) in [
        ("", 30),
        ("?limit=7", 7),
        ("?after=1:12", 22),
        ("?code=csv.ragged", 6),
        ("?code=date.invalid&after=1%3A12&limit=500", 17),
        ("?code=none", 0),
    ] {
        let url = server.at(&format!("operations/{id}/rejects{query}"));
        let answer = server.client.get(url).bearer_auth(&server.token).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap().lines().count(), expected, "{query}");
    }
    let refused = server.client.get(server.at(&format!("operations/{id}/rejects?after=x")));
    server.send(refused, 400).await;
    let remote = ["--server", &server.url, "--token", &server.token, "--json", "--limit", "500"];
    let remote = home.run(&[&["operations", "rejects", &id][..], &remote].concat()).json();
    assert_eq!(remote["summary"], summary);
    assert_eq!(remote["rejects"].as_array().unwrap().len(), 30);
}

#[test]
fn an_import_over_its_budget_is_stopped_and_fails() {
    let many = |bad: usize| -> String {
        let record = |number: usize| {
            let date = if number % 10 < bad { "31/02/2024" } else { "" };
            format!("r{number},T,c,{date}\n")
        };
        format!("id,title,content,createdAt\n{}", (0..20_000).map(record).collect::<String>())
    };
    let (good, tenth) = (many(0), many(1));
    for (content, flags, expected) in [
        (&good, &["--max-errors", "0", "--max-error-rate", "0.000001"][..], None),
        (&tenth, &["--max-errors", "2000", "--max-error-rate", "10%"], None),
        (&tenth, &["--max-errors", "1999"], Some("budget.errors")),
        (&tenth, &["--max-errors", "0"], Some("budget.errors")),
        (&tenth, &["--max-error-rate", "9.9999%"], Some("budget.rate")),
        (&tenth, &["--max-error-rate", "0.02"], Some("budget.rate")),
        // All duplicates but one.
        (&tenth, &["--max-errors", "2000", "--twice"], Some("budget.errors")),
    ] {
        let home = Home::new();
        home.write("many.csv", content);
        let twice = flags.contains(&"--twice");
        let files: &[&str] = if twice { &["many.csv", "many.csv"] } else { &["many.csv"] };
        let flags: Vec<&str> = flags.iter().copied().filter(|flag| *flag != "--twice").collect();
        let options = ["--type", "contexts", "--json", "--batch-size", "50"];
        let outcome = home.run(&[&["import"], files, &options[..], &flags].concat());
        let report = outcome.json();
        assert_eq!(report["failure"]["code"].as_str(), expected, "{flags:?}: {report}");
        let state = expected.map_or(if *content == good { 0 } else { 3 }, |_| 1);
        assert_eq!(outcome.code, Some(state), "{outcome:?}");
        let counts = ["created", "updated", "unchanged", "skipped", "rejected"];
        let sum: u64 = counts.iter().map(|name| report[name].as_u64().unwrap()).sum();
        assert_eq!(report["read"].as_u64(), Some(sum), "{report}");
    }
    let home = Home::new();
    home.write("many.csv", &good);
    for (flags, reason) in [
        (["--max-errors", "-1"], "--max-errors: found the number -1, expected a whole number from 0"),
        (["--max-error-rate", "200%"], "--max-error-rate: found the number 2.0, expected a share above 0"),
        (["--max-error-rate", "2 in 100"], "--max-error-rate: found"),
    ] {
        let refused = home.run(&[&["import", "many.csv"][..], &flags].concat());
        assert!(refused.code == Some(2) && refused.stderr.contains(reason), "{refused:?}");
    }
}

#[test]
fn what_is_far_over_its_budget_is_not_read_to_its_end() {
    let home = Home::new();
    home.write("bad.ndjson", "{\"id\":\"a\"}\n".repeat(400_000));
    let flags = ["--type", "contexts", "--json", "--batch-size", "100", "--max-errors", "1000"];
    let report = home.run(&[&["import", "bad.ndjson"][..], &flags].concat()).json();
    assert_eq!((&report["status"], &report["failure"]["code"]), (&"failed".into(), &"budget.errors".into()));
    let read = report["read"].as_u64().unwrap();
    assert!((1_001..400_000).contains(&read), "{report}");
}
