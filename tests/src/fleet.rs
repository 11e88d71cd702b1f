//! A fleet of real processes on the private services: its own database, queues and objects, one or more
//! coordinators, any number of workers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use tempfile::TempDir;
use tokio_postgres::NoTls;
use url::Url;

use crate::process::{Process, Setting};
use crate::services::{self, FreshDatabase};

/// The processes by name: `coordinator`, `worker-0`, `worker-1`…
pub struct Fleet {
    /// Folder of logs, configuration and inputs.
    pub folder: TempDir,
    /// What every process runs with.
    pub setting: Setting,
    /// A connection of the test's own.
    pub database: tokio_postgres::Client,
    /// The prefix of its queues and objects.
    pub prefix: String,
    processes: BTreeMap<String, Process>,
    // Dropped last: the database goes when nobody uses it any more.
    _own_database: FreshDatabase,
}

impl Fleet {
    /// An empty fleet with a fresh database. `tuning` are further settings, by variable.
    ///
    /// # Errors
    /// When the services do not run.
    pub async fn new(tuning: &[(&str, &str)]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let services = services::services();
        let (own_database, prefix) = (services::fresh_database().await, services::fresh_prefix());
        let mut objects = Url::parse(&services.urls().objects)?;
        objects.set_path(&prefix);
        let mut variables = services.variables().clone();
        for (name, value) in [
            ("CARRACK_DATABASE_URL", own_database.url.as_str()),
            ("CARRACK_OBJECTS_URL", objects.as_str()),
            ("CARRACK_QUEUE_URL", &services.queue_url(&prefix)),
            ("CARRACK_LISTEN", "127.0.0.1:0"),
            ("CARRACK_LOG_LEVEL", "info"),
        ] {
            variables.insert(name.into(), value.into());
        }
        variables.extend(tuning.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let (database, connection) = tokio_postgres::connect(&own_database.url, NoTls).await?;
        tokio::spawn(connection);
        let setting = Setting { variables, folder: folder.path().to_path_buf() };
        Ok(Self {
            folder,
            setting,
            database,
            processes: BTreeMap::new(),
            prefix,
            _own_database: own_database,
        })
    }

    /// Starts a process of the fleet by its name and waits until it is ready.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn start(&mut self, name: &str) -> anyhow::Result<()> {
        let role = name.split('-').next().unwrap_or(name);
        let process = Process::start_ready(name, &[role], &self.setting).await?;
        self.processes.insert(name.into(), process);
        Ok(())
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When there is no such process.
    pub async fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        self.take(name)?.kill().await
    }

    /// Takes a process out of the fleet.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn take(&mut self, name: &str) -> anyhow::Result<Process> {
        self.processes.remove(name).with_context(|| format!("no process {name:?} in the fleet"))
    }

    /// The running processes, by name.
    pub fn processes(&self) -> &BTreeMap<String, Process> {
        &self.processes
    }

    /// Starts a command of the client's side, such as an import.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn command(&self, name: &str, args: &[&str]) -> anyhow::Result<Process> {
        Process::start(name, args, &self.setting)
    }

    /// A path in the fleet's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// One number from the database.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn count(&self, sql: &str) -> anyhow::Result<i64> {
        let row = self.database.query_one(sql, &[]).await.with_context(|| sql.to_owned())?;
        Ok(row.get(0))
    }
}
