//! What an import refuses, corrected and retried, embedded and by a fleet: in every format the table then holds
//! each record once, whether the rejects were corrected in a file of them or by a mapping.

use std::fmt::Write as _;
use std::time::Duration;

use carrack_tests::fleet::Fleet;
use carrack_tests::process::{Process, Setting};
use serde_json::Value;

const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// Of each hundred, two are bad: a date, and a title that is missing.
const RECORDS: u32 = 600;

const FORMATS: [&str; 6] = ["json", "ndjson", "csv", "xml", "yaml", "md"];

const WRONG: (&str, &str) = ("31/02/2024", "2024-02-28T00:00:00Z");

/// What stands where a title is missing, and is corrected by hand.
const NO_TITLE: &str = "no-title";

fn records(format: &str) -> String {
    let mut text = match format {
        "json" => "[\n",
        "csv" => "id,title,content,createdAt\n",
        "xml" => "<dump>\n",
        _ => "",
    }
    .to_owned();
    for number in 0..RECORDS {
        let (id, content) = (format!("r{number:04}"), format!("content, of {number}"));
        let date = if number % 100 == 17 { WRONG.0 } else { "2024-01-01T00:00:00Z" };
        let title = if number % 100 == 58 { None } else { Some(format!("T{number}")) };
        let named = title.as_deref().unwrap_or_default();
        match format {
            "json" | "ndjson" => {
                let title = title.as_ref().map(|title| format!("\"title\":{title:?},")).unwrap_or_default();
                let comma = if format == "json" && number > 0 { "," } else { "" };
                writeln!(
                    text,
                    "{comma}{{\"id\":\"{id}\",{title}\"content\":\"{content}\",\"createdAt\":\"{date}\"}}"
                )
            }
            "csv" => writeln!(text, "{id},{named},\"{content}\",{date}"),
            "xml" => {
                let title = title.map(|title| format!("<title>{title}</title>")).unwrap_or_default();
                writeln!(
                    text,
                    "<row><id>{id}</id>{title}<content>{content}</content><createdAt>{date}</createdAt></row>"
                )
            }
            "yaml" => {
                let title = title.map(|title| format!("  title: {title}\n")).unwrap_or_default();
                writeln!(text, "- id: {id}\n{title}  content: {content}\n  createdAt: {date}")
            }
            _ => {
                let title = title.map(|title| format!("**title:** {title}\n")).unwrap_or_default();
                writeln!(
                    text,
                    "## Item {number}\n**id:** {id}\n{title}**content:** {content}\n**createdAt:** {date}\n"
                )
            }
        }
        .unwrap();
    }
    text.push_str(match format {
        "json" => "]\n",
        "xml" => "</dump>\n",
        _ => "",
    });
    text
}

/// Corrects the records of a file of rejects, as a program does that knows no more of the format than this.
fn corrected(format: &str, rejects: &str) -> String {
    let dated = rejects.replace(WRONG.0, WRONG.1);
    let number = |line: &str| {
        line.split("content, of ")
            .nth(1)
            .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>())
    };
    let lines = dated.lines().map(|line| match number(line).filter(|number| number.ends_with("58")) {
        None => line.to_owned(),
        Some(_) => match format {
            "json" | "ndjson" => {
                line.replacen("\"content\":", &format!("\"title\":\"{NO_TITLE}\",\"content\":"), 1)
            }
            "csv" => line.replacen(",,\"content", &format!(",{NO_TITLE},\"content"), 1),
            "xml" => line.replacen("<content>", &format!("<title>{NO_TITLE}</title><content>"), 1),
            "yaml" => format!("  title: {NO_TITLE}\n{line}"),
            _ => format!("**title:** {NO_TITLE}\n{line}"),
        },
    });
    lines.map(|line| line + "\n").collect()
}

