//! How per-batch progress is added up; the same for every adapter.

use carrack_shared::operation::Totals;

/// The sum over batches.
pub fn sum(batches: impl Iterator<Item = Totals>) -> Totals {
    batches.fold(Totals::default(), |total, batch| Totals {
        tally: total.tally + batch.tally,
        bytes: total.bytes + batch.bytes,
        batches: total.batches + batch.batches,
    })
}
