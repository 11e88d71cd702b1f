//! Contract suites: what a port promises, as checks that every adapter of it passes.

pub mod store;
