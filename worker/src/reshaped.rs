//! Takes the rows of an export through its template, off the async threads.

use std::sync::Arc;

use carrack_shared::error::{ErrorKind, PortError};
use carrack_shared::operation::Failure;
use carrack_shared::port::records::RowStream;
use carrack_shared::reshape::Reshaper;
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::task::spawn_blocking;

/// The name under which errors say that a row, not a service, is what is wrong.
const TEMPLATE: &str = "template";

/// The same rows as the template wants them.
pub(crate) fn through(rows: RowStream, reshaper: Reshaper) -> RowStream {
    let reshaper = Arc::new(reshaper);
    let reshaped = rows.and_then(move |piece| {
        let reshaper = Arc::clone(&reshaper);
        async move {
            let work = spawn_blocking(move || reshaper.rows(&piece)).await;
            let outcome =
                work.map_err(|error| PortError::new(ErrorKind::Internal, "worker", error.to_string()))?;
            outcome.map_err(|unfit| PortError::new(ErrorKind::Refused, TEMPLATE, unfit.to_string()))
        }
    });
    reshaped.boxed()
}

/// Why an export can never succeed, if that is what the error says.
pub(crate) fn failure(error: &PortError) -> Option<Failure> {
    (error.service == TEMPLATE).then(|| Failure::new("template.unfit", error.message.clone()))
}
