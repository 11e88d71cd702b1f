//! The port to the data tables, for reading: a snapshot that one process holds and others read under.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use crate::error::PortResult;
use crate::record::Rows;
use crate::schema::DataType;
use crate::segment::KeyRange;

/// Rows in pieces of at most a thousand.
pub type RowStream = BoxStream<'static, PortResult<Rows>>;

/// How a table is to be cut for an export.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TablePlan {
    /// Consecutive ranges that cover the table, in the order of the keys.
    pub ranges: Vec<KeyRange>,
    /// Whether any row has fields outside the schema.
    pub has_extra: bool,
}

/// A consistent view of the tables that lasts as long as this value.
#[async_trait]
pub trait Snapshot: Send + Sync {
    /// The name under which others read in it.
    fn id(&self) -> &str;

    /// Cuts a table into ranges of `rows` rows. A table that does not exist has none.
    async fn plan(&mut self, data_type: &Arc<DataType>, rows: u32) -> PortResult<TablePlan>;

    /// Whether it still lasts.
    async fn alive(&mut self) -> PortResult<()>;
}

/// Data tables.
#[async_trait]
pub trait Records: Send + Sync {
    /// Opens a snapshot.
    async fn snapshot(&self) -> PortResult<Box<dyn Snapshot>>;

    /// Streams the rows of a range in the order of their keys, as the snapshot `snapshot` sees them.
    /// `SnapshotGone` when that snapshot does not last any more. Dropping the stream ends the query.
    async fn scan(
        &self,
        data_type: &Arc<DataType>,
        range: &KeyRange,
        snapshot: &str,
    ) -> PortResult<RowStream>;

    /// Whether the database answers.
    async fn ready(&self) -> PortResult<()>;
}
