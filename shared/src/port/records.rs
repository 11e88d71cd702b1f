//! The port to the data tables, for reading: a snapshot that one process holds and others read under.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use crate::error::PortResult;
use crate::filter::Condition;
use crate::record::Rows;
use crate::schema::DataType;
use crate::segment::KeyRange;

/// Rows in pieces of at most a thousand.
pub type RowStream = BoxStream<'static, PortResult<Rows>>;

/// A consistent view of the tables that lasts as long as this value.
#[async_trait]
pub trait Snapshot: Send + Sync {
    /// The name under which others read in it.
    fn id(&self) -> &str;

    /// Whether any row of a table has fields outside the schema. False for a table that does not exist.
    async fn has_extra(&mut self, data_type: &Arc<DataType>) -> PortResult<bool>;

    /// The next `rows` rows of a table behind the range `behind`, or from its first key on, as a range from
    /// key to key; fewer only at the end of the table. None when no row is left, or when the table does
    /// not exist. Costs what the range costs, however large the table is.
    ///
    /// The range counts as one of table 0 of an export; whoever plans several says which one it is of.
    async fn next_range(
        &mut self,
        data_type: &Arc<DataType>,
        behind: Option<&KeyRange>,
        rows: u32,
    ) -> PortResult<Option<KeyRange>>;

    /// Whether it still lasts.
    async fn alive(&mut self) -> PortResult<()>;
}

/// Data tables.
#[async_trait]
pub trait Records: Send + Sync {
    /// Opens a snapshot.
    async fn snapshot(&self) -> PortResult<Box<dyn Snapshot>>;

    /// Streams the rows of a range that meet all `conditions`, in the order of their keys, as the snapshot
    /// `snapshot` sees them: those for which [`Condition::all_hold`], and no others.
    /// `SnapshotGone` when that snapshot does not last any more. Dropping the stream ends the query.
    async fn scan(
        &self,
        data_type: &Arc<DataType>,
        range: &KeyRange,
        conditions: &[Condition],
        snapshot: &str,
    ) -> PortResult<RowStream>;

    /// Whether the database answers.
    async fn ready(&self) -> PortResult<()>;
}
