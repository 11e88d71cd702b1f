//! System tests: the sandbox, the contract suites that every adapter passes, and the scenarios.

pub mod generate;
