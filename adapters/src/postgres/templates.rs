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
use carrack_shared::template::is_same;
use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use super::commit::Effect;
use super::error::{failed, internal};
use super::sql::{execute, fixed, get, query, query_opt};
use super::{PostgresStore, fill, operations, tables};

const WHAT: &str = "store a template";

/// The columns of a template.
macro_rules! columns {
    () => {
        "id, owner, created_at, name, version, data_type, document"
    };
}

#[async_trait]
impl Templates for PostgresStore {
    async fn add_template(&self, new: &NewTemplate) -> PortResult<Added> {
        let mut client = self.client().await?;
        let tx = client.transaction().await.map_err(failed(WHAT))?;
        let added = add(&tx, new).await?;
        tx.commit().await.map_err(failed(WHAT))?;
        Ok(added)
    }

    async fn commit_template(
        &self,
        operation: &Operation,
        claim: &Claim,
        effect: TemplateEffect<'_>,
    ) -> PortResult<Commit> {
        self.commit(operation, claim, &Effect::Template(effect)).await
    }

    async fn template(&self, reference: &str) -> PortResult<Option<StoredTemplate>> {
        find(&self.client().await?, reference).await
    }

    async fn templates(&self) -> PortResult<Vec<StoredTemplate>> {
        const SQL: &str =
            concat!("SELECT ", columns!(), " FROM carrack.templates ORDER BY name, number DESC");
        let rows = query(&self.client().await?, "list templates", SQL, &[]).await?;
        rows.iter().map(template).collect()
    }

    async fn data_types(&self) -> PortResult<Vec<DataType>> {
        const SQL: &str = "SELECT document FROM carrack.types ORDER BY name";
        let rows = query(&self.client().await?, "list data types", SQL, &[]).await?;
        rows.iter().map(data_type).collect()
    }
}

async fn find(client: &impl GenericClient, reference: &str) -> PortResult<Option<StoredTemplate>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM carrack.templates
         WHERE id::text = $1 OR name = $1 OR name || '@' || version = $1 ORDER BY id::text = $1 DESC, number DESC LIMIT 1"
    );
    let row = query_opt(client, "look up a template", SQL, &[&reference]).await?;
    row.as_ref().map(template).transpose()
}

/// Stores the template of a batch.
pub(super) async fn add_in_batch(tx: &Transaction<'_>, new: &NewTemplate) -> PortResult<Added> {
    // Filling new columns takes as long as the table is large.
    fixed(tx, "SET LOCAL statement_timeout = 0").await.map_err(failed(WHAT))?;
    add(tx, new).await
}

/// Until it is clear that the template is new, nothing is written.
async fn add(tx: &Transaction<'_>, new: &NewTemplate) -> PortResult<Added> {
    const BEFORE: &str =
        concat!("SELECT ", columns!(), " FROM carrack.templates WHERE name = $1 AND version = $2");
    const INSERT: &str = "INSERT INTO carrack.templates (id, owner, name, version, data_type, document)
         VALUES ($1, $2, $3, $4, $5, $6)";
    const LAST: &str = "SELECT id FROM carrack.templates ORDER BY id DESC LIMIT 1";
    tables::take_turns(tx).await?;
    if let Some(row) = query_opt(tx, WHAT, BEFORE, &[&new.name, &new.version]).await? {
        let before = template(&row)?;
        let same = is_same(&before.document, &new.document);
        return Ok(if same { Added::Before(before) } else { Added::OtherDocument(before) });
    }
    let filled = match &new.growth {
        None => Filled::default(),
        Some(growth) => match grow(tx, growth).await? {
            Grown::Filled(filled) => filled,
            Grown::Hindered(hindrance) => return Ok(hindrance),
        },
    };
    let document = new.document.to_string();
    let last = query_opt(tx, WHAT, LAST, &[]).await?.map(|row| get(&row, "id")).transpose()?;
    let id = new.id_behind(last);
    let NewTemplate { owner, name, version, data_type, .. } = new;
    execute(tx, WHAT, INSERT, &[&id, owner, name, version, data_type, &document]).await?;
    let stored = find(tx, &id.to_string()).await?;
    let stored = stored.ok_or_else(|| internal("a template that is not there"))?;
    Ok(Added::New(stored, filled))
}

/// What came of a growth.
enum Grown {
    /// It happened.
    Filled(Filled),
    /// This is in the way.
    Hindered(Added),
}

/// The type of this name: as templates have made it, or as it is built in.
pub(super) async fn known_type(client: &impl GenericClient, name: &str) -> PortResult<Option<DataType>> {
    const SQL: &str = "SELECT document FROM carrack.types WHERE name = $1";
    let row = query_opt(client, "look up a data type", SQL, &[&name]).await?;
    let stored = row.as_ref().map(data_type).transpose()?;
    Ok(stored.or_else(|| schema::built_in(name).map(|known| (*known).clone())))
}

/// Makes the type, or adds its new columns and fills them; otherwise says what is in the way.
async fn grow(tx: &Transaction<'_>, growth: &Growth) -> PortResult<Grown> {
    const STORE: &str = "INSERT INTO carrack.types (name, document) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET document = excluded.document";
    let Growth { before, after } = growth;
    let name = after.name.as_str();
    let known = known_type(tx, name).await?;
    if known != *before {
        return Ok(Grown::Hindered(Added::TypeChanged));
    }
    if known.is_some() {
        let active = operations::list(tx, Listing::Active).await?;
        if active.iter().any(|operation| operation.spec.is_about(name)) {
            return Ok(Grown::Hindered(Added::TypeInUse));
        }
    }
    execute(tx, WHAT, STORE, &[&name, &Json(after)]).await?;
    match known {
        Some(known) if tables::exists(tx, &known).await? => {
            tables::grow(tx, after, known.fields.len()).await?;
            fill::fill(tx, &Arc::new(known), &Arc::new(after.clone())).await.map(Grown::Filled)
        }
        _ => tables::grow(tx, after, 0).await.map(|()| Grown::Filled(Filled::default())),
    }
}

fn template(row: &Row) -> PortResult<StoredTemplate> {
    let document: String = get(row, "document")?;
    Ok(StoredTemplate {
        id: get(row, "id")?,
        owner: get(row, "owner")?,
        created_at: get(row, "created_at")?,
        name: get(row, "name")?,
        version: get(row, "version")?,
        data_type: get(row, "data_type")?,
        document: serde_json::from_str(&document)
            .map_err(|error| internal("a template that is not JSON").because(error))?,
    })
}

fn data_type(row: &Row) -> PortResult<DataType> {
    let Json(document) = get(row, "document")?;
    Ok(document)
}
