//! The port of verification: reading what is compared with records, and adding up what was found.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use carrack_shared::error::PortResult;
use carrack_shared::limits::COMPARED_BYTES;
use carrack_shared::operation::{Operation, OperationId};
use carrack_shared::port::Verifying;
use carrack_shared::port::batches::Commit;
use carrack_shared::port::finalising::FinishClaim;
use carrack_shared::port::verifying::VerifyEffect;
use carrack_shared::record::{Cell, Origin, Position, Rows, utf8};
use carrack_shared::schema::DataType;
use carrack_shared::segment::Claim;
use carrack_shared::staging::Decision;
use carrack_shared::tally::Counted;
use carrack_shared::verify::{Candidate, Compared, Finding, Findings, Present, Rules, Settled, TypeFindings};
use deadpool_postgres::{GenericClient, Object, Transaction};
use futures_util::TryStreamExt;
use tokio_postgres::Row;
use tokio_postgres::types::{Json, ToSql};

use super::PostgresStore;
use super::commit::Effect;
use super::error::{failed, internal};
use super::finalise::holds;
use super::operation_row;
use super::reading::Reading;
use super::scan::read_cell;
use super::sql::{Params, execute, fixed, get, get_u64, query_opt};
use super::tables::{self, Table};
use super::takeover::get_record_hash;

#[async_trait]
impl Verifying for PostgresStore {
    async fn present(&self, records: &Arc<Rows>, portion: Range<usize>) -> PortResult<Option<Present>> {
        let what = "look up rows to be compared";
        let (reading, data_type) =
            (Reading::begin(self.client().await?, self.connector.clone()), records.data_type());
        let client = reading.client();
        let mut present = Present { rows: empty(data_type), writers: Vec::new() };
        if !tables::exists(client, data_type).await? {
            reading.end();
            return Ok(Some(present));
        }
        let statement = client.prepare(&Table::new(data_type).written_rows()).await.map_err(failed(what))?;
        let keys: Vec<Cow<'_, str>> = portion.map(|record| utf8(records.key(record))).collect();
        let values: [&(dyn ToSql + Sync); 1] = [&keys];
        let rows = client.query_raw(&statement, values).await.map_err(failed(what))?;
        let mut rows = std::pin::pin!(rows);
        while let Some(row) = rows.try_next().await.map_err(failed(what))? {
            present.writers.push(push(&mut present.rows, &row)?);
            if present.rows.copied() > COMPARED_BYTES && keys.len() > 1 {
                return Ok(None);
            }
        }
        reading.end();
        Ok(Some(present))
    }

    async fn commit_verify(
        &self,
        operation: &Operation,
        claim: &Claim,
        effect: VerifyEffect<'_>,
    ) -> PortResult<Commit> {
        self.commit(operation, claim, &Effect::Verify(effect)).await
    }

    async fn find(&self, claim: &FinishClaim) -> PortResult<Option<Findings>> {
        let operation = &claim.operation;
        let rules = operation.spec.as_import().and_then(Rules::of);
        let rules = rules.ok_or_else(|| internal("the closing of a verification that is none"))?;
        let mut client = self.client().await?;
        if let Some(before) = found(&client, operation.id).await? {
            return Ok(Some(before));
        }
        let mut types = Vec::new();
        for data_type in operation.spec.tables()? {
            types.push(find(&mut client, operation.id, &rules, &data_type).await?);
        }
        keep(&mut client, claim, &rules, Findings::new(types)).await
    }
}

fn empty(data_type: &Arc<DataType>) -> Rows {
    Rows::new(Arc::clone(data_type), Bytes::new(), 0, 0)
}

/// Adds a row, whatever others have written into it; answers who has written it.
fn push(rows: &mut Rows, row: &Row) -> PortResult<OperationId> {
    let mut cells = Vec::with_capacity(rows.width());
    for slot in 0..rows.width() {
        cells.push(match read_cell(row, slot, rows) {
            Ok(cell) => cell,
            Err(unreadable) => Cell::Text(rows.span_of_copy(unreadable.message.as_bytes())),
        });
    }
    let position = Position::from_stored(get(row, "_position")?);
    rows.push(Origin { position, frame: 0..0 }, &cells);
    Ok(OperationId::from_uuid(get(row, "_operation")?))
}

