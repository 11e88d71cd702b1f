//! The settings: their names, types and what makes them wrong. Reading files and the environment is the
//! command's; the defaults stand, commented, in `config.default.toml`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

/// The text of `config.default.toml`.
pub const DEFAULTS: &str = include_str!("../../config.default.toml");

/// Stands for a text that is not shown.
const HIDDEN: &str = "[redacted]";

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
    pub master_key: Hidden,
    pub worker: Worker,
    pub coordinator: Coordinator,
    pub images: Images,
}

/// A text that is not shown.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Hidden(String);

impl Hidden {
    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_empty() { "" } else { HIDDEN })
    }
}

impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.0.is_empty() { "" } else { HIDDEN })
    }
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

/// The settings of the images of rows that imports overwrite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each setting is explained once, in config.default.toml")]
pub struct Images {
    pub keep_days: u32,
}

impl Images {
    /// How long after its end an import can be undone.
    pub fn keep(&self) -> Duration {
        Duration::from_secs(u64::from(self.keep_days) * 24 * 60 * 60)
    }
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
        is_file(&self.database_url)
    }
}

/// The least and the most that each number may be.
const RANGES: [(&str, i64, i64); 9] = [
    ("upload_limit_bytes", 1, i64::MAX),
    ("worker.concurrency", 1, 256),
    ("worker.lease_seconds", 1, 3600),
    ("worker.drain_seconds", 1, 3600),
    ("coordinator.poll_milliseconds", 1, 60_000),
    ("coordinator.window_tasks", 1, 10_000),
    ("coordinator.lost_after_seconds", 1, 86_400),
    ("coordinator.lease_seconds", 1, 3600),
    ("images.keep_days", 0, 36_500),
];

/// What is wrong with the number that the setting `name` is to have.
pub fn number_mistake(name: &str, value: i64) -> Option<String> {
    let (_, least, most) = RANGES.iter().find(|(known, ..)| *known == name)?;
    let inside = (*least..=*most).contains(&value);
    (!inside).then(|| format!("expected {least} to {most}, found {value}"))
}

/// What is wrong with a queue beside this database, both of them known by themselves.
pub fn queue_mistake(database_url: &str, queue_url: &str) -> Option<String> {
    let shared = !queue_url.starts_with("memory:");
    let why = "for the database is a file, which no other process can share";
    (is_file(database_url) && shared)
        .then(|| format!("found a queue of several processes, expected memory:, {why}"))
}

/// Whether the database is a file; it is where nothing is said.
fn is_file(database_url: &str) -> bool {
    database_url.is_empty() || database_url.starts_with("sqlite:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_ranges() {
        for (name, least, most) in RANGES {
            for (value, fits) in [(least - 1, false), (least, true), (most, true)] {
                assert_eq!(number_mistake(name, value).is_none(), fits, "{name} {value}");
            }
            let above = most.checked_add(1).and_then(|value| number_mistake(name, value));
            assert_eq!(above.is_some(), most < i64::MAX, "{name}");
        }
        assert_eq!(number_mistake("worker.speed", 0), None);
    }
}
