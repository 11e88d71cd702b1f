//! Public corpora of hostile inputs: what must be refused is, with its place; what must be read is equal to
//! what the suite says; what is left open is written down. `docs/corpora.md` is what this test found.
//!
//! `./dev corpora` fetches the suites and tells in `CARRACK_CORPORA` where they are.
#![expect(clippy::unwrap_used, reason = "everything here is a test: a broken expectation is a panic")]

mod document;
mod judging;
mod reading;
mod rules;
mod suites;
#[path = "../../../shared/tests/support/taken.rs"]
mod taken;

use std::path::Path;

#[global_allocator]
static ALLOCATOR: taken::Counting = taken::Counting;

#[test]
fn the_suites_end_as_documented() {
    let Some(folder) = std::env::var_os("CARRACK_CORPORA") else {
        eprintln!("LEFT OUT: no corpora, for CARRACK_CORPORA is not set; ./dev corpora fetches them");
        return;
    };
    let (actual, complaints) = document::of(Path::new(&folder));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    let documented = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/corpora.md");
    if std::fs::read_to_string(&documented).unwrap_or_default() != actual {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/corpora.md");
        std::fs::write(&place, actual).unwrap();
        panic!("docs/corpora.md is not what was found; that stands in target/corpora.md");
    }
}
