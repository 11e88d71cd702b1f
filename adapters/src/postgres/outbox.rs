//! The outbox: which tasks are sent next, and the rescue of work that nobody does.
//!
//! A batch is in the outbox (`queued`), out (sent and not done), or neither; it is never in the outbox
//! twice. A rescued batch keeps its last holder, who may still commit until another claims it.

use std::time::Duration;

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::operation::OperationId;
use carrack_shared::port::Outbox;
use carrack_shared::port::outbox::Outgoing;
use carrack_shared::task::{Lane, Task};
use tokio_postgres::Row;

use super::PostgresStore;
use super::error::{failed, internal};
use super::sql::{execute, get, get_u32, get_u64, query, query_opt, seconds};

#[async_trait]
impl Outbox for PostgresStore {
    async fn due(&self, window: u32, most: u32, hold: Duration) -> PortResult<Vec<Outgoing>> {
        let (window, most, hold) = (i64::from(window), i64::from(most), seconds(hold));
        let client = self.client().await?;
        let rows = query(&client, "read the outbox", DUE, &[&window, &most, &hold]).await?;
        rows.iter().map(read_outgoing).collect()
    }

    async fn sent(&self, tasks: &[Outgoing]) -> PortResult<()> {
        // The batches come first, so that two relays with the same task wait for each other here.
        const SENT: &str = "UPDATE carrack.batches b SET queued = false, sent_at = clock_timestamp()
             FROM carrack.outbox t
             WHERE t.id = ANY($1) AND b.operation = t.operation AND b.generation = t.generation
               AND b.number >= t.first AND b.number < t.first + t.count AND b.queued";
        const REMOVE: &str = "DELETE FROM carrack.outbox WHERE id = ANY($1)";
        let ids: Vec<i64> = tasks.iter().map(|task| task.id).collect();
        let mut client = self.client().await?;
        let tx = client.transaction().await.map_err(failed("note sent tasks"))?;
        execute(&tx, "note sent tasks", SENT, &[&ids]).await?;
        execute(&tx, "remove sent tasks", REMOVE, &[&ids]).await?;
        tx.commit().await.map_err(failed("note sent tasks"))
    }

    async fn rescue(&self, lost_after: Duration) -> PortResult<u64> {
        let row = query_opt(&self.client().await?, "rescue batches", RESCUE, &[&seconds(lost_after)]).await?;
        row.map_or(Ok(0), |row| get_u64(&row, "rescued"))
    }

    async fn restart(&self) -> PortResult<u64> {
        let what = "void every lease";
        let mut client = self.client().await?;
        let tx = client.transaction().await.map_err(failed(what))?;
        for sql in VOID_LEASES {
            execute(&tx, what, sql, &[]).await?;
        }
        let row = query_opt(&tx, "rescue batches", RESCUE, &[&seconds(Duration::ZERO)]).await?;
        tx.commit().await.map_err(failed(what))?;
        row.map_or(Ok(0), |row| get_u64(&row, "rescued"))
    }
}

/// What is out counts in tasks: those of which a sent batch is not done, and those that a relay holds. The
/// operation with the fewest out comes first, then they take turns.
const DUE: &str = "WITH quota AS (
         SELECT o.id, o.generation,
                (SELECT count(DISTINCT b.task) FROM carrack.batches b
                 WHERE b.operation = o.id AND b.generation = o.generation AND b.state <> 'done'
                   AND b.sent_at IS NOT NULL AND NOT b.queued)
                + (SELECT count(*) FROM carrack.outbox t
                   WHERE t.operation = o.id AND t.held_until > clock_timestamp()) AS out
         FROM carrack.operations o
         WHERE o.state = 'running' AND EXISTS (SELECT FROM carrack.outbox t WHERE t.operation = o.id)
     ), turn AS (
         SELECT t.id, q.out + row_number() OVER (PARTITION BY q.id ORDER BY t.id) AS turn
         FROM quota q CROSS JOIN LATERAL (
             SELECT t.id FROM carrack.outbox t
             WHERE t.operation = q.id AND t.generation = q.generation
               AND t.held_until <= clock_timestamp()
             ORDER BY t.id LIMIT greatest($1::bigint - q.out, 0)) t
         ORDER BY turn, t.id LIMIT $2
     ), free AS (
         SELECT t.id FROM carrack.outbox t JOIN turn USING (id)
         WHERE t.held_until <= clock_timestamp() FOR UPDATE OF t SKIP LOCKED
     ), held AS (
         UPDATE carrack.outbox t SET held_until = clock_timestamp() + make_interval(secs => $3)
         FROM free WHERE t.id = free.id RETURNING t.id, t.lane, t.operation, t.generation, t.first, t.count, t.sequence
     )
     SELECT held.* FROM held JOIN turn USING (id) ORDER BY turn.turn, held.id";

/// Nobody holds anything any more, and whoever held a batch has died with it.
const VOID_LEASES: [&str; 4] = [
    "UPDATE carrack.batches SET deaths = deaths + 1, dead_epoch = lease_epoch,
            state = 'pending', lease_owner = NULL, lease_until = NULL
     WHERE lease_owner IS NOT NULL AND state <> 'done'",
    "UPDATE carrack.plan_cursor SET lease_owner = NULL, lease_until = NULL WHERE lease_owner IS NOT NULL",
    "UPDATE carrack.operations SET finish_owner = NULL, finish_until = NULL WHERE finish_owner IS NOT NULL",
    "UPDATE carrack.outbox SET held_until = '-infinity'",
];

/// Batches that were lost together and announced together are announced together again.
const RESCUE: &str = "WITH lost AS (
         SELECT b.operation, b.generation, b.number, o.kind
         FROM carrack.operations o
         JOIN carrack.batches b ON b.operation = o.id AND b.generation = o.generation
         WHERE o.state = 'running' AND b.state <> 'done' AND b.sent_at IS NOT NULL AND NOT b.queued
           AND (b.state = 'leased' AND b.lease_until <= clock_timestamp()
                OR b.state = 'pending'
                   AND b.sent_at <= clock_timestamp() - make_interval(secs => $1))
         FOR UPDATE OF b SKIP LOCKED
     ), rescued AS (
         UPDATE carrack.batches b SET state = 'pending', queued = true, sequence = b.sequence + 1
         FROM lost
         WHERE b.operation = lost.operation AND b.generation = lost.generation AND b.number = lost.number
         RETURNING b.operation, b.generation, b.number, b.task, b.sequence, lost.kind
     ), numbered AS (
         SELECT *, number - row_number() OVER (PARTITION BY operation, generation, task ORDER BY number)
                   AS island
         FROM rescued
     ), queued AS (
         INSERT INTO carrack.outbox (operation, generation, lane, first, count, sequence)
         SELECT operation, generation, min(kind), min(number), count(*), max(sequence)
         FROM numbered GROUP BY operation, generation, task, island ORDER BY operation, min(number)
     )
     SELECT count(*) AS rescued FROM rescued";

fn read_outgoing(row: &Row) -> PortResult<Outgoing> {
    let name: String = get(row, "lane")?;
    let lane = Lane::ALL.into_iter().find(|lane| lane.as_str() == name);
    Ok(Outgoing {
        id: get(row, "id")?,
        lane: lane.ok_or_else(|| internal(format!("a task of the unknown lane {name:?}")))?,
        task: Task {
            operation: OperationId::from_uuid(get(row, "operation")?),
            generation: get_u32(row, "generation")?,
            first: get_u32(row, "first")?,
            count: get_u32(row, "count")?,
            sequence: get_u32(row, "sequence")?,
        },
    })
}
