//! Publishing the stage of an operation that loads all of its records or none: one transaction, the winners of
//! their keys in the order of the keys, piece by piece the general way ([`super::load`]), so that everything which
//! loading leaves behind, publishing leaves, too.
//!
//! The barrier is not held: a cancel need not wait. Between two pieces, and with the operation's row locked at the
//! end, it is seen whether the closing is still ours.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use carrack_shared::backoff::Backoff;
use carrack_shared::duplicates::{Books, Contests};
use carrack_shared::error::{ErrorKind, PortResult};
use carrack_shared::limits::{PUBLISHED_BYTES, PUBLISHED_ROWS};
use carrack_shared::port::finalising::FinishClaim;
use carrack_shared::port::staging::Publication;
use carrack_shared::record::{Origin, Position, RecordHash, Rows};
use carrack_shared::schema::DataType;
use carrack_shared::spec::{Duplicates, ImportSpec};
use carrack_shared::staging::{Decision, Refused, Tried};
use deadpool_postgres::Transaction;
use futures_util::TryStreamExt;
use tokio_postgres::Portal;
use tokio_postgres::types::Json;

use super::commit::SETTINGS;
use super::error::{failed, internal};
use super::load::{self, Target};
use super::scan::read_cell;
use super::sql::{Params, execute, fixed, get, query_opt};
use super::tables::Table;
use super::{PostgresStore, takeover};

/// How often publishing is tried that loses a race.
const TRIES: u32 = 8;
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(50), most: Duration::from_secs(5) };

/// The most rows that are asked for at a time; a piece has as many of them as its limits allow.
const FETCHED_ROWS: usize = 100;

/// Where the closing stands.
enum Standing {
    NotOurs,
    Staged,
    Published,
}

impl PostgresStore {
    pub(super) async fn publish_stage(&self, claim: &FinishClaim) -> PortResult<Publication> {
        let mut lost = 0;
        loop {
            match self.try_publish(claim).await {
                Err(error) if error.kind == ErrorKind::Contended && lost < TRIES => {
                    tokio::time::sleep(BACKOFF.wait(lost, rand::random())).await;
                    lost += 1;
                }
                answer => return answer,
            }
        }
    }

    async fn try_publish(&self, claim: &FinishClaim) -> PortResult<Publication> {
        const STORE: &str = "UPDATE carrack.operations SET decision = $2, published = true WHERE id = $1";
        let what = "publish a stage";
        let mut client = self.client().await?;
        let tx = client.transaction().await.map_err(failed(what))?;
        fixed(&tx, SETTINGS).await.map_err(failed(what))?;
        match standing(&tx, claim).await? {
            Standing::NotOurs => return Ok(Publication::NotOurs),
            Standing::Published => return Ok(Publication::Done),
            Standing::Staged => {}
        }
        let mut decision = decided(&tx, claim).await?;
        let (mut refused, mut raced) = (Vec::new(), false);
        for (data_type, decided) in claim.operation.spec.tables()?.iter().zip(&mut decision.types) {
            let mut tried = Tried::default();
            if !publish_type(&tx, claim, data_type, &mut tried).await? {
                return Ok(Publication::NotOurs);
            }
            raced |= tried.raced;
            decided.came_to(&tried);
            refused.extend(tried.refused);
        }
        if raced || !refused.is_empty() {
            tx.rollback().await.map_err(failed(what))?;
            let decision = (!refused.is_empty()).then_some(&decision);
            return self.decide_anew(claim, decision, &refused).await;
        }
        if !matches!(standing_still(&tx, claim).await?, Standing::Staged) {
            return Ok(Publication::NotOurs);
        }
        execute(&tx, what, STORE, &[&claim.operation.id.as_uuid(), &Json(&decision)]).await?;
        tx.commit().await.map_err(failed(what))?;
        Ok(Publication::Done)
    }

    /// Nothing was published. Stores what was learned of it, or lets it be decided again.
    async fn decide_anew(
        &self,
        claim: &FinishClaim,
        decision: Option<&Decision>,
        refused: &[Refused],
    ) -> PortResult<Publication> {
        const STORE: &str = "UPDATE carrack.operations SET decision = $2 WHERE id = $1";
        let what = "store why a stage was not published";
        let mut client = self.client().await?;
        let tx = client.transaction().await.map_err(failed(what))?;
        if !matches!(standing_still(&tx, claim).await?, Standing::Staged) {
            return Ok(Publication::NotOurs);
        }
        takeover::store_refused(&tx, claim.operation.id, refused).await?;
        execute(&tx, what, STORE, &[&claim.operation.id.as_uuid(), &decision.map(Json)]).await?;
        tx.commit().await.map_err(failed(what))?;
        Ok(Publication::Changed)
    }
}

const STANDING: &str = "SELECT published FROM carrack.operations
     WHERE id = $1 AND finish_epoch = $2 AND state = 'finalising'";
const LOCKED: &str = "SELECT published FROM carrack.operations
     WHERE id = $1 AND finish_epoch = $2 AND state = 'finalising' FOR UPDATE";

async fn standing(tx: &Transaction<'_>, claim: &FinishClaim) -> PortResult<Standing> {
    stands(tx, claim, STANDING).await
}

/// As it will be until the transaction has ended.
async fn standing_still(tx: &Transaction<'_>, claim: &FinishClaim) -> PortResult<Standing> {
    stands(tx, claim, LOCKED).await
}

