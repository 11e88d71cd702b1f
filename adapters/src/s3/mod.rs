//! Objects in a bucket of AWS S3 or of a store that speaks like it.

mod download;
mod fault;
mod settings;
mod upload;

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use bytes::Bytes;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::port::Objects;
use carrack_shared::port::objects::{ByteStream, ObjectMeta};
use futures_util::StreamExt;
use futures_util::stream;
use tokio::time::timeout;

use self::download::Reading;
use self::fault::{SERVICE, failed, unavailable};
pub use self::settings::S3Credentials;
use self::settings::Settings;
use self::upload::Target;
use crate::object_key;

/// How long readiness waits for the store.
const READY: Duration = Duration::from_secs(5);

/// A bucket, seen below a prefix.
pub struct S3Objects {
    client: Client,
    bucket: String,
    prefix: String,
}

impl S3Objects {
    /// Prepares for the bucket of `s3://BUCKET/PREFIX?endpoint=…&region=…`. Without credentials those of
    /// the usual AWS variables, profiles and roles are used. The store is not asked anything yet.
    ///
    /// # Errors
    /// When the URL is not of that form.
    pub async fn connect(url: &str, credentials: Option<S3Credentials>) -> PortResult<Self> {
        let settings = Settings::parse(url)?;
        let client = settings.client(credentials).await;
        Ok(Self { client, bucket: settings.bucket, prefix: settings.prefix })
    }

    fn target(&self, key: &str) -> PortResult<Target> {
        object_key::check(SERVICE, key)?;
        let key = format!("{}{key}", self.prefix);
        Ok(Target { client: self.client.clone(), bucket: self.bucket.clone(), key })
    }

    /// Checks that the object has this version and these many bytes at least; answers how many it has.
    async fn check(&self, key: &str, until: u64, etag: &str) -> PortResult<u64> {
        let missing = || PortError::new(ErrorKind::NotFound, SERVICE, format!("no object {key}"));
        let found = self.head(key).await?.ok_or_else(missing)?;
        if found.etag != etag {
            let message = format!("{key} has changed: expected {etag}, found {}", found.etag);
            return Err(PortError::new(ErrorKind::Changed, SERVICE, message));
        }
        if until > found.length {
            return Err(download::beyond(&self.target(key)?, until, found.length));
        }
        Ok(found.length)
    }
}

#[async_trait]
impl Objects for S3Objects {
    async fn put(&self, key: &str, body: ByteStream) -> PortResult<ObjectMeta> {
        upload::put(&self.target(key)?, body).await
    }

    async fn get(&self, key: &str, range: Range<u64>, etag: &str) -> PortResult<Bytes> {
        let source = self.target(key)?;
        if range.start > range.end {
            return Err(fault::refused(format!("get {key}: bytes {range:?} end before they start")));
        }
        if range.is_empty() {
            // HTTP cannot ask for an empty range.
            self.check(key, range.end, etag).await?;
            return Ok(Bytes::new());
        }
        match download::get(&source, range.clone(), etag).await {
            // A range that starts behind the object: say what the object has.
            Err(error) if error.kind == ErrorKind::Refused => {
                self.check(key, range.end, etag).await?;
                Err(error)
            }
            answer => answer,
        }
    }

    async fn stream(&self, key: &str, from: u64, etag: &str) -> PortResult<ByteStream> {
        match Reading::open(self.target(key)?, from, etag).await {
            Ok(reading) => Ok(stream::try_unfold(reading, Reading::next).boxed()),
            // HTTP cannot ask for the nothing that follows the last byte.
            Err(error) if error.kind == ErrorKind::Refused && self.check(key, from, etag).await? == from => {
                Ok(stream::empty().boxed())
            }
            Err(error) => Err(error),
        }
    }

    async fn head(&self, key: &str) -> PortResult<Option<ObjectMeta>> {
        let Target { client, bucket, key } = self.target(key)?;
        let found = match client.head_object().bucket(bucket).key(&key).send().await {
            Ok(found) => found,
            Err(error) => {
                // The answer to this request has no body, so it may have no code.
                let status = error.raw_response().map(|response| response.status().as_u16());
                let error = failed("look up", &key, error);
                let is_missing = status == Some(404) && error.kind != ErrorKind::Refused;
                return if is_missing { Ok(None) } else { Err(error) };
            }
        };
        let length = found.content_length().and_then(|length| u64::try_from(length).ok());
        match (found.e_tag, length) {
            (Some(etag), Some(length)) => Ok(Some(ObjectMeta { etag, length })),
            _ => {
                let message = format!("look up {key}: the store's answer has no etag or length");
                Err(PortError::new(ErrorKind::Internal, SERVICE, message))
            }
        }
    }

    async fn delete(&self, key: &str) -> PortResult<()> {
        let Target { client, bucket, key } = self.target(key)?;
        match client.delete_object().bucket(bucket).key(&key).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = failed("delete", &key, error);
                if error.kind == ErrorKind::NotFound { Ok(()) } else { Err(error) }
            }
        }
    }

    async fn list(&self, prefix: &str) -> PortResult<Vec<String>> {
        object_key::check_prefix(SERVICE, prefix)?;
        let whole = format!("{}{prefix}", self.prefix);
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(&whole);
        let mut pages = request.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed("list", &whole, error))?;
            let found = page.contents().iter().filter_map(|object| object.key());
            keys.extend(found.filter_map(|key| key.strip_prefix(&self.prefix)).map(str::to_owned));
        }
        keys.sort_unstable();
        Ok(keys)
    }

    async fn ready(&self) -> PortResult<()> {
        let asked = self.client.head_bucket().bucket(&self.bucket).send();
        match timeout(READY, asked).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(failed("look up the bucket", &self.bucket, error)),
            Err(_) => Err(unavailable(format!("the bucket {} did not answer within 5 s", self.bucket))),
        }
    }
}
