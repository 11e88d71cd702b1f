//! The data tables, for reading.

use std::sync::Arc;

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::filter::Condition;
use carrack_shared::port::Records;
use carrack_shared::port::records::{RowStream, Snapshot};
use carrack_shared::schema::DataType;
use carrack_shared::segment::KeyRange;

use super::PostgresStore;
use super::scan::Scan;
use super::snapshot::HeldSnapshot;
use super::sql::query_opt;

#[async_trait]
impl Records for PostgresStore {
    async fn snapshot(&self) -> PortResult<Box<dyn Snapshot>> {
        Ok(Box::new(HeldSnapshot::open(&self.connector).await?))
    }

    async fn scan(
        &self,
        data_type: &Arc<DataType>,
        range: &KeyRange,
        conditions: &[Condition],
        snapshot: &str,
    ) -> PortResult<RowStream> {
        let (client, connector) = (self.client().await?, self.connector.clone());
        let scan = Scan::open(client, connector, data_type, range, conditions, snapshot).await?;
        Ok(scan.into_stream())
    }

    async fn ready(&self) -> PortResult<()> {
        query_opt(&self.client().await?, "ask the server", "SELECT 1", &[]).await?;
        Ok(())
    }
}
