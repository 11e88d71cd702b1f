//! What must hold after a round.

use std::time::Duration;

use anyhow::{Context, ensure};

use super::{Load, Report};
use crate::fleet::Fleet;

/// Every change of the table is logged into a table without unique keys, so that an upsert cannot hide a
/// second effect.
const WATCH_EFFECTS: &str = r#"
    CREATE TABLE public.effects (id text, kind text);
    CREATE FUNCTION public.log_effect() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.effects VALUES (coalesce(NEW.id, OLD.id), TG_OP);
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

/// Everything that the round promises.
pub(super) async fn verify(fleet: &Fleet, load: &Load, report: &Report) -> anyhow::Result<()> {
    let (good, bad) = (i64::try_from(load.good)?, i64::try_from(load.bad)?);
    ensure!(report.status == "succeeded_with_rejects", "the operation ended {}", report.status);
    let found = (report.read, report.created, report.rejected);
    let expected = (load.good + load.bad, load.good, load.bad);
    ensure!(found == expected, "(read, created, rejected): found {found:?}, expected {expected:?}");
    ensure!((report.updated, report.unchanged, report.skipped) == (0, 0, 0), "other counts in {report:?}");
    let rejects = format!("SELECT count(*) FROM carrack.rejects WHERE operation = '{}'", report.operation_id);
    let table: [(&str, &str, i64); 7] = [
        ("effects", "SELECT count(*) FROM public.effects", good),
        ("records with an effect", "SELECT count(DISTINCT id) FROM public.effects", good),
        ("effects that are no inserts", "SELECT count(*) FROM public.effects WHERE kind <> 'INSERT'", 0),
        ("rows", r#"SELECT count(*) FROM carrack_data."contexts""#, good),
        ("rejects", &rejects, bad),
        ("records in the ledger", "SELECT sum(read)::bigint FROM carrack.ledger", good + bad),
        (
            "batches with two ledger rows",
            "SELECT count(*) FROM (SELECT 1 FROM carrack.ledger GROUP BY operation, batch HAVING count(*) > 1) d",
            0,
        ),
    ];
    for (what, sql, expected) in table {
        let found = fleet.count(sql).await?;
        ensure!(found == expected, "{what}: found {found}, expected {expected}");
    }
    let file = std::fs::read_to_string(fleet.path("rejects.ndjson"))?;
    let lines = i64::try_from(file.lines().count())?;
    ensure!(lines == bad, "lines in the rejects file: found {lines}, expected {bad}");
    Ok(())
}
