//! Turns accepted records that are not to be loaded after all into rejects: those that lost their key to a later batch,
//! or in the stage, where the user asked that duplicates be rejects, and what else was staged in vain. Their bytes are read again from the source, for the table never had them.

use bytes::Bytes;
use carrack_shared::duplicates;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::fault::{Frame, Reject};
use carrack_shared::layer::Trouble;
use carrack_shared::layer::source::Reader;
use carrack_shared::limits::INLINE_FRAME_BYTES;
use carrack_shared::pipeline::Plan;
use carrack_shared::port::finalising::{FinishClaim, Loser, Loss};
use carrack_shared::segment::{Facts, Segment};
use carrack_shared::spec::{Duplicates, ImportSpec, Source};
use futures_util::StreamExt;

use crate::context::Context;

/// Losers dealt with in one go.
const AT_A_TIME: u32 = 500;

/// False if the lease on the closing is lost.
pub(crate) async fn turn_into_rejects(context: &Context, claim: &FinishClaim) -> PortResult<bool> {
    let Some(spec) = claim.operation.spec.as_import() else { return Ok(true) };
    if spec.duplicates != Duplicates::Reject && !spec.is_staged() {
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

/// The rejects of losers that stand in the same segment, in the order of the input.
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
    let data_type = spec.type_of(segment.source)?;
    let facts = context.ports.store.facts(claim.operation.id, segment.source).await?;
    let Some(Facts::File(facts)) = facts else {
        return Err(internal(format!("no facts are stored of file number {}", segment.source)));
    };
    let bytes = text_of(context, source, segment).await?;
    let plan = Plan::compile(spec, &data_type, &facts, spec.moment(claim.operation.created_at));
    let framed = plan.frame(segment, &bytes).map_err(|mismatch| {
        let message = format!("{} is not what it was", source.name);
        PortError::new(ErrorKind::Changed, "coordinator", message).because(mismatch)
    })?;
    let key_field = data_type.key_field().name.as_str();
    let refused = losers.iter().map(|loser| {
        let number = u32::try_from(loser.position.record() - segment.first_record).unwrap_or(u32::MAX);
        let faults = match &loser.loss {
            Loss::Refused(reason) => vec![duplicates::refused(reason)],
            Loss::InFile(_) => vec![duplicates::in_file(&loser.key).in_field(key_field)],
            Loss::Existing => vec![duplicates::existing(&loser.key).in_field(key_field)],
            Loss::Lacking => plan.lacking(&framed, number),
        };
        (number, faults)
    });
    let mut rejects = Vec::with_capacity(losers.len());
    for (loser, reject) in losers.iter().zip(plan.refuse(&framed, refused)) {
        let mut reject = reject.ok_or_else(|| {
            internal(format!("record {} is not in its segment any more", loser.position.record()))
        })?;
        reject.key = loser.loss.winner().map(|_| loser.key.clone());
        reject.winner = loser.loss.winner();
        if let Frame::Inline(raw) = &reject.frame
            && raw.len() > INLINE_FRAME_BYTES
        {
            reject.frame = Frame::Object(store(context, raw, &reject.sha256).await?);
        }
        rejects.push(reject);
    }
    Ok(rejects)
}

/// The text of a segment. It was read before: that it does not open any more is a change.
async fn text_of(context: &Context, source: &Source, segment: &Segment) -> PortResult<Bytes> {
    let ports = &context.ports;
    let reader = Reader::new(ports.objects.clone(), source, ports.master_key.as_deref());
    let reader = reader.map_err(|fault| Trouble::from(fault).into_port())?;
    let range = segment.bytes.clone();
    let packed = reader.fetch(segment.packing.as_ref(), range.clone()).await.map_err(Trouble::into_port)?;
    let opened = tokio::task::spawn_blocking(move || packed.open(range));
    let opened = opened.await.map_err(|error| internal(error.to_string()))?;
    let (text, start) = opened.map_err(|fault| Trouble::from(fault).into_port())?;
    let index = |byte: u64| usize::try_from(byte - start).unwrap_or(usize::MAX).min(text.len());
    Ok(text.slice(index(segment.bytes.start)..index(segment.bytes.end)))
}

/// Puts a long frame under the name of its content.
async fn store(context: &Context, raw: &Bytes, sha256: &[u8; 32]) -> PortResult<String> {
    let hex: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    let (key, raw) = (format!("rejects/{hex}"), raw.clone());
    context.ports.objects.put(&key, futures_util::stream::once(async move { Ok(raw) }).boxed()).await?;
    Ok(key)
}

fn internal(message: String) -> PortError {
    PortError::new(ErrorKind::Internal, "coordinator", message)
}
