//! The janitor's rescue: batches that nobody works on are announced again.
//!
//! Rescue goes by lease, never by age: a batch whose holder is silent, or one whose announcement was lost
//! before anybody claimed it.

use std::time::Duration;

use carrack_shared::operation::OperationId;
use carrack_shared::task::Task;
use rusqlite::{Transaction, named_params};

use super::error::SqlResult;
use super::stored::{all, execute, id, number, parsed};
use super::{clock, outbox};

/// A batch to be announced again.
struct Lost {
    operation: OperationId,
    generation: u32,
    number: u32,
    task: Option<i64>,
    sequence: u32,
}

/// Announces lost batches again; answers how many.
pub(super) fn run(tx: &Transaction<'_>, lost_after: Duration) -> SqlResult<u64> {
    let lost = find(tx, lost_after)?;
    // Batches that were announced together, and are lost together, are announced together again.
    let together = |a: &Lost, b: &Lost| {
        a.operation == b.operation && a.task == b.task && a.number.checked_add(1) == Some(b.number)
    };
    for run in lost.chunk_by(together) {
        let (Some(head), Ok(count)) = (run.first(), u32::try_from(run.len())) else { continue };
        let (operation, generation, first) = (head.operation, head.generation, head.number);
        let task = Task { operation, generation, first, count, sequence: head.sequence + 1 };
        // The lease stays: a silent holder whom nobody replaces may still commit.
        let sql = "UPDATE carrack_batches SET state = 'pending'
                   WHERE operation = :operation AND generation = :generation
                     AND number >= :first AND number < :end";
        execute(
            tx,
            sql,
            named_params! {
                ":operation": id(operation),
                ":generation": generation,
                ":first": task.batches().start,
                ":end": task.batches().end,
            },
        )?;
        outbox::announce(tx, &task)?;
    }
    Ok(lost.len() as u64)
}

/// Nobody else is there: frees every lease and announces all that was sent. Answers how many batches.
pub(super) fn everything(tx: &Transaction<'_>) -> SqlResult<u64> {
    let leases = "UPDATE carrack_batches SET deaths = deaths + 1, dead_epoch = lease_epoch,
                      state = 'pending', lease_owner = NULL, lease_until = NULL
                  WHERE lease_owner IS NOT NULL AND state <> 'done'";
    execute(tx, leases, [])?;
    let planners = "UPDATE carrack_plan_cursor SET lease_owner = NULL, lease_until = NULL
                    WHERE lease_until IS NOT NULL";
    execute(tx, planners, [])?;
    let finalisers = "UPDATE carrack_operations SET finish_owner = NULL, finish_until = NULL
                      WHERE finish_until IS NOT NULL";
    execute(tx, finalisers, [])?;
    execute(tx, "UPDATE carrack_outbox SET held_until = 0 WHERE held_until > 0", [])?;
    run(tx, Duration::ZERO)
}

fn find(tx: &Transaction<'_>, lost_after: Duration) -> SqlResult<Vec<Lost>> {
    // Two queries, each along an index of few entries: batches that are neither sent nor leased wait in the
    // outbox, and may be a whole plan.
    let sql = "SELECT b.operation, b.generation, b.number, b.task, b.sequence
               FROM carrack_operations AS o
               JOIN carrack_batches AS b INDEXED BY carrack_batches_open
                   ON b.operation = o.id AND b.generation = o.generation
               WHERE o.state = 'running'
                 AND b.state = 'leased' AND b.state <> 'done' AND b.lease_until <= :now
               UNION ALL
               SELECT b.operation, b.generation, b.number, b.task, b.sequence
               FROM carrack_operations AS o
               JOIN carrack_batches AS b INDEXED BY carrack_batches_out
                   ON b.operation = o.id AND b.generation = o.generation
               WHERE o.state = 'running'
                 AND b.sent_at IS NOT NULL AND b.state <> 'done' AND b.state = 'pending' AND b.sent_at <= :lost
               ORDER BY 1, 2, 3";
    let now = clock::now(tx)?;
    let values = named_params! { ":now": now, ":lost": now.saturating_sub(clock::millis(lost_after)) };
    all(tx, sql, values, |row| {
        Ok(Lost {
            operation: parsed(row, "operation")?,
            generation: number(row, "generation")?,
            number: number(row, "number")?,
            task: row.get("task")?,
            sequence: number(row, "sequence")?,
        })
    })
}
