//! Plans a source by reading its whole text once: the text as it stands, or what its layers open to, which is
//! then put where workers can read it in pieces.

use bytes::Bytes;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::fault::Fault;
use carrack_shared::layer::source::Reader;
use carrack_shared::layer::{Opened, Trouble};
use carrack_shared::limits;
use carrack_shared::pipeline::split::{Rules, Splitter};
use carrack_shared::segment::Segment;
use carrack_shared::spec::ImportSpec;
use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::Planned;
use super::draft::Draft;
use super::stage::Stager;

/// Pieces of a text that are opened ahead, of up to [`limits::LAYER_PIECE_BYTES`].
const PIECES_AHEAD: usize = 32;

/// What comes next of a text.
enum Next {
    Piece(Bytes),
    End,
    /// It cannot be opened any further.
    Stuck(Fault),
}

/// Plans the rest of the source at which the draft stands.
pub(super) async fn plan(draft: &mut Draft<'_>, spec: &ImportSpec, reader: &Reader) -> PortResult<Planned> {
    let number = draft.cursor.source;
    let known = draft.known_facts().await?;
    let length = reader.text_length();
    let length_or_all = length.unwrap_or(u64::MAX);
    let mut splitter = Splitter::new(number, spec.format, &spec.reading, length_or_all, rules(spec));
    if let Some(facts) = &known {
        splitter = splitter.resume(facts, &draft.cursor);
    }
    let mut told_facts = known.is_some();
    let mut stager = length.is_none().then(|| Stager::new(draft, reader));
    let text = reader.text(draft.cursor.byte).await?;
    let mut text = if stager.is_some() { ahead(text) } else { text };
    let mut segments = Vec::new();
    loop {
        let next = next(&mut text).await?;
        if let (Some(stager), Next::Piece(piece)) = (&mut stager, &next) {
            stager.take(piece).await?;
        }
        let cut = match &next {
            Next::Piece(piece) => splitter.push(piece, &mut segments),
            Next::End => splitter.finish(&mut segments),
            Next::Stuck(fault) => Err(splitter.give_up(fault.clone(), &mut segments)),
        };
        if !told_facts && let Some(facts) = splitter.facts() {
            draft.learn(facts);
            told_facts = true;
        }
        if let (Some(stager), Err(_)) = (&mut stager, &cut) {
            find_end(&mut text, stager, segments.last_mut()).await?;
        }
        for segment in segments.drain(..) {
            draft.add(segment);
        }
        if cut.is_ok() {
            splitter.mark(&mut draft.cursor);
        }
        let over = cut.is_err() || matches!(next, Next::End);
        if let Some(stager) = &mut stager {
            if over || draft.is_full() || stager.is_full() {
                stager.stage(draft, splitter.pending()).await?;
            }
            stager.bound(splitter.open());
        }
        // What stands behind a break is stored with the end of the plan, not before it.
        if cut.is_ok() && draft.is_full() && !draft.flush().await? {
            return Ok(Planned::NotOurs);
        }
        match cut {
            Err(broken) => return Ok(Planned::Broken(broken)),
            Ok(()) if over => return Ok(Planned::Whole),
            Ok(()) => {}
        }
    }
}

async fn next(text: &mut Opened) -> PortResult<Next> {
    match text.next().await {
        None => Ok(Next::End),
        Some(Ok(piece)) => Ok(Next::Piece(piece)),
        Some(Err(Trouble::Fault(fault))) => Ok(Next::Stuck(fault)),
        Some(Err(Trouble::Port(error))) => Err(error),
    }
}

/// The text, opened beside what is done with it.
fn ahead(mut text: Opened) -> Opened {
    let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
    let opening = tokio::spawn(async move {
        while let Some(piece) = text.next().await {
            if sender.send(piece).await.is_err() {
                break;
            }
        }
    });
    let opening = AbortOnDropHandle::new(opening);
    let pieces = stream::unfold(Some((receiver, opening)), |state| async move {
        let (mut receiver, opening) = state?;
        if let Some(piece) = receiver.recv().await {
            return Some((piece, Some((receiver, opening))));
        }
        // A thread that broke down must not pass for the end of the text.
        let error = opening.await.err()?;
        Some((Err(PortError::new(ErrorKind::Internal, "planner", error.to_string()).into()), None))
    });
    pieces.fuse().boxed()
}

/// The remainder behind a break goes to the end of the text, or as far as it opens.
async fn find_end(text: &mut Opened, stager: &mut Stager, remainder: Option<&mut Segment>) -> PortResult<()> {
    let Some(remainder) = remainder.filter(|segment| segment.bytes.end == u64::MAX) else { return Ok(()) };
    while let Next::Piece(piece) = next(text).await? {
        stager.take(&piece).await?;
        stager.bound(Some(remainder.bytes.start));
    }
    remainder.bytes.end = stager.end();
    Ok(())
}

pub(super) fn rules(spec: &ImportSpec) -> Rules {
    Rules {
        batch_records: spec.batch_size,
        batch_bytes: limits::BATCH_BYTES,
        record_bytes: limits::RECORD_BYTES,
    }
}
