//! Executes a run of export batches: each streams its key range, as the snapshot sees it, into an object of
//! its own. What counts is which object the ledger names; an object of a lost attempt is garbage.

use std::sync::Arc;

use bytes::Bytes;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::format::encode::Encoder;
use carrack_shared::layer::packaging::ENCRYPTION;
use carrack_shared::layer::{Trouble, sealing};
use carrack_shared::limits;
use carrack_shared::operation::Failure;
use carrack_shared::port::batches::ExportEffect;
use carrack_shared::port::objects::ByteStream;
use carrack_shared::port::records::RowStream;
use carrack_shared::reshape::Reshaper;
use carrack_shared::segment::{Claim, ClaimedRun, Extent, Facts, KeyRange};
use carrack_shared::spec::ExportSpec;
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::context::Context;
use crate::counted::{Promise, counted};
use crate::filled;
use crate::frames::Frames;
use crate::import::record_progress;
use crate::task::{Interrupted, after_commit, facts_of, failed};
use crate::{chosen, reshaped};

pub(crate) async fn run(context: &Context, run: &ClaimedRun, spec: &ExportSpec) -> Result<(), Interrupted> {
    if let Some(claim) = run.claims.iter().find(|claim| claim.deaths >= limits::EXPORT_DEATHS) {
        return Err(deadly(claim));
    }
    for claim in &run.claims {
        let effect = match write_part(context, run, spec, claim).await {
            Ok(effect) => effect,
            // Trying again does not bring the key.
            Err(error) if error.kind == ErrorKind::Denied && error.service == ENCRYPTION => {
                let failure = Failure::new("seal.master_key", error.message);
                return Err(Interrupted::Hopeless(Box::new(claim.clone()), failure));
            }
            Err(error) if let Some(failure) = unfit(&error) => {
                return Err(Interrupted::Hopeless(Box::new(claim.clone()), failure));
            }
            // Its holder is gone. The coordinator that notices starts the export again, from the beginning.
            Err(error) if error.kind == ErrorKind::SnapshotGone => return Err(Interrupted::NotOurs),
            Err(error) => return Err(failed(claim)(error)),
        };
        let commit = context.ports.store.commit_export(&run.operation, claim, &effect).await;
        let commit = commit.map_err(failed(claim))?;
        record_progress(context, run, claim, &commit, effect.bytes).await;
        after_commit(&commit)?;
    }
    Ok(())
}

/// Why the export can never succeed, if a row is what is wrong.
fn unfit(error: &PortError) -> Option<Failure> {
    filled::failure(error).or_else(|| chosen::failure(error)).or_else(|| reshaped::failure(error))
}

/// Writes one part and checks that it has the rows that the snapshot promised.
async fn write_part(
    context: &Context,
    run: &ClaimedRun,
    spec: &ExportSpec,
    claim: &Claim,
) -> PortResult<ExportEffect> {
    let internal = |message: String| PortError::new(ErrorKind::Internal, "worker", message);
    let Extent::Keys(keys) = &claim.batch.extent else {
        return Err(internal(format!("batch {} of an export has no keys", claim.batch.number)));
    };
    let Facts::Table(table) = facts_of(context, run, keys.table).await? else {
        return Err(internal(format!(
            "operation {} is an export with the facts of a file",
            run.operation.id
        )));
    };
    let data_type = spec.type_of(keys.table)?;
    let (written, shape) = spec.written(keys.table, table.has_extra)?;
    let encoder = Encoder::new(spec.format, &written, shape);
    let mut conditions = spec.filter.conditions(&data_type).map_err(|mistakes| {
        let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        internal(told.join("; "))
    })?;
    conditions.extend(spec.filter.necessary(&data_type));
    let promise = if spec.filter.is_empty() { Promise::All } else { Promise::Some };
    let mut rows = context.ports.store.scan(&data_type, keys, &conditions, &table.snapshot).await?;
    if let Some(judge) = spec.filter.judge(&data_type, run.operation.created_at) {
        rows = chosen::by(rows, judge);
    }
    let (mut rows, count) = counted(rows, keys, promise);
    if spec.include_binary_data {
        rows = filled::with_contents(rows, Arc::clone(&context.ports.objects));
    }
    if let Some(template) = &spec.template {
        rows = reshaped::through(rows, Reshaper::new(template, &data_type, run.operation.created_at));
    }
    // A name of its own for each attempt, so that none replaces what the ledger names already.
    let attempt = uuid::Builder::from_random_bytes(rand::random()).into_uuid().simple();
    let (operation, number) = (&run.operation, claim.batch.number);
    let key = format!("exports/{}/{}/{number}-{attempt}", operation.id, operation.generation);
    let packaging = &spec.packaging;
    let (text, made) = match packaging.frame_limits() {
        None => (encoded(encoder, rows, keys), None),
        Some(limits) => {
            let frames = Frames::new(encoder, spec.format, packaging, limits);
            let made = frames.made();
            (framed(frames, rows, keys), Some(made))
        }
    };
    let body = match &packaging.seal {
        None => text,
        Some(seal) => {
            let keys = seal.open(context.ports.master_key.as_deref())?;
            let text = text.map_err(Trouble::Port).boxed();
            sealing::seal_object(&keys.data_key, &key, rand::random(), text)
                .map_err(Trouble::into_port)
                .boxed()
        }
    };
    let meta = context.ports.objects.put(&key, body).await?;
    let frames = made.map(|made| made.encode()).unwrap_or_default();
    Ok(ExportEffect { key, etag: meta.etag, bytes: meta.length, rows: count.rows(), frames })
}

/// As [`encoded`], in frames.
fn framed(frames: Frames, rows: RowStream, keys: &KeyRange) -> ByteStream {
    let first = keys.first;
    let state = Some((frames, rows, 0_u64));
    let pieces = futures_util::stream::try_unfold(state, move |state| async move {
        let Some((mut frames, mut rows, seen)) = state else { return Ok(None) };
        if let Some(piece) = rows.next().await.transpose()? {
            let bytes = frames.take(&piece, first + seen).await?;
            let seen = seen + piece.len() as u64;
            return Ok(Some((bytes, Some((frames, rows, seen)))));
        }
        Ok(Some((frames.finish().await?, None)))
    });
    pieces.try_filter(|piece| std::future::ready(!piece.is_empty())).boxed()
}

/// The part's bytes.
fn encoded(encoder: Encoder, rows: RowStream, keys: &KeyRange) -> ByteStream {
    let first = keys.first;
    let state = (encoder, rows, 0_u64);
    let pieces = futures_util::stream::try_unfold(state, move |(encoder, mut rows, mut seen)| async move {
        let Some(piece) = rows.next().await.transpose()? else { return Ok(None) };
        let mut bytes = Vec::new();
        encoder.rows(&piece, first + seen, &mut bytes);
        if seen > 0 && !piece.is_empty() {
            bytes.splice(0..0, encoder.between().iter().copied());
        }
        seen += piece.len() as u64;
        Ok(Some((Bytes::from(bytes), (encoder, rows, seen))))
    });
    pieces.boxed()
}

/// There is no record to be blamed: rows were read before, and an export has no place for rejects.
pub(crate) fn deadly(claim: &Claim) -> Interrupted {
    let message = format!(
        "batch {} ended {} workers without an answer, expected at most {}",
        claim.batch.number,
        claim.deaths,
        limits::EXPORT_DEATHS - 1
    );
    Interrupted::Hopeless(Box::new(claim.clone()), Failure::new("batch.deadly", message))
}
