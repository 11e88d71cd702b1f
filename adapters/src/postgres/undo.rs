//! Undoes an import, a range of keys at a time: which keys it has touched, how each is now, and what is done.

use std::collections::{HashMap, HashSet};

use carrack_shared::error::PortResult;
use carrack_shared::operation::{OperationId, State};
use carrack_shared::record::Position;
use carrack_shared::schema::DataType;
use carrack_shared::segment::KeyRange;
use carrack_shared::spec::UndoSpec;
use carrack_shared::tally::{Counted, Tally};
use carrack_shared::undo::{self, Images, Most, NotUndoable, Touched, Verdict};
use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::Row;
use uuid::Uuid;

use super::commit::Outcome;
use super::error::{failed, internal, reason, refuses_row};
use super::operation_row;
use super::sql::{Params, execute, fixed, get, get_u32, query, query_opt};
use super::tables::Table;
use super::takeover::{self, Lock, claims};

/// Rows of the table that one step of a plan looks at, at most: those of the import may be few among many.
const WINDOW: i64 = 50_000;

/// Why a row is refused that no statement fails for.
const LEFT_OUT: &str = "a trigger or rule of the table left the row out";

/// The next keys behind `behind` that `parent` has touched, at most `most`.
pub(super) async fn next_touched(
    client: &impl GenericClient,
    parent: OperationId,
    data_type: &DataType,
    behind: Option<&str>,
    most: Most,
) -> PortResult<Option<KeyRange>> {
    let what = "look for rows to be undone";
    let (table, name) = (Table::new(data_type), data_type.name.as_str());
    let (parent, limit) = (parent.as_uuid(), i64::from(most.rows));
    let bytes = i64::try_from(most.bytes).unwrap_or(i64::MAX);
    let mut behind = behind.map(str::to_owned);
    loop {
        let window = match &behind {
            None => query_opt(client, what, &table.range(false), &[&WINDOW]).await?,
            Some(behind) => query_opt(client, what, &table.range(true), &[&WINDOW, behind]).await?,
        };
        // Behind the table's last row there may still be keys whose rows are gone.
        let full = window.filter(|row| row.try_get("rows").is_ok_and(|rows: i64| rows == WINDOW));
        let to: Option<String> = full.map(|row| get(&row, "last")).transpose()?;
        let (sql, bounds) = table.touched_range(behind.as_deref(), to.as_deref());
        let mut params: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> =
            vec![&parent, &name, &limit, &bytes];
        params.extend(bounds.iter().map(|bound| bound as &(dyn tokio_postgres::types::ToSql + Sync)));
        let found = query_opt(client, what, &sql, &params).await?;
        let found = found.filter(|row| row.try_get("rows").is_ok_and(|rows: i64| rows > 0));
        if let Some(row) = found {
            let (from, to, rows) = (get(&row, "first")?, get(&row, "last")?, get_u32(&row, "rows")?);
            return Ok(Some(KeyRange { table: 0, from, to, first: 1, rows }));
        }
        if to.is_none() {
            return Ok(None);
        }
        behind = to;
    }
}

/// A range of keys to be undone.
pub(super) struct Undoing<'batch> {
    pub(super) tx: &'batch Transaction<'batch>,
    pub(super) spec: &'batch UndoSpec,
    pub(super) data_type: &'batch DataType,
    pub(super) keys: &'batch KeyRange,
}

