//! The outbox: tasks that wait to be sent. A task leaves it when the broker has it; which tasks are out is
//! known from the batches, each of which names the task that announced it last.

use std::time::Duration;

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::operation::OperationId;
use carrack_shared::port::Outbox;
use carrack_shared::port::outbox::Outgoing;
use carrack_shared::task::{Lane, Task};
use rusqlite::{Connection, Transaction, named_params};

use super::error::SqlResult;
use super::stored::{all, execute, id, number, parsed, scalar};
use super::{SqliteStore, clock, rescue};

#[async_trait]
impl Outbox for SqliteStore {
    async fn due(&self, window: u32, most: u32, hold: Duration) -> PortResult<Vec<Outgoing>> {
        self.writer.transact(move |tx| due(tx, window, most, hold)).await
    }

    async fn sent(&self, tasks: &[Outgoing]) -> PortResult<()> {
        let tasks = tasks.to_vec();
        self.writer.transact(move |tx| tasks.iter().try_for_each(|task| sent(tx, task))).await
    }

    async fn rescue(&self, lost_after: Duration) -> PortResult<u64> {
        self.writer.transact(move |tx| rescue::run(tx, lost_after)).await
    }

    async fn restart(&self) -> PortResult<u64> {
        self.writer.transact(rescue::everything).await
    }
}

/// Puts a task into the outbox and notes it in its batches.
pub(super) fn announce(tx: &Transaction<'_>, task: &Task) -> SqlResult<()> {
    let sql = "INSERT INTO carrack_outbox (operation, generation, first, count, sequence)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let values = (id(task.operation), task.generation, task.first, task.count, task.sequence);
    let outgoing = tx.prepare_cached(sql)?.insert(values)?;
    let sql = "UPDATE carrack_batches SET task = :task, sequence = :sequence, sent_at = NULL
               WHERE operation = :operation AND generation = :generation
                 AND number >= :first AND number < :end AND state <> 'done'";
    let range = task.batches();
    execute(
        tx,
        sql,
        named_params! {
            ":task": outgoing,
            ":sequence": task.sequence,
            ":operation": id(task.operation),
            ":generation": task.generation,
            ":first": range.start,
            ":end": range.end,
        },
    )?;
    Ok(())
}

fn due(tx: &Transaction<'_>, window: u32, most: u32, hold: Duration) -> SqlResult<Vec<Outgoing>> {
    let now = clock::now(tx)?;
    let sql = "SELECT id, lane FROM carrack_operations AS o
               WHERE state = 'running'
                 AND EXISTS (SELECT 1 FROM carrack_outbox AS x WHERE x.operation = o.id AND x.held_until <= ?1)
               ORDER BY o.number";
    let running = all(tx, sql, [now], |row| {
        let lane: String = row.get("lane")?;
        let lane = if lane == Lane::Export.as_str() { Lane::Export } else { Lane::Import };
        Ok((parsed::<OperationId>(row, "id")?, lane))
    })?;
    // Whoever has the fewest tasks out comes first: round-robin that also holds from call to call.
    let mut ranked = Vec::new();
    for (operation, lane) in running {
        let out = out(tx, operation, now)?;
        let room = window.saturating_sub(out).min(most);
        let waiting = waiting(tx, operation, lane, now, room)?;
        ranked.extend((out..).zip(waiting));
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.truncate(most as usize);
    let mut held = tx.prepare_cached("UPDATE carrack_outbox SET held_until = ?2 WHERE id = ?1")?;
    let until = now + clock::millis(hold);
    ranked
        .into_iter()
        .map(|(_, outgoing)| {
            held.execute((outgoing.id, until))?;
            Ok(outgoing)
        })
        .collect()
}

/// Tasks of the operation that are sent and have unfinished batches, or that a relay holds.
fn out(connection: &Connection, operation: OperationId, now: i64) -> SqlResult<u32> {
    let sql = "SELECT count(DISTINCT b.task) FROM carrack_operations AS o
               JOIN carrack_batches AS b INDEXED BY carrack_batches_out
                   ON b.operation = o.id AND b.generation = o.generation
               WHERE o.id = ?1 AND b.sent_at IS NOT NULL AND b.state <> 'done'";
    let sent: u32 = scalar(connection, sql, [id(operation)])?;
    let sql =
        "SELECT count(*) FROM carrack_outbox WHERE operation = ?1 AND held_until > ?2 AND held_until > 0";
    let held: u32 = scalar(connection, sql, (id(operation), now))?;
    Ok(sent.saturating_add(held))
}

fn waiting(
    connection: &Connection,
    operation: OperationId,
    lane: Lane,
    now: i64,
    limit: u32,
) -> SqlResult<Vec<Outgoing>> {
    let sql = "SELECT * FROM carrack_outbox WHERE operation = ?1 AND held_until <= ?2 ORDER BY id LIMIT ?3";
    all(connection, sql, (id(operation), now, limit), |row| {
        let task = Task {
            operation,
            generation: number(row, "generation")?,
            first: number(row, "first")?,
            count: number(row, "count")?,
            sequence: number(row, "sequence")?,
        };
        Ok(Outgoing { id: row.get("id")?, lane, task })
    })
}

/// A second answer for the same task, or one for a task that was announced anew since, changes nothing.
fn sent(tx: &Transaction<'_>, outgoing: &Outgoing) -> SqlResult<()> {
    execute(tx, "DELETE FROM carrack_outbox WHERE id = ?1", [outgoing.id])?;
    let sql = "UPDATE carrack_batches SET sent_at = :now
               WHERE operation = :operation AND generation = :generation
                 AND number >= :first AND number < :end AND task = :task AND sent_at IS NULL";
    let (task, range) = (&outgoing.task, outgoing.task.batches());
    execute(
        tx,
        sql,
        named_params! {
            ":now": clock::now(tx)?,
            ":operation": id(task.operation),
            ":generation": task.generation,
            ":first": range.start,
            ":end": range.end,
            ":task": outgoing.id,
        },
    )?;
    Ok(())
}
