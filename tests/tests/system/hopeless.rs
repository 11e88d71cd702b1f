//! What can never be done ends its operation with the reason, instead of being tried for ever: here on a table
//! whose columns its user has dropped or renamed, or whose triggers break off more than a row.

use std::time::Duration;

use carrack_tests::fleet::Fleet;
use carrack_tests::process::{Process, Setting};
use serde_json::Value;

use crate::crashes::BROKER;

const WITHIN: Duration = Duration::from_secs(120);

/// What is said to be for good is believed after the length of a lease.
const LEASES: [(&str, &str); 2] =
    [("CARRACK_WORKER__LEASE_SECONDS", "2"), ("CARRACK_COORDINATOR__LEASE_SECONDS", "2")];

const DEPLOYMENTS: [&str; 2] = ["embedded", "fleet"];

/// Where Carrack runs, and how its database is changed by hand.
enum Deployment {
    Embedded(tempfile::TempDir, Setting),
    Fleet(Box<Fleet>),
}

impl Deployment {
    async fn new(name: &str) -> Self {
        if name == "fleet" {
            let mut fleet = Fleet::new(&LEASES).await.unwrap();
            for name in ["coordinator", "worker-0"] {
                fleet.start(name).await.unwrap();
            }
            return Self::Fleet(Box::new(fleet));
        }
        let folder = tempfile::tempdir().unwrap();
        let setting = Setting {
            folder: folder.path().to_path_buf(),
            variables: LEASES.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        };
        Self::Embedded(folder, setting)
    }

    fn write(&self, name: &str, text: &str) {
        let folder = match self {
            Self::Embedded(folder, _) => folder.path(),
            Self::Fleet(fleet) => fleet.folder.path(),
        };
        std::fs::write(folder.join(name), text).unwrap();
    }

    /// The exit code and the report of a command.
    async fn run(&self, args: &[&str]) -> (i32, Value) {
        let args = [args, &["--json"]].concat();
        let process = match self {
            Self::Embedded(_, setting) => Process::start("carrack", &args, setting).unwrap(),
            Self::Fleet(fleet) => fleet.command("carrack", &args).unwrap(),
        };
        let ended = process.wait(WITHIN).await.unwrap();
        let report = serde_json::from_str(&ended.stdout);
        (ended.code.unwrap(), report.unwrap_or_else(|error| panic!("{error}: {ended:?}")))
    }

    /// Alters the table of contexts.
    async fn alter(&self, how: &str) {
        let tables = ["carrack_data_contexts", "carrack_data.contexts"];
        let [embedded, fleet] = tables.map(|table| format!("ALTER TABLE {table} {how}"));
        self.change(&embedded, &fleet).await;
    }

    async fn change(&self, embedded: &str, fleet: &str) {
        match self {
            Self::Embedded(folder, _) => {
                let database = folder.path().join("carrack-data/carrack.sqlite");
                rusqlite::Connection::open(database).unwrap().execute_batch(embedded).unwrap();
            }
            Self::Fleet(of) => of.database.batch_execute(fleet).await.unwrap(),
        }
    }
}

/// Asserts that an operation has failed for this reason, and has done nothing.
fn assert_failed((code, report): &(i32, Value), expected: &str, place: &str) {
    assert_eq!((*code, report["status"].as_str()), (1, Some("failed")), "{report}");
    assert_eq!(report["failure"]["code"], expected, "{report}");
    assert!(report["failure"]["message"].as_str().unwrap().contains(place), "{report}");
    assert_eq!(report["read"], 0, "{report}");
}

const RECORDS: &str =
    concat!(r#"{"id":"a","title":"1","content":"c"}"#, "\n", r#"{"id":"b","title":"1","content":"c"}"#, "\n");

const IMPORT: [&str; 5] = ["import", "a.ndjson", "--type", "contexts", "--overwrite"];

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_can_never_be_loaded_fails_its_import() {
    let _broker = BROKER.lock().await;
    for name in DEPLOYMENTS {
        let deployment = Deployment::new(name).await;
        deployment.write("a.ndjson", RECORDS);
        assert_eq!(deployment.run(&IMPORT).await.0, 0);
        deployment.alter("DROP COLUMN metadata").await;
        deployment.write("a.ndjson", &RECORDS.replace('1', "2"));
        let failed = deployment.run(&IMPORT).await;
        assert_failed(&failed, "batch.failed", "a.ndjson: records 1 to 2 (batch 0): ");
        let failed = deployment.run(&[&IMPORT[..], &["--on-error", "strict"]].concat()).await;
        assert_eq!(failed.1["failure"]["code"], "internal.closing", "{failed:?}");
        assert_eq!(
            [&failed.1["created"], &failed.1["updated"], &failed.1["skipped"]],
            [0, 0, 2],
            "{failed:?}"
        );
    }
}

/// Triggers that end more than the row: embedded, the transaction; of the fleet, with a code that is of no row.
const NO_UPDATES: [&str; 2] = [
    "CREATE TRIGGER no BEFORE UPDATE ON carrack_data_contexts BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
    "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql
         AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '42000'; END $$;
     CREATE TRIGGER no BEFORE UPDATE ON carrack_data.contexts FOR EACH ROW EXECUTE FUNCTION no()",
];

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_that_can_never_be_done_fails_and_may_be_asked_for_again() {
    let _broker = BROKER.lock().await;
    for name in DEPLOYMENTS {
        let deployment = Deployment::new(name).await;
        deployment.write("a.ndjson", RECORDS);
        assert_eq!(deployment.run(&IMPORT).await.0, 0);
        deployment.write("a.ndjson", &RECORDS.replace('1', "2"));
        let (_, parent) = deployment.run(&IMPORT).await;
        let undo = ["operations", "undo", parent["operationId"].as_str().unwrap()];
        deployment.change(NO_UPDATES[0], NO_UPDATES[1]).await;
        assert_failed(&deployment.run(&undo).await, "batch.failed", r#"keys "a" to "b" (batch 0): "#);
        deployment.alter("RENAME COLUMN id TO key").await;
        assert_failed(&deployment.run(&undo).await, "internal.planning", "");
    }
}