/// Runs a command that ends with this code; answers what it printed.
async fn run(setting: &Setting, args: &[&str], code: i32) -> String {
    let ended = Process::start("carrack", args, setting).unwrap().wait(ENDS_WITHIN).await.unwrap();
    let said = std::fs::read_to_string(setting.folder.join("carrack.log")).unwrap_or_default();
    assert_eq!(ended.code, Some(code), "{args:?}: {}{said}", ended.stdout);
    ended.stdout
}

async fn report(setting: &Setting, args: &[&str], code: i32) -> Value {
    serde_json::from_str(&run(setting, &[args, &["--json"]].concat(), code).await).unwrap()
}

/// The table: each record once, and nothing else.
async fn check(setting: &Setting, way: &str) {
    run(setting, &["export", "--type", "contexts", "--format", "ndjson", "-o", "all.ndjson"], 0).await;
    let all = std::fs::read_to_string(setting.folder.join("all.ndjson")).unwrap();
    assert_eq!(all.lines().count(), RECORDS as usize, "{way}");
    for (number, line) in all.lines().enumerate() {
        let record: Value = serde_json::from_str(line).unwrap();
        let date = if number % 100 == 17 { WRONG.1 } else { "2024-01-01T00:00:00Z" };
        let title = if number % 100 == 58 { NO_TITLE.to_owned() } else { format!("T{number}") };
        assert_eq!(record["id"], format!("r{number:04}"), "{way}");
        assert_eq!(record["title"], title, "{way}: {line}");
        assert_eq!(record["content"], format!("content, of {number}"), "{way}");
        assert_eq!(record["createdAt"].as_str().map(|found| &found[..10]), Some(&date[..10]), "{way}");
        assert_eq!(record.as_object().unwrap().len(), 4, "{way}: {line}");
    }
}

/// A mapping that corrects both, of dates as well as of titles.
const MAPPING: &str = r#"{"transformations":[
    {"field":"createdAt","transformation":"replace","search":"31/02/2024","replacement":"2024-02-28T00:00:00Z"},
    {"field":"title","transformation":"default","value":"no-title"}]}"#;

async fn corrected_and_retried(setting: &Setting, format: &str, by_file: bool) {
    let way = format!("{format}, by {}", if by_file { "a file" } else { "a mapping" });
    let file = format!("records.{format}");
    std::fs::write(setting.folder.join(&file), records(format)).unwrap();
    let import = ["import", &file, "--type", "contexts", "--batch-size", "37"];
    let parent = report(setting, &import, 3).await;
    assert_eq!(parent["rejected"], RECORDS / 50, "{way}: {parent}");
    let id = parent["operationId"].as_str().unwrap();
    let child = if by_file {
        let rejects = format!("rejects.{format}");
        run(setting, &["operations", "rejects", id, "--as", "input", "-o", &rejects], 0).await;
        let path = setting.folder.join(&rejects);
        let text = corrected(format, &std::fs::read_to_string(&path).unwrap());
        std::fs::write(&path, text).unwrap();
        report(setting, &["operations", "retry", id, &rejects], 0).await
    } else {
        std::fs::write(setting.folder.join("mapping.json"), MAPPING).unwrap();
        report(setting, &["operations", "retry", id, "--mapping", "mapping.json"], 0).await
    };
    assert_eq!(
        (&child["read"], &child["created"]),
        (&parent["rejected"], &parent["rejected"]),
        "{way}: {child}"
    );
    assert_eq!(
        (&child["rejected"], &child["parentId"]),
        (&0.into(), &parent["operationId"]),
        "{way}: {child}"
    );
    check(setting, &way).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_corrected_and_retried_in_every_format() {
    for format in FORMATS {
        for by_file in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let setting = Setting { folder: folder.path().to_path_buf(), ..Setting::default() };
            corrected_and_retried(&setting, format, by_file).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_retries_what_it_refused() {
    for format in FORMATS {
        let mut fleet = Fleet::new(&[]).await.unwrap();
        for name in ["coordinator", "worker-0", "worker-1"] {
            fleet.start(name).await.unwrap();
        }
        corrected_and_retried(&fleet.setting, format, format != "csv").await;
    }
}
