//! The contract of the database ports, on SQLite.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench that cannot be set up is a panic that says why"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use carrack_adapters::sqlite::SqliteStore;
use carrack_shared::port::Store;
use carrack_tests::contract::store::defects::{self, DefectiveBench};
use carrack_tests::contract::store::{self, Bench, Fresh, StoreUnderTest, TIME_LIMIT};
use rusqlite::Connection;
use tempfile::TempDir;

/// A folder with a database file for every store.
struct SqliteBench;

#[async_trait]
impl Bench for SqliteBench {
    async fn store(&self) -> Fresh {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("carrack.sqlite");
        let store = SqliteStore::open(&path).unwrap();
        Arc::new(SqliteUnderTest { _folder: folder, path, store })
    }
}

struct SqliteUnderTest {
    _folder: TempDir,
    path: PathBuf,
    store: Arc<SqliteStore>,
}

impl SqliteUnderTest {
    fn connect(&self) -> Connection {
        let connection = Connection::open(&self.path).unwrap();
        // The store's own thread may be writing.
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection
    }
}

#[async_trait]
impl StoreUnderTest for SqliteUnderTest {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as Arc<dyn Store>
    }

    async fn reopened(&self) -> Arc<dyn Store> {
        SqliteStore::open(&self.path).unwrap()
    }

    async fn execute(&self, sql: &str) -> Result<(), String> {
        self.connect().execute_batch(sql).map_err(|error| error.to_string())
    }

    async fn rows_as_they_stand(&self, data_type: &str) -> Vec<String> {
        let connection = self.connect();
        let sql = format!("SELECT \"id\", * FROM {} ORDER BY \"id\"", self.table(data_type));
        let mut statement = connection.prepare(&sql).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let values = (1..columns).map(|column| Ok(format!("{:?}", row.get_ref(column)?)));
            let values = values.collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(format!("{} {}", row.get::<_, String>(0)?, values.join(" ")))
        });
        rows.unwrap().collect::<Result<_, _>>().unwrap()
    }

    async fn integer(&self, sql: &str) -> i64 {
        self.connect().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        let connection = self.connect();
        let mut statement = connection.prepare(sql).unwrap();
        let texts = statement.query_map([], |row| row.get(0)).unwrap();
        texts.collect::<Result<_, _>>().unwrap()
    }

    async fn stages(&self) -> Vec<String> {
        self.texts("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'carrack_stage%'").await
    }

    fn table(&self, data_type: &str) -> String {
        format!("\"carrack_data_{data_type}\"")
    }

    fn control(&self, table: &str) -> String {
        format!("carrack_{table}")
    }

    async fn refuse_titles(&self, data_type: &str) {
        let table = self.table(data_type);
        for event in ["INSERT", "UPDATE"] {
            let trigger = format!(
                "CREATE TRIGGER refuse_{event} BEFORE {event} ON {table} \
                 WHEN NEW.\"title\" LIKE 'refused%' \
                 BEGIN SELECT RAISE(ABORT, 'this title is refused'); END"
            );
            self.execute(&trigger).await.unwrap();
        }
    }

    async fn log_effects(&self, data_type: &str) {
        let table = self.table(data_type);
        self.execute("CREATE TABLE effects (id TEXT)").await.unwrap();
        for event in ["INSERT", "UPDATE"] {
            let trigger = format!(
                "CREATE TRIGGER log_{event} AFTER {event} ON {table} \
                 BEGIN INSERT INTO effects VALUES (NEW.\"id\"); END"
            );
            self.execute(&trigger).await.unwrap();
        }
    }

    fn shares_snapshots(&self) -> bool {
        false
    }

    fn cases(&self) -> u64 {
        200
    }

    async fn close(&self) {}
}

macro_rules! tests {
    ($($file:ident { $($promise:ident)+ })+) => {$(
        mod $file {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    let name = concat!(stringify!($file), "::", stringify!($promise));
                    super::store::run(name, &super::SqliteBench, super::TIME_LIMIT).await.unwrap();
                }
            )+
        }
    )+};
}
carrack_tests::store_checks!(tests);

/// A suite that passes a store which drops, doubles, reorders or hangs proves nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_defect_makes_a_check_fail() {
    for &(defect, check, reason) in defects::ALL {
        let bench = DefectiveBench { bench: SqliteBench, defect };
        // Long enough for every check named there, so that what hangs is told from what is slow.
        let found = store::run(check, &bench, Duration::from_secs(20)).await;
        let found = found.expect_err(&format!("a store that {defect:?} passes {check}"));
        assert!(found.contains(reason), "{defect:?}: found {found}, expected it to say {reason:?}");
    }
}
