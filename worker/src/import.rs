//! Executes a run of import batches: read once, then decode each batch off the async threads while the one
//! before it commits.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use carrack_shared::error::{ErrorKind, PortError};
use carrack_shared::layer::Trouble;
use carrack_shared::layer::source::Reader;
use carrack_shared::operation::{Failure, Totals};
use carrack_shared::pipeline::{Decoded, Mismatch, Plan};
use carrack_shared::port::batches::{Commit, ImportEffect};
use carrack_shared::port::progress::BatchTotals;
use carrack_shared::record::Rows;
use carrack_shared::segment::{Claim, ClaimedRun, Extent, Facts, Segment};
use carrack_shared::spec::{ImportSpec, Source};
use carrack_shared::verify::Rules;
use tokio::task::{JoinError, JoinHandle};

use crate::context::Context;
use crate::source::{self, Stretch};
use crate::task::{Interrupted, after_commit, facts_of, failed};
use crate::verify::{self, Refused};
use crate::{contents, rejects, templates};

/// What has to be at hand to read a stretch.
pub(crate) struct Input<'spec> {
    pub file: &'spec Source,
    pub plan: Arc<Plan>,
    pub bytes: Bytes,
}

/// What decoding came to, or why it could not be done.
type Decoding = JoinHandle<Result<Decoded, Mismatch>>;

pub(crate) async fn run(context: &Context, run: &ClaimedRun, spec: &ImportSpec) -> Result<(), Interrupted> {
    for stretch in source::stretches(&run.claims) {
        match stretch.claims.as_slice() {
            [(claim, segment)] if segment.fault.is_some() => {
                refuse_segment(context, run, spec, claim, segment).await?;
            }
            _ => load_stretch(context, run, spec, &stretch).await?,
        }
    }
    Ok(())
}

/// Fetches the bytes of a stretch and compiles how they are to be read.
pub(crate) async fn open<'spec>(
    context: &Context,
    run: &ClaimedRun,
    spec: &'spec ImportSpec,
    stretch: &Stretch<'_>,
) -> Result<Input<'spec>, Interrupted> {
    let file = file_of(spec, stretch.source)?;
    let data_type = spec.type_of(stretch.source).map_err(PortError::from)?;
    let Facts::File(facts) = facts_of(context, run, stretch.source).await? else {
        return Err(unknown_source(stretch.source).into());
    };
    let plan = Arc::new(Plan::compile(spec, &data_type, &facts, spec.moment(run.operation.created_at)));
    let reader = reader(context, stretch.claims[0].0, file)?;
    match source::read(&reader, spec, &facts, stretch).await {
        Ok(bytes) => Ok(Input { file, plan, bytes }),
        Err(trouble) => Err(unreadable(trouble, stretch.claims[0].0, file)),
    }
}

fn reader(context: &Context, claim: &Claim, file: &Source) -> Result<Reader, Interrupted> {
    let ports = &context.ports;
    let reader = Reader::new(ports.objects.clone(), file, ports.master_key.as_deref());
    reader.map_err(|fault| unreadable(fault.into(), claim, file))
}

/// Loads the batches of a stretch, each in its own transaction.
async fn load_stretch(
    context: &Context,
    run: &ClaimedRun,
    spec: &ImportSpec,
    stretch: &Stretch<'_>,
) -> Result<(), Interrupted> {
    let Input { file, plan, bytes } = open(context, run, spec, stretch).await?;
    let mut ready = VecDeque::new();
    for (claim, segment) in &stretch.claims {
        ready.push_back((claim, segment, Refused::of(context, spec, segment).await?));
    }
    let start_decoding = |claim: &Claim, segment: &Segment, refused: &Refused| {
        let slice = slice_of(&bytes, stretch, segment);
        let mut poison = claim.suspicion.poison().to_vec();
        poison.extend(refused.poison(segment));
        let (plan, segment) = (plan.clone(), segment.clone());
        tokio::task::spawn_blocking(move || {
            Ok(plan.decode(&plan.frame(&segment, &slice)?, 0..segment.records, &poison))
        })
    };
    let first = ready.front();
    let mut decoding: Option<Decoding> =
        first.map(|(claim, segment, refused)| start_decoding(claim, segment, refused));
    let rules = Rules::of(spec);
    let mut judged = None;
    while let (Some((claim, segment, refused)), Some(current)) = (ready.pop_front(), decoding.take()) {
        let decoded = current.await;
        decoding = ready.front().map(|(claim, segment, refused)| start_decoding(claim, segment, refused));
        let decoded = finished(decoded, claim, file)?;
        let Some(rules) = rules else {
            commit(context, run, spec, (claim, segment), refused, decoded).await?;
            continue;
        };
        let judging = verify::judge(context, rules, (*claim, *segment), refused, decoded);
        let ((), next) = tokio::try_join!(verify::commit(context, run, judged), judging)?;
        judged = Some(next);
    }
    verify::commit(context, run, judged).await
}