impl Undoing<'_> {
    /// Undoes the range; answers what came of it and the conflicts.
    pub(super) async fn run(&self) -> PortResult<Outcome> {
        let table = Table::new(self.data_type);
        let (mut by_verdict, mut conflicts) = (HashMap::<_, Vec<Touched>>::new(), Vec::new());
        let key_field = self.data_type.key_field().name.as_str();
        let mut tally = Tally::default();
        for touched in self.touched(&table).await? {
            let verdict = touched.decide(self.spec.parent, self.spec.force);
            match verdict {
                Verdict::Leave => tally.count(verdict.counted()),
                Verdict::Conflict => {
                    tally.count(verdict.counted());
                    conflicts.push(touched.conflict(self.spec.parent, key_field));
                }
                Verdict::Remove => by_verdict.entry("remove").or_default().push(touched),
                Verdict::Restore if touched.now.is_some() => {
                    by_verdict.entry("restore").or_default().push(touched);
                }
                Verdict::Restore => by_verdict.entry("bring back").or_default().push(touched),
            }
        }
        for (what, statement) in
            [("remove", table.delete()), ("restore", table.restore()), ("bring back", table.bring_back())]
        {
            let rows = by_verdict.remove(what).unwrap_or_default();
            let verdict = if what == "remove" { Verdict::Remove } else { Verdict::Restore };
            let mut refused = self.apply(&statement, what != "remove", &rows).await?;
            for touched in rows {
                let reason = refused.remove(&touched.key);
                tally.count(if reason.is_some() { Counted::Rejected } else { verdict.counted() });
                conflicts.extend(reason.map(|reason| touched.refused(key_field, reason)));
            }
        }
        conflicts.sort_by_key(|reject| reject.position.stored());
        Ok(Outcome {
            tally: undo::settled(tally, self.keys.rows),
            bytes: 0,
            part: None,
            late_rejects: conflicts,
        })
    }

    /// The keys of the range that the import has touched, in their order; their rows are locked.
    async fn touched(&self, table: &Table<'_>) -> PortResult<Vec<Touched>> {
        const OPEN: &str =
            "SELECT id FROM carrack.operations WHERE state IN ('running', 'finalising', 'cancelling')";
        let (ours, others) = (claims("operation", [1, 2, 3]), claims("from_operation", [1, 2, 3]));
        let images = format!(
            "SELECT c.key, (i.image ->> '_operation')::uuid AS _operation,
                    (i.image ->> '_position')::bigint AS _position, (i.image ->> '_hash')::bytea AS _hash
             FROM {ours} JOIN carrack.images AS i ON i.operation = c.operation AND i.id = c.image"
        );
        let claimed = format!(
            "SELECT key, position, counted <> 'created' AS met, over_operation, over_position FROM {ours}"
        );
        let others = format!("SELECT key, max(from_position) AS position FROM {others} GROUP BY key");
        let works_on = format!("SELECT key, operation FROM {ours}");
        let what = "look up rows to be undone";
        let (parent, name) = (self.spec.parent.as_uuid(), self.data_type.name.as_str());
        let bounds: &Params<'_> = &[&parent, &name, &self.keys.from, &self.keys.to];
        let rows = query(self.tx, what, &table.touched(), bounds).await?;
        let keys = rows.iter().map(|row| get(row, "key")).collect::<PortResult<Vec<String>>>()?;
        let named: Vec<&str> = keys.iter().map(String::as_str).collect();
        let now = takeover::existing(self.tx, table, &named, Lock::Wait).await?;
        // Read behind the locks, so that they belong to the rows.
        let params: &Params<'_> = &[&parent, &name, &named];
        let images = by_key(&query(self.tx, what, &images, params).await?, takeover::read_existing)?;
        let position = |row: &Row| Ok(Position::from_stored(get(row, "position")?));
        let claims = by_key(&query(self.tx, what, &claimed, params).await?, Claim::read)?;
        let others = by_key(&query(self.tx, what, &others, params).await?, position)?;
        let open = query(self.tx, what, OPEN, &[]).await?;
        let open = open.iter().map(|row| get(row, "id")).collect::<PortResult<Vec<Uuid>>>()?;
        let operation = |row: &Row| Ok(OperationId::from_uuid(get(row, "operation")?));
        let mut held: HashMap<String, OperationId> = HashMap::new();
        for open in &open {
            held.extend(by_key(&query(self.tx, what, &works_on, &[open, &name, &named]).await?, operation)?);
        }
        let is_open = |writer: &OperationId| open.contains(&writer.as_uuid());
        let touched = keys.into_iter().map(|key| {
            let (now, claim) = (now.get(&key).copied(), claims.get(&key));
            let position = claim.map(|claim| claim.position).or_else(|| others.get(&key).copied());
            Touched {
                position: position.or(now.map(|now| now.position)).unwrap_or(Position::from_stored(0)),
                met: claim.is_some_and(|claim| claim.met),
                image: images.get(&key).copied(),
                over: claim.and_then(|claim| claim.over),
                held: held.get(&key).copied().or(now.map(|now| now.operation).filter(is_open)),
                now,
                key,
            }
        });
        Ok(touched.collect())
    }

    /// Runs `sql` for all rows although the table refuses some of them, and answers these with the reasons. It
    /// takes the keys, where `images` is true behind the import and the type, and answers the keys that it has
    /// written.
    async fn apply(&self, sql: &str, images: bool, rows: &[Touched]) -> PortResult<HashMap<String, String>> {
        let what = "undo rows";
        let (parent, name) = (self.spec.parent.as_uuid(), self.data_type.name.as_str());
        let mut refused = HashMap::new();
        let mut open = vec![rows];
        while let Some(part) = open.pop() {
            if part.is_empty() {
                continue;
            }
            let keys: Vec<&str> = part.iter().map(|touched| touched.key.as_str()).collect();
            let params: &Params<'_> = if images { &[&keys, &parent, &name] } else { &[&keys] };
            fixed(self.tx, "SAVEPOINT part").await.map_err(failed(what))?;
            let statement = self.tx.prepare_cached(sql).await.map_err(failed(what))?;
            match self.tx.query(&statement, params).await {
                Ok(answer) => {
                    fixed(self.tx, "RELEASE part").await.map_err(failed(what))?;
                    let written =
                        answer.iter().map(|row| get(row, "key")).collect::<PortResult<HashSet<String>>>()?;
                    let left_out = keys.iter().filter(|key| !written.contains(**key));
                    refused.extend(left_out.map(|key| ((*key).to_owned(), LEFT_OUT.to_owned())));
                }
                Err(error) if refuses_row(&error) => {
                    fixed(self.tx, "ROLLBACK TO part; RELEASE part").await.map_err(failed(what))?;
                    match part {
                        [one] => drop(refused.insert(one.key.clone(), reason(&error))),
                        _ => {
                            let (first, second) = part.split_at(part.len() / 2);
                            open.extend([second, first]);
                        }
                    }
                }
                Err(error) => return Err(failed(what)(error)),
            }
        }
        Ok(refused)
    }
}

