//! What the fuzz targets compare. A target is a file in `src/bin`, its seeds are a folder of that name in
//! `seeds`; `./dev fuzz` finds both.

pub mod cuts;
pub mod documents;
pub mod mapping;
pub mod trips;

#[path = "../../shared/tests/support/mod.rs"]
mod support;
