//! Brings the control tables up to date, once however many processes start.

use carrack_shared::error::{ErrorKind, PortError, PortResult};
use deadpool_postgres::Object;

use super::error::{SERVICE, failed};
use super::sql::fixed;

mod embedded {
    refinery::embed_migrations!("migrations/postgres");
}

/// Runs what is missing. The lock belongs to the session, so a process that dies lets go of it.
pub(super) async fn run(client: &mut Object) -> PortResult<()> {
    fixed(&*client, LOCK).await.map_err(failed("wait for the migrations of another process"))?;
    let done = embedded::migrations::runner()
        .set_migration_table_name("carrack.schema_history")
        .run_async(&mut ***client)
        .await;
    fixed(&*client, UNLOCK).await.map_err(failed("let go of the migration lock"))?;
    match done {
        Ok(_) => Ok(()),
        Err(error) => {
            let message = "cannot bring the control tables up to date";
            Err(PortError::new(ErrorKind::Refused, SERVICE, message).because(error))
        }
    }
}

/// "CARR" << 32, the key below those of the operations. The schema holds the history, so it comes first.
const LOCK: &str = "SET statement_timeout = '60s'; SELECT pg_advisory_lock(4846245186168160256); \
     CREATE SCHEMA IF NOT EXISTS carrack";
const UNLOCK: &str = "SELECT pg_advisory_unlock(4846245186168160256)";
