//! The port of verification: what is compared with records is read by the connection that reads, and so is what was
//! found, which may take a while; only what is written goes to the one that writes.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::fault::Reject;
use carrack_shared::limits::COMPARED_BYTES;
use carrack_shared::operation::{Operation, OperationId};
use carrack_shared::port::Verifying;
use carrack_shared::port::batches::Commit;
use carrack_shared::port::finalising::FinishClaim;
use carrack_shared::port::verifying::VerifyEffect;
use carrack_shared::record::{Cell, Checksum, Origin, Position, Rows};
use carrack_shared::schema::{DataType, FieldType};
use carrack_shared::segment::Claim;
use carrack_shared::staging::Decision;
use carrack_shared::tally::{Counted, Tally};
use carrack_shared::verify::{Candidate, Compared, Findings, Present, Rules, Settled, TypeFindings};
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, Row, Transaction, named_params};

use super::claim::Lease;
use super::commit::{refusal, write_done};
use super::error::{SERVICE, SqlResult};
use super::finalise::holds;
use super::rejects::Again;
use super::stored::{Utf8, document, execute, id, integer, json, optional, scalar, unreadable};
use super::{SqliteStore, clock, rejects, scan, stage, tables};

#[async_trait]
impl Verifying for SqliteStore {
    async fn present(&self, records: &Arc<Rows>, portion: Range<usize>) -> PortResult<Option<Present>> {
        let records = Arc::clone(records);
        self.reader.run(move |connection| present(connection, &records, portion)).await
    }

    async fn commit_verify(
        &self,
        operation: &Operation,
        claim: &Claim,
        effect: VerifyEffect<'_>,
    ) -> PortResult<Commit> {
        let batch = VerifyBatch {
            lease: Lease::of(operation, claim),
            data_type: effect.data_type.name.as_str().to_owned(),
            compared: Arc::clone(effect.compared),
            rejects: effect.rejects.to_vec(),
            tally: effect.tally(),
            bytes: effect.bytes,
        };
        self.writer.transact(move |tx| commit(tx, &batch)).await
    }

    async fn find(&self, claim: &FinishClaim) -> PortResult<Option<Findings>> {
        let (id, epoch) = (claim.operation.id, claim.lease_epoch);
        let before = self.reader.run(move |connection| stage::decided(connection, id)).await?;
        if let Some(findings) = before.and_then(|decision| decision.findings) {
            return Ok(Some(findings));
        }
        let spec = &claim.operation.spec;
        let Some(rules) = spec.as_import().and_then(Rules::of) else {
            let message = format!("found the closing of {id}, expected that of a verification");
            return Err(PortError::new(ErrorKind::Internal, SERVICE, message));
        };
        let types = spec.tables()?;
        let looking = move |connection: &mut Connection| {
            let found = types.iter().map(|data_type| find(connection, id, &rules, data_type));
            found.collect::<SqlResult<Vec<TypeFindings>>>()
        };
        let findings = Findings::new(self.reader.run(looking).await?);
        self.writer.transact(move |tx| keep(tx, id, epoch, &rules, findings)).await
    }
}

/// A batch of a verification, ready for the writer.
struct VerifyBatch {
    lease: Lease,
    data_type: String,
    compared: Arc<Compared>,
    rejects: Vec<Reject>,
    tally: Tally,
    bytes: u64,
}

/// Keys that are looked up to find where their rows lie, beside one of [`ROWS_OF_PLACE`], until it is given up.
const PLACES: usize = 8;

/// Rows that have to lie one behind the other, on average, for looking for such places to pay.
const ROWS_OF_PLACE: usize = 8;

/// The rows of these records, unless they are too much. An import has put the rows of its records one behind the other,
/// so most are found behind the one before, without looking up their keys.
fn present(connection: &mut Connection, records: &Rows, portion: Range<usize>) -> SqlResult<Option<Present>> {
    let data_type = records.data_type();
    let mut found = Found::none(data_type);
    // All rows as of one moment.
    let tx = connection.transaction()?;
    if !tables::exists(&tx, data_type)? {
        return Ok(Some(found.present));
    }
    let mut by_key = tx.prepare_cached(&tables::written_row(data_type))?;
    let mut behind = tx.prepare_cached(&tables::written_behind(data_type))?;
    // About as much as the records.
    let share = records.source().len() / records.len().max(1) * portion.len();
    found.present.rows.reserve(portion.len());
    found.present.rows.scratch().reserve(share);
    let mut keys: Vec<&[u8]> = portion.map(|record| records.key(record)).collect();
    keys.dedup();
    let alone = keys.len() == 1;
    let (mut known, mut places) = (0, 0);
    while known < keys.len() && places < PLACES + known / ROWS_OF_PLACE && found.has_room() {
        let place = found.look_up(&mut by_key, keys[known])?;
        (known, places) = (known + 1, places + 1);
        let Some(place) = place else { continue };
        let mut rows = behind.query([place])?;
        while found.has_room()
            && let (Some(key), Some(row)) = (keys.get(known), rows.next()?)
            && row.get_ref(data_type.key)? == ValueRef::Text(key)
        {
            found.push(row)?;
            known += 1;
        }
    }
    // Neighbours lie on one page of the index.
    let mut others = keys.split_off(known);
    others.sort_unstable();
    others.dedup();
    for key in others {
        if !found.has_room() {
            break;
        }
        found.look_up(&mut by_key, key)?;
    }
    Ok((found.has_room() || alone).then_some(found.present))
}

