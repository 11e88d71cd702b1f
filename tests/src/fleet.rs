//! A fleet of real processes on the private services: its own database, queues and objects, one or more
//! coordinators, any number of workers.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use anyhow::Context;
use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::process::{Process, Setting};
use crate::services;

/// The processes by name: `coordinator`, `worker-0`, `worker-1`…
pub struct Fleet {
    /// Folder of logs, configuration and inputs.
    pub folder: TempDir,
    /// What every process runs with.
    pub setting: Setting,
    /// A connection of the test's own.
    pub database: tokio_postgres::Client,
    processes: BTreeMap<String, Process>,
}

impl Fleet {
    /// An empty fleet with a fresh database. `tuning` are further settings, by variable.
    ///
    /// # Errors
    /// When the services do not run.
    pub async fn new(tuning: &[(&str, &str)]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let services = services::services();
        let (database_url, prefix) = (services::fresh_database().await, services::fresh_prefix());
        let separator = |url: &str| if url.contains('?') { '&' } else { '?' };
        let queue = format!("{}{}prefix={prefix}", services.queue, separator(&services.queue));
        let objects = services.objects.replacen("/dev?", &format!("/{prefix}?"), 1);
        let mut variables: HashMap<String, String> = HashMap::from([
            ("CARRACK_DATABASE_URL".into(), database_url.clone()),
            ("CARRACK_OBJECTS_URL".into(), objects),
            ("CARRACK_QUEUE_URL".into(), queue),
            ("CARRACK_PROGRESS_URL".into(), services.progress.clone()),
            ("CARRACK_LISTEN".into(), "127.0.0.1:0".into()),
            ("CARRACK_LOG_LEVEL".into(), "info".into()),
        ]);
        variables.extend(services.credentials.clone());
        variables.extend(tuning.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let (database, connection) = tokio_postgres::connect(&database_url, NoTls).await?;
        tokio::spawn(connection);
        let setting = Setting { variables, folder: folder.path().to_path_buf() };
        Ok(Self { folder, setting, database, processes: BTreeMap::new() })
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
