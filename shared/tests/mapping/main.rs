//! Mapping: what a document accepts, what its transformations make of values, and what is refused with which
//! words.
#![allow(clippy::unwrap_used, reason = "a failure is a failed test")]

mod cuts;
mod documents;
mod fields;
mod transformations;

#[path = "../support/mod.rs"]
mod support;

use carrack_shared::format::Format;
use carrack_shared::mapping::Mapping;
use carrack_shared::pipeline::Plan;
use carrack_shared::spec::ImportSpec;
use jiff::Timestamp;
use support::{WHOLE, contexts, decode, shown, spec, split};

/// The mapping of this document.
pub fn mapping(document: &str) -> Mapping {
    let document = serde_json::from_str(document).unwrap();
    Mapping::read(&document).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

/// What becomes of every record: its values, or its faults.
pub fn mapped(document: &str, format: Format, input: &str) -> Vec<Vec<String>> {
    let (segments, facts, broken) = split(format, input.as_bytes(), WHOLE, input.len());
    assert_eq!(broken, None, "{input}");
    let spec = ImportSpec { mapping: Some(mapping(document)), ..spec(format) };
    let started = Timestamp::from_second(1_704_067_200).unwrap();
    let plan = Plan::compile(&spec, &contexts(), &facts.unwrap(), started);
    let outcomes = decode(input.as_bytes(), &segments, &plan).into_iter();
    let told = outcomes.map(|outcome| match outcome.result {
        Ok(accepted) => vec![accepted.values.join(" ")],
        Err(refused) => shown(&refused.faults),
    });
    told.collect()
}

/// The same of the only record.
pub fn only(document: &str, format: Format, input: &str) -> Vec<String> {
    let mut all = mapped(document, format, input);
    assert_eq!(all.len(), 1, "{input}");
    all.remove(0)
}
