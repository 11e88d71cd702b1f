//! How `s3://BUCKET/PREFIX?endpoint=…&region=…` becomes a client, with the reason of each of its settings.

use std::fmt;
use std::time::Duration;

use aws_config::meta::region::RegionProviderChain;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Builder, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use carrack_shared::error::PortResult;
use url::Url;

use super::fault::{SERVICE, refused};
use crate::object_key;
use crate::redact::Redacted;

/// A store that does not take a connection by then is not there.
const CONNECT: Duration = Duration::from_secs(3);

/// One attempt at a request, up to the head of its answer.
const ATTEMPT: Duration = Duration::from_secs(60);

/// Attempts at a request, with the SDK's own waits between them.
const ATTEMPTS: u32 = 5;

/// A transfer without a byte for so long is over.
const STALL: Duration = Duration::from_secs(20);

/// Stores with an endpoint of their own sign for some region, mostly this one.
const ENDPOINT_REGION: &str = "us-east-1";

/// A key of an S3 store.
#[derive(Clone)]
pub struct S3Credentials {
    /// What `AWS_ACCESS_KEY_ID` holds.
    pub key_id: String,
    /// What `AWS_SECRET_ACCESS_KEY` holds.
    pub secret: String,
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Credentials").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// What the URL says.
#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    /// The bucket.
    pub bucket: String,
    /// What stands before every key: empty, or ends with a slash.
    pub prefix: String,
    endpoint: Option<String>,
    region: Option<String>,
}

impl Settings {
    /// Reads the URL.
    ///
    /// # Errors
    /// When it has no bucket, an unknown parameter, or credentials, which have their own variables.
    pub fn parse(text: &str) -> PortResult<Self> {
        let shown = Redacted(text);
        let url =
            Url::parse(text).map_err(|error| refused(format!("{shown} is not a URL")).because(error))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused(format!(
                "{shown}: expected the credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, found them in the URL"
            )));
        }
        let bucket = url.host_str().filter(|host| !host.is_empty());
        let bucket = bucket.ok_or_else(|| refused(format!("{shown} names no bucket")))?.to_owned();
        let mut prefix = url.path().trim_matches('/').to_owned();
        if !prefix.is_empty() {
            object_key::check(SERVICE, &prefix)?;
            prefix.push('/');
        }
        let mut settings = Self { bucket, prefix, endpoint: None, region: None };
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "endpoint" => settings.endpoint = Some(value.into_owned()),
                "region" => settings.region = Some(value.into_owned()),
                _ => {
                    return Err(refused(format!("{shown}: expected endpoint= or region=, found {name:?}")));
                }
            }
        }
        Ok(settings)
    }

    /// The client, with these credentials or those of the usual AWS variables, profiles and roles.
    pub async fn client(&self, credentials: Option<S3Credentials>) -> Client {
        let region = match (&self.region, &self.endpoint) {
            (Some(region), _) => RegionProviderChain::first_try(Region::new(region.clone())),
            (None, Some(_)) => RegionProviderChain::first_try(Region::new(ENDPOINT_REGION)),
            (None, None) => RegionProviderChain::default_provider().or_else(ENDPOINT_REGION),
        };
        let loaded = aws_config::defaults(BehaviorVersion::latest()).region(region).load().await;
        let mut config = Builder::from(&loaded)
            // The SDK would add checksums of its own to every request, which many stores refuse.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(attempts_of(ATTEMPT))
            .stalled_stream_protection(StalledStreamProtectionConfig::enabled().grace_period(STALL).build());
        if let Some(S3Credentials { key_id, secret }) = credentials {
            config = config.credentials_provider(Credentials::new(key_id, secret, None, None, "settings"));
        }
        if let Some(endpoint) = &self.endpoint {
            // Host names made of bucket and endpoint resolve at few stores besides AWS.
            config = config.endpoint_url(endpoint).force_path_style(true);
        }
        Client::from_conf(config.build())
    }
}

/// Time limits of a request that sends `bytes`: a slow line gets a second more for each MiB.
pub fn attempts_for(bytes: usize) -> TimeoutConfig {
    attempts_of(ATTEMPT + Duration::from_secs(bytes as u64 / (1024 * 1024)))
}

fn attempts_of(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(attempt).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let settings = |prefix: &str, endpoint: Option<&str>, region: Option<&str>| Settings {
            bucket: "bucket".into(),
            prefix: prefix.into(),
            endpoint: endpoint.map(Into::into),
            region: region.map(Into::into),
        };
        let table = [
            ("s3://bucket", settings("", None, None)),
            ("s3://bucket/", settings("", None, None)),
            ("s3://bucket/a/b/?region=r", settings("a/b/", None, Some("r"))),
            (
                "s3://bucket/a?endpoint=http://127.0.0.1:3900&region=garage",
                settings("a/", Some("http://127.0.0.1:3900"), Some("garage")),
            ),
        ];
        for (url, expected) in table {
            assert_eq!(Settings::parse(url).unwrap(), expected, "{url}");
        }
    }

    #[test]
    fn mistakes_are_named_and_secrets_are_not() {
        let table = [
            ("s3:", "names no bucket"),
            ("s3:///a", "names no bucket"),
            ("s3://key:secret@bucket/a", "AWS_ACCESS_KEY_ID"),
            ("s3://bucket/a?secret=1", "expected endpoint= or region="),
            ("s3://bucket/a//b", "object key"),
        ];
        for (url, expected) in table {
            let message = Settings::parse(url).unwrap_err().chain();
            assert!(message.contains(expected), "{url}: {message}");
            assert!(!message.contains("key:secret"), "{url}: {message}");
        }
    }
}
