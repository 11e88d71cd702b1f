//! Imports of templates: one after another in the order of the file, however many workers there are and whatever is
//! killed, and the same in both databases.

use std::fmt::Write as _;
use std::time::Duration;

use carrack_coordinator::options::Options;
use carrack_coordinator::start::{self, Input};
use carrack_shared::fault::Reject;
use carrack_shared::schema::DataType;
use carrack_shared::tally::Tally;
use carrack_tests::deployment::Deployment;
use carrack_tests::fleet::Fleet;
use carrack_tests::process::{Ended, Process, Setting};
use carrack_tests::wait::until;
use serde_json::{Value, json};
use tokio::time::Instant;

const ENDS_WITHIN: Duration = Duration::from_secs(120);

/// Types, each of which grows with every template of it.
const TYPES: usize = 3;

/// Of a file of several tasks, which workers take at once.
const PADDING: usize = 300_000;

/// A file in which what comes of a template depends on those before it.
fn file(templates: usize, padding: usize) -> String {
    let mut lines = String::new();
    for number in 0..templates {
        let (data_type, version) = (number % TYPES, number / TYPES);
        let mut fields: Vec<Value> = vec![json!({"name": "id", "type": "string"})];
        // The same name as another type in another version, so that whoever came first decides.
        let kinds = if data_type == version % TYPES { ["string", "date"] } else { ["date", "string"] };
        fields.push(json!({"name": format!("f{}", version / 2), "type": kinds[number % 2]}));
        let name = if number % 7 == 6 { "Shared".into() } else { format!("T{data_type}") };
        let template = json!({
            "name": name, "version": (version % 11).to_string(), "description": "x".repeat(padding),
            "schema": {"type": format!("t{data_type}"), "fields": fields},
        });
        let _ = writeln!(lines, "{template}");
    }
    lines
}

/// All that an import leaves behind.
#[derive(Debug, PartialEq)]
struct Left {
    tally: Option<Tally>,
    rejects: Vec<(u64, Vec<(String, String)>)>,
    templates: Vec<(String, String, Value)>,
    types: Vec<DataType>,
}

