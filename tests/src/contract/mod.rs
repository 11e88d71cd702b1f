//! Contract suites: what a port promises, as checks that every adapter of it passes.

pub mod check;
pub mod objects;
pub mod progress;
pub mod queue;
pub mod store;
