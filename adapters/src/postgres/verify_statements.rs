//! The statements on data tables that a verification needs.

use super::tables::Table;

impl Table<'_> {
    /// The rows of the keys `$1`: the fields and extra, then `_operation`, `_position`.
    pub(super) fn written_rows(&self) -> String {
        format!("{} WHERE {} = ANY($1)", self.written(), self.key)
    }

    /// How many rows the operation `$1` has written.
    pub(super) fn count_written(&self) -> String {
        format!("SELECT count(*) AS rows FROM {} WHERE _operation = $1", self.name())
    }

    /// The rows that the operation `$1` has written and no record explains that the verification `$2` has compared:
    /// those of the type `$3`. The columns of [`Table::written_rows`].
    pub(super) fn unexplained(&self) -> String {
        let key = &self.key;
        format!(
            "WITH explained AS MATERIALIZED (
                 SELECT unnest(keys) AS key FROM carrack.compared_batches WHERE operation = $2 AND data_type = $3
                 UNION ALL SELECT key FROM carrack.compared_records
                 WHERE operation = $2 AND data_type = $3 AND own)
             {} WHERE _operation = $1 AND NOT EXISTS (SELECT FROM explained e WHERE e.key = t.{key})
             ORDER BY _position, {key}",
            self.written()
        )
    }

    fn written(&self) -> String {
        format!("SELECT {}, _operation, _position FROM {} AS t", self.columns(), self.name())
    }
}
