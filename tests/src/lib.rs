//! What the system tests share: contract suites, builders, the sandbox.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "everything here is a test: a broken expectation is a panic that names it"
)]

pub mod broker;
pub mod contract;
pub mod proxy;
pub mod services;
