//! How a body of unknown length becomes an object: a single request when it is small, otherwise parts, of
//! which one is being sent while the next is filled, so that two of them are in memory at a time.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::primitives::ByteStream as Body;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::port::objects::{ByteStream, ObjectMeta};
use futures_util::StreamExt;
use futures_util::future::try_join;

use super::fault::{SERVICE, failed, unavailable};
use super::settings::attempts_for;

/// Bytes of the first parts, and of the largest body that is sent in one request.
const PART_BYTES: u64 = 8 * 1024 * 1024;

/// Parts that S3 takes.
const PARTS: i32 = 10_000;

/// A part holds at least this share of what was sent before it. Parts of 8 MiB alone would end at 78 GiB;
/// these reach the 5 TiB of S3's largest object, and stay at 8 MiB up to 10 GiB.
const PART_SHARE: u64 = 1_300;

/// Where an object goes.
#[derive(Clone)]
pub struct Target {
    /// The client.
    pub client: Client,
    /// The bucket.
    pub bucket: String,
    /// The whole key, prefix included.
    pub key: String,
}

/// Sends everything that `body` yields.
pub async fn put(target: &Target, body: ByteStream) -> PortResult<ObjectMeta> {
    let mut pieces = Pieces { body, rest: Bytes::new() };
    let first = pieces.next_part(PART_BYTES).await?.unwrap_or_default();
    match pieces.next_part(PART_BYTES).await? {
        None => put_whole(target, first).await,
        Some(second) => {
            let mut upload = Upload::start(target).await?;
            let sent = upload.send(first, second, &mut pieces).await;
            match sent {
                Ok(length) => upload.complete(length).await,
                Err(error) => {
                    upload.abort().await;
                    Err(error)
                }
            }
        }
    }
}

async fn put_whole(target: &Target, bytes: Bytes) -> PortResult<ObjectMeta> {
    let length = bytes.len() as u64;
    let request = target.client.put_object().bucket(&target.bucket).key(&target.key).body(Body::from(bytes));
    let stored = request.send().await.map_err(|error| failed("put", &target.key, error))?;
    described(target, stored.e_tag, length)
}

/// The body, cut into parts.
struct Pieces {
    body: ByteStream,
    rest: Bytes,
}

impl Pieces {
    /// The next part: `bytes` long, or shorter at the end; none if nothing is left.
    async fn next_part(&mut self, bytes: u64) -> PortResult<Option<Bytes>> {
        let wanted = usize::try_from(bytes).unwrap_or(usize::MAX);
        let mut part = BytesMut::new();
        loop {
            let taken = self.rest.split_to(self.rest.len().min(wanted - part.len()));
            part.extend_from_slice(&taken);
            if part.len() == wanted {
                return Ok(Some(part.freeze()));
            }
            match self.body.next().await {
                Some(piece) => self.rest = piece?,
                None if part.is_empty() => return Ok(None),
                None => return Ok(Some(part.freeze())),
            }
        }
    }
}

/// A multipart upload. Its parts take room in the store until it is completed or aborted.
struct Upload {
    target: Target,
    id: String,
    parts: Vec<CompletedPart>,
    open: bool,
}

impl Upload {
    async fn start(target: &Target) -> PortResult<Self> {
        let request = target.client.create_multipart_upload().bucket(&target.bucket).key(&target.key);
        let started = request.send().await.map_err(|error| failed("start to put", &target.key, error))?;
        let id = started.upload_id.ok_or_else(|| no_answer(target, "upload id"))?;
        Ok(Self { target: target.clone(), id, parts: Vec::new(), open: true })
    }

    /// Sends all parts; answers how many bytes they have.
    async fn send(&mut self, first: Bytes, second: Bytes, pieces: &mut Pieces) -> PortResult<u64> {
        let mut filled = first.len() as u64 + second.len() as u64;
        self.send_part(first).await?;
        let mut part = Some(second);
        while let Some(bytes) = part {
            let (_, next) = try_join(self.send_part(bytes), pieces.next_part(part_bytes(filled))).await?;
            filled += next.as_ref().map_or(0, |bytes| bytes.len() as u64);
            part = next;
        }
        Ok(filled)
    }