/// Writes down what came of a batch.
pub(super) async fn store(
    tx: &Transaction<'_>,
    operation: OperationId,
    claim: &Claim,
    data_type: &str,
    compared: &Compared,
) -> PortResult<()> {
    const BATCH: &str = "INSERT INTO carrack.compared_batches (operation, batch, data_type, settled, keys)
         VALUES ($1, $2, $3, $4, $5)";
    const RECORDS: &str = "INSERT INTO carrack.compared_records (operation, data_type, position, key, counted, source,
                target, own, later, finding)
         SELECT $1, $2, * FROM unnest($3::bigint[], $4::text[], $5::text[], $6::bytea[], $7::bytea[], $8::boolean[],
                $9::boolean[], $10::json[])";
    let what = "write down what was compared";
    let (id, batch) = (operation.as_uuid(), i64::from(claim.batch.number));
    let params: &Params<'_> = &[&id, &batch, &data_type, &Json(&compared.settled), &compared.keys];
    execute(tx, what, BATCH, params).await?;
    if compared.candidates.is_empty() {
        return Ok(());
    }
    let all = &compared.candidates;
    let positions: Vec<i64> = all.iter().map(|one| one.position.stored()).collect();
    let keys: Vec<&str> = all.iter().map(|one| one.key.as_str()).collect();
    let counted: Vec<&str> = all.iter().map(|one| one.counted.as_str()).collect();
    let sources: Vec<&[u8]> = all.iter().map(|one| &one.source[..]).collect();
    let targets: Vec<Option<&[u8]>> =
        all.iter().map(|one| one.target.as_ref().map(|hash| &hash[..])).collect();
    let (own, later): (Vec<bool>, Vec<bool>) = all.iter().map(|one| (one.own, one.later)).unzip();
    let findings: Vec<Option<Json<&Finding>>> =
        all.iter().map(|one| one.finding.as_ref().map(Json)).collect();
    let params: &Params<'_> =
        &[&id, &data_type, &positions, &keys, &counted, &sources, &targets, &own, &later, &findings];
    execute(tx, what, RECORDS, params).await?;
    Ok(())
}

/// What was found of a type. Reads whatever there is of it row by row.
async fn find(
    client: &mut Object,
    operation: OperationId,
    rules: &Rules,
    data_type: &Arc<DataType>,
) -> PortResult<TypeFindings> {
    const BATCHES: &str = "SELECT settled, cardinality(keys)::bigint AS keys FROM carrack.compared_batches
         WHERE operation = $1 AND data_type = $2";
    const WINNERS: &str = "SELECT * FROM (
             SELECT *, CASE WHEN $3 THEN max(position) OVER w ELSE min(position) OVER w END AS winner
             FROM carrack.compared_records WHERE operation = $1 AND data_type = $2
             WINDOW w AS (PARTITION BY key)) ranked
         WHERE position = winner ORDER BY position";
    let what = "add up what was found";
    let (id, name) = (operation.as_uuid(), data_type.name.as_str());
    let tx = client.transaction().await.map_err(failed(what))?;
    let begin = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL statement_timeout = 0";
    fixed(&tx, begin).await.map_err(failed(what))?;
    let (mut found, mut explained, mut own) = (TypeFindings::new(name), 0, false);
    let values: [&(dyn ToSql + Sync); 2] = [&id, &name];
    let rows = tx.query_raw(BATCHES, values).await.map_err(failed(what))?;
    let mut rows = std::pin::pin!(rows);
    while let Some(row) = rows.try_next().await.map_err(failed(what))? {
        let Json(settled): Json<Settled> = get(&row, "settled")?;
        found.add_settled(settled);
        explained += get_u64(&row, "keys")?;
    }
    let last_wins = rules.last_wins();
    let values: [&(dyn ToSql + Sync); 3] = [&id, &name, &last_wins];
    let rows = tx.query_raw(WINNERS, values).await.map_err(failed(what))?;
    let mut rows = std::pin::pin!(rows);
    while let Some(row) = rows.try_next().await.map_err(failed(what))? {
        let winner = candidate(&row)?;
        own |= winner.own;
        found.add_winner(winner);
    }
    if !tables::exists(&tx, data_type).await? {
        return Ok(found.done());
    }
    let (table, parent) = (Table::new(data_type), rules.parent.as_uuid());
    let written = query_opt(&tx, what, &table.count_written(), &[&parent]).await?;
    let written = written.map(|row| get_u64(&row, "rows")).transpose()?;
    if own || written != Some(explained) {
        let statement = tx.prepare(&table.unexplained()).await.map_err(failed(what))?;
        let values: [&(dyn ToSql + Sync); 3] = [&parent, &id, &name];
        let rows = tx.query_raw(&statement, values).await.map_err(failed(what))?;
        let mut rows = std::pin::pin!(rows);
        while let Some(row) = rows.try_next().await.map_err(failed(what))? {
            let mut one = empty(data_type);
            push(&mut one, &row)?;
            let key = String::from_utf8_lossy(one.key(0)).into_owned();
            found.add_extra(one.origin(0).position, key, one.checksum(0));
        }
    }
    tx.commit().await.map_err(failed(what))?;
    Ok(found.done())
}

