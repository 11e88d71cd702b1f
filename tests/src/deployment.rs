//! A coordinator and workers in this process, on the ports: for operations that no command asks for, such as
//! those on types of their user, and for a look behind them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use carrack_adapters::{ConnectSettings, Urls};
use carrack_coordinator::join::Files;
use carrack_coordinator::start;
use carrack_shared::config;
use carrack_shared::fault::Reject;
use carrack_shared::layer::source::Layers;
use carrack_shared::operation::Operation;
use carrack_shared::port::rejects::RejectPage;
use carrack_shared::port::{Objects, Ports};
use carrack_shared::spec::{Source, Spec};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::services::{self, FreshDatabase};
use crate::wait;

/// Longer than any operation of a test takes.
const ENDS_WITHIN: Duration = Duration::from_secs(120);

/// Workers of a deployment of which it does not matter.
const WORKERS: usize = 2;

/// Rejects that are asked for at once.
const REJECTS: u32 = 1_000;

/// A running deployment.
pub struct Deployment {
    /// Its ports.
    pub ports: Ports,
    shutdown: CancellationToken,
    running: JoinSet<()>,
    // Dropped last: nobody uses them any more.
    _folder: TempDir,
    _database: Option<FreshDatabase>,
}

impl Deployment {
    /// On SQLite, a directory, and memory. `objects` is the store of another one that is to be shared.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn embedded(objects: Option<Arc<dyn Objects>>) -> anyhow::Result<Self> {
        Self::embedded_with(objects, WORKERS).await
    }

    /// The same with so many workers.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn embedded_with(objects: Option<Arc<dyn Objects>>, workers: usize) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let root = folder.path().display();
        let urls = Urls {
            database: format!("sqlite:{root}/carrack.sqlite"),
            objects: format!("file://{root}/objects"),
            queue: "memory:".into(),
            progress: "memory:".into(),
        };
        let settings =
            ConnectSettings { pool_size: 4, s3_credentials: None, read_in_place: false, master_key: None };
        let mut ports = carrack_adapters::connect(&urls, &settings).await?;
        ports.objects = objects.unwrap_or(ports.objects);
        Ok(Self::run(ports, folder, None, workers))
    }

    /// On the private services, with a database, queues and objects of its own.
    ///
    /// # Errors
    /// When they do not run.
    pub async fn fleet() -> anyhow::Result<Self> {
        Self::fleet_with(WORKERS).await
    }

    /// The same with so many workers.
    ///
    /// # Errors
    /// When the services do not run.
    pub async fn fleet_with(workers: usize) -> anyhow::Result<Self> {
        let services = services::services();
        let (database, prefix) = (services::fresh_database().await, services::fresh_prefix());
        let mut objects = Url::parse(&services.urls().objects)?;
        objects.set_path(&prefix);
        let urls = Urls {
            database: database.url.clone(),
            objects: objects.into(),
            queue: "memory:".into(),
            progress: services.urls().progress,
        };
        let settings = ConnectSettings { pool_size: 10, ..services.settings() };
        let ports = carrack_adapters::connect(&urls, &settings).await?;
        Ok(Self::run(ports, tempfile::tempdir()?, Some(database), workers))
    }

    fn run(ports: Ports, folder: TempDir, database: Option<FreshDatabase>, workers: usize) -> Self {
        let (shutdown, mut running) = (CancellationToken::new(), JoinSet::new());
        let (trouble, _) = watch::channel(None);
        let coordinator = config::Coordinator {
            poll_milliseconds: 20,
            window_tasks: 64,
            lost_after_seconds: 60,
            lease_seconds: 30,
        };
        running.spawn(carrack_coordinator::run(
            coordinator,
            config::Images { keep_days: 7 },
            ports.clone(),
            trouble.clone(),
            shutdown.clone(),
        ));
        let worker = config::Worker { concurrency: 2, lease_seconds: 30, drain_seconds: 5 };
        for _ in 0..workers {
            let (ports, trouble, shutdown) = (ports.clone(), trouble.clone(), shutdown.clone());
            running.spawn(carrack_worker::run(worker.clone(), ports, trouble, shutdown));
        }
        Self { ports, shutdown, running, _folder: folder, _database: database }
    }

    /// Stores a file to be imported.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn upload(&self, name: &str, content: impl Into<Bytes>) -> anyhow::Result<Source> {
        let key = format!("sources/{name}");
        self.put(&key, content).await?;
        let meta = self.ports.objects.head(&key).await?.context("it was stored")?;
        let (etag, length) = (meta.etag, meta.length);
        Ok(Source { name: name.into(), key, etag, length, data_type: None, layers: Layers::default() })
    }

    /// Stores an object.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn put(&self, key: &str, content: impl Into<Bytes>) -> anyhow::Result<()> {
        let content = content.into();
        self.ports.objects.put(key, stream::once(async move { Ok(content) }).boxed()).await?;
        Ok(())
    }

    /// Creates an operation and waits until it has ended.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn end(&self, spec: Spec) -> anyhow::Result<Operation> {
        let id = start::create(&self.ports, "ada", spec, None).await?.operation.id;
        let deadline = Instant::now() + ENDS_WITHIN;
        wait::until(
            deadline,
            || format!("operation {id}"),
            async || {
                let operation = self.ports.store.get(id).await?;
                Ok(operation.filter(|operation| operation.state.is_terminal()))
            },
        )
        .await
    }

    /// The only file of an export that has succeeded.
    ///
    /// # Errors
    /// When it has not, or cannot be read.
    pub async fn file(&self, export: &Operation) -> anyhow::Result<Vec<u8>> {
        let files = Files::of(&self.ports, export).await?;
        let pieces: Vec<Bytes> = files.content(0)?.try_collect().await?;
        Ok(pieces.concat())
    }

    /// The rejects of an import.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn rejects(&self, import: &Operation) -> anyhow::Result<Vec<Reject>> {
        Ok(self.ports.store.rejects(import.id, &RejectPage::first(REJECTS)).await?)
    }

    /// Stops it.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        while self.running.join_next().await.is_some() {}
    }
}
