//! Whether the next batch of an operation is worth a direct COPY: not soon after one that met a conflict,
//! for then the work up to it was in vain.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use carrack_shared::operation::OperationId;

/// Batches that go the general way after a COPY met a conflict. A COPY in vain costs at most one batch's
/// time, so an import full of duplicates loses 3 % by asking again after this many.
const COPY_PAUSE: u32 = 32;

/// Operations that are remembered; beyond that all are forgotten, which costs each one COPY in vain.
const OPERATIONS: usize = 1024;

/// What recent batches of each operation met.
#[derive(Default)]
pub(super) struct Pace {
    paused: Mutex<HashMap<OperationId, u32>>,
}

impl Pace {
    /// Whether to try a COPY for the next batch.
    pub(super) fn may_copy(&self, operation: OperationId) -> bool {
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(left) = paused.get_mut(&operation) else { return true };
        *left -= 1;
        if *left == 0 {
            paused.remove(&operation);
        }
        false
    }

    /// Notes that a COPY met a conflict.
    pub(super) fn met_conflict(&self, operation: OperationId) {
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        if paused.len() >= OPERATIONS {
            paused.clear();
        }
        paused.insert(operation, COPY_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_pauses_the_copy_of_its_operation_only() {
        let (pace, met, other) = (Pace::default(), OperationId::from_u128(1), OperationId::from_u128(2));
        pace.met_conflict(met);
        for _ in 0..COPY_PAUSE {
            assert!(!pace.may_copy(met));
        }
        assert!(pace.may_copy(met) && pace.may_copy(other));
    }

    #[test]
    fn the_memory_is_bounded() {
        let pace = Pace::default();
        for id in 0..=OPERATIONS as u128 {
            pace.met_conflict(OperationId::from_u128(id));
        }
        assert_eq!(pace.paused.lock().unwrap().len(), 1);
    }
}
