//! The port of verification: the rows that are compared with records, and what came of it. The tables are only read.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;

use crate::error::PortResult;
use crate::fault::Reject;
#[cfg(doc)]
use crate::limits::COMPARED_BYTES;
use crate::operation::Operation;
use crate::port::batches::Commit;
use crate::port::finalising::FinishClaim;
use crate::record::Rows;
use crate::schema::DataType;
use crate::segment::Claim;
use crate::tally::{Counted, Tally};
use crate::verify::{Compared, Findings, Present};

/// The effect of a batch of a verification.
#[derive(Debug, Clone, Copy)]
pub struct VerifyEffect<'batch> {
    /// The type of its records.
    pub data_type: &'batch Arc<DataType>,
    /// What came of comparing them; shared, for a database's own thread may have to hold it.
    pub compared: &'batch Arc<Compared>,
    /// Records that the import has refused, or that are refused now.
    pub rejects: &'batch [Reject],
    /// Records that the filters left out.
    pub filtered: u64,
    /// Bytes of the segment.
    pub bytes: u64,
}

impl VerifyEffect<'_> {
    /// What all records of the batch count as.
    pub fn tally(&self) -> Tally {
        let mut tally = self.compared.tally;
        tally.add(Counted::Rejected, self.rejects.len() as u64);
        tally.leave_out(self.filtered);
        tally
    }
}

/// Verifications.
#[async_trait]
pub trait Verifying: Send + Sync {
    /// The rows of the keys of a portion of these records, in any order, as of one moment; where several records have
    /// one key, perhaps more than once. They are found fastest where the records come in the order in which an import
    /// has read them. A value that its column does not allow stands there as a text that no record has. A table that
    /// does not exist has no rows.
    ///
    /// None if the values of the rows take more than [`COMPARED_BYTES`], to be asked for with fewer records at a time.
    /// One record always has an answer.
    async fn present(&self, records: &Arc<Rows>, portion: Range<usize>) -> PortResult<Option<Present>>;

    /// Writes down what came of a batch, with rejects, ledger row and state, all in one transaction. As
    /// [`crate::port::Batches::commit_import`].
    async fn commit_verify(
        &self,
        operation: &Operation,
        claim: &Claim,
        effect: VerifyEffect<'_>,
    ) -> PortResult<Commit>;

    /// Adds everything up: tells the winners of the candidates, notes the others as displaced, and looks for rows of
    /// the import that no record explains. Stored with the operation; asked again, it answers what was found. None if
    /// the lease is lost.
    async fn find(&self, claim: &FinishClaim) -> PortResult<Option<Findings>>;
}
