//! What a round left behind on a fleet.

use std::time::Duration;

use anyhow::{Context, ensure};
use carrack_shared::record::Position;

use super::Report;
use super::promises::{Effect, Left, Row};
use crate::fleet::Fleet;

/// Every change of the table is logged into a table without unique keys, so that an upsert cannot hide a
/// second effect.
const WATCH_EFFECTS: &str = r#"
    CREATE TABLE public.effects (id text, kind text, position bigint);
    CREATE FUNCTION public.log_effect() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.effects VALUES
            (coalesce(NEW.id, OLD.id), TG_OP, coalesce(NEW._position, OLD._position));
        RETURN NULL;
    END $$;
    CREATE TRIGGER effects AFTER INSERT OR UPDATE OR DELETE ON carrack_data."contexts"
        FOR EACH ROW EXECUTE FUNCTION public.log_effect();
"#;

/// Creates the table by an import of nothing, and the log of its effects.
pub(super) async fn watch_effects(fleet: &Fleet) -> anyhow::Result<()> {
    std::fs::write(fleet.path("nothing.json"), "[]")?;
    let import = fleet.command("nothing", &["import", "nothing.json", "--type", "contexts", "--json"])?;
    let ended = import.wait(Duration::from_secs(60)).await?;
    ensure!(ended.code == Some(0), "an import of nothing ended with {:?}: {}", ended.code, ended.stdout);
    fleet.database.batch_execute(WATCH_EFFECTS).await.context("the log of effects")
}

/// Reads everything back.
pub(super) async fn left(fleet: &Fleet, report: Report) -> anyhow::Result<Left> {
    let rows =
        fleet.database.query(r#"SELECT id, title, _position FROM carrack_data."contexts""#, &[]).await?;
    let effects = fleet.database.query("SELECT id, kind, position FROM public.effects", &[]).await?;
    let record = |stored: i64| Position::from_stored(stored).record();
    Ok(Left {
        rows: rows
            .iter()
            .map(|row| Row { key: row.get(0), title: row.get(1), record: record(row.get(2)) })
            .collect(),
        effects: effects
            .iter()
            .map(|row| Effect { key: row.get(0), kind: row.get(1), record: record(row.get(2)) })
            .collect(),
        rejects: count(fleet, "SELECT count(*) FROM carrack.rejects").await?,
        read: count(fleet, "SELECT sum(read)::bigint FROM carrack.ledger").await?,
        doubled: count(
            fleet,
            "SELECT count(*) FROM (SELECT 1 FROM carrack.ledger GROUP BY operation, batch HAVING count(*) > 1) d",
        )
        .await?,
        rejects_file: std::fs::read_to_string(fleet.path("rejects.ndjson"))?,
        report,
    })
}

async fn count(fleet: &Fleet, sql: &str) -> anyhow::Result<u64> {
    Ok(u64::try_from(fleet.count(sql).await?)?)
}