/// Rows that were found, with who has written them.
struct Found {
    present: Present,
    cells: Vec<Cell>,
    /// The last one, as the table names it: hardly ever is the next row another's.
    writer: Option<(String, OperationId)>,
}

impl Found {
    fn none(data_type: &Arc<DataType>) -> Self {
        let rows = Rows::new(Arc::clone(data_type), Bytes::new(), 0, 0);
        Self { present: Present { rows, writers: Vec::new() }, cells: Vec::new(), writer: None }
    }

    /// Whether there may be more of them.
    fn has_room(&self) -> bool {
        self.present.rows.copied() <= COMPARED_BYTES
    }

    /// Adds the row of a key, and answers its place in the table; none if there is none.
    fn look_up(&mut self, by_key: &mut CachedStatement<'_>, key: &[u8]) -> SqlResult<Option<i64>> {
        let mut rows = by_key.query([Utf8(key)])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        self.push(row)?;
        Ok(Some(row.get(self.present.rows.width() + 2)?))
    }

    /// Adds a row, whatever others have written into it.
    fn push(&mut self, row: &Row<'_>) -> SqlResult<()> {
        let rows = &mut self.present.rows;
        let data_type = Arc::clone(rows.data_type());
        self.cells.clear();
        for slot in 0..rows.width() {
            let field_type = data_type.fields.get(slot).map_or(FieldType::Object, |field| field.field_type);
            let value = row.get_ref(slot)?;
            self.cells.push(match scan::cell(rows, field_type, value) {
                Some(cell) => cell,
                None => Cell::Text(rows.span_of_copy(&foreign(value))),
            });
        }
        let position = Position::from_stored(row.get(rows.width())?);
        rows.push(Origin { position, frame: 0..0 }, &self.cells);
        let writer = self.writer(row.get_ref(data_type.fields.len() + 2)?);
        self.present.writers.push(writer);
        Ok(())
    }

    /// Who has written a row. What its user wrote there by hand is nobody's.
    fn writer(&mut self, column: ValueRef<'_>) -> OperationId {
        let text = column.as_str().unwrap_or_default();
        match &self.writer {
            Some((last, writer)) if last == text => *writer,
            _ => {
                let writer = text.parse().unwrap_or(OperationId::from_u128(0));
                self.writer = Some((text.to_owned(), writer));
                writer
            }
        }
    }
}

/// A value that its column does not allow, as a text.
fn foreign(value: ValueRef<'_>) -> Vec<u8> {
    match value {
        ValueRef::Null => Vec::new(),
        ValueRef::Integer(integer) => integer.to_string().into_bytes(),
        ValueRef::Real(number) => number.to_string().into_bytes(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            String::from_utf8_lossy(bytes).into_owned().into_bytes()
        }
    }
}

/// Writes down what came of a batch, once.
fn commit(tx: &Transaction<'_>, batch: &VerifyBatch) -> SqlResult<Commit> {
    let lease = &batch.lease;
    if let Some(refusal) = refusal(tx, lease)? {
        return Ok(refusal);
    }
    let (operation, compared) = (id(lease.operation), &batch.compared);
    let sql = "INSERT INTO carrack_compared_batches (operation, batch, data_type, settled, keys)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let (settled, keys) = (json(&compared.settled)?, json(&compared.keys)?);
    execute(tx, sql, (&operation, lease.batch, &batch.data_type, settled, keys))?;
    let sql = "INSERT INTO carrack_compared_records (operation, position, data_type, key, counted, source, target,
                   own, later, finding)
               VALUES (:operation, :position, :data_type, :key, :counted, :source, :target, :own, :later, :finding)";
    let mut statement = tx.prepare_cached(sql)?;
    for candidate in &compared.candidates {
        statement.execute(named_params! {
            ":operation": operation,
            ":position": candidate.position.stored(),
            ":data_type": batch.data_type,
            ":key": candidate.key,
            ":counted": candidate.counted.as_str(),
            ":source": candidate.source,
            ":target": candidate.target,
            ":own": candidate.own,
            ":later": candidate.later,
            ":finding": candidate.finding.as_ref().map(json).transpose()?,
        })?;
    }
    rejects::insert(tx, lease.operation, &batch.data_type, &batch.rejects, Again::Fail)?;
    write_done(tx, lease, batch.tally, batch.bytes, None, &clock::stamp(tx)?)?;
    Ok(Commit::Done(batch.tally))
}

