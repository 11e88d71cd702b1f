//! The only crate that speaks to databases, object stores, queues and caches: one adapter per technology
//! and port, and [`connect()`], the only place that chooses between them.

mod connect;
pub mod local;
mod object_key;
pub mod postgres;
mod progress;
pub mod rabbitmq;
mod redact;
pub mod redis;
pub mod s3;
pub mod sqlite;

pub use connect::{
    ConnectSettings, Urls, connect, connect_objects, connect_progress, connect_queue, connect_store, mistakes,
};
pub use redact::Redacted;
