//! The promises, shown with real processes: killed, cancelled, fed hostile files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "everything here is a test: a broken expectation is a panic that names it"
)]

mod all_types;
mod at_once;
mod binary;
mod budget;
mod cancel;
mod crashes;
mod dry_run;
mod duplicates;
mod environment;
mod equality;
mod filters;
mod full_disk;
mod hopeless;
mod hostile;
mod indexed;
mod layers;
mod merging;
mod mortal;
mod poison;
mod retries;
mod round_trip;
mod shares;
mod strict;
mod templates;
mod undo;
mod verification;