/// What was found of a type.
fn find(
    connection: &Connection,
    operation: OperationId,
    rules: &Rules,
    data_type: &Arc<DataType>,
) -> SqlResult<TypeFindings> {
    let (operation, name) = (id(operation), data_type.name.as_str());
    let mut found = TypeFindings::new(name);
    let sql = "SELECT settled FROM carrack_compared_batches WHERE operation = ?1 AND data_type = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut batches = statement.query((&operation, name))?;
    while let Some(row) = batches.next()? {
        found.add_settled(document::<Settled>(row, "settled")?);
    }
    let explained = integer(found.source.records);
    let sql = "SELECT * FROM (
                   SELECT *, iif(?3, max(position) OVER w, min(position) OVER w) AS winner
                   FROM carrack_compared_records WHERE operation = ?1 AND data_type = ?2
                   WINDOW w AS (PARTITION BY key))
               WHERE position = winner ORDER BY position";
    let (mut own, mut statement) = (false, connection.prepare_cached(sql)?);
    let mut winners = statement.query((&operation, name, rules.last_wins()))?;
    while let Some(row) = winners.next()? {
        let winner = candidate(row)?;
        own |= winner.own;
        found.add_winner(winner);
    }
    if !tables::exists(connection, data_type)? {
        return Ok(found.done());
    }
    let parent = id(rules.parent);
    // Where the whole table is explained nobody need look who has written what.
    let is_explained = scalar::<i64>(connection, &tables::count(data_type), [])? == explained
        || scalar::<i64>(connection, &tables::count_written(data_type), [&parent])? == explained;
    if own || !is_explained {
        let mut statement = connection.prepare_cached(&tables::unexplained(data_type))?;
        let mut rows = statement.query((&parent, &operation, name))?;
        while let Some(row) = rows.next()? {
            let mut one = Found::none(data_type);
            one.push(row)?;
            let one = one.present.rows;
            let key = String::from_utf8_lossy(one.key(0)).into_owned();
            found.add_extra(one.origin(0).position, key, one.checksum(0));
        }
    }
    Ok(found.done())
}

fn candidate(row: &Row<'_>) -> SqlResult<Candidate> {
    let counted: String = row.get("counted")?;
    Ok(Candidate {
        position: Position::from_stored(row.get("position")?),
        key: row.get("key")?,
        counted: Counted::parse(&counted).ok_or_else(|| unreadable("counted", counted))?,
        source: row.get::<_, Checksum>("source")?,
        target: row.get::<_, Option<Checksum>>("target")?,
        own: row.get("own")?,
        later: row.get("later")?,
        finding: optional(row, "finding", document)?,
    })
}

/// Stores what was found, and who has lost a key; none if the lease is lost.
fn keep(
    tx: &Transaction<'_>,
    operation: OperationId,
    epoch: i64,
    rules: &Rules,
    findings: Findings,
) -> SqlResult<Option<Findings>> {
    if !holds(tx, operation, epoch)? {
        return Ok(None);
    }
    if let Some(before) = stage::decided(tx, operation)?.and_then(|decision| decision.findings) {
        return Ok(Some(before));
    }
    let sql = "INSERT INTO carrack_displaced (operation, data_type, key, position, counted, winner)
               SELECT operation, data_type, key, position, counted, winner FROM (
                   SELECT *, iif(?2, max(position) OVER w, min(position) OVER w) AS winner
                   FROM carrack_compared_records WHERE operation = ?1
                   WINDOW w AS (PARTITION BY data_type, key))
               WHERE position <> winner";
    execute(tx, sql, (id(operation), rules.last_wins()))?;
    let decision = Decision { types: Vec::new(), findings: Some(findings) };
    execute(
        tx,
        "UPDATE carrack_operations SET decision = ?2 WHERE id = ?1",
        (id(operation), json(&decision)?),
    )?;
    Ok(decision.findings)
}

/// Removes what a verification that ends has written down of its batches.
pub(super) fn remove(tx: &Transaction<'_>, operation: OperationId) -> SqlResult<()> {
    execute(tx, "DELETE FROM carrack_compared_batches WHERE operation = ?1", [id(operation)])?;
    execute(tx, "DELETE FROM carrack_compared_records WHERE operation = ?1", [id(operation)])?;
    Ok(())
}
