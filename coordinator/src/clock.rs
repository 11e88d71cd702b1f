//! The one place where the coordinator reads the wall clock and makes ids. Decisions never depend on it:
//! they go by the database's clock; this one only dates documents and sorts ids.

use carrack_shared::operation::OperationId;
use jiff::{Timestamp, Unit};
use uuid::Uuid;

/// Now, for documents: to the millisecond.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the clock, and nothing is decided by it"
)]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    now.round(Unit::Millisecond).unwrap_or(now)
}

/// A new operation's id.
pub fn new_operation_id() -> OperationId {
    OperationId::from_uuid(Uuid::now_v7())
}

/// A key prefix under which the sources of one request are stored.
pub fn new_source_prefix() -> String {
    format!("sources/{}", Uuid::now_v7())
}
