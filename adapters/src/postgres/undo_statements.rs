//! The statements by which a data table is undone; composed, like those of [`super::tables`], of validated
//! identifiers only.

use super::tables::Table;
use super::takeover::claims;

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

    /// The first and the last of the first `$3` of them behind `behind` and up to `to`, and how many they are;
    /// and what the statement takes behind `$3`.
    pub(super) fn touched_range<'key>(
        &self,
        behind: Option<&'key str>,
        to: Option<&'key str>,
    ) -> (String, Vec<&'key str>) {
        let keys = self.touched_keys(|key| match (behind, to) {
            (None, None) => String::new(),
            (Some(_), None) => format!(" AND {key} > $4"),
            (None, Some(_)) => format!(" AND {key} <= $4"),
            (Some(_), Some(_)) => format!(" AND {key} > $4 AND {key} <= $5"),
        });
        let sql = format!(
            "SELECT min(key) AS first, max(key) AS last, count(*) AS rows FROM \
             (SELECT key FROM ({keys}) AS touched ORDER BY key LIMIT $3) AS part"
        );
        (sql, behind.into_iter().chain(to).collect())
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
