//! Forgets the images of rows that nobody may ask for any more: those of imports that ended long ago.

use std::sync::Arc;
use std::time::Duration;

use carrack_shared::error::PortResult;

use crate::context::Context;
use crate::round::{Round, Turn};

/// The pause between two rounds: days do not end often.
const PAUSE: Duration = Duration::from_secs(60);

pub(crate) struct Forgetter {
    /// How long images are kept.
    pub keep: Duration,
}

impl Round for Forgetter {
    const NAME: &'static str = "forgetter";

    fn pause(&self, _context: &Context) -> Duration {
        PAUSE
    }

    async fn turn(&self, context: &Arc<Context>) -> PortResult<Turn> {
        let forgotten = context.ports.store.forget_images(self.keep).await?;
        if forgotten == 0 {
            return Ok(Turn::Idle);
        }
        tracing::debug!(images = forgotten, "forgot images of rows that imports had overwritten");
        Ok(Turn::Busy)
    }
}
