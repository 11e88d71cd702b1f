//! Batches, seen by a worker: which file does what.

use std::time::Duration;

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::operation::{Failure, Operation};
use carrack_shared::port::Batches;
use carrack_shared::port::batches::{Commit, ExportEffect, ImportEffect, Renewal};
use carrack_shared::segment::{Claim, ClaimedRun};
use carrack_shared::suspicion::Suspicion;
use carrack_shared::task::Task;
use uuid::Uuid;

use super::PostgresStore;
use super::commit::Effect;

#[async_trait]
impl Batches for PostgresStore {
    async fn claim(
        &self,
        task: &Task,
        redelivered: bool,
        owner: Uuid,
        lease: Duration,
    ) -> PortResult<Option<ClaimedRun>> {
        self.claim_batches(task, redelivered, owner, lease).await
    }

    async fn renew(&self, operation: &Operation, claims: &[Claim], lease: Duration) -> PortResult<Renewal> {
        self.renew_leases(operation, claims, lease).await
    }

    async fn commit_import(
        &self,
        operation: &Operation,
        claim: &Claim,
        effect: ImportEffect<'_>,
    ) -> PortResult<Commit> {
        self.commit(operation, claim, &Effect::Import(effect)).await
    }

    async fn commit_export(
        &self,
        operation: &Operation,
        claim: &Claim,
        effect: &ExportEffect,
    ) -> PortResult<Commit> {
        self.commit(operation, claim, &Effect::Export(effect)).await
    }

    async fn suspect(&self, operation: &Operation, claim: &Claim, suspicion: &Suspicion) -> PortResult<bool> {
        self.note_suspicion(operation, claim, suspicion).await
    }

    async fn release(&self, operation: &Operation, claims: &[Claim], reason: &str) -> PortResult<()> {
        self.release_leases(operation, claims, reason).await
    }

    async fn fail(&self, operation: &Operation, claim: &Claim, failure: &Failure) -> PortResult<bool> {
        self.fail_operation(operation, claim, failure).await
    }
}
