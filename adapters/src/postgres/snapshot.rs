//! A snapshot that one process holds and others read in.

use std::sync::Arc;

use async_trait::async_trait;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::port::records::{Snapshot, TablePlan};
use carrack_shared::schema::DataType;
use carrack_shared::segment::KeyRange;
use deadpool_postgres::Object;

use super::connection::Connector;
use super::error::{SERVICE, failed, internal};
use super::sql::{fixed, get, get_u32, query, query_opt};
use super::tables::{self, Table};

/// The transaction that holds the snapshot, on a connection of its own, for it lasts as long as the export.
pub(super) struct HeldSnapshot {
    client: Object,
    id: String,
}

impl HeldSnapshot {
    pub(super) async fn open(connector: &Connector) -> PortResult<Self> {
        // Idle for hours while the parts are written, and one statement may count a table of any size.
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

    async fn plan(&mut self, data_type: &Arc<DataType>, rows: u32) -> PortResult<TablePlan> {
        if !tables::exists(&self.client, data_type).await? {
            return Ok(TablePlan::default());
        }
        let table = Table::new(data_type);
        let per_range = i64::from(rows.max(1));
        let found = query(&self.client, "cut a table", &table.ranges(), &[&per_range]).await?;
        let extra = query_opt(&self.client, "look for extra fields", &table.has_extra(), &[]).await?;
        let ranges = found.iter().map(|row| {
            Ok(KeyRange { from: get(row, "first")?, to: get(row, "last")?, rows: get_u32(row, "rows")? })
        });
        let has_extra = extra.map_or(Ok(false), |row| get(&row, "has_extra"))?;
        Ok(TablePlan { ranges: ranges.collect::<PortResult<_>>()?, has_extra })
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