async fn stands(tx: &Transaction<'_>, claim: &FinishClaim, sql: &str) -> PortResult<Standing> {
    let params: &Params<'_> = &[&claim.operation.id.as_uuid(), &claim.lease_epoch];
    Ok(match query_opt(tx, "see whether a closing is ours", sql, params).await? {
        None => Standing::NotOurs,
        Some(row) if get(&row, "published")? => Standing::Published,
        Some(_) => Standing::Staged,
    })
}

async fn decided(tx: &Transaction<'_>, claim: &FinishClaim) -> PortResult<Decision> {
    const SQL: &str = "SELECT decision FROM carrack.operations WHERE id = $1";
    let row = query_opt(tx, "read a decision", SQL, &[&claim.operation.id.as_uuid()]).await?;
    let decision = row.map(|row| get::<Option<Json<Decision>>>(&row, "decision")).transpose()?.flatten();
    decision
        .map(|Json(decision)| decision)
        .ok_or_else(|| internal("a stage to be published that was not decided on"))
}

/// False if the closing is not ours any more.
async fn publish_type(
    tx: &Transaction<'_>,
    claim: &FinishClaim,
    data_type: &Arc<DataType>,
    tried: &mut Tried,
) -> PortResult<bool> {
    let operation = &claim.operation;
    let import = operation.spec.as_import().ok_or_else(|| internal("a stage that is not of an import"))?;
    let stage = Table::stage(data_type, &operation.spec, operation.id);
    let mut winners = Winners::open(tx, &stage, import.duplicates).await?;
    let mut more = true;
    while more && !tried.is_hopeless() {
        let (mut piece, mut hashes) =
            (Rows::new(Arc::clone(data_type), bytes::Bytes::new(), 0, 1), Vec::new());
        while more && piece.len() < PUBLISHED_ROWS && piece.memory() < PUBLISHED_BYTES {
            more = winners.fetch(tx, &mut piece, &mut hashes).await?;
        }
        if piece.is_empty() {
            break;
        }
        if !matches!(standing(tx, claim).await?, Standing::Staged) {
            return Ok(false);
        }
        load_piece(tx, claim, import, &piece, &hashes, tried).await?;
    }
    Ok(true)
}

/// The winners of a stage, in the order of their keys.
pub(super) struct Winners {
    portal: Portal,
    /// Rows that are asked for next.
    rows: usize,
}

impl Winners {
    pub(super) async fn open(tx: &Transaction<'_>, stage: &Table<'_>, mode: Duplicates) -> PortResult<Self> {
        let what = "read a stage";
        let statement = tx.prepare(&stage.winners(mode)).await.map_err(failed(what))?;
        Ok(Self { portal: tx.bind(&statement, &[]).await.map_err(failed(what))?, rows: 1 })
    }

    /// Reads some more rows; false if there were none.
    pub(super) async fn fetch(
        &mut self,
        tx: &Transaction<'_>,
        piece: &mut Rows,
        hashes: &mut Vec<RecordHash>,
    ) -> PortResult<bool> {
        let what = "read a stage";
        let rows = i32::try_from(self.rows).unwrap_or(1);
        let mut found = pin!(tx.query_portal_raw(&self.portal, rows).await.map_err(failed(what))?);
        let (before, memory, mut cells) = (piece.len(), piece.memory(), Vec::new());
        while let Some(row) = found.try_next().await.map_err(failed(what))? {
            cells.clear();
            for slot in 0..piece.width() {
                cells.push(read_cell(&row, slot, piece)?);
            }
            let position = Position::from_stored(get(&row, "_position")?);
            piece.push(Origin { position, frame: 0..0 }, &cells);
            hashes.push(takeover::get_record_hash(&row, "_hash")?);
        }
        let fetched = piece.len() - before;
        self.rows = rows_behind(fetched, piece.memory() - memory);
        Ok(fetched > 0)
    }
}

/// How many rows are asked for behind `rows` of `bytes`: their size is only known when they are there, so from one to
/// the next they get twice as many at most, and as many as a piece has room for.
fn rows_behind(rows: usize, bytes: usize) -> usize {
    let room = PUBLISHED_BYTES / (bytes / rows.max(1)).max(1);
    (2 * rows).min(room).clamp(1, FETCHED_ROWS)
}

async fn load_piece(
    tx: &Transaction<'_>,
    claim: &FinishClaim,
    import: &ImportSpec,
    piece: &Rows,
    hashes: &[RecordHash],
    tried: &mut Tried,
) -> PortResult<()> {
    let mode = import.duplicates;
    let (contests, no_frames) = (Contests::new(piece, mode), std::collections::HashMap::new());
    let mut books = Books::new(piece, mode, &no_frames);
    let table = Table::new(piece.data_type());
    let (operation, images) = (claim.operation.id, claim.operation.spec.keeps_images());
    let target = Target { tx, table: &table, operation, mode, images, rows: piece, hashes };
    load::load_as(&target, import, &contests, &mut books).await?;
    tried.add(&books);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_rows_are_asked_for_as_a_piece_has_room_for() {
        let mib = |count: usize| count << 20;
        for (rows, bytes, expected) in [
            (1, 100, 2),
            (64, 64 * 100, 100),
            (100, 100 * 100, 100),
            (1, mib(16), 1),
            (1, mib(5), 2),
            (2, mib(8), 4),
            (4, mib(16), 4),
            (100, mib(100), 16),
            (1, 0, 2),
        ] {
            assert_eq!(rows_behind(rows, bytes), expected, "{rows} rows of {bytes} bytes");
        }
    }
}
