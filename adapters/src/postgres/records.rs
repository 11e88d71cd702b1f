//! The data tables, for reading.

use std::sync::Arc;

use async_trait::async_trait;
use carrack_shared::error::PortResult;
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
        snapshot: &str,
    ) -> PortResult<RowStream> {
        let scan =
            Scan::open(self.client().await?, self.connector.clone(), data_type, range, snapshot).await?;
        Ok(scan.into_stream())
    }

    async fn ready(&self) -> PortResult<()> {
        query_opt(&self.client().await?, "ask the server", "SELECT 1", &[]).await?;
        Ok(())
    }
}
