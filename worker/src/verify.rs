//! Executes a batch of a verification: its records, without those that the import has refused, are compared with the
//! rows of their keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use carrack_shared::error::{ErrorKind, PortError};
use carrack_shared::fault::Reject;
use carrack_shared::pipeline::Decoded;
use carrack_shared::port::rejects::RejectPage;
use carrack_shared::port::verifying::VerifyEffect;
use carrack_shared::record::{Position, Rows};
use carrack_shared::schema::DataType;
use carrack_shared::segment::{Claim, ClaimedRun, Segment};
use carrack_shared::spec::{ImportSpec, Verifies};
use carrack_shared::verify::{self, Compared, Rules};
use tokio::task::spawn_blocking;

use crate::context::Context;
use crate::import::record_progress;
use crate::rejects;
use crate::task::{Interrupted, after_commit, failed};

/// Of records whose rows are too much at a time, one in so many is asked for next; of those whose rows are not, twice
/// as many.
const FEWER: usize = 4;

/// The code of records that ended the workers of the import.
const POISON: &str = "record.poison";

/// Records of a batch that the import has refused, in the order of the input.
#[derive(Default)]
pub(crate) struct Refused(Vec<Reject>);

impl Refused {
    /// Those of a batch; none where it is not one of a verification.
    pub async fn of(context: &Context, spec: &ImportSpec, segment: &Segment) -> Result<Self, PortError> {
        let Some(Verifies { parent, by_key: false, .. }) = spec.verifies else { return Ok(Self::default()) };
        let before = Position::new(segment.source, segment.first_record.saturating_sub(1));
        let last = Position::new(segment.source, segment.first_record + u64::from(segment.records) - 1);
        let page = RejectPage::first(segment.records).behind(Some(before));
        let mut found = context.ports.store.rejects(parent, &page).await?;
        found.retain(|reject| reject.position <= last);
        Ok(Self(found))
    }

    /// The records that are not to be read again, by their number in the batch.
    pub fn poison(&self, segment: &Segment) -> impl Iterator<Item = u32> {
        let poison = self.0.iter().filter(|reject| reject.faults.iter().any(|fault| fault.code == POISON));
        poison.filter_map(|reject| u32::try_from(reject.position.record() - segment.first_record).ok())
    }

    /// Takes them out of what was decoded, and tells of them as the import did.
    fn take_out(self, decoded: &mut Decoded) {
        if self.0.is_empty() {
            return;
        }
        let positions: BTreeMap<Position, usize> =
            (0..decoded.rows.len()).map(|row| (decoded.rows.origin(row).position, row)).collect();
        let accepted = self
            .0
            .iter()
            .filter_map(|reject| Some((*positions.get(&reject.position)?, reject.faults.clone())));
        decoded.rows.refuse(accepted.collect());
        let again = |reject: &Reject| self.0.iter().any(|before| before.position == reject.position);
        decoded.rejects.retain(|reject| !again(reject));
        decoded.rejects.extend(self.0);
        decoded.rejects.sort_by_key(|reject| reject.position);
    }
}

/// A batch that was compared, and is to be committed.
pub(crate) struct Judged<'run> {
    claim: &'run Claim,
    data_type: Arc<DataType>,
    compared: Arc<Compared>,
    rejects: Vec<Reject>,
    filtered: u64,
    bytes: u64,
}

/// Compares a decoded batch.
pub(crate) async fn judge<'run>(
    context: &Context,
    rules: Rules,
    (claim, segment): (&'run Claim, &Segment),
    refused: Refused,
    mut decoded: Decoded,
) -> Result<Judged<'run>, Interrupted> {
    refused.take_out(&mut decoded);
    let Decoded { rows, mut rejects, filtered, .. } = decoded;
    rejects::store_long_frames(&*context.ports.objects, &mut rejects).await.map_err(failed(claim))?;
    let (data_type, rows) = (Arc::clone(rows.data_type()), Arc::new(rows));
    let compared = Arc::new(compare(context, rules, rows).await.map_err(failed(claim))?);
    Ok(Judged { claim, data_type, compared, rejects, filtered, bytes: segment.share() })
}

/// Commits what came of a batch, if there is one.
pub(crate) async fn commit(
    context: &Context,
    run: &ClaimedRun,
    judged: Option<Judged<'_>>,
) -> Result<(), Interrupted> {
    let Some(Judged { claim, data_type, compared, rejects, filtered, bytes }) = judged else { return Ok(()) };
    let effect =
        VerifyEffect { data_type: &data_type, compared: &compared, rejects: &rejects, filtered, bytes };
    let commit =
        context.ports.store.commit_verify(&run.operation, claim, effect).await.map_err(failed(claim))?;
    record_progress(context, run, claim, &commit, bytes).await;
    after_commit(&commit)
}

/// Compares all records; in portions, if the rows have become so long that they are too much at a time.
async fn compare(context: &Context, rules: Rules, rows: Arc<Rows>) -> Result<Compared, PortError> {
    let (mut compared, mut next, mut together) = (Compared::default(), 0, rows.len());
    while next < rows.len() {
        let portion = next..rows.len().min(next + together);
        let Some(present) = context.ports.store.present(&rows, portion.clone()).await? else {
            together = portion.len().div_ceil(FEWER);
            continue;
        };
        (next, together) = (portion.end, portion.len() * 2);
        let rows = Arc::clone(&rows);
        let compare = move || {
            verify::compare(&rules, &rows, portion, &present, &mut compared);
            compared
        };
        compared = spawn_blocking(compare).await.map_err(|error| {
            let kind = if error.is_panic() { ErrorKind::Internal } else { ErrorKind::Unavailable };
            PortError::new(kind, "worker", "comparing a batch was stopped").because(error)
        })?;
    }
    Ok(compared)
}
