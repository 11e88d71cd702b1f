//! Where the input is cut changes nothing, also through a mapping; and a mapping that changes nothing gives what
//! none gives, in every format and whatever stands in the records.

use carrack_shared::mapping::Mapping;
use carrack_shared::pipeline::split::Rules;
use proptest::prelude::*;

use super::mapping;
use super::support::inputs::input;
use super::support::{Outcome, WHOLE, run, run_mapped};

/// Mappings that do something in most records.
const MAPPINGS: [&str; 4] = [
    r#"{"fieldMappings":{"title":"content","content":"title","color":"type","x":null}}"#,
    r#"{"fieldMappings":{"title":"metadata.title","metadata":"old","*":"extra fields.*","id":"id","content":"content"},
        "transformations":[{"field":"title","transformation":"default","value":"none"}]}"#,
    r#"{"transformations":[{"field":"title","transformation":"capitalize"},{"field":"tags","transformation":"split"},
        {"field":"createdAt","transformation":"custom","customFunction":"parseOldDateFormat"},
        {"field":"metadata.k","transformation":"default","value":[1]},{"field":"type","transformation":"hash"}]}"#,
    r#"{"computedFields":[{"name":"title","expression":"content + '!'"},{"name":"n","expression":"size(tags)"},
        {"name":"t","expression":"tags.map(t, t + title)"},{"name":"at","expression":"now()","type":"date"}]}"#,
];

/// Every field of the schema, and one outside of it, by its own name.
const ITSELF: &str = r#"{"fieldMappings":{"id":"id","title":"title","content":"content","type":"type","tags":"tags",
    "sessionId":"sessionId","createdAt":"createdAt","updatedAt":"updatedAt","metadata":"metadata","color":"color"}}"#;

/// The same fields, each taken for a value and left as it is.
fn touching() -> Mapping {
    let fields =
        ["id", "title", "content", "type", "tags", "sessionId", "createdAt", "updatedAt", "metadata", "x"];
    let step = |field: &str| {
        format!(r#"{{"field":"{field}","transformation":"coalesce","fields":["nothing like it"]}}"#)
    };
    mapping(&format!(r#"{{"transformations":[{}]}}"#, fields.map(step).join(",")))
}

fn rules() -> impl Strategy<Value = Rules> {
    let records = prop_oneof![1..5u32, Just(u32::MAX)];
    (records, prop_oneof![1..80u64, Just(u64::MAX)]).prop_map(|(batch_records, batch_bytes)| Rules {
        batch_records,
        batch_bytes,
        ..WHOLE
    })
}

/// The values of the records that were accepted, by their numbers.
fn accepted(outcomes: &[Outcome]) -> Vec<(u64, &[String])> {
    let good = outcomes.iter().filter_map(|outcome| Some((outcome.record, outcome.result.as_ref().ok()?)));
    good.map(|(record, accepted)| (record, &accepted.values[..])).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cutting_changes_nothing((way, input) in input(), chosen in 0..MAPPINGS.len(), rules in rules(), size in 1..8usize) {
        let mapping = mapping(MAPPINGS[chosen]);
        let whole = run_mapped(way.clone(), Some(&mapping), &input, WHOLE, input.len());
        prop_assert_eq!(&run_mapped(way, Some(&mapping), &input, rules, size), &whole);
    }

    #[test]
    fn a_mapping_that_changes_nothing_is_none((way, input) in input()) {
        let (plain, broken) = run(way.clone(), &input, WHOLE, input.len());
        for mapping in [mapping(ITSELF), touching()] {
            let (mapped, broken_then) = run_mapped(way.clone(), Some(&mapping), &input, WHOLE, input.len());
            prop_assert_eq!(accepted(&mapped), accepted(&plain), "{:?}", mapping);
            prop_assert_eq!((mapped.len(), &broken_then), (plain.len(), &broken));
        }
    }
}
