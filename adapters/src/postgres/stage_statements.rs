//! The statements by which it is decided on a stage; composed, like those of [`super::tables`], of validated
//! identifiers only.

use carrack_shared::spec::Duplicates;

use super::tables::Table;

impl Table<'_> {
    /// Tells the server what is in it.
    pub(super) fn analyze(&self) -> String {
        format!("ANALYZE {}", self.name())
    }

    /// Removes it.
    pub(super) fn drop(&self) -> String {
        format!("DROP TABLE IF EXISTS {}", self.name())
    }

    /// The rows of a stage that have won their keys, in the order of the keys: the fields, extra, `_position`,
    /// `_hash`. Where records are merged, all of them, those of a key in the order of the input.
    pub(super) fn winners(&self, mode: Duplicates) -> String {
        let (columns, key, name) = (self.columns(), &self.key, self.name());
        if mode == Duplicates::Merge {
            return format!("SELECT {columns}, _position, _hash FROM {name} ORDER BY {key}, _position");
        }
        let better = if mode == Duplicates::Overwrite { ">" } else { "<" };
        format!(
            "SELECT {columns}, _position, _hash FROM {name} s WHERE NOT EXISTS (
                 SELECT FROM {name} o WHERE o.{key} = s.{key} AND o._position {better} s._position)
             ORDER BY {key}"
        )
    }

    /// Decides on every row of `stage` against this table, or against none where it is not `there`: notes who
    /// lost a key where that makes a reject, and answers the first records of each count, by position, with the
    /// count's total. Parameters: the operation, the type's name, how many records, the duplicates mode.
    pub(super) fn decide(&self, stage: &Self, there: bool) -> String {
        let (key, staged) = (&self.key, &stage.name());
        let empty = format!("(SELECT NULL::text AS {key}, NULL::bytea AS _hash WHERE false)");
        let table = if there { self.name() } else { &empty };
        format!(
            "WITH ranked AS (
                 SELECT {key} AS key, _position AS position, _hash AS hash,
                        CASE WHEN $4::text = 'overwrite' THEN max(_position) OVER w
                             ELSE min(_position) OVER w END AS winner
                 FROM {staged} WINDOW w AS (PARTITION BY {key})),
             judged AS (
                 SELECT r.key, r.position, CASE WHEN t.{key} IS NULL THEN r.winner END AS winner,
                        CASE WHEN r.position = r.winner AND t.{key} IS NULL THEN 'created'
                             WHEN r.position = r.winner AND $4 = 'overwrite' AND t._hash = r.hash THEN 'unchanged'
                             WHEN r.position = r.winner AND $4 = 'overwrite' THEN 'updated'
                             WHEN $4 = 'reject' THEN 'rejected'
                             ELSE 'skipped' END AS counted
                 FROM ranked r LEFT JOIN {table} t ON t.{key} = r.key),
             lost AS (
                 INSERT INTO carrack.displaced (operation, data_type, key, position, counted, winner)
                 SELECT $1, $2, key, position, 'created', winner FROM judged WHERE counted = 'rejected'),
             numbered AS (
                 SELECT counted, position, key, count(*) OVER (PARTITION BY counted) AS total,
                        row_number() OVER (PARTITION BY counted ORDER BY position) AS number
                 FROM judged)
             SELECT * FROM numbered WHERE number <= $3 ORDER BY position"
        )
    }
}
