//! Which adapter stands behind each port: the scheme of its URL decides, here and nowhere else.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::layer::secret::MasterKey;
use carrack_shared::port::{Objects, Ports, Progress, Queue, Store};
use url::Url;

use crate::local::{LocalObjects, MemoryProgress, MemoryQueue};
use crate::postgres::{self, PostgresStore};
use crate::rabbitmq::RabbitQueue;
use crate::redact::Redacted;
use crate::redis::RedisProgress;
use crate::s3::{S3Credentials, S3Objects};
use crate::sqlite::SqliteStore;

/// The service's name in messages about URLs.
const SERVICE: &str = "settings";

/// One URL for each port.
#[derive(Clone)]
pub struct Urls {
    /// `CARRACK_DATABASE_URL`: `sqlite:PATH`, `postgres://…` or `postgresql://…`.
    pub database: String,
    /// `CARRACK_OBJECTS_URL`: `file:///DIR` or `s3://BUCKET/PREFIX?endpoint=…&region=…`.
    pub objects: String,
    /// `CARRACK_QUEUE_URL`: `memory:`, `amqp://…` or `amqps://…`, which take `?prefix=` for their names.
    pub queue: String,
    /// `CARRACK_PROGRESS_URL`: `memory:`, `redis://…` or `rediss://…`.
    pub progress: String,
}

/// What adapters need to know besides their URL.
#[derive(Debug, Clone)]
pub struct ConnectSettings {
    /// Connections to PostgreSQL: batches that run at once, and two.
    pub pool_size: usize,
    /// The key of the S3 store; none for that of the usual AWS variables, profiles and roles.
    pub s3_credentials: Option<S3Credentials>,
    /// Whether a directory of objects also reads the user's own files in place. True where the command and
    /// the workers are one machine.
    pub read_in_place: bool,
    /// The key that wraps the keys of files, if there is one.
    pub master_key: Option<Arc<MasterKey>>,
}

impl fmt::Debug for Urls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Urls")
            .field("database", &format_args!("{}", Redacted(&self.database)))
            .field("objects", &format_args!("{}", Redacted(&self.objects)))
            .field("queue", &format_args!("{}", Redacted(&self.queue)))
            .field("progress", &format_args!("{}", Redacted(&self.progress)))
            .finish()
    }
}

/// Opens one adapter for each port.
///
/// # Errors
/// When a URL is not one of the accepted forms, or what it names cannot be opened.
pub async fn connect(urls: &Urls, settings: &ConnectSettings) -> PortResult<Ports> {
    Ok(Ports {
        store: connect_store(&urls.database, settings).await?,
        objects: connect_objects(&urls.objects, settings).await?,
        queue: connect_queue(&urls.queue)?,
        progress: connect_progress(&urls.progress)?,
        master_key: settings.master_key.clone(),
    })
}

/// What is wrong with the form of the URLs, each with the name of its setting. What they name is not looked
/// at.
pub fn mistakes(urls: &Urls) -> Vec<(&'static str, String)> {
    let pairs = [
        (&DATABASE, &urls.database),
        (&OBJECTS, &urls.objects),
        (&QUEUE, &urls.queue),
        (&PROGRESS, &urls.progress),
    ];
    let mistake = |(setting, url): (&Setting, &String)| Some((setting.name, setting.parts(url).err()?));
    pairs.into_iter().filter_map(mistake).collect()
}

/// Opens the database and brings its tables up to date.
///
/// # Errors
/// When the URL is not one of the accepted forms, or the database cannot be opened.
pub async fn connect_store(url: &str, settings: &ConnectSettings) -> PortResult<Arc<dyn Store>> {
    match DATABASE.accept(url)? {
        ("sqlite", path) => Ok(SqliteStore::open(Path::new(path))?),
        _ => {
            let settings = postgres::Settings { url: url.to_owned(), pool_size: settings.pool_size };
            Ok(PostgresStore::connect(settings).await?)
        }
    }
}

/// Opens the object store.
///
/// # Errors
/// When the URL is not one of the accepted forms, or the store cannot be opened.
pub async fn connect_objects(url: &str, settings: &ConnectSettings) -> PortResult<Arc<dyn Objects>> {
    OBJECTS.accept(url)?;
    match directory(url) {
        Some(dir) => Ok(Arc::new(LocalObjects::open(&dir, settings.read_in_place)?)),
        None => Ok(Arc::new(S3Objects::connect(url, settings.s3_credentials.clone()).await?)),
    }
}

/// Opens the queue. Does not wait for the broker: it may come later, and goes and comes.
///
/// # Errors
/// When the URL is not one of the accepted forms.
pub fn connect_queue(url: &str) -> PortResult<Arc<dyn Queue>> {
    match QUEUE.accept(url)? {
        ("memory", _) => Ok(Arc::new(MemoryQueue::new())),
        _ => Ok(Arc::new(RabbitQueue::connect(url)?)),
    }
}

