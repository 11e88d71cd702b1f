//! The settings: their names, types and what makes them wrong. Reading files and the environment is the
//! command's; the defaults stand, commented, in `config.default.toml`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The text of `config.default.toml`.
pub const DEFAULTS: &str = include_str!("../../config.default.toml");

/// All settings. Each is explained where its default stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each setting is explained once, in config.default.toml")]
pub struct Config {
    pub database_url: String,
    pub objects_url: String,
    pub queue_url: String,
    pub progress_url: String,
    pub data_dir: PathBuf,
    pub listen: String,
    pub log_level: String,
    pub upload_limit_bytes: u64,
    pub worker: Worker,
    pub coordinator: Coordinator,
}

/// The settings of workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each setting is explained once, in config.default.toml")]
pub struct Worker {
    pub concurrency: u16,
    pub lease_seconds: u32,
    pub drain_seconds: u32,
}

/// The settings of coordinators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each setting is explained once, in config.default.toml")]
pub struct Coordinator {
    pub poll_milliseconds: u32,
    pub window_tasks: u32,
    pub lost_after_seconds: u32,
    pub lease_seconds: u32,
}

impl Worker {
    /// How long a batch stays a silent worker's.
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds.into())
    }

    /// How long a stopping worker may take.
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds.into())
    }
}

impl Coordinator {
    /// The pause between two looks for work.
    pub fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_milliseconds.into())
    }

    /// When a sent task counts as lost.
    pub fn lost_after(&self) -> Duration {
        Duration::from_secs(self.lost_after_seconds.into())
    }

    /// How long an operation stays a silent planner's or finaliser's.
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds.into())
    }
}

impl Config {
    /// The same settings with the empty URLs filled in from the data folder, which must be absolute.
    pub fn resolved(mut self, data_dir: &Path) -> Self {
        if self.database_url.is_empty() {
            self.database_url = format!("sqlite:{}", data_dir.join("carrack.sqlite").display());
        }
        if self.objects_url.is_empty() {
            self.objects_url = format!("file://{}", data_dir.join("objects").display());
        }
        self.data_dir = data_dir.to_path_buf();
        self
    }

    /// Whether everything runs in this process: the database is a file and nobody else can be woken.
    pub fn is_embedded(&self) -> bool {
        self.database_url.is_empty() || self.database_url.starts_with("sqlite:")
    }

    /// Everything that is wrong with the settings, not only the first.
    pub fn mistakes(&self) -> Vec<String> {
        let between = |name: &str, value: u32, least: u32, most: u32| {
            let inside = (least..=most).contains(&value);
            (!inside).then(|| format!("{name}: expected {least} to {most}, found {value}"))
        };
        let mut mistakes: Vec<String> = [
            between("worker.concurrency", self.worker.concurrency.into(), 1, 256),
            between("worker.lease_seconds", self.worker.lease_seconds, 1, 3600),
            between("worker.drain_seconds", self.worker.drain_seconds, 1, 3600),
            between("coordinator.poll_milliseconds", self.coordinator.poll_milliseconds, 1, 60_000),
            between("coordinator.window_tasks", self.coordinator.window_tasks, 1, 10_000),
            between("coordinator.lost_after_seconds", self.coordinator.lost_after_seconds, 1, 86_400),
            between("coordinator.lease_seconds", self.coordinator.lease_seconds, 1, 3600),
        ]
        .into_iter()
        .flatten()
        .collect();
        let shared_queue = !self.queue_url.starts_with("memory:");
        if self.is_embedded() && shared_queue {
            mistakes.push(format!(
                "queue_url: expected memory: with the database {}, for no other process can share it",
                self.database_url
            ));
        }
        mistakes
    }
}
