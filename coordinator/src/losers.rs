//! Turns records that lost their key to a later batch into rejects, where the user asked that duplicates be
//! rejects: their bytes are read again from the source, for the table never had them.

use bytes::Bytes;
use carrack_shared::duplicates;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::fault::{Frame, Reject};
use carrack_shared::format::{Format, FrameRange, Framer, lines};
use carrack_shared::limits::INLINE_FRAME_BYTES;
use carrack_shared::port::finalising::{FinishClaim, Loser};
use carrack_shared::segment::{Facts, Segment};
use carrack_shared::spec::{Duplicates, ImportSpec};
use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use crate::context::Context;

/// Losers dealt with in one go.
const AT_A_TIME: u32 = 500;

/// False if the lease on the closing is lost.
pub(crate) async fn turn_into_rejects(context: &Context, claim: &FinishClaim) -> PortResult<bool> {
    let Some(spec) = claim.operation.spec.as_import() else { return Ok(true) };
    if spec.duplicates != Duplicates::Reject {
        return Ok(true);
    }
    loop {
        let losers = context.ports.store.losers(claim, AT_A_TIME).await?;
        if losers.is_empty() {
            return Ok(true);
        }
        let mut rejects = Vec::with_capacity(losers.len());
        for of_one_batch in losers.chunk_by(|a, b| a.segment == b.segment) {
            rejects.extend(rejects_of(context, claim, spec, of_one_batch).await?);
        }
        if !context.ports.store.add_rejects(claim, &rejects).await? {
            return Ok(false);
        }
    }
}

/// The rejects of losers that stand in the same segment.
async fn rejects_of(
    context: &Context,
    claim: &FinishClaim,
    spec: &ImportSpec,
    losers: &[Loser],
) -> PortResult<Vec<Reject>> {
    let Some(first) = losers.first() else { return Ok(Vec::new()) };
    let segment = &first.segment;
    let source = spec
        .sources
        .get(segment.source as usize)
        .ok_or_else(|| internal(format!("the operation has no file number {}", segment.source)))?;
    let facts = context.ports.store.facts(claim.operation.id, segment.source).await?;
    let Some(Facts::File(facts)) = facts else {
        return Err(internal(format!("no facts are stored of file number {}", segment.source)));
    };
    let bytes = context.ports.objects.get(&source.key, segment.bytes.clone(), &source.etag).await?;
    let frames = frames(Framer::resume(&facts), &bytes, segment)?;
    let key_field = carrack_shared::schema::built_in(&spec.data_type)
        .map(|data_type| data_type.key_field().name.as_str().to_owned());
    let mut rejects = Vec::new();
    for loser in losers {
        let index = usize::try_from(loser.position.record() - segment.first_record).unwrap_or(usize::MAX);
        let frame = frames.get(index).ok_or_else(|| {
            internal(format!("record {} is not in its segment any more", loser.position.record()))
        })?;
        let mut fault = duplicates::in_file(&loser.key);
        fault.field.clone_from(&key_field);
        rejects.push(reject(context, facts.format(), loser, fault, frame, &bytes).await?);
    }
    Ok(rejects)
}

async fn reject(
    context: &Context,
    format: Format,
    loser: &Loser,
    fault: carrack_shared::fault::Fault,
    frame: &FrameRange,
    bytes: &Bytes,
) -> PortResult<Reject> {
    let at = |byte: u64| usize::try_from(byte).unwrap_or(usize::MAX);
    let raw = bytes.slice(at(frame.start)..at(frame.end));
    let sha256: [u8; 32] = Sha256::digest(&raw).into();
    let lines = lines::ended(format, &bytes[..at(frame.start)]);
    let stored = if raw.len() > INLINE_FRAME_BYTES {
        Frame::Object(store(context, &raw, &sha256).await?)
    } else {
        Frame::Inline(raw.clone())
    };
    Ok(Reject {
        position: loser.position,
        line: loser.segment.first_line + lines,
        byte_start: loser.segment.bytes.start + frame.start,
        byte_length: raw.len() as u64,
        sha256,
        faults: vec![fault],
        key: Some(loser.key.clone()),
        winner: Some(loser.winner),
        frame: stored,
    })
}

/// Puts a long frame under the name of its content.
async fn store(context: &Context, raw: &Bytes, sha256: &[u8; 32]) -> PortResult<String> {
    let hex: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    let (key, raw) = (format!("rejects/{hex}"), raw.clone());
    context.ports.objects.put(&key, futures_util::stream::once(async move { Ok(raw) }).boxed()).await?;
    Ok(key)
}

fn frames(mut framer: Framer, bytes: &Bytes, segment: &Segment) -> PortResult<Vec<FrameRange>> {
    let mut frames = Vec::with_capacity(segment.records as usize);
    let framed = framer.push(bytes, &mut frames).and_then(|()| framer.finish(&mut frames));
    match framed {
        Ok(()) => Ok(frames),
        Err(fault) => Err(internal(format!("a segment cannot be framed any more: {}", fault.message))),
    }
}

fn internal(message: String) -> PortError {
    PortError::new(ErrorKind::Internal, "coordinator", message)
}
