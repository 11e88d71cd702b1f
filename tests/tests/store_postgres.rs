//! The contract of the database ports, on PostgreSQL: a database of its own for every store.
#![allow(clippy::unwrap_used, reason = "a bench that cannot be set up is a panic that says why")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use carrack_adapters::postgres::{PostgresStore, Settings};
use carrack_shared::port::Store;
use carrack_tests::contract::store::{self, Bench, Fresh, StoreUnderTest, TIME_LIMIT};
use carrack_tests::services::services;
use tokio_postgres::{Client, NoTls};

/// Connections of one handle. Fewer than the checks have tasks at once, so that waiting for one is met too.
const POOL_SIZE: usize = 6;

/// Where the service is.
fn database_url() -> String {
    services().urls().database
}

/// Databases of the service that `./dev up` has started.
struct PostgresBench;

impl PostgresBench {
    /// The service's URL with another database.
    fn url(database: &str) -> String {
        let mut url = url::Url::parse(&database_url()).unwrap();
        url.set_path(database);
        url.into()
    }
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[async_trait]
impl Bench for PostgresBench {
    async fn store(&self) -> Fresh {
        static STORES: AtomicU32 = AtomicU32::new(0);
        let number = STORES.fetch_add(1, Ordering::Relaxed);
        let database = format!("carrack_suite_{}_{number}", std::process::id());
        let service = connect(&database_url()).await;
        service.batch_execute(&format!("DROP DATABASE IF EXISTS {database}")).await.unwrap();
        service.batch_execute(&format!("CREATE DATABASE {database}")).await.unwrap();
        let url = Self::url(&database);
        let store = open(&url).await;
        let behind = connect(&url).await;
        Arc::new(PostgresUnderTest { database, url, store, behind })
    }
}

async fn open(url: &str) -> Arc<PostgresStore> {
    PostgresStore::connect(Settings { url: url.into(), pool_size: POOL_SIZE }).await.unwrap()
}

struct PostgresUnderTest {
    database: String,
    url: String,
    store: Arc<PostgresStore>,
    behind: Client,
}

#[async_trait]
impl StoreUnderTest for PostgresUnderTest {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as Arc<dyn Store>
    }

    async fn reopened(&self) -> Arc<dyn Store> {
        open(&self.url).await
    }

    async fn execute(&self, sql: &str) -> Result<(), String> {
        self.behind.batch_execute(sql).await.map_err(|error| error.to_string())
    }

    async fn rows_as_they_stand(&self, data_type: &str) -> Vec<String> {
        let table = self.table(data_type);
        self.texts(&format!("SELECT t.\"id\" || ' ' || t::text FROM {table} t ORDER BY t.\"id\"")).await
    }

    async fn integer(&self, sql: &str) -> i64 {
        self.behind.query_one(sql, &[]).await.unwrap().get(0)
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        self.behind.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    async fn stages(&self) -> Vec<String> {
        self.texts("SELECT tablename::text FROM pg_tables WHERE schemaname = 'carrack_stage'").await
    }

    fn table(&self, data_type: &str) -> String {
        format!("carrack_data.\"{data_type}\"")
    }

    fn control(&self, table: &str) -> String {
        format!("carrack.{table}")
    }

    async fn refuse_titles(&self, data_type: &str) {
        let table = self.table(data_type);
        let check =
            format!("ALTER TABLE {table} ADD CONSTRAINT refuse CHECK (\"title\" NOT LIKE 'refused%')");
        self.execute(&check).await.unwrap();
    }

    async fn log_effects(&self, data_type: &str) {
        let table = self.table(data_type);
        let log = format!(
            "CREATE TABLE public.effects (id text);
             CREATE FUNCTION public.log_effect() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN INSERT INTO public.effects VALUES (NEW.id); RETURN NULL; END $$;
             CREATE TRIGGER log_effect AFTER INSERT OR UPDATE ON {table}
                FOR EACH ROW EXECUTE FUNCTION public.log_effect();"
        );
        self.execute(&log).await.unwrap();
    }

    fn shares_snapshots(&self) -> bool {
        true
    }

    fn cases(&self) -> u64 {
        60
    }

    async fn close(&self) {
        let service = connect(&database_url()).await;
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.database);
        service.batch_execute(&drop).await.unwrap();
    }
}

macro_rules! tests {
    ($($file:ident { $($promise:ident)+ })+) => {$(
        mod $file {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    let name = concat!(stringify!($file), "::", stringify!($promise));
                    super::store::run(name, &super::PostgresBench, super::TIME_LIMIT).await.unwrap();
                }
            )+
        }
    )+};
}
carrack_tests::store_checks!(tests);