    async fn send_part(&mut self, bytes: Bytes) -> PortResult<()> {
        let number = i32::try_from(self.parts.len()).unwrap_or(i32::MAX).saturating_add(1);
        if number > PARTS {
            let message = format!("put {}: the object is too large for {PARTS} parts", self.target.key);
            return Err(PortError::new(ErrorKind::Refused, SERVICE, message));
        }
        let limits = Builder::new().timeout_config(attempts_for(bytes.len()));
        let Target { client, bucket, key } = &self.target;
        let request = client.upload_part().bucket(bucket).key(key).upload_id(&self.id).part_number(number);
        let sent = request.body(Body::from(bytes)).customize().config_override(limits).send().await;
        let sent = sent.map_err(|error| failed("put a part of", key, error))?;
        let etag = sent.e_tag.ok_or_else(|| no_answer(&self.target, "etag of a part"))?;
        self.parts.push(CompletedPart::builder().part_number(number).e_tag(etag).build());
        Ok(())
    }

    async fn complete(mut self, length: u64) -> PortResult<ObjectMeta> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(self.parts.clone())).build();
        let Target { client, bucket, key } = &self.target;
        let request = client.complete_multipart_upload().bucket(bucket).key(key).upload_id(&self.id);
        match request.multipart_upload(parts).send().await {
            Ok(stored) => {
                self.open = false;
                described(&self.target, stored.e_tag, length)
            }
            Err(error) => {
                let failure = failed("complete the put of", key, error);
                self.abort().await;
                // Gone means that an earlier attempt, whose answer was lost, completed or aborted it.
                let lost = failure.kind == ErrorKind::NotFound;
                Err(if lost { unavailable(failure.message) } else { failure })
            }
        }
    }

    async fn abort(mut self) {
        self.open = false;
        abort(self.target.clone(), std::mem::take(&mut self.id)).await;
    }
}

impl Drop for Upload {
    /// Cleans up after a caller who stopped waiting.
    fn drop(&mut self) {
        if self.open
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(abort(self.target.clone(), std::mem::take(&mut self.id)));
        }
    }
}

async fn abort(target: Target, id: String) {
    let request = target.client.abort_multipart_upload().bucket(&target.bucket).key(&target.key);
    if let Err(error) = request.upload_id(id).send().await {
        let error = failed("abort the put of", &target.key, error);
        tracing::warn!(error = error.chain(), "parts of an upload are left in the store");
    }
}

/// Bytes of the part that follows `filled` bytes.
fn part_bytes(filled: u64) -> u64 {
    PART_BYTES.max(filled / PART_SHARE)
}

fn described(target: &Target, etag: Option<String>, length: u64) -> PortResult<ObjectMeta> {
    Ok(ObjectMeta { etag: etag.ok_or_else(|| no_answer(target, "etag"))?, length })
}

fn no_answer(target: &Target, missing: &str) -> PortError {
    let message = format!("put {}: the store's answer has no {missing}", target.key);
    PortError::new(ErrorKind::Internal, SERVICE, message)
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[test]
    fn ten_thousand_parts_hold_the_largest_object() {
        let mut filled = 0;
        for _ in 0..PARTS {
            filled += part_bytes(filled);
        }
        assert!(filled >= 5 << 40, "{filled}");
        assert_eq!(part_bytes(10 << 30), PART_BYTES);
        assert!(part_bytes(5 << 40) < 5 << 30, "S3's largest part is 5 GiB");
    }

    #[tokio::test]
    async fn bodies_are_cut_at_exactly_the_wanted_length() {
        let table: [(&[&str], &[&str]); 6] = [
            (&[], &[]),
            (&["", ""], &[]),
            (&["abc"], &["abc"]),
            (&["ab", "c", "d"], &["abc", "d"]),
            (&["abcdefg"], &["abc", "def", "g"]),
            (&["abcdef", ""], &["abc", "def"]),
        ];
        for (body, expected) in table {
            let body: Vec<_> =
                body.iter().map(|piece| Ok(Bytes::copy_from_slice(piece.as_bytes()))).collect();
            let mut pieces = Pieces { body: stream::iter(body).boxed(), rest: Bytes::new() };
            let mut found = Vec::new();
            while let Some(part) = pieces.next_part(3).await.unwrap() {
                found.push(part);
            }
            assert_eq!(found, expected);
        }
    }
}
