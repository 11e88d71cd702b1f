//! Which adapter stands behind each port: the scheme of its URL decides, here and nowhere else.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use carrack_shared::error::{ErrorKind, PortError, PortResult};
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
    })
}

/// Opens the database and brings its tables up to date.
///
/// # Errors
/// When the URL is not one of the accepted forms, or the database cannot be opened.
pub async fn connect_store(url: &str, settings: &ConnectSettings) -> PortResult<Arc<dyn Store>> {
    let accepted = "sqlite:PATH, postgres://… or postgresql://…";
    let setting = Setting { variable: "CARRACK_DATABASE_URL", accepted };
    match setting.scheme(url)? {
        ("sqlite", "") => Err(setting.refused(url, "without the path of a file")),
        ("sqlite", path) => Ok(SqliteStore::open(Path::new(path))?),
        ("postgres" | "postgresql", _) => {
            let settings = postgres::Settings { url: url.to_owned(), pool_size: settings.pool_size };
            Ok(PostgresStore::connect(settings).await?)
        }
        _ => Err(setting.unknown_scheme(url)),
    }
}

/// Opens the object store.
///
/// # Errors
/// When the URL is not one of the accepted forms, or the store cannot be opened.
pub async fn connect_objects(url: &str, settings: &ConnectSettings) -> PortResult<Arc<dyn Objects>> {
    let setting = Setting { variable: "CARRACK_OBJECTS_URL", accepted: "file:///DIR or s3://BUCKET/PREFIX" };
    match setting.scheme(url)? {
        ("file", _) => {
            // The parser would take `file:DIR` and `file://HOST/DIR` for something else.
            let path = Url::parse(url).ok().filter(|_| url.starts_with("file:///"));
            let dir = path.and_then(|url| url.to_file_path().ok());
            let dir = dir.ok_or_else(|| setting.refused(url, "not the absolute path of a directory"))?;
            Ok(Arc::new(LocalObjects::open(&dir, settings.read_in_place)?))
        }
        ("s3", _) => Ok(Arc::new(S3Objects::connect(url, settings.s3_credentials.clone()).await?)),
        _ => Err(setting.unknown_scheme(url)),
    }
}

/// Opens the queue. Does not wait for the broker: it may come later, and goes and comes.
///
/// # Errors
/// When the URL is not one of the accepted forms.
pub fn connect_queue(url: &str) -> PortResult<Arc<dyn Queue>> {
    let setting = Setting { variable: "CARRACK_QUEUE_URL", accepted: "memory:, amqp://… or amqps://…" };
    match setting.scheme(url)? {
        ("memory", _) => Ok(Arc::new(MemoryQueue::new())),
        ("amqp" | "amqps", _) => Ok(Arc::new(RabbitQueue::connect(url)?)),
        _ => Err(setting.unknown_scheme(url)),
    }
}

/// Opens the progress cache. Does not wait for the server: it may be down at any time.
///
/// # Errors
/// When the URL is not one of the accepted forms.
pub fn connect_progress(url: &str) -> PortResult<Arc<dyn Progress>> {
    let setting =
        Setting { variable: "CARRACK_PROGRESS_URL", accepted: "memory:, redis://… or rediss://…" };
    match setting.scheme(url)? {
        ("memory", _) => Ok(Arc::new(MemoryProgress::new())),
        ("redis" | "rediss", _) => Ok(Arc::new(RedisProgress::connect(url)?)),
        _ => Err(setting.unknown_scheme(url)),
    }
}

/// A setting that holds a URL, for messages about it.
struct Setting {
    variable: &'static str,
    accepted: &'static str,
}

impl Setting {
    /// What stands before and after the first colon.
    fn scheme<'url>(&self, url: &'url str) -> PortResult<(&'url str, &'url str)> {
        url.split_once(':').ok_or_else(|| self.refused(url, "not a URL"))
    }

    fn unknown_scheme(&self, url: &str) -> PortError {
        self.refused(url, "of a kind that is not known")
    }

    fn refused(&self, url: &str, wrong: &str) -> PortError {
        let Self { variable, accepted } = self;
        let message = format!("{variable}: {} is {wrong}, expected {accepted}", Redacted(url));
        PortError::new(ErrorKind::Refused, SERVICE, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn mistakes_name_the_setting_and_show_no_secret() {
        let settings = ConnectSettings { pool_size: 1, s3_credentials: None, read_in_place: false };
        for url in ["", "secret", "kafka://user:secret@host", "mysql:user:secret", "Memory:"] {
            let refusals = [
                (
                    "CARRACK_DATABASE_URL",
                    "sqlite:PATH, postgres://",
                    connect_store(url, &settings).await.err(),
                ),
                ("CARRACK_OBJECTS_URL", "file:///DIR or s3://", connect_objects(url, &settings).await.err()),
                ("CARRACK_QUEUE_URL", "memory:, amqp://", connect_queue(url).err()),
                ("CARRACK_PROGRESS_URL", "memory:, redis://", connect_progress(url).err()),
            ];
            for (variable, accepted, error) in refusals {
                let message = error.unwrap().chain();
                assert!(message.starts_with(&format!("settings: {variable}: ")), "{url:?}: {message}");
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
        let settings = ConnectSettings { pool_size: 1, s3_credentials: Some(key), read_in_place: false };
        let printed = format!("{urls:?} {settings:?}");
        assert!(
            printed.contains("host/path") && !printed.contains("secret:") && !printed.contains(":secret")
        );
        assert!(!printed.contains("\"secret\"") && !printed.contains("=secret"), "{printed}");
    }
}
