//! A snapshot that one process holds and others read in.

use std::sync::Arc;

use async_trait::async_trait;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::port::records::Snapshot;
use carrack_shared::schema::DataType;
use carrack_shared::segment::KeyRange;
use deadpool_postgres::Object;

use super::connection::Connector;
use super::error::{SERVICE, failed, internal};
use super::sql::{fixed, get, get_u32, query_opt};
use super::tables::{self, Table};

/// The transaction that holds the snapshot, on a connection of its own, for it lasts as long as the export.
pub(super) struct HeldSnapshot {
    client: Object,
    id: String,
}

impl HeldSnapshot {
    pub(super) async fn open(connector: &Connector) -> PortResult<Self> {
        // Idle for hours while the parts are written, and a look at a table may take its time.
        // What is asked here goes by an index; a plan for a table that nobody has analysed may not.
        const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
             SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0; \
             SET LOCAL enable_seqscan = off";
        const EXPORT: &str = "SELECT pg_export_snapshot() AS id";
        let what = "open a snapshot";
        let client = connector.dedicated().await?;
        fixed(&client, BEGIN).await.map_err(failed(what))?;
        let row = query_opt(&client, what, EXPORT, &[]).await?;
        let id = get(&row.ok_or_else(|| internal("a snapshot without an id"))?, "id")?;
        Ok(Self { client, id })
    }
}

#[async_trait]
impl Snapshot for HeldSnapshot {
    fn id(&self) -> &str {
        &self.id
    }

    async fn has_extra(&mut self, data_type: &Arc<DataType>) -> PortResult<bool> {
        if !tables::exists(&self.client, data_type).await? {
            return Ok(false);
        }
        let table = Table::new(data_type);
        let found = query_opt(&self.client, "look for extra fields", &table.has_extra(), &[]).await?;
        found.map_or(Ok(false), |row| get(&row, "has_extra"))
    }

    async fn next_range(
        &mut self,
        data_type: &Arc<DataType>,
        behind: Option<&KeyRange>,
        rows: u32,
    ) -> PortResult<Option<KeyRange>> {
        if behind.is_none() && !tables::exists(&self.client, data_type).await? {
            return Ok(None);
        }
        let sql = Table::new(data_type).range(behind.is_some());
        let rows = i64::from(rows.max(1));
        let found = match &behind {
            None => query_opt(&self.client, "cut a table", &sql, &[&rows]).await?,
            Some(before) => query_opt(&self.client, "cut a table", &sql, &[&rows, &before.to]).await?,
        };
        let row = found.ok_or_else(|| internal("a count without a row"))?;
        let Some(from) = get(&row, "first")? else { return Ok(None) };
        let first = behind.map_or(1, KeyRange::next);
        Ok(Some(KeyRange { table: 0, from, to: get(&row, "last")?, first, rows: get_u32(&row, "rows")? }))
    }

    async fn alive(&mut self) -> PortResult<()> {
        match query_opt(&self.client, "ask for the snapshot", "SELECT 1", &[]).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let message = format!("the snapshot {} is gone with its connection", self.id);
                Err(PortError::new(ErrorKind::SnapshotGone, SERVICE, message).because(error))
            }
        }
    }
}
