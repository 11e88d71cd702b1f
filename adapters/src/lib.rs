//! The only crate that speaks to databases, object stores, queues and caches.

pub mod postgres;
pub mod sqlite;
