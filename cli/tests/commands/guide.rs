//! The guide, object by object: every one of its options, templates and records as it stands there, sent to a server.

use std::collections::BTreeMap;
use std::io::Read as _;

use jiff::{SignedDuration, Timestamp};
use regex::{Captures, Regex};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::{Home, Server};

const EXAMPLES: &str = include_str!("../guide/examples.js");

/// What a program puts where the guide has an expression, by `JSON.stringify`.
fn evaluated(text: &str) -> String {
    let (now, then) = (Timestamp::now(), Timestamp::now() - SignedDuration::from_hours(24 * 30));
    let before = r#""skipDuplicates": true, "format": "json","#;
    [
        ("new Date('2024-01-01')", r#""2024-01-01T00:00:00.000Z""#),
        ("new Date('2024-12-31')", r#""2024-12-31T00:00:00.000Z""#),
        ("new Date(Date.now() - 30 * 24 * 60 * 60 * 1000)", &format!("\"{then:.3}\"")),
        ("expression: 'new Date()'", r#""expression": "new Date()""#),
        (": new Date(),", &format!(": \"{now:.3}\",")),
        ("lastMigrationDate", r#""2024-06-01T00:00:00.000Z""#),
        ("process.env.MIGRATION_KEY", r#""your-encryption-key""#),
        ("process.env.MIGRATION_ENCRYPTION_KEY", r#""your-encryption-key""#),
        ("50 * 1024 * 1024", "52428800"),
        ("10 * 1024 * 1024", "10485760"),
        ("mapping: undefined,", ""),
        ("...importOptions,", before),
        ("...options,", before),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// All of them as JSON, by their headings.
fn examples() -> BTreeMap<&'static str, Value> {
    let comment = Regex::new(r"(?m)(^|[ ,])// .*$").unwrap();
    let name = Regex::new(r"(?m)(^|[{,] ?)(\w+):").unwrap();
    let (_, examples) = EXAMPLES.split_once("//// ").unwrap();
    let read = |example: &'static str| {
        let (heading, text) = example.split_once('\n').unwrap();
        let text = comment.replace_all(&evaluated(text), "$1").replace('\'', "\"");
        let text = name.replace_all(&text, "$1\"$2\":").replace('\n', "");
        let text = Regex::new(r",\s*([}\]])").unwrap().replace_all(&text, "$1").into_owned();
        let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{heading}: {error}: {text}"));
        (heading, value)
    };
    examples.split("//// ").map(read).collect()
}

/// The one under this heading.
pub fn example(heading: &str) -> Value {
    examples().remove(heading).unwrap_or_else(|| panic!("the guide has no {heading:?}"))
}

/// Documents in which each of the alternatives that the guide lists between bars comes at least once.
fn alternatives(document: &Value) -> Vec<Value> {
    let listed = Regex::new(r#""([a-z-]+(?:\|[a-z-]+)+)""#).unwrap();
    let text = document.to_string();
    let most = listed.captures_iter(&text).map(|found| found[1].split('|').count()).max().unwrap();
    let chosen = |number: usize| {
        listed.replace_all(&text, |found: &Captures<'_>| {
            let each: Vec<&str> = found[1].split('|').collect();
            format!("\"{}\"", each[number % each.len()])
        })
    };
    (0..most).map(|number| serde_json::from_str(&chosen(number)).unwrap()).collect()
}

/// The guide's record, and others that its filters leave out or take.
fn records(examples: &BTreeMap<&str, Value>) -> Vec<Value> {
    let sample = &examples["JSON record"];
    let changed = |id: &str, changes: Value| {
        let mut record = sample.clone();
        record["id"] = id.into();
        for (name, value) in changes.as_object().unwrap() {
            record[name] = value.clone();
        }
        record
    };
    let now = format!("{:.3}", Timestamp::now() - SignedDuration::from_hours(1));
    vec![
        sample.clone(),
        changed(
            "asked-for",
            json!({"tags": ["important"], "sessionId": "session-1", "metadata": {"importance": "high"}}),
        ),
        changed("new", json!({"createdAt": now})),
        changed("of-july", json!({"createdAt": "2024-07-01T00:00:00Z"})),
        changed("old", json!({"createdAt": "2019-01-01T00:00:00Z"})),
    ]
}

/// A server with the guide's examples and some records.
struct Guide {
    examples: BTreeMap<&'static str, Value>,
    records: String,
    server: Server,
    _home: Home,
}

impl Guide {
    async fn new(with_records: bool) -> Self {
        let home = Home::new();
        let (server, examples) = (Server::start(&home), examples());
        let records = Value::from(records(&examples)).to_string();
        let guide = Self { examples, records, server, _home: home };
        if with_records {
            let accepted = guide.import("contexts", &guide.examples["REST import"], &guide.records).await;
            assert_eq!(accepted["created"], 5, "{accepted}");
        }
        guide
    }

    /// Imports a text; answers the report.
    async fn import(&self, data_type: &str, options: &Value, text: &str) -> Value {
        let options = options.to_string();
        let parts = [("file:data.json", text), ("dataType", data_type), ("options", &options)];
        let report = self.server.ended(&self.server.import(&parts, 202).await).await;
        assert_eq!(report["failure"], Value::Null, "{options}: {report}");
        report
    }

    /// Exports; answers the report and the file.
    async fn export(&self, request: &Value) -> (Value, Vec<u8>) {
        let accepted = self.server.post("export", &request.to_string(), 202).await;
        let report = self.server.ended(&accepted).await;
        assert_eq!(report["status"], "succeeded", "{request}: {report}");
        let url = format!("{}{}", self.server.url, report["filePath"].as_str().unwrap());
        let response = self.server.client.get(url).bearer_auth(&self.server.token).send().await.unwrap();
        (report, response.bytes().await.unwrap().to_vec())
    }

    async fn exported(&self, data_type: &str, options: &Value) -> Vec<u8> {
        self.export(&json!({"dataType": data_type, "options": options})).await.1
    }

    /// Imports files as they were downloaded; answers the report, or the problem.
    async fn import_files(
        &self,
        data_type: &str,
        options: &Value,
        files: Vec<(String, Vec<u8>)>,
        status: u16,
    ) -> Value {
        let form = Form::new().text("dataType", data_type.to_owned()).text("options", options.to_string());
        let form = files
            .into_iter()
            .fold(form, |form, (name, bytes)| form.part("file", Part::bytes(bytes).file_name(name)));
        let request = self.server.client.post(self.server.at("import")).multipart(form);
        let answer = self.server.send(request, status).await;
        if status == 202 { self.server.ended(&answer).await } else { answer }
    }

    fn of(&self, name: &str) -> Value {
        self.examples[name].clone()
    }

    /// Options with a key beside them, which is never kept for who comes later.
    fn with_key(&self, name: &str) -> Value {
        let mut options = self.of(name);
        options["encryption"] = self.examples["Full export"]["encryption"].clone();
        options
    }
}

fn ids(json: &[u8]) -> Vec<String> {
    let records: Vec<Value> = serde_json::from_slice(json).unwrap();
    records.iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}

fn gunzipped(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut text).unwrap();
    text
}

/// The files of a tar archive.
fn unpacked(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(archive);
    let read = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let (name, mut bytes) = (entry.path().unwrap().display().to_string(), Vec::new());
        entry.read_to_end(&mut bytes).unwrap();
        (name, bytes)
    };
    archive.entries().unwrap().map(read).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_export_of_the_guide_is_made_and_imported_again() {
    let guide = Guide::new(true).await;
    let key = json!({"enabled": true, "algorithm": "aes-256-gcm", "key": "your-encryption-key"});
    for name in
        ["Basic Export", "JSON options", "CSV options", "XML options", "YAML options", "Markdown options"]
    {
        let file = guide.exported("contexts", &guide.of(name)).await;
        let back = Guide::new(false).await;
        let report = back.import_files("contexts", &json!({}), vec![("file".into(), file)], 202).await;
        assert_eq!((&report["created"], &report["rejected"]), (&5.into(), &0.into()), "{name}: {report}");
    }
    let plain = guide.exported("contexts", &guide.of("JSON options")).await;
    let exported: Vec<Value> = serde_json::from_slice(&plain).unwrap();
    let sample = exported.iter().find(|record| record["id"] == "context-123").unwrap();
    for (name, value) in guide.of("JSON record").as_object().unwrap() {
        assert_eq!(&sample[name], value, "{name}");
    }
    for (name, expected) in
        [("Filtering and Selection", vec!["asked-for"]), ("Incremental export", vec!["new", "of-july"])]
    {
        assert_eq!(ids(&guide.exported("contexts", &guide.of(name)).await), expected, "{name}");
    }
    assert_eq!(ids(&guide.export(&guide.of("REST export")).await.1), ["asked-for", "context-123", "of-july"]);
    let new = guide.exported("contexts", &guide.of("Large datasets")).await;
    assert_eq!(ids(&gunzipped(&new)), ["new"]);
    assert!(!String::from_utf8(gunzipped(&new)).unwrap().contains("metadata"));
    let parts = guide.exported("contexts", &guide.of("Large files")).await;
    let secret = guide.exported("contexts", &guide.of("Compression and Encryption")).await;
    for (archive, options) in [(parts, json!({})), (secret, json!({"encryption": key}))] {
        let back = Guide::new(false).await;
        let report = back.import_files("contexts", &options, unpacked(&archive), 202).await;
        assert_eq!(report["created"], 5, "{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_alternative_of_the_export_endpoint_is_taken() {
    let guide = Guide::new(true).await;
    guide.server.post("templates", &guide.of("Template").to_string(), 201).await;
    let endpoint = guide.of("Export endpoint");
    let requests = alternatives(&endpoint);
    assert_eq!(requests.len(), 5, "{endpoint}");
    for request in requests {
        // The guide lists all filters there are; only contexts have the fields that they ask for.
        let mut request = request;
        if request["dataType"] != "contexts" {
            let problem = guide.server.post("export", &request.to_string(), 422).await;
            assert!(problem["detail"].as_str().unwrap().contains("options.filters.tags"), "{problem}");
            request["options"].as_object_mut().unwrap().remove("filters");
        }
        let (report, file) = guide.export(&request).await;
        let expected = match request["dataType"].as_str() {
            Some("sessions") => 0,
            Some("all") => 5,
            _ => 1,
        };
        assert_eq!(
            (&report["read"], file.is_empty() && expected > 0),
            (&expected.into(), false),
            "{request}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_import_of_the_guide_does_what_it_says() {
    let guide = Guide::new(false).await;
    let bad = json!([{"id": "bad", "title": "T"}]).to_string();
    let all = |name: &'static str| (name, guide.of(name));
    let report = guide.import("contexts", &guide.of("Validation"), &guide.records).await;
    assert_eq!((&report["dryRun"], &report["created"]), (&true.into(), &5.into()), "{report}");
    let report = guide.import("contexts", &guide.of("Basic Import"), &guide.records).await;
    assert_eq!((&report["created"], &report["successfulRecords"]), (&5.into(), &5.into()), "{report}");
    for (name, options) in [
        all("Lenient validation"),
        all("Strict validation"),
        all("Incremental import"),
        all("Error handling"),
        ("Security", json!({"validateSchema": true, "errorHandling": "strict", "skipDuplicates": true})),
    ] {
        let report = guide.import("contexts", &options, &guide.records).await;
        assert_eq!((&report["skipped"], &report["rejected"]), (&5.into(), &0.into()), "{name}: {report}");
    }
    // A field that is not there is no fault where only keys and columns are checked.
    let report = guide.import("contexts", &guide.of("Slow imports"), &bad).await;
    assert_eq!((&report["created"], &report["rejected"]), (&1.into(), &0.into()), "{report}");
    for name in ["Lenient validation", "Error handling", "Incremental import", "Large files"] {
        let report = guide.import("contexts", &guide.of(name), &bad.replace("bad", name)).await;
        assert_eq!(report["status"], "succeeded_with_rejects", "{name}: {report}");
        assert_eq!(report["validationErrors"][0]["field"], "content", "{name}: {report}");
        assert_eq!(report["validationErrors"][0]["record"], 1, "{name}: {report}");
    }
    let options = guide.of("Strict validation").to_string();
    let bad = bad.replace("bad", "strict");
    let parts = [("file:data.json", bad.as_str()), ("dataType", "contexts"), ("options", &options)];
    let report = guide.server.ended(&guide.server.import(&parts, 202).await).await;
    assert_eq!((&report["status"], &report["created"]), (&"failed".into(), &0.into()), "{report}");
    assert_eq!(report["failure"]["code"], "strict.rejected", "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_alternative_of_the_import_endpoint_is_taken() {
    let guide = Guide::new(true).await;
    let requests = alternatives(&guide.of("Import endpoint"));
    assert_eq!(requests.len(), 5);
    for options in requests {
        let file = guide.exported("contexts", &json!({"format": options["format"]})).await;
        let text = String::from_utf8(file).unwrap();
        for data_type in ["contexts", "auto-detect"] {
            let report = guide.import(data_type, &options, &text).await;
            assert_eq!((&report["read"], &report["skipped"]), (&5.into(), &5.into()), "{options}: {report}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_full_migration_of_the_guide_moves_everything() {
    let guide = Guide::new(true).await;
    let sessions = json!([{"id": "s1", "title": "S"}]).to_string();
    guide.import("sessions", &json!({}), &sessions).await;
    let files = unpacked(&guide.exported("all", &guide.of("Full export")).await);
    let new = Guide::new(false).await;
    let problem = new.import_files("auto-detect", &new.of("Full import"), files.clone(), 422).await;
    assert!(problem["detail"].as_str().unwrap().contains("encryption"), "{problem}");
    for expected in ["created", "unchanged"] {
        let report = new.import_files("auto-detect", &new.with_key("Full import"), files.clone(), 202).await;
        assert_eq!((&report["status"], &report[expected]), (&"succeeded".into(), &6.into()), "{report}");
    }
    let (before, after) =
        (guide.exported("contexts", &json!({})).await, new.exported("contexts", &json!({})).await);
    assert_eq!(String::from_utf8(before), String::from_utf8(after));
    // What is to be imported with a key has to be encrypted.
    let plain = vec![("plain.json".to_owned(), guide.records.clone().into_bytes())];
    let problem = new.import_files("contexts", &new.of("Security"), plain, 422).await;
    assert!(problem["detail"].as_str().unwrap().contains("not encrypted"), "{problem}");
    let sealed = json!({"format": "json", "encryption": guide.of("Security")["encryption"]});
    let sealed = vec![("contexts.json".to_owned(), guide.exported("contexts", &sealed).await)];
    let mut options = new.of("Security");
    options["overwriteExisting"] = true.into();
    let report = new.import_files("contexts", &options, sealed, 202).await;
    assert_eq!(report["unchanged"], 5, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_templates_and_mappings_of_the_guide_are_taken() {
    let guide = Guide::new(false).await;
    let template = guide.of("Template");
    let created = guide.server.post("templates", &template.to_string(), 201).await;
    for name in ["name", "version", "description", "schema", "transformation"] {
        assert_eq!(created[name], template[name], "{name}");
    }
    let id = created["id"].as_str().unwrap();
    assert_eq!(guide.server.get(&format!("templates/{id}")).await, created);
    let listed = guide.server.get("templates").await;
    assert!(listed.as_array().unwrap().iter().any(|one| one["name"] == template["name"]), "{listed}");

    let legacy = "id,legacy_title,legacy_body,legacy_category,legacy_keywords\nk1, T ,B,CODE,\"x, y\"\n";
    let old = "old_id,old_name,old_description,old_type,old_created\nk2,T,B,CODE,03/25/2019\n";
    for (name, text) in [("Field Mapping and Transformation", legacy), ("Legacy import", old)] {
        let report = guide.import("contexts", &guide.of(name), text).await;
        assert_eq!((&report["created"], &report["rejected"]), (&1.into(), &0.into()), "{name}: {report}");
    }
    let file = guide.exported("contexts", &json!({})).await;
    let records: Vec<Value> = serde_json::from_slice(&file).unwrap();
    assert_eq!((&records[0]["title"], &records[0]["type"]), (&"T".into(), &"code".into()));
    assert_eq!(records[0]["tags"], json!(["x", "y"]));
    assert_eq!((&records[1]["content"], &records[1]["type"]), (&"B".into(), &"code".into()));
    assert_eq!(records[1]["createdAt"], "2019-03-25T00:00:00Z");
    // By the template, with the time of the export.
    let through = guide.exported("contexts", &json!({"templateId": id})).await;
    let records: Vec<Value> = serde_json::from_slice(&through).unwrap();
    let members: Vec<&str> = records[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["id", "title", "content", "tags", "exportedAt"]);
}
