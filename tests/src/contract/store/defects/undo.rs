//! The ports of undo and of verification, with their defects, and of tokens.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::operation::{Operation, OperationId};
use carrack_shared::port::batches::Commit;
use carrack_shared::port::finalising::FinishClaim;
use carrack_shared::port::verifying::VerifyEffect;
use carrack_shared::port::{Tokens, Undoing, Verifying};
use carrack_shared::record::Rows;
use carrack_shared::schema::DataType;
use carrack_shared::segment::{Claim, KeyRange};
use carrack_shared::spec::{Spec, Work};
use carrack_shared::undo::Most;
use carrack_shared::verify::{Findings, Present};

use super::{Defect, Defective};
use crate::port::port;

port! {
    Defective: Undoing {
        fn next_touched(
            parent: OperationId,
            data_type: &Arc<DataType>,
            behind: Option<&str>,
            most: Most
        ) -> Option<KeyRange>;
    }

    async fn commit_undo(&self, operation: &Operation, claim: &Claim) -> PortResult<Commit> {
        let mut operation = operation.clone();
        if let Spec::V1(Work::Undo(undo)) = &mut operation.spec {
            undo.force |= self.gets_wrong(Defect::UndoesWhatOthersChanged);
        }
        self.inner.commit_undo(&operation, claim).await
    }

    async fn forget_images(&self, keep: Duration) -> PortResult<u64> {
        let keep = if self.gets_wrong(Defect::ForgetsTooEarly) { Duration::ZERO } else { keep };
        self.inner.forget_images(keep).await
    }
}

port! {
    Defective: Verifying {
        fn present(records: &Arc<Rows>, portion: Range<usize>) -> Option<Present>;
        fn commit_verify(operation: &Operation, claim: &Claim, effect: VerifyEffect<'_>) -> Commit;
    }

    async fn find(&self, claim: &FinishClaim) -> PortResult<Option<Findings>> {
        let mut found = self.inner.find(claim).await?;
        if self.gets_wrong(Defect::OverlooksExtraRows) {
            let types = found.iter_mut().flat_map(|found| &mut found.types);
            types.for_each(|one| one.extra = 0);
        }
        Ok(found)
    }
}

port! {
    Defective: Tokens {
        fn add_token(owner: &str, sha256: [u8; 32]) -> ();
        fn token_owner(sha256: [u8; 32]) -> Option<String>;
    }
}
