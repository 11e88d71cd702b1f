//! Wrong usage: exit code 2, and a message that names what is wrong.

use crate::support::{GOOD, Home};

#[test]
fn wrong_arguments_are_named() {
    let home = Home::new();
    home.write("good.json", GOOD);
    let cases: [(&[&str], &str); 20] = [
        (&["import"], "<FILE>..."),
        (
            &["import", "good.json", "--format", "pdf"],
            "--format: found \"pdf\", expected one of json, ndjson, csv, xml, yaml, markdown",
        ),
        (&["import", "good.json", "--type", "templates", "--merge"], "--merge: found an import of templates"),
        (
            &["import", "good.json", "--type", "users"],
            "--type: found \"users\", expected one of contexts, sessions",
        ),
        (
            &["import", "good.json", "--batch-size", "0"],
            "--batch-size: found the number 0, expected a whole number from 1",
        ),
        (
            &["import", "good.json", "--batch-size", "-1"],
            "found the number -1, expected a whole number from 1 to 50000",
        ),
        (
            &["import", "good.json", "--batch-size", "1e9"],
            "found \"1e9\", expected a whole number from 1 to 50000",
        ),
        (
            &["operations", "list", "--limit", "abc"],
            "'abc' for '--limit <N>': expected a whole number from 1 to 500",
        ),
        (
            &["operations", "list", "--limit", "-1"],
            "'-1' for '--limit <N>': expected a whole number from 1 to 500",
        ),
        (&["serve", "--workers", "65"], "'65' for '--workers <N>': expected a whole number from 1 to 64"),
        (&["worker", "--concurrency", "abc"], "--concurrency: worker.concurrency: expected a whole number"),
        (&["import", "good.json", "--skip-duplicates", "--overwrite"], "cannot be used with"),
        (&["import", "good.json", "--server", "http://localhost:1"], "--server: expected --token"),
        (
            &["export", "--type", "contexts", "--format", "pdf", "-o", "x"],
            "--format: found \"pdf\", expected one of json",
        ),
        (
            &["export", "--type", "contexts", "--format", "json", "-o", "x", "--split", "10"],
            "--split: found the number 10, expected a whole number of bytes, at least 1024",
        ),
        (
            &["export", "--type", "contexts", "--format", "json", "-o", "x", "--split", "10 parsecs"],
            "--split: found \"10 parsecs\", expected a number of bytes, or a size such as 50MB or 64KiB",
        ),
        (
            &[
                "export",
                "--type",
                "contexts",
                "--format",
                "json",
                "-o",
                "x",
                "--compression",
                "zstd",
                "--compression-level",
                "99",
            ],
            "--compression-level: found the number 99, expected a level from 1 to 19 for zstd",
        ),
        (
            &["export", "--type", "contexts", "--format", "json", "-o", "x", "--compression-level", "3"],
            "--compression-level: found the number 3, expected none without a compression",
        ),
        (
            &["export", "--type", "contexts", "--format", "json", "-o", "x", "--compression-level", "high"],
            "--compression-level: found \"high\", expected none without a compression",
        ),
        (&["operations", "show", "nonsense"], "invalid value 'nonsense'"),
    ];
    for (args, said) in cases {
        let outcome = home.run(args);
        assert_eq!(outcome.code, Some(2), "{args:?}: {outcome:?}");
        assert!(outcome.stderr.contains(said), "{args:?}: {outcome:?}, expected {said}");
        assert_eq!(outcome.stdout, "");
    }
}

#[test]
fn all_mistakes_of_a_command_are_told_at_once() {
    let home = Home::new();
    let import =
        ["import", "no.json", "-", "-", "--type", "templates", "--format", "pdf", "--rejects", "no/x"];
    let export = ["export", "--type", "auto-detect", "--format", "pdf", "-o", "no/x"];
    for (args, parts) in [
        (
            &import[..],
            &["--format: ", "no.json: No such file", "- (standard input) twice", "--rejects: "][..],
        ),
        (&export, &["--type: ", "--format: ", "-o: no/x"]),
    ] {
        let outcome = home.run(args);
        assert_eq!((outcome.code, outcome.stderr.lines().count()), (Some(2), 1), "{outcome:?}");
        for part in parts {
            assert!(outcome.stderr.contains(part), "{outcome:?}, expected {part}");
        }
    }
    assert!(home.run(&["--help"]).stdout.contains("Exit codes: 0 all good"));
}

#[test]
fn all_mistakes_in_the_settings_are_told_at_once() {
    let mut home = Home::new();
    let file = "lisen = \"x\"\ndatabase_url = \"mysql://h/d\"\n[worker]\nconcurrency = 100000\n";
    home.write("carrack.toml", file);
    home.set("CARRACK_COLOUR", "red");
    home.set("CARRACK_QUEUE_URL", "kafka://x");
    home.set("LOG_LEVEL", "loud");
    let outcome = home.run(&["operations", "list"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    for part in [
        "carrack.toml: unknown setting lisen",
        "CARRACK_COLOUR: unknown setting colour",
        "carrack.toml: worker.concurrency: expected 1 to 256, found 100000",
        "carrack.toml: database_url: found mysql://h/d, expected sqlite:PATH",
        "CARRACK_QUEUE_URL: queue_url: found kafka://x, expected memory:",
        "LOG_LEVEL: log_level: expected error, warn",
    ] {
        assert!(outcome.stderr.contains(part), "{outcome:?}");
    }
    let missing = home.run(&["operations", "list", "--config", "no.toml"]);
    assert!(missing.code == Some(2) && missing.stderr.contains("no.toml: No such file"), "{missing:?}");
    assert!(missing.stderr.contains("queue_url: found kafka://x"), "{missing:?}");
}

#[test]
fn what_cannot_be_shared_between_processes_is_refused() {
    let mut home = Home::new();
    for role in ["coordinator", "worker"] {
        let outcome = home.run(&[role]);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        for setting in ["database_url", "queue_url: found memory:", "progress_url: found memory:"] {
            assert!(outcome.stderr.contains(setting), "{outcome:?}");
        }
    }
    home.set("CARRACK_QUEUE_URL", "amqp://localhost");
    let outcome = home.run(&["operations", "list"]);
    assert!(outcome.code == Some(2) && outcome.stderr.contains("expected memory:, for the"), "{outcome:?}");
}

#[test]
fn a_data_folder_that_cannot_be_is_told() {
    let home = Home::new();
    home.write("good.json", GOOD);
    for (folder, said) in [
        ("good.json/data", "good.json/data: Not a directory"),
        ("good.json", "good.json: found a file, expected a folder\n"),
    ] {
        let outcome = home.run(&["import", "good.json", "--data-dir", folder]);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.starts_with("error: data folder /"), "{outcome:?}");
        assert!(outcome.stderr.contains(said), "{outcome:?}, expected {said}");
    }
    let odd = home.run(&["import", "good.json", "--data-dir", "a b#c?d%41"]);
    assert_eq!(odd.code, Some(0), "any name is one: {odd:?}");
    assert!(home.path("a b#c?d%41/objects").is_dir());
}
