//! Leaves the rows of an export out that do not match the expression of its filter, off the async threads.

use std::sync::Arc;

use carrack_shared::error::{ErrorKind, PortError};
use carrack_shared::filter::Judge;
use carrack_shared::operation::Failure;
use carrack_shared::port::records::RowStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::task::spawn_blocking;

/// The name under which errors say that a row, not a service, is what is wrong.
const FILTER: &str = "filter";

/// Those of these rows that match.
pub(crate) fn by(rows: RowStream, judge: Judge) -> RowStream {
    let judge = Arc::new(judge);
    let chosen = rows.and_then(move |mut piece| {
        let judge = Arc::clone(&judge);
        async move {
            let work = spawn_blocking(move || {
                let keep = judge.matching(&piece)?;
                piece.keep(&keep);
                Ok(piece)
            });
            let outcome = work
                .await
                .map_err(|error| PortError::new(ErrorKind::Internal, "worker", error.to_string()))?;
            outcome.map_err(|undecided: carrack_shared::filter::Undecided| {
                PortError::new(ErrorKind::Refused, FILTER, undecided.to_string())
            })
        }
    });
    chosen.try_filter(|piece| std::future::ready(!piece.is_empty())).boxed()
}

/// Why an export can never succeed, if that is what the error says.
pub(crate) fn failure(error: &PortError) -> Option<Failure> {
    (error.service == FILTER).then(|| Failure::new("filter.where", error.message.clone()))
}
