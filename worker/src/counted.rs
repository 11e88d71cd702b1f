//! Counts the rows of a part while they pass, and compares them with what the snapshot has promised.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use carrack_shared::error::{ErrorKind, PortError};
use carrack_shared::port::records::RowStream;
use carrack_shared::segment::KeyRange;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

/// How many of the planned rows come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// All of them.
    All,
    /// Those that meet the conditions of a filter.
    Some,
}

/// The rows that have passed.
#[derive(Clone, Default)]
pub(crate) struct Count(Arc<AtomicU64>);

impl Count {
    pub fn rows(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// The same rows; they end with an error when there are not as many as were promised.
pub(crate) fn counted(rows: RowStream, keys: &KeyRange, promise: Promise) -> (RowStream, Count) {
    let (count, planned) = (Count::default(), u64::from(keys.rows));
    let (passing, passed) = (count.clone(), count.clone());
    let rows = rows.inspect_ok(move |piece| {
        passing.0.fetch_add(piece.len() as u64, Ordering::AcqRel);
    });
    let check = stream::once(async move {
        let seen = passed.rows();
        let kept = if promise == Promise::All { seen == planned } else { seen <= planned };
        if kept { Ok(None) } else { Err(miscounted(seen, planned)) }
    });
    let checked = rows.map_ok(Some).chain(check).try_filter_map(|piece| std::future::ready(Ok(piece)));
    (checked.boxed(), count)
}

fn miscounted(seen: u64, planned: u64) -> PortError {
    let message = format!("a key range of the snapshot has {seen} rows, expected {planned}");
    PortError::new(ErrorKind::Internal, "worker", message)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use carrack_shared::record::{Cell, Origin, Position, Rows};
    use carrack_shared::schema;

    use super::*;

    fn rows(count: u64) -> Rows {
        let mut rows = Rows::new(schema::built_in("sessions").unwrap(), Bytes::new(), 0, 1);
        let cells = vec![Cell::Missing; rows.width()];
        (1..=count).for_each(|number| {
            rows.push(Origin { position: Position::new(0, number), frame: 0..0 }, &cells);
        });
        rows
    }

    #[tokio::test]
    async fn rows_are_as_many_as_were_promised() {
        let keys = KeyRange { table: 0, from: "a".into(), to: "z".into(), first: 1, rows: 5 };
        for (pieces, promise, expected) in [
            (&[3, 2][..], Promise::All, true),
            (&[3, 1], Promise::All, false),
            (&[3, 3], Promise::All, false),
            (&[3, 1], Promise::Some, true),
            (&[], Promise::Some, true),
            (&[3, 3], Promise::Some, false),
        ] {
            let stream = stream::iter(pieces.iter().map(|count| Ok(rows(*count)))).boxed();
            let (stream, count) = counted(stream, &keys, promise);
            let outcome: Result<Vec<Rows>, _> = stream.try_collect().await;
            assert_eq!(outcome.is_ok(), expected, "{pieces:?} {promise:?}");
            assert_eq!(count.rows(), pieces.iter().sum::<u64>());
        }
    }
}
