//! Where tests find the private instances of the real services: in the environment, otherwise in the file
//! that `./dev up` writes.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use carrack_adapters::s3::S3Credentials;
use carrack_adapters::{ConnectSettings, Urls};
use carrack_shared::port::{Objects, Progress, Queue};
use tokio_postgres::NoTls;
use url::Url;
use uuid::Uuid;

/// The variables that tell where the services are.
const VARIABLES: [&str; 6] = [
    "CARRACK_DATABASE_URL",
    "CARRACK_OBJECTS_URL",
    "CARRACK_QUEUE_URL",
    "CARRACK_PROGRESS_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
];

/// The running services.
pub struct Services {
    variables: HashMap<String, String>,
}

static SERVICES: LazyLock<Services> = LazyLock::new(Services::find);

/// The root of the sources.
pub fn workspace() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_path_buf()
}

/// The folder of the private instances.
pub fn folder() -> std::path::PathBuf {
    workspace().join("target/services")
}

/// The running services.
///
/// # Panics
/// When nothing says where they are.
pub fn services() -> &'static Services {
    &SERVICES
}

impl Services {
    fn find() -> Self {
        let file = folder().join("env");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let written: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
        let value = |name: &str| {
            let found = std::env::var(name).ok().or_else(|| written.get(name).map(|&value| value.to_owned()));
            found.unwrap_or_else(|| {
                panic!(
                    "{name} is neither set nor in {}: run ./dev up, which starts the services",
                    file.display()
                )
            })
        };
        Self { variables: VARIABLES.map(|name| (name.to_owned(), value(name))).into() }
    }

    /// The variables, for a child process.
    pub fn variables(&self) -> &HashMap<String, String> {
        &self.variables
    }

    fn get(&self, name: &str) -> &str {
        &self.variables[name]
    }

    /// All four URLs.
    pub fn urls(&self) -> Urls {
        let get = |name| self.get(name).to_owned();
        Urls {
            database: get("CARRACK_DATABASE_URL"),
            objects: get("CARRACK_OBJECTS_URL"),
            queue: get("CARRACK_QUEUE_URL"),
            progress: get("CARRACK_PROGRESS_URL"),
        }
    }

    /// What the adapters need besides.
    pub fn settings(&self) -> ConnectSettings {
        let get = |name| self.get(name).to_owned();
        let s3_credentials =
            Some(S3Credentials { key_id: get("AWS_ACCESS_KEY_ID"), secret: get("AWS_SECRET_ACCESS_KEY") });
        ConnectSettings { pool_size: 4, s3_credentials, read_in_place: false, master_key: None }
    }

    /// The URL of the queues under a prefix of their own; its queues are removed with
    /// [`crate::broker::Broker::remove`].
    pub fn queue_url(&self, prefix: &str) -> String {
        let mut url = Url::parse(self.get("CARRACK_QUEUE_URL")).expect("the URL of the broker");
        url.query_pairs_mut().append_pair("prefix", prefix);
        url.into()
    }

    /// The object store.
    pub async fn objects(&self) -> Arc<dyn Objects> {
        let url = self.get("CARRACK_OBJECTS_URL");
        carrack_adapters::connect_objects(url, &self.settings()).await.expect("the object store")
    }

    /// The queues under a prefix of their own.
    pub fn queue(&self, prefix: &str) -> Arc<dyn Queue> {
        carrack_adapters::connect_queue(&self.queue_url(prefix)).expect("the queue")
    }

    /// The progress cache.
    pub fn progress(&self) -> Arc<dyn Progress> {
        carrack_adapters::connect_progress(self.get("CARRACK_PROGRESS_URL")).expect("the progress cache")
    }
}

/// `HOST:PORT` of a URL, and the URL with another one in its place.
pub fn through(url: &str, address: &str) -> String {
    let mut url = Url::parse(url).expect("a URL");
    let (host, port) = address.rsplit_once(':').expect("HOST:PORT");
    url.set_host(Some(host)).expect("a host");
    url.set_port(Some(port.parse().expect("a port"))).expect("a URL with a port");
    url.into()
}

/// `HOST:PORT` of a URL.
pub fn address(url: &str) -> String {
    let url = Url::parse(url).expect("a URL");
    format!("{}:{}", url.host_str().expect("a host"), url.port().expect("a port"))
}

/// A name that nobody else uses: for keys of objects, and for queues.
pub fn fresh_prefix() -> String {
    format!("test-{}", Uuid::now_v7().simple())
}

/// A database of one test's own. It is dropped with this value, whoever is still connected.
pub struct FreshDatabase {
    /// Its URL.
    pub url: String,
    name: String,
    server: String,
}

/// Creates an empty database on the PostgreSQL instance.
pub async fn fresh_database() -> FreshDatabase {
    let server = services().urls().database;
    let name = fresh_prefix().replace('-', "_");
    execute(&server, &format!("CREATE DATABASE \"{name}\"")).await.expect("a fresh database");
    let mut url = Url::parse(&server).expect("the URL of the database");
    url.set_path(&name);
    FreshDatabase { url: url.into(), name, server }
}

impl Drop for FreshDatabase {
    fn drop(&mut self) {
        let (server, drop) =
            (self.server.clone(), format!("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", self.name));
        // The test's own runtime may be shutting down.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(execute(&server, &drop)).map_err(std::io::Error::other)
        });
        // What cannot be dropped is gone with the private instance.
        let _dropped = dropping.join();
    }
}

async fn execute(url: &str, sql: &str) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let driving = tokio::spawn(connection);
    let answer = client.batch_execute(sql).await;
    drop(client);
    // The connection ends with its client.
    let _ended = driving.await;
    answer
}