fn candidate(row: &Row) -> PortResult<Candidate> {
    let counted: String = get(row, "counted")?;
    let target = match get::<Option<Vec<u8>>>(row, "target")? {
        Some(_) => Some(get_record_hash(row, "target")?),
        None => None,
    };
    Ok(Candidate {
        position: Position::from_stored(get(row, "position")?),
        key: get(row, "key")?,
        counted: Counted::parse(&counted).ok_or_else(|| internal(format!("counted as {counted:?}")))?,
        source: get_record_hash(row, "source")?,
        target,
        own: get(row, "own")?,
        later: get(row, "later")?,
        finding: get::<Option<Json<Finding>>>(row, "finding")?.map(|Json(finding)| finding),
    })
}

/// What was found before.
async fn found(client: &impl GenericClient, operation: OperationId) -> PortResult<Option<Findings>> {
    let operation = operation_row::find(client, operation).await?;
    Ok(operation.and_then(|operation| operation.decision).and_then(|decision| decision.findings))
}

/// Stores what was found, and who has lost a key; none if the lease is lost.
async fn keep(
    client: &mut Object,
    claim: &FinishClaim,
    rules: &Rules,
    findings: Findings,
) -> PortResult<Option<Findings>> {
    const LOSERS: &str =
        "INSERT INTO carrack.displaced (operation, data_type, key, position, counted, winner)
         SELECT operation, data_type, key, position, counted, winner FROM (
             SELECT *, CASE WHEN $2 THEN max(position) OVER w ELSE min(position) OVER w END AS winner
             FROM carrack.compared_records WHERE operation = $1
             WINDOW w AS (PARTITION BY data_type, key)) ranked
         WHERE position <> winner";
    const STORE: &str = "UPDATE carrack.operations SET decision = $2 WHERE id = $1";
    let what = "keep what was found";
    let tx = client.transaction().await.map_err(failed(what))?;
    fixed(&tx, "SET LOCAL statement_timeout = 0").await.map_err(failed(what))?;
    if !holds(&tx, claim).await? {
        return Ok(None);
    }
    let id = claim.operation.id;
    if let Some(before) = found(&tx, id).await? {
        return Ok(Some(before));
    }
    execute(&tx, what, LOSERS, &[&id.as_uuid(), &rules.last_wins()]).await?;
    let decision = Decision { types: Vec::new(), findings: Some(findings) };
    execute(&tx, what, STORE, &[&id.as_uuid(), &Json(&decision)]).await?;
    tx.commit().await.map_err(failed(what))?;
    Ok(decision.findings)
}

/// Removes what a verification that ends has written down of its batches.
pub(super) async fn remove(tx: &Transaction<'_>, operation: OperationId) -> PortResult<()> {
    const BATCHES: &str = "DELETE FROM carrack.compared_batches WHERE operation = $1";
    const RECORDS: &str = "DELETE FROM carrack.compared_records WHERE operation = $1";
    for sql in [BATCHES, RECORDS] {
        execute(tx, "remove what was compared", sql, &[&operation.as_uuid()]).await?;
    }
    Ok(())
}
