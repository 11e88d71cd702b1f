//! How an object's bytes are read so that a short answer is never taken for the end: every answer is asked
//! for by range and etag, and announces its length twice (`Content-Length`, `Content-Range`), and both must
//! agree with what arrives. A stream that breaks off goes on where it was.

use std::ops::Range;
use std::time::Duration;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream as Body;
use bytes::{Bytes, BytesMut};
use carrack_shared::backoff::Backoff;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use tokio::time::timeout;

use super::fault::{SERVICE, failed, refused, unavailable};
use super::upload::Target;

/// A body without a byte for so long is over. The SDK's own watch over stalled streams is earlier.
const STALL: Duration = Duration::from_secs(30);

/// How often in a row a stream goes on without a byte in between.
const RESUMES: u32 = 5;

/// Waits before going on.
const PAUSES: Backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_secs(5) };

/// An answer whose head was found right.
struct Opened {
    body: Body,
    /// Bytes of the body.
    length: u64,
    /// Bytes of the whole object.
    object: u64,
}

/// Asks for the bytes from `from` to before `until`, or to the end.
async fn open(source: &Target, from: u64, until: Option<u64>, etag: &str) -> PortResult<Opened> {
    let range = until.map_or_else(|| format!("bytes={from}-"), |until| format!("bytes={from}-{}", until - 1));
    let request = source.client.get_object().bucket(&source.bucket).key(&source.key);
    let answer = request.range(range).if_match(etag).send().await;
    let answer = answer.map_err(|error| failed("get", &source.key, error))?;
    if answer.e_tag() != Some(etag) {
        // A store that does not know If-Match.
        let message = format!("{} has changed: expected {etag}, found {:?}", source.key, answer.e_tag());
        return Err(PortError::new(ErrorKind::Changed, SERVICE, message));
    }
    let (served, object) = served(&answer).ok_or_else(|| {
        let message = format!("get {}: no readable Content-Range and Content-Length", source.key);
        PortError::new(ErrorKind::Internal, SERVICE, message)
    })?;
    if let Some(until) = until.filter(|until| *until > object) {
        return Err(beyond(source, until, object));
    }
    let expected = from..until.unwrap_or(object);
    if served != expected {
        let message = format!("get {}: asked for bytes {expected:?}, announced are {served:?}", source.key);
        return Err(unavailable(message));
    }
    Ok(Opened { body: answer.body, length: served.end - served.start, object })
}

/// The range that the head announces and the length of the object; none if its two lengths differ.
fn served(answer: &GetObjectOutput) -> Option<(Range<u64>, u64)> {
    let (served, object) = parse_content_range(answer.content_range()?)?;
    let length = u64::try_from(answer.content_length()?).ok()?;
    (served.end - served.start == length).then_some((served, object))
}

/// Reads `bytes 0-9/100`.
fn parse_content_range(text: &str) -> Option<(Range<u64>, u64)> {
    let (range, object) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let served = first..last.checked_add(1)?;
    (served.start < served.end).then_some((served, object.parse().ok()?))
}

/// The bytes of a range, all of them.
pub async fn get(source: &Target, range: Range<u64>, etag: &str) -> PortResult<Bytes> {
    let Opened { mut body, length, .. } = open(source, range.start, Some(range.end), etag).await?;
    let expected = usize::try_from(length)
        .map_err(|error| refused("the range does not fit into memory").because(error))?;
    let mut bytes = BytesMut::with_capacity(expected);
    while let Some(piece) =
        next_piece(&mut body).await.map_err(|error| broken_off(source, &range, bytes.len(), error))?
    {
        bytes.extend_from_slice(&piece);
        if bytes.len() > expected {
            break;
        }
    }
    if bytes.len() != expected {
        let message = format!("get {}: {} bytes came of {expected} announced", source.key, bytes.len());
        return Err(unavailable(message));
    }
    Ok(bytes.freeze())
}

/// A stream to the end of an object.
pub struct Reading {
    source: Target,
    etag: String,
    at: u64,
    end: u64,
    body: Option<Body>,
    /// Failures since the last byte.
    failures: u32,
}

impl Reading {
    /// Opens the object at `from`, which lies before its end.
    pub async fn open(source: Target, from: u64, etag: &str) -> PortResult<Self> {
        let Opened { body, object, .. } = open(&source, from, None, etag).await?;
        Ok(Self { source, etag: etag.to_owned(), at: from, end: object, body: Some(body), failures: 0 })
    }

    /// The next piece, with what is needed for the one after it.
    pub async fn next(mut self) -> PortResult<Option<(Bytes, Self)>> {
        while self.at < self.end {
            match self.try_next().await {
                Ok(piece) => {
                    self.at += piece.len() as u64;
                    self.failures = 0;
                    if self.at > self.end {
                        let message = format!("get {}: more bytes came than announced", self.source.key);
                        return Err(unavailable(message));
                    }
                    return Ok(Some((piece, self)));
                }
                Err(error) if error.try_again() && self.failures < RESUMES => {
                    tracing::debug!(key = self.source.key, at = self.at, error = error.chain(), "going on");
                    tokio::time::sleep(PAUSES.wait(self.failures, rand::random())).await;
                    self.failures += 1;
                    self.body = None;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// A piece that is not empty.
    async fn try_next(&mut self) -> PortResult<Bytes> {
        let body = match &mut self.body {
            Some(body) => body,
            empty => {
                let opened = open(&self.source, self.at, Some(self.end), &self.etag).await?;
                empty.insert(opened.body)
            }
        };
        loop {
            let missing = self.at..self.end;
            match next_piece(body).await {
                Ok(Some(piece)) if piece.is_empty() => {}
                Ok(Some(piece)) => return Ok(piece),
                Ok(None) => return Err(broken_off(&self.source, &missing, 0, "the connection ended")),
                Err(error) => return Err(broken_off(&self.source, &missing, 0, error)),
            }
        }
    }
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

async fn next_piece(body: &mut Body) -> Result<Option<Bytes>, Cause> {
    Ok(timeout(STALL, body.next()).await?.transpose()?)
}

/// A body that ended before it was whole.
fn broken_off(source: &Target, range: &Range<u64>, came: usize, cause: impl Into<Cause>) -> PortError {
    let message = format!("get {}: broke off after {came} of the bytes {range:?}", source.key);
    unavailable(message).because(cause)
}

/// A range that the object does not have.
pub fn beyond(source: &Target, until: u64, length: u64) -> PortError {
    refused(format!("get {}: bytes up to {until} asked for, the object has {length}", source.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read() {
        let table = [
            ("bytes 0-9/100", Some((0..10, 100))),
            ("bytes 5-5/6", Some((5..6, 6))),
            ("bytes 9-5/100", None),
            ("bytes */100", None),
            ("bytes 0-9/*", None),
            ("0-9/100", None),
            ("bytes 0-18446744073709551615/1", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse_content_range(text), expected, "{text}");
        }
    }
}