/// Opens the progress cache. Does not wait for the server: it may be down at any time.
///
/// # Errors
/// When the URL is not one of the accepted forms.
pub fn connect_progress(url: &str) -> PortResult<Arc<dyn Progress>> {
    match PROGRESS.accept(url)? {
        ("memory", _) => Ok(Arc::new(MemoryProgress::new())),
        _ => Ok(Arc::new(RedisProgress::connect(url)?)),
    }
}

/// A setting that holds a URL.
struct Setting {
    name: &'static str,
    schemes: &'static [&'static str],
    accepted: &'static str,
}

const DATABASE: Setting = Setting {
    name: "database_url",
    schemes: &["sqlite", "postgres", "postgresql"],
    accepted: "sqlite:PATH, postgres://… or postgresql://…",
};

const OBJECTS: Setting =
    Setting { name: "objects_url", schemes: &["file", "s3"], accepted: "file:///DIR or s3://BUCKET/PREFIX" };

const QUEUE: Setting = Setting {
    name: "queue_url",
    schemes: &["memory", "amqp", "amqps"],
    accepted: "memory:, amqp://… or amqps://…",
};

const PROGRESS: Setting = Setting {
    name: "progress_url",
    schemes: &["memory", "redis", "rediss"],
    accepted: "memory:, redis://… or rediss://…",
};

impl Setting {
    /// What stands before and after the first colon, if this is a form that is accepted.
    fn parts<'url>(&self, url: &'url str) -> Result<(&'url str, &'url str), String> {
        let known = |(scheme, rest): &(&str, &str)| match *scheme {
            "sqlite" => !rest.is_empty(),
            "file" => directory(url).is_some(),
            _ => true,
        };
        let parts = url.split_once(':').filter(|(scheme, _)| self.schemes.contains(scheme));
        parts.filter(known).ok_or_else(|| {
            let found = if url.is_empty() { "nothing".into() } else { Redacted(url).to_string() };
            format!("found {found}, expected {}", self.accepted)
        })
    }

    fn accept<'url>(&self, url: &'url str) -> PortResult<(&'url str, &'url str)> {
        let refused = |wrong| PortError::new(ErrorKind::Refused, SERVICE, format!("{}: {wrong}", self.name));
        self.parts(url).map_err(refused)
    }
}

/// The absolute path of a directory. The parser would take `file:DIR` and `file://HOST/DIR` for something else.
fn directory(url: &str) -> Option<PathBuf> {
    Url::parse(url).ok().filter(|_| url.starts_with("file:///")).and_then(|url| url.to_file_path().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn mistakes_name_the_setting_and_show_no_secret() {
        let settings =
            ConnectSettings { pool_size: 1, s3_credentials: None, read_in_place: false, master_key: None };
        for url in ["", "secret", "kafka://user:secret@host", "mysql:user:secret", "Memory:"] {
            let refusals = [
                ("database_url", "sqlite:PATH, postgres://", connect_store(url, &settings).await.err()),
                ("objects_url", "file:///DIR or s3://", connect_objects(url, &settings).await.err()),
                ("queue_url", "memory:, amqp://", connect_queue(url).err()),
                ("progress_url", "memory:, redis://", connect_progress(url).err()),
            ];
            let urls = Urls {
                database: url.to_owned(),
                objects: url.to_owned(),
                queue: url.to_owned(),
                progress: url.to_owned(),
            };
            let told = mistakes(&urls);
            for (index, (name, accepted, error)) in refusals.into_iter().enumerate() {
                let message = error.unwrap().chain();
                assert!(message.starts_with(&format!("settings: {name}: found ")), "{url:?}: {message}");
                assert_eq!(message, format!("settings: {}: {}", told[index].0, told[index].1));
                assert!(message.contains(&format!("expected {accepted}")), "{url:?}: {message}");
                assert!(!message.contains("secret"), "{url:?}: {message}");
            }
        }
        for url in
            ["sqlite:", "file:relative", "file://host/dir", "s3:", "redis://host:secret", "amqp://:secret"]
        {
            let refused = match url.split_once(':').unwrap().0 {
                "sqlite" => connect_store(url, &settings).await.err(),
                "redis" => connect_progress(url).err(),
                "amqp" => connect_queue(url).err(),
                _ => connect_objects(url, &settings).await.err(),
            };
            let message = refused.unwrap_or_else(|| panic!("{url} is accepted")).chain();
            assert!(!message.contains("secret"), "{url}: {message}");
        }
    }

    #[test]
    fn settings_print_no_secret() {
        let url = |scheme: &str| format!("{scheme}://user:secret@host/path?password=secret");
        let urls = Urls {
            database: url("postgres"),
            objects: url("s3"),
            queue: url("amqp"),
            progress: url("redis"),
        };
        let key = S3Credentials { key_id: "id".to_owned(), secret: "secret".to_owned() };
        let settings = ConnectSettings {
            pool_size: 1,
            s3_credentials: Some(key),
            read_in_place: false,
            master_key: None,
        };
        let printed = format!("{urls:?} {settings:?}");
        assert!(
            printed.contains("host/path") && !printed.contains("secret:") && !printed.contains(":secret")
        );
        assert!(!printed.contains("\"secret\"") && !printed.contains("=secret"), "{printed}");
    }
}
