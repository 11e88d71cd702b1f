//! The command as its users run it: real processes, an embedded store in a folder of its own, and the API
//! that `carrack serve` offers over it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "the tests made the files that they read, and they are small")]

mod all_types;
mod api;
mod api_problems;
mod corrections;
mod damage;
mod exports;
mod filters;
mod guide;
mod imports;
mod infer;
mod json_schema;
mod mapping;
mod merging;
mod operations;
mod places;
mod readings;
mod rejects;
mod rekey;
mod remote;
mod retry;
mod secrets;
mod staged;
mod streams;
mod support;
mod template_exports;
mod template_records;
mod templates;
mod usage;
mod verify;
