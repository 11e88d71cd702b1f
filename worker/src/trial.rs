//! A batch that is read for trial, some of its records at a time: the pure part of its execution, without any
//! effect.

use std::ops::Range;
use std::sync::Arc;

use carrack_shared::error::{ErrorKind, PortError};
use carrack_shared::pipeline::{Framed, Plan};
use carrack_shared::segment::{Claim, ClaimedRun};
use carrack_shared::spec::{ImportSpec, Source};
use tokio::task::spawn_blocking;

use crate::context::Context;
use crate::import::{self, Input};
use crate::source;
use crate::task::Interrupted;

/// A batch whose records have been found.
pub(crate) struct Trial<'run> {
    claim: &'run Claim,
    file: &'run Source,
    plan: Arc<Plan>,
    framed: Arc<Framed>,
}

impl<'run> Trial<'run> {
    /// Fetches and frames the batch. None if its bytes are not to be decoded at all.
    pub async fn open(
        context: &Context,
        run: &'run ClaimedRun,
        spec: &'run ImportSpec,
        claim: &'run Claim,
    ) -> Result<Option<Self>, Interrupted> {
        let stretches = source::stretches(std::slice::from_ref(claim));
        let [stretch] = stretches.as_slice() else { return Ok(None) };
        let (claim, segment) = stretch.claims[0];
        if segment.fault.is_some() {
            return Ok(None);
        }
        let Input { file, plan, bytes } = import::open(context, run, spec, stretch).await?;
        let (own_plan, own_segment) = (Arc::clone(&plan), segment.clone());
        let framed = spawn_blocking(move || own_plan.frame(&own_segment, &bytes)).await;
        let framed = Arc::new(import::finished(framed, claim, file)?);
        Ok(Some(Self { claim, file, plan, framed }))
    }

    /// Reads these records, but for the poison, and throws away what comes of it. That the worker lives
    /// afterwards speaks for all of them, so all of them must have been read.
    pub async fn read(&self, records: Range<u32>, poison: &[u32]) -> Result<(), Interrupted> {
        let expected = records.len();
        let (plan, framed, poison) = (Arc::clone(&self.plan), Arc::clone(&self.framed), poison.to_vec());
        let read = spawn_blocking(move || Ok(plan.decode(&framed, records, &poison))).await;
        let read = import::finished(read, self.claim, self.file)?;
        let found = (read.rows.len() + read.rejects.len()) as u64 + read.filtered;
        if found == expected as u64 {
            return Ok(());
        }
        let message =
            format!("batch {}: read {found} records for trial, expected {expected}", self.claim.batch.number);
        Err(PortError::new(ErrorKind::Internal, "worker", message).into())
    }
}
