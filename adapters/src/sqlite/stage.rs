//! The stage of an operation: a table for each of its types, of the columns of the data table, where its rows lie
//! until all of them are known; and what is decided on them.

use std::sync::Arc;

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::limits::EXAMPLES;
use carrack_shared::operation::{Operation, OperationId};
use carrack_shared::port::Staging;
use carrack_shared::port::finalising::FinishClaim;
use carrack_shared::port::staging::Publication;
use carrack_shared::record::Position;
use carrack_shared::schema::DataType;
use carrack_shared::spec::{Duplicates, Spec};
use carrack_shared::staging::{Decision, Example, TypeDecision};
use carrack_shared::tally::Counted;
use rusqlite::{Connection, Transaction, named_params};

use super::error::{SqlResult, impossible, refused};
use super::finalise::holds;
use super::load::ImportBatch;
use super::row::{RowWriter, Written};
use super::stored::{all, count, document, execute, first, id, json, operation, optional, unreadable};
use super::{SqliteStore, merged_stage, publish, tables};

#[async_trait]
impl Staging for SqliteStore {
    async fn decide(&self, claim: &FinishClaim) -> PortResult<Option<Decision>> {
        let (operation, epoch) = (claim.operation.clone(), claim.lease_epoch);
        self.writer.transact(move |tx| decide(tx, &operation, epoch)).await
    }

    async fn publish(&self, claim: &FinishClaim) -> PortResult<Publication> {
        let (operation, epoch, stopping) =
            (claim.operation.clone(), claim.lease_epoch, Arc::clone(&self.stopping));
        let publish = move |connection: &mut Connection| {
            publish::run(connection, &operation, epoch, || stopping.is_noted(operation.id))
        };
        self.writer.run(publish).await
    }

    async fn predicted(&self, later: &Operation) -> PortResult<Option<Operation>> {
        let (later, sha256) = (later.id, later.spec.outcome_sha256());
        self.reader
            .run(move |connection| {
                let sql = "SELECT d.* FROM carrack_operations AS o JOIN carrack_operations AS d
                               ON d.outcome_sha256 = ?2 AND d.number < o.number AND d.finished_at <= o.created_at
                           WHERE o.id = ?1 AND d.state IN ('succeeded', 'succeeded_with_rejects')
                           ORDER BY d.number DESC LIMIT 1";
                first(connection, sql, (id(later), sha256), operation)
            })
            .await
    }
}

/// The name of the stage of a type.
pub(super) fn name(operation: OperationId, spec: &Spec, data_type: &DataType) -> String {
    format!("\"carrack_stage_{}_{}\"", id(operation), spec.table_number(data_type.name.as_str()))
}

/// The types of an operation that has a stage.
pub(super) fn types(spec: &Spec) -> SqlResult<Vec<Arc<DataType>>> {
    match spec.is_staged() {
        true => spec.tables().map_err(|unknown| refused(unknown.to_string())),
        false => Ok(Vec::new()),
    }
}

/// Makes the stage of a new operation, where it has one.
pub(super) fn create(tx: &Transaction<'_>, operation: OperationId, spec: &Spec) -> SqlResult<()> {
    for data_type in types(spec)? {
        tx.execute(&tables::create_stage(&name(operation, spec, &data_type), &data_type), [])?;
    }
    Ok(())
}

/// Drops the stage of an operation that ends.
pub(super) fn remove(tx: &Transaction<'_>, operation: OperationId, spec: &Spec) -> SqlResult<()> {
    for data_type in types(spec)? {
        tx.execute(&format!("DROP TABLE IF EXISTS {}", name(operation, spec, &data_type)), [])?;
    }
    Ok(())
}

/// Puts all rows of a batch aside; nothing there can refuse one.
pub(super) fn put(tx: &Transaction<'_>, batch: &ImportBatch, spec: &Spec, stamp: &str) -> SqlResult<()> {
    let (operation, data_type) = (batch.lease.operation, batch.rows.data_type());
    let sql = tables::insert_into(&name(operation, spec, data_type), data_type);
    let mut writer = RowWriter::new(tx, &sql, data_type, &id(operation), stamp)?;
    for row in batch.in_order() {
        let Written::Row = writer.write(&batch.rows, row, batch.hash(row))? else {
            return Err(impossible("the stage refused a row, expected it to take all"));
        };
    }
    Ok(())
}

fn decide(tx: &Transaction<'_>, operation: &Operation, epoch: i64) -> SqlResult<Option<Decision>> {
    if !holds(tx, operation.id, epoch)? {
        return Ok(None);
    }
    if let Some(decided) = decided(tx, operation.id)? {
        return Ok(Some(decided));
    }
    let mut decision = Decision::default();
    for data_type in types(&operation.spec)? {
        decision.types.push(decide_type(tx, operation, &data_type)?);
    }
    let sql = "UPDATE carrack_operations SET decision = ?2 WHERE id = ?1";
    execute(tx, sql, (id(operation.id), json(&decision)?))?;
    Ok(Some(decision))
}

/// What was decided on the staged records of an operation.
pub(super) fn decided(connection: &Connection, operation: OperationId) -> SqlResult<Option<Decision>> {
    let sql = "SELECT decision FROM carrack_operations WHERE id = ?1";
    let found = first(connection, sql, [id(operation)], |row| optional(row, "decision", document))?;
    Ok(found.flatten())
}

fn decide_type(
    tx: &Transaction<'_>,
    operation: &Operation,
    data_type: &Arc<DataType>,
) -> SqlResult<TypeDecision> {
    let merges = operation.spec.as_import().filter(|import| import.duplicates == Duplicates::Merge);
    if let Some(import) = merges {
        return merged_stage::decide(tx, operation, import, data_type);
    }
    let stage = name(operation.id, &operation.spec, data_type);
    let there = tables::exists(tx, data_type)?;
    let mode = operation.spec.as_import().map_or(Duplicates::Reject, |import| import.duplicates);
    let type_name = data_type.name.as_str();
    let values = named_params! { ":mode": mode.as_str(), ":examples": EXAMPLES };
    let examples = all(tx, &tables::decide(&stage, data_type, there), values, |row| {
        let counted: String = row.get("counted")?;
        let counted = Counted::parse(&counted).ok_or_else(|| unreadable("counted", counted))?;
        let total = if count(row, "number")? == 1 { count(row, "total")? } else { 0 };
        let position = Position::from_stored(row.get("position")?);
        Ok((total, Example { counted, position, key: row.get("key")? }))
    })?;
    let mut decided = TypeDecision::new(type_name);
    for (total, example) in examples {
        decided.add(example.counted, total);
        decided.examples.push(example);
    }
    if mode == Duplicates::Reject {
        let values =
            named_params! { ":operation": id(operation.id), ":type": type_name, ":mode": mode.as_str() };
        let noted = execute(tx, &tables::note_losers(&stage, data_type, there), values)?;
        let expected = decided.tally.rejected;
        if noted as u64 != expected {
            return Err(impossible(format!("{noted} records lost their keys, expected {expected}")));
        }
    }
    Ok(decided)
}
