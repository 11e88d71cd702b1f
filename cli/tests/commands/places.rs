//! Files that a command writes: never over its input, Carrack's own or what is no file, and not found out
//! too late.

use std::os::unix::fs::{PermissionsExt, symlink};

use crate::support::{GOOD, Home, MIXED};

/// A home with a store, a source and places where nothing may be written, all relative to it.
fn home() -> Home {
    let home = Home::new();
    home.write("mixed.csv", MIXED);
    home.write("good.json", GOOD);
    home.run(&["import", "good.json"]);
    std::fs::create_dir(home.path("folder")).unwrap();
    symlink("mixed.csv", home.path("link.csv")).unwrap();
    home
}

/// All names in the folder and the data folder. The database's journals come and go with every command.
fn names(home: &Home) -> Vec<String> {
    let list = |below: &str| std::fs::read_dir(home.path(below)).unwrap().map(Result::unwrap);
    let all = list("").chain(list("carrack-data")).chain(list("folder"));
    let mut all: Vec<_> = all.map(|entry| entry.path().display().to_string()).collect();
    all.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
    all.sort();
    all
}

#[test]
fn a_place_that_must_not_be_written_is_refused_before_the_work() {
    let home = home();
    let _socket = std::os::unix::net::UnixListener::bind(home.path("socket")).unwrap();
    let everywhere = [
        ("carrack-data/carrack.sqlite", "lies in Carrack's own folder"),
        ("carrack-data/new.json", "lies in Carrack's own folder"),
        ("./folder/../carrack-data/objects/x", "lies in Carrack's own folder"),
        ("folder", "found a directory"),
        ("folder/", "found the name of a folder"),
        ("socket", "found a device, pipe or socket"),
        ("no/such/out.json", "No such file"),
        ("good.json/out.json", "Not a directory"),
    ];
    let inputs = [
        ("./mixed.csv", "mixed.csv is one of the files to import"),
        ("link.csv", "link.csv is one of the files to import"),
    ];
    let before = names(&home);
    for (place, said) in everywhere.iter().chain(&inputs) {
        let outcome = home.run(&["import", "good.json", "mixed.csv", "--rejects", place]);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.starts_with("error: --rejects: "), "{outcome:?}");
        assert!(outcome.stderr.contains(said), "{outcome:?}, expected {said}");
    }
    for (place, said) in everywhere {
        let outcome = home.run(&["export", "--type", "contexts", "--format", "json", "-o", place]);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.starts_with("error: -o: "), "{outcome:?}");
        assert!(outcome.stderr.contains(said), "{outcome:?}, expected {said}");
    }
    assert_eq!(names(&home), before);
    let operations = home.run(&["operations", "list", "--json"]).json();
    assert_eq!(operations.as_array().unwrap().len(), 1, "only the first import: {operations}");
    assert_eq!((home.read("mixed.csv"), home.read("good.json")), (MIXED.to_owned(), GOOD.to_owned()));
}

#[test]
fn a_database_outside_the_data_folder_is_not_written_over() {
    let mut home = home();
    home.set("CARRACK_DATABASE_URL", &format!("sqlite:{}", home.path("other.db").display()));
    home.run(&["import", "good.json"]);
    let outcome = home.run(&["export", "--type", "contexts", "--format", "json", "-o", "other.db"]);
    assert!(outcome.code == Some(2) && outcome.stderr.contains("part of Carrack's database"), "{outcome:?}");
    assert_eq!(home.run(&["operations", "list", "--json"]).json().as_array().unwrap().len(), 1);
}

#[test]
fn a_watch_does_not_write_over_the_source_either() {
    let home = home();
    let report = home.run(&["import", "mixed.csv", "--json"]).json();
    let id = report["operationId"].as_str().unwrap();
    let outcome = home.run(&["operations", "watch", id, "--rejects", "mixed.csv"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(outcome.stderr.contains("is one of the files to import"), "{outcome:?}");
    assert_eq!(home.read("mixed.csv"), MIXED);
}

#[test]
fn an_export_follows_a_link_and_keeps_the_mode() {
    let home = home();
    home.write("secret.json", "old");
    std::fs::set_permissions(home.path("secret.json"), PermissionsExt::from_mode(0o600)).unwrap();
    symlink("secret.json", home.path("link.json")).unwrap();
    let outcome = home.run(&["export", "--type", "contexts", "--format", "json", "-o", "link.json"]);
    assert!(outcome.stdout.ends_with("written to link.json\n"), "{outcome:?}");
    assert!(home.path("link.json").is_symlink());
    assert_eq!(home.path("secret.json").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(home.read("secret.json").lines().count(), 4);
}

#[test]
fn a_report_is_printed_where_the_rejects_cannot_be_written_in_the_end() {
    let home = home();
    let lock = home.hold_lock();
    let import = home.start(&["import", "mixed.csv", "--rejects", "folder/bad.ndjson"]);
    import.wait_for_note("another process");
    home.wait_for_operation(|operation| operation["status"] == "running");
    std::fs::remove_dir(home.path("folder")).unwrap();
    drop(lock);
    let outcome = import.outcome();
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stdout.contains("succeeded with rejects\n"), "{outcome:?}");
    let id = outcome.stdout.split_whitespace().nth(1).unwrap();
    let again = format!("operations watch {id} --rejects folder/bad.ndjson");
    assert!(outcome.stderr.contains("folder/bad.ndjson: No such file"), "{outcome:?}");
    assert!(outcome.stderr.ends_with(&format!("`carrack {again}` writes them\n")), "{outcome:?}");
    std::fs::create_dir(home.path("folder")).unwrap();
    let watched = home.run(&again.split(' ').collect::<Vec<_>>());
    assert_eq!(watched.code, Some(3), "{watched:?}");
    assert_eq!(home.lines("folder/bad.ndjson").len(), 3);
}
