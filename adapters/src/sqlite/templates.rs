//! Templates, and the data types that they make.

use std::sync::Arc;

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::operation::Operation;
use carrack_shared::pipeline::refit::Filled;
use carrack_shared::port::Templates;
use carrack_shared::port::batches::Commit;
use carrack_shared::port::operations::Listing;
use carrack_shared::port::templates::{Added, Growth, NewTemplate, StoredTemplate, TemplateEffect};
use carrack_shared::schema::{self, DataType};
use carrack_shared::segment::Claim;
use carrack_shared::tally::{Counted, Tally};
use carrack_shared::template::is_same;
use rusqlite::{Connection, Row, Transaction};

use super::claim::Lease;
use super::commit::{refusal, write_done};
use super::error::{SqlResult, refused};
use super::stored::{all, document, execute, first, json, parsed};
use super::{SqliteStore, clock, fill, operations, tables};

#[async_trait]
impl Templates for SqliteStore {
    async fn add_template(&self, new: &NewTemplate) -> PortResult<Added> {
        let new = new.clone();
        self.writer.transact(move |tx| add(tx, &new)).await
    }

    async fn commit_template(
        &self,
        operation: &Operation,
        claim: &Claim,
        effect: TemplateEffect<'_>,
    ) -> PortResult<Commit> {
        let (lease, new, bytes) = (Lease::of(operation, claim), effect.new.cloned(), effect.bytes);
        self.writer.transact(move |tx| commit(tx, &lease, new.as_ref(), bytes)).await
    }

    async fn template(&self, reference: &str) -> PortResult<Option<StoredTemplate>> {
        let reference = reference.to_owned();
        self.reader.run(move |connection| find(connection, &reference)).await
    }

    async fn templates(&self) -> PortResult<Vec<StoredTemplate>> {
        let sql = "SELECT * FROM carrack_templates ORDER BY name, number DESC";
        self.reader.run(move |connection| all(connection, sql, [], template)).await
    }

    async fn data_types(&self) -> PortResult<Vec<DataType>> {
        let sql = "SELECT document FROM carrack_types ORDER BY name";
        self.reader.run(move |connection| all(connection, sql, [], data_type)).await
    }
}

fn find(connection: &Connection, reference: &str) -> SqlResult<Option<StoredTemplate>> {
    let sql = "SELECT * FROM carrack_templates
               WHERE id = ?1 OR name = ?1 OR name || '@' || version = ?1 ORDER BY id = ?1 DESC, number DESC LIMIT 1";
    first(connection, sql, [reference], template)
}

fn add(tx: &Transaction<'_>, new: &NewTemplate) -> SqlResult<Added> {
    let sql = "SELECT * FROM carrack_templates WHERE name = ?1 AND version = ?2";
    if let Some(before) = first(tx, sql, (&new.name, &new.version), template)? {
        let same = is_same(&before.document, &new.document);
        return Ok(if same { Added::Before(before) } else { Added::OtherDocument(before) });
    }
    let filled = match &new.growth {
        None => Filled::default(),
        Some(growth) => match grow(tx, growth)? {
            Grown::Filled(filled) => filled,
            Grown::Hindered(hindrance) => return Ok(hindrance),
        },
    };
    let sql = "INSERT INTO carrack_templates (id, owner, created_at, name, version, data_type, document)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let last =
        first(tx, "SELECT id FROM carrack_templates ORDER BY id DESC LIMIT 1", [], |row| parsed(row, "id"))?;
    let id = new.id_behind(last).to_string();
    let stamp = clock::stamp(tx)?;
    let values = (&id, &new.owner, stamp, &new.name, &new.version, &new.data_type, json(&new.document)?);
    execute(tx, sql, values)?;
    let stored = find(tx, &id)?.ok_or_else(|| refused("the new template was removed by a trigger"))?;
    Ok(Added::New(stored, filled))
}

/// Stores the template of a batch, if it is one to be stored, and ends the batch.
fn commit(tx: &Transaction<'_>, lease: &Lease, new: Option<&NewTemplate>, bytes: u64) -> SqlResult<Commit> {
    if let Some(refusal) = refusal(tx, lease)? {
        return Ok(refusal);
    }
    let counted = match new.map(|new| add(tx, new)).transpose()? {
        None => Counted::Skipped,
        Some(Added::New(..)) => Counted::Created,
        // Until here nothing was written.
        Some(other) => return Ok(Commit::NotAdded(Box::new(other))),
    };
    let mut tally = Tally::default();
    tally.count(counted);
    write_done(tx, lease, tally, bytes, None, &clock::stamp(tx)?)?;
    Ok(Commit::Done(tally))
}

/// What came of a growth.
enum Grown {
    /// It happened.
    Filled(Filled),
    /// This is in the way.
    Hindered(Added),
}

/// The type of this name: as templates have made it, or as it is built in.
pub(super) fn known_type(connection: &Connection, name: &str) -> SqlResult<Option<DataType>> {
    let stored = first(connection, "SELECT document FROM carrack_types WHERE name = ?1", [name], data_type)?;
    Ok(stored.or_else(|| schema::built_in(name).map(|known| (*known).clone())))
}

/// Makes the type, or adds its new columns and fills them; otherwise says what is in the way.
fn grow(tx: &Transaction<'_>, growth: &Growth) -> SqlResult<Grown> {
    let Growth { before, after } = growth;
    let name = after.name.as_str();
    let known = known_type(tx, name)?;
    if known != *before {
        return Ok(Grown::Hindered(Added::TypeChanged));
    }
    if known.is_some() {
        let active = operations::list(tx, Listing::Active)?;
        if active.iter().any(|operation| operation.spec.is_about(name)) {
            return Ok(Grown::Hindered(Added::TypeInUse));
        }
    }
    let sql = "INSERT INTO carrack_types (name, document) VALUES (?1, ?2)
               ON CONFLICT (name) DO UPDATE SET document = excluded.document";
    execute(tx, sql, (name, json(after)?))?;
    match known {
        Some(known) if tables::exists(tx, &known)? => {
            tables::add_columns(tx, after, known.fields.len())?;
            fill::fill(tx, &Arc::new(known), &Arc::new(after.clone())).map(Grown::Filled)
        }
        _ => tables::create(tx, after).map(|()| Grown::Filled(Filled::default())),
    }
}

fn template(row: &Row<'_>) -> SqlResult<StoredTemplate> {
    Ok(StoredTemplate {
        id: parsed(row, "id")?,
        owner: row.get("owner")?,
        created_at: parsed(row, "created_at")?,
        name: row.get("name")?,
        version: row.get("version")?,
        data_type: row.get("data_type")?,
        document: document(row, "document")?,
    })
}

fn data_type(row: &Row<'_>) -> SqlResult<DataType> {
    document(row, "document")
}
