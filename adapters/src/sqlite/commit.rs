//! The effect of a batch, once: fence, data rows, rejects, ledger row and state in one transaction.

use carrack_shared::operation::State;
use carrack_shared::port::batches::{Commit, ExportEffect};
use carrack_shared::tally::Tally;
use rusqlite::{Connection, Transaction, TransactionBehavior, named_params};

use super::claim::Lease;
use super::error::{SqlResult, impossible, not_found};
use super::ledger::Entry;
use super::load::{self, ImportBatch};
use super::losers::Displacer;
use super::rejects::Again;
use super::stored::{execute, first, id, state};
use super::{clock, ledger, rejects, stage};

/// Commits an import's batch.
pub(super) fn import(connection: &mut Connection, batch: &ImportBatch) -> SqlResult<Commit> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Some(refusal) = refusal(&tx, &batch.lease)? {
        return Ok(refusal);
    }
    let stamp = clock::stamp(&tx)?;
    let operation = batch.lease.operation;
    if let Some(spec) = &batch.staged {
        stage::put(&tx, batch, spec, &stamp)?;
        return close(tx, batch, Tally { created: batch.rows.len() as u64, ..Tally::default() }, &stamp);
    }
    let books = load::run(&tx, batch, &stamp)?;
    if !books.missing_frames.is_empty() {
        // Leaving without a commit undoes the load.
        return Ok(Commit::StoreFrames(books.missing_frames));
    }
    let data_type = batch.rows.data_type().name.as_str();
    rejects::insert(&tx, operation, data_type, &books.rejects, Again::Fail)?;
    if !books.displaced.is_empty() {
        let mut displacer = Displacer::new(&tx, &id(operation), data_type)?;
        for (row, displaced, winner) in &books.displaced {
            displacer.note(batch.rows.key(*row), displaced, *winner)?;
        }
    }
    close(tx, batch, books.tally, &stamp)
}

/// Stores what was refused before, and ends the batch.
fn close(tx: Transaction<'_>, batch: &ImportBatch, tally: Tally, stamp: &str) -> SqlResult<Commit> {
    let data_type = batch.rows.data_type().name.as_str();
    rejects::insert(&tx, batch.lease.operation, data_type, &batch.rejects, Again::Fail)?;
    let refused_before = batch.rejects.len() as u64;
    // Counted from what came in, not from what the books say: the ledger's check compares the two.
    let read = batch.rows.len() as u64 + refused_before;
    let mut tally = Tally { read, rejected: tally.rejected + refused_before, ..tally };
    tally.leave_out(batch.filtered);
    write_done(&tx, &batch.lease, tally, batch.bytes, None, stamp)?;
    tx.commit()?;
    Ok(Commit::Done(tally))
}

/// Commits an export's part.
pub(super) fn export(tx: &Transaction<'_>, lease: &Lease, part: &ExportEffect) -> SqlResult<Commit> {
    if let Some(refusal) = refusal(tx, lease)? {
        return Ok(refusal);
    }
    let tally = Tally { read: part.rows, unchanged: part.rows, ..Tally::default() };
    write_done(tx, lease, tally, part.bytes, Some(part), &clock::stamp(tx)?)?;
    Ok(Commit::Done(tally))
}

/// Why the batch must not be committed under this lease, if it must not.
pub(super) fn refusal(tx: &Transaction<'_>, lease: &Lease) -> SqlResult<Option<Commit>> {
    let sql = "SELECT o.state, b.state AS batch,
                   b.lease_epoch = :epoch AND b.lease_owner IS NOT NULL AS ours
               FROM carrack_operations AS o
               LEFT JOIN carrack_batches AS b ON b.operation = o.id AND b.generation = o.generation
                   AND b.generation = :generation AND b.number = :number
               WHERE o.id = :operation";
    let values = named_params! {
        ":operation": id(lease.operation),
        ":generation": lease.generation,
        ":number": lease.batch,
        ":epoch": lease.epoch,
    };
    let found = first(tx, sql, values, |row| {
        let (batch, ours): (Option<String>, Option<bool>) = (row.get("batch")?, row.get("ours")?);
        Ok(match (state(row, "state")?, batch.as_deref()) {
            (State::Running, Some("done")) => Some(Commit::Before),
            (State::Running, Some(_)) if ours == Some(true) => None,
            (State::Running, _) => Some(Commit::LeaseLost),
            (stopped, _) => Some(Commit::Stopped(stopped)),
        })
    })?;
    found.ok_or_else(|| not_found(lease.operation))
}

/// Writes the ledger row and ends the batch.
pub(super) fn write_done(
    tx: &Transaction<'_>,
    lease: &Lease,
    tally: Tally,
    bytes: u64,
    part: Option<&ExportEffect>,
    stamp: &str,
) -> SqlResult<()> {
    let Lease { operation, generation, batch, epoch: lease_epoch } = *lease;
    ledger::insert(tx, &Entry { operation, generation, batch, lease_epoch, tally, bytes, part }, stamp)?;
    let sql = "UPDATE carrack_batches SET state = 'done', lease_until = NULL
               WHERE operation = ?1 AND generation = ?2 AND number = ?3 AND lease_epoch = ?4";
    let values = (id(operation), generation, batch, lease_epoch);
    match execute(tx, sql, values)? {
        1 => Ok(()),
        found => {
            Err(impossible(format!("batch {batch} of {operation}: {found} rows became done, expected 1")))
        }
    }
}
