//! The port of workers; what it does stands in [`claim`] (leases) and [`commit`] (effects).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::operation::{Failure, Operation};
use carrack_shared::port::Batches;
use carrack_shared::port::batches::{Commit, ExportEffect, ImportEffect, Renewal};
use carrack_shared::segment::{Claim, ClaimedRun};
use carrack_shared::suspicion::Suspicion;
use carrack_shared::task::Task;
use rusqlite::Transaction;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::SqliteStore;
use super::claim::{self, Lease};
use super::commit;
use super::error::SERVICE;
use super::load::ImportBatch;

#[async_trait]
impl Batches for SqliteStore {
    async fn claim(
        &self,
        task: &Task,
        redelivered: bool,
        owner: Uuid,
        lease: Duration,
    ) -> PortResult<Option<ClaimedRun>> {
        let task = task.clone();
        self.writer.transact(move |tx| claim::take(tx, &task, redelivered, owner, lease)).await
    }

    async fn renew(&self, operation: &Operation, claims: &[Claim], lease: Duration) -> PortResult<Renewal> {
        let (id, leases) = (operation.id, leases(operation, claims));
        self.writer.transact(move |tx| claim::renew(tx, id, &leases, lease)).await
    }

    async fn commit_import(
        &self,
        operation: &Operation,
        claim: &Claim,
        effect: ImportEffect<'_>,
    ) -> PortResult<Commit> {
        let Some(import) = operation.spec.as_import() else {
            let message = format!("found the export {}, expected an import", operation.id);
            return Err(PortError::new(ErrorKind::Refused, SERVICE, message));
        };
        let (lease, import) = (Lease::of(operation, claim), import.clone());
        let rows = Arc::clone(effect.rows);
        let (rejects, stored_frames) = (effect.rejects.to_vec(), effect.stored_frames.clone());
        // Sorting and hashing need no database: the writer, of which there is one, gets them done.
        let staged = operation.spec.is_staged().then(|| operation.spec.clone());
        let counts = (effect.filtered, effect.bytes);
        let sort = move || {
            let mut batch = ImportBatch::new(lease, &import, rows, rejects, stored_frames, counts);
            batch.staged = staged;
            batch
        };
        let batch = spawn_blocking(sort).await.map_err(|error| {
            PortError::new(ErrorKind::Internal, SERVICE, "sorting a batch failed").because(error)
        })?;
        self.writer.run(move |connection| commit::import(connection, &batch)).await
    }

    async fn commit_export(
        &self,
        operation: &Operation,
        claim: &Claim,
        effect: &ExportEffect,
    ) -> PortResult<Commit> {
        let (lease, effect) = (Lease::of(operation, claim), effect.clone());
        self.writer.transact(move |tx| commit::export(tx, &lease, &effect)).await
    }

    async fn suspect(&self, operation: &Operation, claim: &Claim, suspicion: &Suspicion) -> PortResult<bool> {
        let (lease, suspicion) = (Lease::of(operation, claim), suspicion.clone());
        self.writer.transact(move |tx| claim::suspect(tx, &lease, &suspicion)).await
    }

    async fn release(&self, operation: &Operation, claims: &[Claim], reason: &str) -> PortResult<()> {
        let (leases, reason) = (leases(operation, claims), reason.to_owned());
        let release_all = move |tx: &Transaction<'_>| {
            leases.iter().try_for_each(|lease| claim::release(tx, lease, &reason).map(drop))
        };
        self.writer.transact(release_all).await
    }

    async fn fail(&self, operation: &Operation, claim: &Claim, failure: &Failure) -> PortResult<bool> {
        let (lease, failure) = (Lease::of(operation, claim), failure.clone());
        self.writer.transact(move |tx| claim::fail(tx, &lease, &failure)).await
    }
}

fn leases(operation: &Operation, claims: &[Claim]) -> Vec<Lease> {
    claims.iter().map(|claim| Lease::of(operation, claim)).collect()
}
