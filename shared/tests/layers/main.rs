//! The layers around a text: whatever is written comes back, however it is cut on its way, and what was
//! damaged is refused with the reason and the place.
#![allow(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "inputs of tests are small; a failure is a failed test"
)]

mod bombs;
mod damage;
mod encodings;
mod indexing;
mod opening;
mod samples;
