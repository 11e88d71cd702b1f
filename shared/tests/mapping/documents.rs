//! What is wrong with a mapping, all at once and each with its place; and the form in which one is stored.

use carrack_shared::format::Format;
use carrack_shared::limits;
use carrack_shared::mapping::Mapping;
use carrack_shared::spec::{ImportSpec, Spec};

use super::{mapping, spec};

fn mistakes(document: &str) -> Vec<String> {
    let document = serde_json::from_str(document).unwrap();
    Mapping::read(&document).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn mistakes_are_told_with_their_places() {
    let cases: &[(&str, &[&str])] = &[
        ("[]", &["found an array, expected an object"]),
        (
            r#"{"fieldMapping":{}}"#,
            &[
                "fieldMapping: unknown name, expected one of fieldMappings, transformations, functions, computedFields",
            ],
        ),
        (r#"{"fieldMappings":[]}"#, &["fieldMappings: found an array, expected an object"]),
        (r#"{"transformations":{}}"#, &["transformations: found an object, expected an array"]),
        (
            r#"{"fieldMappings":{"a":1}}"#,
            &["fieldMappings.a: found the number 1, expected the name of a field, or null to drop it"],
        ),
        (
            r#"{"fieldMappings":{"a":"b..c"}}"#,
            &["fieldMappings.a: found \"b..c\", expected a name on each side of a dot"],
        ),
        (
            r#"{"fieldMappings":{"":"b"}}"#,
            &["fieldMappings.: found \"\", expected a name on each side of a dot"],
        ),
        (
            r#"{"fieldMappings":{"a":"t","b":"t"}}"#,
            &["fieldMappings.b: found the target \"t\", expected one to which \"a\" does not go already"],
        ),
        (
            r#"{"fieldMappings":{"a":"t","b":"t.u"}}"#,
            &[
                "fieldMappings.b: found the target \"t.u\" beside \"t\", expected one that is not inside the other",
            ],
        ),
        (
            r#"{"fieldMappings":{"a.b":"t","['a']['b']":"u"}}"#,
            &["fieldMappings.['a']['b']: found a field that goes to \"t\" already"],
        ),
        (
            r#"{"fieldMappings":{"*":"x"}}"#,
            &[
                "fieldMappings.*: found \"x\", expected \"*\" to keep the rest, \"name.*\" to put it below a field, or null to drop it",
            ],
        ),
        (
            r#"{"fieldMappings":{"a.*":"x"}}"#,
            &["fieldMappings.a.*: found \"*\" in \"a.*\", expected the name of a field"],
        ),
        (r#"{"transformations":["trim"]}"#, &["transformations[0]: found \"trim\", expected an object"]),
        (
            r#"{"transformations":[{}]}"#,
            &[
                "transformations[0].field: found nothing, expected a text",
                "transformations[0].transformation: found nothing, expected a text",
            ],
        ),
        (
            r#"{"transformations":[{"field":"a","transformation":"reverse","x":1}]}"#,
            &[
                "transformations[0].transformation: found \"reverse\", expected one of trim, lowercase, uppercase, capitalize, number, boolean, date, split, join, replace, default, coalesce, json, hash, slug, custom",
            ],
        ),
        (
            r#"{"transformations":[{"field":"a","transformation":"trim","formats":[]}]}"#,
            &["transformations[0].formats: unknown name, expected one of field, transformation"],
        ),
        (
            r#"{"transformations":[{"field":"a","transformation":"trim"},{"field":"a","transformation":"date"}]}"#,
            &["transformations[1].formats: found nothing, expected a list of at least one text"],
        ),
        (
            r#"{"transformations":[{"field":"a","transformation":"date","formats":["%H",1,"%d.%m.%Y"],"timeZone":"Nowhere"}]}"#,
            &[
                "transformations[0].formats[1]: found the number 1, expected a text",
                "transformations[0].formats[0]: found \"%H\", expected a format that names a day, such as %d.%m.%Y: ",
                "transformations[0].timeZone: found \"Nowhere\", expected the name of a time zone, such as Europe/Paris, or +02:00",
            ],
        ),
        (
            r#"{"transformations":[{"field":"a","transformation":"split","separator":""}]}"#,
            &["transformations[0].separator: found an empty text, expected what stands between the parts"],
        ),
        (
            r#"{"transformations":[{"field":"a","transformation":"replace"}]}"#,
            &[
                "transformations[0].search: found nothing, expected a text in search, or a regular expression in pattern",
            ],
        ),
        (
            r#"{"transformations":[{"field":"a","transformation":"replace","search":"a","pattern":"a"}]}"#,
            &["transformations[0].pattern: found a pattern beside search, expected only one of them"],
        ),
        (
            r#"{"transformations":[{"field":"a","transformation":"replace","pattern":"("}]}"#,
            &["transformations[0].pattern: found \"(\", expected a regular expression: unclosed group"],
        ),
        (
            r#"{"transformations":[{"field":"a","transformation":"default","value":null}]}"#,
            &["transformations[0].value: found nothing, expected the value that the field gets"],
        ),
        (
            r#"{"transformations":[{"field":"a","transformation":"coalesce","fields":["b.",""]}]}"#,
            &[
                "transformations[0].fields[0]: found \"b.\", expected a name on each side of a dot",
                "transformations[0].fields[1]: found \"\", expected a name on each side of a dot",
            ],
        ),
        (
            r#"{"transformations":[{"field":"a","transformation":"number","decimal":"12","group":"."}]}"#,
            &[
                "transformations[0].decimal: found \"12\", expected one character that is no letter, digit or sign",
            ],
        ),
        (
            r#"{"transformations":[{"field":"a","transformation":"number","group":"."}]}"#,
            &["transformations[0].group: found '.', which is the decimal mark, expected another character"],
        ),
        (
            r#"{"functions":{"mine":"value"},"transformations":[{"field":"a","transformation":"custom","customFunction":"yours"}]}"#,
            &[
                "transformations[0].customFunction: found \"yours\", expected one of splitAndTrim, parseOldDateFormat, emptyToNull, stripHtml, collapseSpaces, onlyDigits, toText, mine",
            ],
        ),
        (
            r#"{"functions":{"toText":"value"}}"#,
            &["functions.toText: found the name of a function that is built in, expected another one"],
        ),
        (
            r#"{"functions":{"f":"value + other"}}"#,
            &["functions.f: found the name \"other\", expected an expression over value alone"],
        ),
        (r#"{"functions":{"f":1}}"#, &["functions.f: expected a text that is an expression over value"]),
        (
            r#"{"functions":{"f":"value.nope()"}}"#,
            &["functions.f: column 7: found the function \"nope\", expected one of bool, "],
        ),
        (
            r#"{"computedFields":[{"name":"a","expression":"1 +"}]}"#,
            &["computedFields[0].expression: column 4: "],
        ),
        (
            r#"{"computedFields":[{"name":"a","expression":"1\n+ nope()"}]}"#,
            &["computedFields[0].expression: line 2, column 3: found the function \"nope\", "],
        ),
        (
            r#"{"computedFields":[{"name":"a","expression":"1","type":"text"}]}"#,
            &[
                "computedFields[0].type: found \"text\", expected one of string, integer, number, decimal, boolean, date, array, object, binary",
            ],
        ),
        (
            r#"{"computedFields":[{"name":"a.b","expression":"1"},{"name":"a","expression":"2"}]}"#,
            &["computedFields[1].name: found \"a\", expected one that is not computed already"],
        ),
    ];
    for (document, expected) in cases {
        let found = mistakes(document);
        let same = found.len() == expected.len()
            && found.iter().zip(*expected).all(|(found, expected)| found.starts_with(expected));
        assert!(same, "{document}: found {found:#?}, expected {expected:#?}");
    }
}

#[test]
fn documents_are_bounded() {
    let entries = |count: usize| {
        let pairs: Vec<String> = (0..count).map(|index| format!("\"a{index}\":\"b{index}\"")).collect();
        format!("{{\"fieldMappings\":{{{}}}}}", pairs.join(","))
    };
    assert!(Mapping::read(&serde_json::from_str(&entries(limits::MAPPING_ENTRIES)).unwrap()).is_ok());
    let expected = ["fieldMappings: found 1001 entries, expected at most 1000"];
    assert_eq!(mistakes(&entries(limits::MAPPING_ENTRIES + 1)), expected);
    let filled = |bytes: usize| format!("{{\"functions\":{{\"f\":\"{}\"}}}}", "x".repeat(bytes - 22));
    let found = mistakes(&filled(limits::MAPPING_BYTES + 1));
    assert_eq!(found, ["found a mapping of 65537 bytes, expected at most 65536"]);
    assert!(mistakes(&filled(limits::MAPPING_BYTES))[0].contains("found an expression of"));
}

#[test]
fn the_stored_form_is_the_document() {
    let document = r#"{"fieldMappings":{"z":"title","a":"content","*":null},"transformations":[{"field":"title","transformation":"default","value":0.10}]}"#;
    let with = ImportSpec { mapping: Some(mapping(document)), ..spec(Format::Csv) };
    let stored = serde_json::to_string(&Spec::import(with.clone())).unwrap();
    assert!(stored.contains(&document.replace("0.10", "0.1")), "{stored}");
    assert_eq!(serde_json::from_str::<Spec>(&stored).unwrap(), Spec::import(with));
    let without = serde_json::to_string(&Spec::import(spec(Format::Csv))).unwrap();
    assert!(!without.contains("mapping"), "{without}");
    let broken = stored.replace("\"default\"", "\"nope\"");
    assert!(serde_json::from_str::<Spec>(&broken).unwrap_err().to_string().contains("transformations[0]"));
}
