//! System tests: the sandbox, the contract suites that every adapter passes, and the scenarios.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "everything here is a test: a broken expectation is a panic that names it"
)]

pub mod bench;
pub mod broker;
pub mod chaos;
pub mod contract;
pub mod deadly;
pub mod deployment;
pub mod fleet;
pub mod generate;
pub mod hostile;
pub mod partial;
mod port;
pub mod process;
pub mod proxy;
pub mod services;
pub mod wait;
