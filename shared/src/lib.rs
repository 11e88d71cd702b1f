//! Carrack's pure core: what a record is, how formats are framed and read, how duplicates are decided,
//! and the ports through which the rest of the system reaches the outside.
//!
//! Nothing here opens a socket, runs SQL, reads a clock or the environment: the same input gives the same
//! output, on a worker, in a test, and when a batch is executed a second time.

pub mod backoff;
pub mod budget;
pub mod config;
pub mod content;
pub mod document;
pub mod doubt;
pub mod duplicates;
pub mod error;
pub mod fault;
pub mod filter;
pub mod format;
pub mod infer;
pub mod layer;
pub mod limits;
pub mod mapping;
pub mod operation;
mod pattern;
pub mod pipeline;
pub mod port;
pub mod reconcile;
pub mod record;
pub mod reshape;
pub mod scalar;
pub mod schema;
pub mod segment;
pub mod spec;
pub mod staging;
pub mod suspicion;
pub mod tally;
pub mod task;
pub mod template;
pub mod undo;
pub mod varint;
pub mod verify;
