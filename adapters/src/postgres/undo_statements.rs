//! The statements by which a data table is undone; composed, like those of [`super::tables`], of validated
//! identifiers only.

use super::tables::Table;
use super::takeover::claims;

/// The bytes of the image of `part.key`.
const SIZE_OF_IMAGE: &str = "(SELECT pg_column_size(i.image) FROM carrack.claims AS c \
    JOIN carrack.images AS i ON i.operation = c.operation AND i.id = c.image \
    WHERE c.operation = $1 AND c.data_type = $2 AND c.key = part.key)";

impl Table<'_> {
    /// The keys that the import `$1` of the type `$2` has touched: those of its rows, of its images, and of rows
    /// of its that others have overwritten. `within` limits a key.
    fn touched_keys(&self, within: impl Fn(&str) -> String) -> String {
        let (name, key) = (self.name(), &self.key);
        format!(
            "SELECT {key} AS key FROM {name} WHERE _operation = $1{} \
             UNION SELECT key FROM carrack.claims \
             WHERE operation = $1 AND data_type = $2 AND (image IS NOT NULL OR counted = 'created'){keys} \
             UNION SELECT key FROM carrack.claims WHERE from_operation = $1 AND data_type = $2{keys}",
            within(key),
            keys = within("key")
        )
    }

    /// The first and the last of the first `$3` of them, of `$4` bytes, behind `behind` and up to `to`, and how many
    /// they are; and what the statement takes behind `$4`.
    pub(super) fn touched_range<'key>(
        &self,
        behind: Option<&'key str>,
        to: Option<&'key str>,
    ) -> (String, Vec<&'key str>) {
        let keys = self.touched_keys(|key| match (behind, to) {
            (None, None) => String::new(),
            (Some(_), None) => format!(" AND {key} > $5"),
            (None, Some(_)) => format!(" AND {key} <= $5"),
            (Some(_), Some(_)) => format!(" AND {key} > $5 AND {key} <= $6"),
        });
        let sql = format!(
            "SELECT min(key) AS first, max(key) AS last, count(*) AS rows FROM \
             (SELECT key, sum(size) OVER (ORDER BY key) - size AS before FROM \
              (SELECT key, coalesce({row}, 0) + coalesce({image}, 0) AS size FROM \
               (SELECT key FROM ({keys}) AS touched ORDER BY key LIMIT $3) AS part) AS sized) AS summed \
             WHERE before < $4",
            row = self.size_of_row(),
            image = SIZE_OF_IMAGE,
        );
        (sql, behind.into_iter().chain(to).collect())
    }

    /// The bytes of the row of `part.key`, as they are stored. One look-up for each key, for the server cannot tell
    /// how many rows a join would have.
    fn size_of_row(&self) -> String {
        let size = |slot| format!("coalesce(pg_column_size(t.{}), 0)", self.column(slot));
        let sizes: Vec<String> = (0..=self.data_type.fields.len()).map(size).collect();
        format!("(SELECT {} FROM {} AS t WHERE t.{} = part.key)", sizes.join(" + "), self.name(), self.key)
    }

    /// Those from `$3` to `$4`, in order.
    pub(super) fn touched(&self) -> String {
        let keys = self.touched_keys(|key| format!(" AND {key} BETWEEN $3 AND $4"));
        format!("SELECT key FROM ({keys}) AS touched ORDER BY key")
    }

    /// Removes the rows of the keys `$1`, and answers the keys.
    pub(super) fn delete(&self) -> String {
        let key = &self.key;
        format!("DELETE FROM {} WHERE {key} = ANY($1) RETURNING {key} AS key", self.name())
    }

    /// All columns of ours.
    fn all_columns(&self) -> Vec<String> {
        let fields = (0..=self.data_type.fields.len()).map(|slot| self.column(slot));
        let ours = ["_operation", "_position", "_updated_at", "_hash"].map(str::to_owned);
        fields.chain(ours).collect()
    }

    /// The rows of the images of the keys `$1`, of the import `$2` of the type `$3`.
    fn images(&self) -> String {
        format!(
            "{} JOIN carrack.images AS m ON m.operation = c.operation AND m.id = c.image, \
             json_populate_record(NULL::{}, m.image) AS i",
            claims("operation", [2, 3, 1]),
            self.name()
        )
    }

    /// Gives rows that are there back what their images hold, and answers the keys.
    pub(super) fn restore(&self) -> String {
        let columns = self.all_columns();
        let others = columns.iter().filter(|column| **column != self.key);
        let assignments: Vec<String> = others.map(|column| format!("{column} = i.{column}")).collect();
        let (name, key) = (self.name(), &self.key);
        format!(
            "UPDATE {name} AS t SET {} FROM {} WHERE t.{key} = c.key RETURNING t.{key} AS key",
            assignments.join(", "),
            self.images()
        )
    }

    /// Brings rows back that are gone, and answers the keys.
    pub(super) fn bring_back(&self) -> String {
        let columns = self.all_columns();
        let values: Vec<String> = columns.iter().map(|column| format!("i.{column}")).collect();
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM {} ON CONFLICT DO NOTHING RETURNING {} AS key",
            self.name(),
            columns.join(", "),
            values.join(", "),
            self.images(),
            self.key
        )
    }
}