async fn left(deployment: &Deployment, files: &[&str]) -> Left {
    let mut inputs = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let source = deployment.upload(&format!("{number}.ndjson"), (*file).to_owned()).await.unwrap();
        inputs.push(Input { name: source.name, key: source.key });
    }
    let options = Options::from_json("{}").unwrap();
    let spec = start::import_spec(&deployment.ports, &inputs, Some("templates"), &options).await.unwrap();
    let ended = deployment.end(spec).await.unwrap();
    let told = |reject: Reject| {
        let faults = reject
            .faults
            .iter()
            .map(|fault| (fault.code.to_string(), fault.field.clone().unwrap_or_default()));
        (reject.position.record(), faults.collect())
    };
    let mut templates = deployment.ports.store.templates().await.unwrap();
    templates.sort_by_key(|template| template.id);
    Left {
        tally: ended.tally,
        rejects: deployment.rejects(&ended).await.unwrap().into_iter().map(told).collect(),
        templates: templates
            .into_iter()
            .map(|one| (one.name, one.version, one.document["schema"].clone()))
            .collect(),
        types: deployment.ports.store.data_types().await.unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_workers_leaves_the_same_templates() {
    let (large, small) = (file(70, PADDING), file(100, 10));
    let files = [&*small, &*large, &*small];
    let one = Deployment::embedded_with(None, 1).await.unwrap();
    let expected = left(&one, &files).await;
    one.stop().await;
    let tally = expected.tally.unwrap();
    assert!(tally.created > 20 && tally.rejected > 100 && tally.read == 270, "{tally:?}");
    assert_eq!(tally.rejected, expected.rejects.len() as u64);
    for workers in [2, 8] {
        let deployment = Deployment::embedded_with(None, workers).await.unwrap();
        assert_eq!(left(&deployment, &files).await, expected, "{workers} workers on SQLite");
        deployment.stop().await;
    }
    for workers in [1, 8] {
        let deployment = Deployment::fleet_with(workers).await.unwrap();
        assert_eq!(left(&deployment, &files).await, expected, "{workers} workers on PostgreSQL");
        deployment.stop().await;
    }
}

fn good(templates: usize) -> String {
    let template = |number: usize| {
        let fields = [
            json!({"name": "id", "type": "string"}),
            json!({"name": format!("f{number}"), "type": "string"}),
        ];
        json!({"name": format!("T{}", number % 9), "version": number.to_string(), "schema": {"type": "t", "fields": fields}})
            .to_string()
    };
    (0..templates).map(template).collect::<Vec<_>>().join("\n")
}

async fn run(setting: &Setting, args: &[&str]) -> Ended {
    let ended = Process::start("carrack", args, setting).unwrap().wait(ENDS_WITHIN).await.unwrap();
    let said = std::fs::read_to_string(setting.folder.join("carrack.log")).unwrap_or_default();
    assert_eq!(ended.code, Some(0), "{args:?}: {}{said}", ended.stdout);
    ended
}

fn json_of(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_templates_that_is_killed_counts_each_once() {
    const TEMPLATES: usize = 400;
    let folder = tempfile::tempdir().unwrap();
    let setting = Setting { folder: folder.path().to_path_buf(), ..Setting::default() };
    std::fs::write(folder.path().join("t.ndjson"), good(TEMPLATES)).unwrap();
    let import = ["import", "t.ndjson", "--type", "templates", "--json"];
    let stored = async || {
        json_of(&run(&setting, &["templates", "list", "--json"]).await).as_array().unwrap().len() - 2
    };
    for most in [30, 120, 210] {
        let process = Process::start("carrack", &import, &setting).unwrap();
        let deadline = Instant::now() + ENDS_WITHIN;
        let what = || format!("{most} templates");
        until(deadline, what, async || Ok((stored().await >= most).then_some(()))).await.unwrap();
        process.kill().await.unwrap();
        let found = stored().await;
        assert!((most..TEMPLATES).contains(&found), "{found}, so that no kill fell into the import");
    }
    // The same file with the same options goes on, or says that it was done.
    let ended = json_of(&run(&setting, &[&import[..], &["--skip-duplicates"]].concat()).await);
    let operations = json_of(&run(&setting, &["operations", "list", "--json"]).await);
    let count = |name: &str| -> u64 {
        operations.as_array().unwrap().iter().filter_map(|operation| operation[name].as_u64()).sum()
    };
    assert_eq!(count("created"), TEMPLATES as u64, "each counts once: {operations}\n{ended}");
    let exported =
        run(&setting, &["export", "--type", "templates", "--format", "ndjson", "-o", "x.ndjson"]).await;
    assert_eq!(exported.code, Some(0));
    let versions: Vec<Value> = std::fs::read_to_string(folder.path().join("x.ndjson"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["version"].clone())
        .collect();
    assert_eq!(versions, (0..TEMPLATES).map(|number| json!(number.to_string())).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_go_to_a_fleet_and_back() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let setting =
        |folder: &tempfile::TempDir| Setting { folder: folder.path().to_path_buf(), ..Setting::default() };
    let (from, to) = (setting(&folder), setting(&other));
    std::fs::write(folder.path().join("t.ndjson"), good(50)).unwrap();
    run(&from, &["import", "t.ndjson", "--type", "templates"]).await;
    let mut fleet = Fleet::new(&[]).await.unwrap();
    for name in ["coordinator", "worker-0", "worker-1"] {
        fleet.start(name).await.unwrap();
    }
    let exchange = folder.path().join("x.json.gz");
    let exchange = exchange.to_str().unwrap();
    let export = ["export", "--type", "templates", "--compression", "gzip", "-o", exchange, "--json"];
    let import = ["import", exchange, "--type", "templates", "--json"];
    for (from, to) in [(&from, &fleet.setting), (&fleet.setting, &to)] {
        let exported = json_of(&run(from, &export).await);
        let imported = json_of(&run(to, &import).await);
        assert_eq!((&exported["read"], &imported["created"]), (&json!(50), &json!(50)), "{imported}");
        std::fs::remove_file(exchange).unwrap();
    }
    let shown = async |setting: &Setting| {
        let mut list = json_of(&run(setting, &["templates", "list", "--json"]).await);
        for template in list.as_array_mut().unwrap() {
            for name in ["id", "createdAt", "owner"] {
                template.as_object_mut().unwrap().remove(name);
            }
        }
        list
    };
    assert_eq!(shown(&from).await, shown(&fleet.setting).await);
    assert_eq!(shown(&from).await, shown(&to).await);
}