/// Commits a decoded batch.
async fn commit(
    context: &Context,
    run: &ClaimedRun,
    spec: &ImportSpec,
    (claim, segment): (&Claim, &Segment),
    refused: Refused,
    decoded: Decoded,
) -> Result<(), Interrupted> {
    if let Some(rules) = Rules::of(spec) {
        let judged = verify::judge(context, rules, (claim, segment), refused, decoded).await?;
        return verify::commit(context, run, Some(judged)).await;
    }
    if spec.is_of_templates() {
        let committed = templates::commit(context, run, (claim, segment), decoded).await;
        return committed.map_err(|interrupted| interrupted.of(claim));
    }
    let objects = &*context.ports.objects;
    let Decoded { rows, mut rejects, filtered, .. } =
        contents::store(objects, decoded, run.operation.spec.is_dry_run()).await.map_err(failed(claim))?;
    rejects::store_long_frames(objects, &mut rejects).await.map_err(failed(claim))?;
    let rows = Arc::new(rows);
    let bytes = segment.share();
    let mut stored_frames = HashMap::new();
    loop {
        let effect =
            ImportEffect { rows: &rows, rejects: &rejects, stored_frames: &stored_frames, filtered, bytes };
        let commit = context.ports.store.commit_import(&run.operation, claim, effect).await;
        match commit.map_err(failed(claim))? {
            // Each turn of this loop stores frames that were not stored, so it ends.
            Commit::StoreFrames(wanted) => {
                let frames = rejects::store_row_frames(objects, &rows, &wanted).await;
                stored_frames.extend(frames.map_err(failed(claim))?);
            }
            commit => {
                record_progress(context, run, claim, &commit, bytes).await;
                return after_commit(&commit);
            }
        }
    }
}

/// Commits a batch that is one refused record: too large, or what follows a break in the framing.
async fn refuse_segment(
    context: &Context,
    run: &ClaimedRun,
    spec: &ImportSpec,
    claim: &Claim,
    segment: &Segment,
) -> Result<(), Interrupted> {
    let Some(fault) = &segment.fault else { return Ok(()) };
    let file = file_of(spec, segment.source)?;
    let data_type = spec.type_of(segment.source).map_err(PortError::from)?;
    let reject = match rejects::of_segment(&reader(context, claim, file)?, segment, fault).await {
        Ok(reject) => reject,
        Err(trouble) => return Err(unreadable(trouble, claim, file)),
    };
    let rows = Rows::new(data_type, Bytes::new(), segment.bytes.start, segment.first_line);
    let decoded = Decoded { rows, rejects: vec![reject], filtered: 0, contents: Vec::new() };
    let refused = Refused::of(context, spec, segment).await?;
    commit(context, run, spec, (claim, segment), refused, decoded).await
}

/// Best effort: the cache may be away, the ledger has the truth.
pub(crate) async fn record_progress(
    context: &Context,
    run: &ClaimedRun,
    claim: &Claim,
    commit: &Commit,
    bytes: u64,
) {
    let Commit::Done(tally) = commit else { return };
    let totals = Totals { tally: *tally, bytes, batches: 1 };
    let noted = BatchTotals { batch: claim.batch.number, totals };
    if let Err(error) = context.ports.progress.record((&run.operation).into(), noted).await {
        tracing::debug!(operation = %run.operation.id, error = error.chain(), "progress was not noted");
    }
}

fn slice_of(bytes: &Bytes, stretch: &Stretch<'_>, segment: &Segment) -> Bytes {
    let offset = |byte: u64| usize::try_from(byte - stretch.bytes.start).unwrap_or(usize::MAX);
    bytes.slice(offset(segment.bytes.start)..offset(segment.bytes.end))
}

/// The result of a decoding thread; a mismatch with the plan or a panic stops the operation.
pub(crate) fn finished<T>(
    decoded: Result<Result<T, Mismatch>, JoinError>,
    claim: &Claim,
    file: &Source,
) -> Result<T, Interrupted> {
    let failure = match decoded {
        Ok(Ok(decoded)) => return Ok(decoded),
        Ok(Err(mismatch)) => Failure::new(mismatched(claim), format!("{}: {mismatch}", file.name)),
        Err(error) if error.is_panic() => {
            let message =
                format!("{}: batch {} could not be decoded: {error}", file.name, claim.batch.number);
            Failure::new("internal.panic", message)
        }
        Err(_) => {
            return Err(PortError::new(ErrorKind::Unavailable, "worker", "decoding was stopped").into());
        }
    };
    Err(Interrupted::Hopeless(Box::new(claim.clone()), failure))
}

/// The code of bytes that are not what was planned: those of an index were told and not seen.
fn mismatched(claim: &Claim) -> &'static str {
    match &claim.batch.extent {
        Extent::Segment(Segment { hash: None, .. }) => "index.wrong",
        _ => "source.changed",
    }
}

/// A source that is gone, another one, or altered can never be read again: the operation stops.
fn unreadable(trouble: Trouble, claim: &Claim, file: &Source) -> Interrupted {
    let failure = match trouble {
        Trouble::Fault(fault) => Failure::new(fault.code, format!("{}: {}", file.name, fault.message)),
        Trouble::Port(error) => {
            let code = match error.kind {
                ErrorKind::Changed => "source.changed",
                ErrorKind::NotFound => "source.gone",
                ErrorKind::Refused => "source.refused",
                _ => return failed(claim)(error),
            };
            Failure::new(code, format!("{}: {}", file.name, error.chain()))
        }
    };
    Interrupted::Hopeless(Box::new(claim.clone()), failure)
}

fn file_of(spec: &ImportSpec, source: u32) -> Result<&Source, PortError> {
    spec.sources.get(source as usize).ok_or_else(|| unknown_source(source))
}

fn unknown_source(number: u32) -> PortError {
    PortError::new(ErrorKind::Internal, "worker", format!("the operation has no file number {number}"))
}
