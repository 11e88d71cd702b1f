//! A process runs with what its test says, whatever the shell of the tests has set.

use std::process::Command;
use std::time::Duration;

use carrack_tests::process::{Process, Setting};

/// Set in a shell in which the variables of a fleet were read, and some more.
const FOREIGN: [(&str, &str); 4] = [
    ("CARRACK_DATABASE_URL", "postgres://nobody@127.0.0.1:1/nowhere"),
    ("CARRACK_QUEUE_URL", "amqp://nobody@127.0.0.1:1"),
    ("CARRACK_WORKER__LEASE_SECONDS", "no number"),
    ("LOG_LEVEL", "no level"),
];
const INSIDE: &str = "INSIDE_ANOTHER_TEST";
const NAME: &str = "environment::an_embedded_import_stays_embedded_in_the_shell_of_a_fleet";

/// In a process of its own, for the variables of this one are those of all tests.
#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_import_stays_embedded_in_the_shell_of_a_fleet() {
    if std::env::var_os(INSIDE).is_some() {
        return import().await;
    }
    let mut test = Command::new(std::env::current_exe().unwrap());
    let output = test.args([NAME, "--exact"]).env(INSIDE, "yes").envs(FOREIGN).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

async fn import() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("one.json"), r#"[{"id":"a","title":"t","content":"c"}]"#).unwrap();
    let setting = Setting { folder: folder.path().to_path_buf(), ..Setting::default() };
    let import = Process::start("import", &["import", "one.json"], &setting).unwrap();
    let ended = import.wait(Duration::from_secs(60)).await.unwrap();
    let log = std::fs::read_to_string(folder.path().join("import.log")).unwrap();
    assert_eq!(ended.code, Some(0), "{}{log}", ended.stdout);
    assert!(folder.path().join("carrack-data/carrack.sqlite").is_file());
}