/// What the import remembers of a key.
struct Claim {
    position: Position,
    met: bool,
    over: Option<(OperationId, Position)>,
}

impl Claim {
    fn read(row: &Row) -> PortResult<Self> {
        let from: Option<Uuid> = get(row, "over_operation")?;
        let at: Option<i64> = get(row, "over_position")?;
        Ok(Self {
            position: Position::from_stored(get(row, "position")?),
            met: get(row, "met")?,
            over: from.zip(at).map(|(from, at)| (OperationId::from_uuid(from), Position::from_stored(at))),
        })
    }
}

fn by_key<T>(rows: &[Row], read: impl Fn(&Row) -> PortResult<T>) -> PortResult<HashMap<String, T>> {
    rows.iter().map(|row| Ok((get(row, "key")?, read(row)?))).collect()
}

/// Takes the images of the import that is to be undone, so that they stay until the undo ends.
pub(super) async fn hold_images(
    tx: &Transaction<'_>,
    parent: OperationId,
) -> PortResult<Result<(), NotUndoable>> {
    const LOCK: &str = "SELECT images FROM carrack.operations WHERE id = $1 FOR UPDATE";
    const HOLD: &str = "UPDATE carrack.operations SET images = 'undoing' WHERE id = $1";
    let what = "look up an operation to be undone";
    let Some(row) = query_opt(tx, what, LOCK, &[&parent.as_uuid()]).await? else {
        return Ok(Err(NotUndoable::Unknown(parent)));
    };
    let images: Option<String> = get(&row, "images")?;
    let found = operation_row::find(tx, parent).await?;
    let found = found.ok_or_else(|| internal("an operation that was there just now"))?;
    if let Err(reason) = undo::check(&found, images.as_deref().and_then(Images::parse)) {
        return Ok(Err(reason));
    }
    execute(tx, what, HOLD, &[&parent.as_uuid()]).await?;
    Ok(Ok(()))
}

/// Lets go of the images, and says how the import stands now. Those of one that is undone are of no more use.
pub(super) async fn settle_parent(
    tx: &Transaction<'_>,
    parent: OperationId,
    state: Option<State>,
) -> PortResult<()> {
    const SQL: &str = "UPDATE carrack.operations SET state = coalesce($2, state), epoch = epoch + 1,
                images = CASE $2 WHEN 'undone' THEN 'forgetting' ELSE 'kept' END
         WHERE id = $1 AND images = 'undoing'";
    execute(tx, "settle the parent of an undo", SQL, &[&parent.as_uuid(), &state.map(State::as_str)]).await?;
    Ok(())
}
