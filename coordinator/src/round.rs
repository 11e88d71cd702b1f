//! How a loop of the coordinator goes round: at once while there is work, with a pause when there is none,
//! and with growing waits while a service is away.

use std::sync::Arc;
use std::time::Duration;

use carrack_shared::backoff::Backoff;
use carrack_shared::error::PortResult;

use crate::context::Context;

/// How long a loop waits after failures.
const RETRY: Backoff = Backoff { first: Duration::from_millis(200), most: Duration::from_secs(5) };

/// Whether a loop found something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Busy,
    Idle,
}

/// One loop of the coordinator.
pub(crate) trait Round: Send + Sync {
    /// Its name, in logs.
    const NAME: &'static str;

    /// The pause when there is nothing to do.
    fn pause(&self, context: &Context) -> Duration {
        context.settings.poll()
    }

    /// Ends the pause early.
    fn woken(&self, _: &Context) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// Does what there is to do now.
    fn turn(&self, context: &Arc<Context>) -> impl Future<Output = PortResult<Turn>> + Send;
}

/// Goes round until shutdown.
pub(crate) async fn go<R: Round>(context: Arc<Context>, round: R) {
    let mut failures = 0;
    while !context.shutdown.is_cancelled() {
        let pause = round.pause(&context);
        let wait = match round.turn(&context).await {
            Ok(turn) => {
                failures = 0;
                if turn == Turn::Busy {
                    continue;
                }
                pause
            }
            Err(error) => {
                tracing::warn!(what = R::NAME, error = error.chain(), "a service is away, trying again");
                context.trouble.send_replace(Some((&error).into()));
                failures += 1;
                RETRY.wait(failures, rand::random()).max(pause)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = round.woken(&context) => {}
            () = context.shutdown.cancelled() => {}
        }
    }
}
