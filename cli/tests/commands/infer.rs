//! `infer`: what is proposed is accepted, and takes every record of the file.

use serde_json::{Value, json};

use crate::support::Home;

/// Proposes, stores, imports, and answers the types of the fields and the report.
fn round(home: &Home, file: &str, more: &[&str]) -> (Vec<String>, Value) {
    let inferred = home.run(&[&["infer", file, "--type", "things", "-o", "t.json"], more].concat());
    assert_eq!(inferred.code, Some(0), "{inferred:?}");
    let created = home.run(&["templates", "create", "t.json", "--json"]);
    assert_eq!(created.code, Some(0), "{created:?}");
    let fields = created.json()["schema"]["fields"].clone();
    let told =
        |field: &Value| format!("{}:{}", field["name"].as_str().unwrap(), field["type"].as_str().unwrap());
    let fields = fields.as_array().unwrap().iter().map(told).collect();
    let options: Vec<&str> = more.chunks(2).filter(|pair| pair[0] != "--key").flatten().copied().collect();
    let imported = home.run(&[&["import", file, "--template", "t.json", "--json"], &options[..]].concat());
    assert_eq!(imported.code, Some(0), "{imported:?}");
    (fields, imported.json())
}

const PETS: &str = "chip;name;born;weight;legs;tame;plz;since\n\
    7;Rex;14.03.2009;4.5;4;true;01067;2020-01-01\n\
    8;Mia;01.02.2010;3;4;false;80331;2021-01-01\n\
    9;;02.02.2010;;4;true;10115;2021-01-01T12:00:00Z\n";

#[test]
fn what_is_proposed_takes_every_record_of_the_file() {
    let home = Home::new();
    home.write("pets.csv", PETS);
    let (fields, report) = round(&home, "pets.csv", &[]);
    let expected = [
        "chip:string",
        "name:string",
        "born:date",
        "weight:number",
        "legs:integer",
        "tame:boolean",
        "plz:string",
        "since:date",
    ];
    assert_eq!((fields, report["created"].clone()), (expected.map(str::to_owned).to_vec(), json!(3)));
    let exported = home.run(&["export", "--type", "things", "--format", "csv", "-o", "-"]).stdout;
    let first = "7,Rex,2009-03-14T00:00:00Z,4.5,4,true,01067,2020-01-01T00:00:00Z";
    assert!(exported.contains(first), "{exported}");
}

#[test]
fn every_format_and_layer_can_be_looked_at() {
    let home = Home::new();
    home.write("t.json", json!({"name": "Things", "version": "0", "schema": {"type": "others", "fields": [
        {"name": "id", "type": "string"}, {"name": "n", "type": "integer"}, {"name": "list", "type": "array"},
    ]}}).to_string());
    home.write(
        "a.ndjson",
        "{\"id\":\"a\",\"n\":1,\"list\":[1,\"x\"]}\n{\"id\":\"b\",\"n\":2,\"list\":[2,3]}\n",
    );
    assert_eq!(home.run(&["import", "a.ndjson", "--template", "t.json"]).code, Some(0));
    for file in ["o.json", "o.ndjson.gz", "o.csv.zst", "o.xml", "o.yaml", "o.md"] {
        assert_eq!(home.run(&["export", "--type", "others", "-o", file]).code, Some(0), "{file}");
        let there = home.run(&["infer", file, "--json"]).json();
        let fields = there["template"]["schema"]["fields"].as_array().unwrap();
        let type_of = |name: &str| fields.iter().find(|field| field["name"] == name).unwrap()["type"].clone();
        assert_eq!((&there["records"], &there["key"], fields.len()), (&json!(2), &json!("id"), 3), "{file}");
        assert_eq!((type_of("n"), type_of("id")), (json!("integer"), json!("string")), "{file}");
    }
}

#[test]
fn numbers_become_keys_and_odd_names_are_mapped() {
    let home = Home::new();
    home.write("a.json", r#"[{"_id":1,"a.b":"x","mixed":1},{"_id":2,"a.b":"y","mixed":"one"}]"#);
    let (fields, report) = round(&home, "a.json", &["--key", "_id"]);
    assert_eq!(
        (fields, report["created"].clone()),
        (vec!["id:string".to_owned(), "a.b:string".into()], json!(2))
    );
    let exported = home.run(&["export", "--type", "things", "--format", "ndjson", "-o", "-"]).stdout;
    assert_eq!(
        exported,
        "{\"id\":\"1\",\"a.b\":\"x\",\"mixed\":1}\n{\"id\":\"2\",\"a.b\":\"y\",\"mixed\":\"one\"}\n"
    );
}

#[test]
fn what_is_found_is_told_and_nothing_is_stored() {
    let home = Home::new();
    home.write("pets.csv", PETS);
    let told = home.run(&["infer", "pets.csv"]);
    for line in [
        "looked at 3 records, of which 0 cannot be read",
        "chip: string, the key: it identifies a record",
        "weight: number: integer but for 1 of 2 values, e.g. \"4.5\" at line 2",
        "plz: string: 1 of 3 values are digits behind a zero, e.g. \"01067\" at line 2",
        "born: date: every value is a date as %d.%m.%Y",
    ] {
        assert!(told.stdout.contains(line), "{line}: {told:?}");
    }
    let doubtful = home.run(&["infer", "pets.csv", "--key", "legs"]);
    let doubt = "legs identifies a record, but 2 of its values came before, such as that of record 2 (line 3): an import";
    assert!(doubtful.code == Some(0) && doubtful.stdout.contains(doubt), "{doubtful:?}");
    home.write("dirty.csv", b"id,name\n1,M\xfcnchen\n2,Ulm\n3,K\xf6ln\n");
    let dirty = home.run(&["infer", "dirty.csv"]);
    let first = "2 cannot be read\n  the first is record 1 (line 2): encoding.utf8: found the byte 0xfc";
    assert!(dirty.stdout.contains(first), "{dirty:?}");
    let sample = home.run(&["infer", "pets.csv", "--sample", "2", "--json"]).json();
    assert_eq!((&sample["records"], &sample["template"]["name"]), (&json!(2), &json!("pets")));
    assert_eq!(home.run(&["templates", "list"]).stdout.lines().count(), 2);
    for (arguments, expected) in [
        (&["infer", "none.csv"][..], "none.csv: No such file"),
        (&["infer", "pets.csv", "--key", "leg"], "--key: found the key \"leg\", expected one of chip, name"),
        (&["infer", "pets.csv", "--format", "json"], "pets.csv"),
        (&["infer", "pets.csv", "--sample", "0"], "--sample"),
    ] {
        let refused = home.run(arguments);
        assert!(refused.code == Some(2) && refused.stderr.contains(expected), "{arguments:?}: {refused:?}");
    }
}
