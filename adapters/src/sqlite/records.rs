//! Reading the data tables: snapshots, and streams of rows under them.

use std::sync::Arc;

use async_trait::async_trait;
use carrack_shared::error::{ErrorKind, PortError, PortResult};
use carrack_shared::filter::Condition;
use carrack_shared::port::Records;
use carrack_shared::port::records::{RowStream, Snapshot};
use carrack_shared::schema::DataType;
use carrack_shared::segment::KeyRange;
use futures_util::StreamExt;
use futures_util::stream::try_unfold;
use tokio::task::spawn_blocking;

use super::SqliteStore;
use super::conditions::Asked;
use super::error::SERVICE;
use super::scan::{self, Place};
use super::snapshot::SqliteSnapshot;
use super::stored::scalar;

#[async_trait]
impl Records for SqliteStore {
    async fn snapshot(&self) -> PortResult<Box<dyn Snapshot>> {
        let (path, registry) = (Arc::clone(&self.path), Arc::clone(&self.snapshots));
        let opened = spawn_blocking(move || SqliteSnapshot::open(&path, registry)).await;
        let failed = |error| PortError::new(ErrorKind::Internal, SERVICE, "opening failed").because(error);
        Ok(Box::new(opened.map_err(failed)??))
    }

    /// Each piece is a query of its own behind the last key, made when it is asked for: a stream that
    /// nobody reads holds nothing, and several streams of one snapshot take turns.
    async fn scan(
        &self,
        data_type: &Arc<DataType>,
        range: &KeyRange,
        conditions: &[Condition],
        snapshot: &str,
    ) -> PortResult<RowStream> {
        self.snapshots.find(snapshot)?;
        let (registry, snapshot, data_type) =
            (Arc::clone(&self.snapshots), snapshot.to_owned(), Arc::clone(data_type));
        let asked = Arc::new(Asked::new(&data_type, conditions));
        let start = Place { from: range.from.clone(), behind: false, to: range.to.clone() };
        let next = move |place: Option<Place>| {
            let (found, data_type) = (registry.find(&snapshot), Arc::clone(&data_type));
            let asked = Arc::clone(&asked);
            async move {
                let Some(place) = place else { return Ok(None) };
                let work = move |connection: &mut _| scan::piece(connection, &data_type, &asked, &place);
                let (rows, next) = found?.run(work).await?;
                Ok((!rows.is_empty()).then_some((rows, next)))
            }
        };
        Ok(try_unfold(Some(start), next).boxed())
    }

    async fn ready(&self) -> PortResult<()> {
        self.reader.run(|connection| scalar::<i64>(connection, "SELECT 1", []).map(drop)).await
    }
}
