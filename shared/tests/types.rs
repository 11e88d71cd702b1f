//! Every type of field: what is read as a value of it, what is refused with which words, and that it comes back
//! from every format as what it was.
#![allow(clippy::unwrap_used, reason = "a failure is a failed test")]

mod support;

use std::collections::BTreeMap;

use bytes::Bytes;
use carrack_shared::content::{self, Reference};
use carrack_shared::format::Format;
use carrack_shared::format::encode::Shape;
use carrack_shared::pipeline::Plan;
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use support::written::{EVERYTHING, decoded, encoded, hashes, rows};
use support::{only_as, things};

/// The field `name` of a record with this value, in the words of a format.
fn record(format: Format, name: &str, value: &str) -> String {
    match format {
        Format::Json | Format::Ndjson => format!(r#"{{"id":"1","{name}":{value}}}"#),
        Format::Csv => format!("id,{name}\n1,{value}\n"),
        Format::Xml => format!("<data><item><id>1</id><{name}>{value}</{name}></item></data>"),
        Format::Yaml => format!("- id: \"1\"\n  {name}: {value}\n"),
        Format::Markdown => format!("## Item 1\n**id:** 1\n**{name}:** {value}\n"),
    }
}

/// The value of the field, or what is wrong with it.
fn read(format: Format, name: &str, value: &str) -> String {
    let found = only_as(&things(), format, record(format, name, value).as_bytes());
    let [found] = &found[..] else { panic!("found {found:?}") };
    let slot = things().slot(name).unwrap();
    match found.starts_with("'1' ") {
        true => found.split(' ').nth(slot).unwrap().to_owned(),
        false => found.replacen(&format!(" {name}: "), ": ", 1),
    }
}

fn check(formats: &[Format], cases: &[(&str, &str, &str)]) {
    for (name, value, expected) in cases {
        for format in formats {
            assert_eq!(read(*format, name, value), *expected, "{name}: {value} in {format:?}");
        }
    }
}

const TYPED: [Format; 3] = [Format::Json, Format::Ndjson, Format::Yaml];
const UNTYPED: [Format; 3] = [Format::Csv, Format::Xml, Format::Markdown];

#[test]
fn numbers_and_booleans_are_read_alike_in_every_format() {
    check(
        &Format::ALL,
        &[
            ("integer", "9223372036854775807", "9223372036854775807"),
            ("integer", "-9223372036854775808", "-9223372036854775808"),
            ("integer", "1.0", "1"),
            ("integer", "1e3", "1000"),
            ("integer", "-0", "0"),
            (
                "integer",
                "9223372036854775808",
                "integer.range: found \"9223372036854775808\", expected an integer from -9223372036854775808 to 9223372036854775807",
            ),
            ("number", "0.1", "0.1"),
            ("number", "1.50", "1.5"),
            ("number", "1e3", "1000"),
            (
                "number",
                "9007199254740993",
                "number.precision: found \"9007199254740993\", expected a number that a double holds exactly; the nearest is \"9007199254740992\"",
            ),
            (
                "decimal",
                "9007199254740993.000000000000000000000010",
                "9007199254740993.00000000000000000000001",
            ),
            ("boolean", "true", "true"),
            ("boolean", "false", "false"),
        ],
    );
}

#[test]
fn what_is_told_apart_is_not_converted() {
    check(
        &TYPED,
        &[
            ("integer", "1.5", "type.integer: found the number 1.5, expected an integer"),
            ("integer", "\"1\"", "type.integer: found the text \"1\", expected an integer"),
            ("integer", "true", "type.integer: found true, expected an integer"),
            ("number", "\"0.5\"", "type.number: found the text \"0.5\", expected a number"),
            ("number", "[1]", "type.number: found an array, expected a number"),
            ("decimal", "\"0.5\"", "type.decimal: found the text \"0.5\", expected a decimal number"),
            ("boolean", "\"true\"", "type.boolean: found the text \"true\", expected true or false"),
            ("boolean", "1", "type.boolean: found the number 1, expected true or false"),
            ("text", "\"true\"", "'true'"),
        ],
    );
    check(&[Format::Json], &[("text", "1", "type.string: found the number 1, expected a string")]);
    check(
        &[Format::Yaml],
        &[
            ("integer", "0x1F", "31"),
            ("integer", "007", "type.integer: found the text \"007\", expected an integer"),
            ("boolean", "True", "true"),
            ("boolean", "yes", "type.boolean: found the text \"yes\", expected true or false"),
            ("text", "true", "'true'"),
            ("text", "1", "'1'"),
        ],
    );
}

#[test]
fn texts_are_what_their_field_is() {
    check(
        &UNTYPED,
        &[
            ("integer", "1.5", "type.integer: found the text \"1.5\", expected an integer"),
            ("integer", "007", "type.integer: found the text \"007\", expected an integer"),
            ("integer", "abc", "type.integer: found the text \"abc\", expected an integer"),
            ("number", "NaN", "type.number: found the text \"NaN\", expected a number"),
            ("number", "Infinity", "type.number: found the text \"Infinity\", expected a number"),
            (
                "number",
                "1e309",
                "number.range: found \"1e309\", expected a number up to 1.7976931348623157e308",
            ),
            (
                "decimal",
                "1e1000",
                "number.range: found \"1e1000\", expected a number of at most 1000 digits once written without an exponent",
            ),
            ("boolean", "True", "type.boolean: found the text \"True\", expected true or false"),
            ("boolean", "yes", "type.boolean: found the text \"yes\", expected true or false"),
            ("text", "true", "'true'"),
            ("text", "0.10", "'0.10'"),
        ],
    );
    for name in ["integer", "number", "decimal", "boolean", "date"] {
        check(&UNTYPED, &[(name, "", "-")]);
        check(&[Format::Csv], &[(name, "\"\"", "-")]);
    }
}

const FOO: &str = r#"{"size":3,"sha256":"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"}"#;
const NOTHING: &str =
    r#"{"size":0,"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}"#;

#[test]
fn content_is_base64_or_a_reference() {
    let no_base64 = "binary.base64: found \"!\" at byte 3 of the value, expected base64";
    for format in Format::ALL {
        let text = if TYPED.contains(&format) { |text: &str| format!("\"{text}\"") } else { str::to_owned };
        let cases = [
            (text("Zm9v"), FOO.to_owned()),
            (text("Zm8="), Reference::of(b"fo").json()),
            (text("Zm8"), Reference::of(b"fo").json()),
            (text("Zm9!"), no_base64.to_owned()),
        ];
        for (value, expected) in cases {
            check(&[format], &[("binary", &value, &expected)]);
        }
    }
    // A text without any bytes is a content without any, where the format can say so.
    let empty = [
        (Format::Json, "\"\"", NOTHING),
        (Format::Yaml, "\"\"", NOTHING),
        (Format::Csv, "\"\"", NOTHING),
        (Format::Csv, "", "-"),
        (Format::Xml, "", NOTHING),
        (Format::Markdown, "", NOTHING),
    ];
    for (format, value, expected) in empty {
        check(&[format], &[("binary", value, expected)]);
    }
    // Eight digits are base64, too.
    check(&[Format::Yaml], &[("binary", "12345678", &Reference::of(b"\xd7\x6d\xf8\xe7\xae\xfc").json())]);
    check(
        &[Format::Json],
        &[("binary", "3", "type.binary: found the number 3, expected a string with base64, or a reference")],
    );
    check(
        &[Format::Json, Format::Yaml],
        &[
            ("binary", FOO, FOO),
            ("binary", "[]", "type.binary: found an array, expected a string with base64, or a reference"),
            (
                "binary",
                r#"{"sha256": "2c"}"#,
                "binary.reference: found \"{\\\"sha256\\\":\\\"2c\\\"}\", expected a reference of \"sha256\", 64 lower-case hexadecimal digits, and \"size\", its bytes",
            ),
        ],
    );
    let quoted = format!("\"{}\"", FOO.replace('"', "\"\""));
    check(&[Format::Csv], &[("binary", &quoted, FOO)]);
    check(&[Format::Markdown], &[("binary", &format!("`{FOO}`"), FOO)]);
}

#[test]
fn contents_come_with_the_records_that_pass_each_once() {
    let input = concat!(
        r#"{"id":"1","binary":"Zm9v"}"#,
        "\n",
        r#"{"id":"2","binary":"Zm8="}"#,
        "\n",
        r#"{"id":"3","binary":"Zm9v"}"#,
        "\n",
    );
    let found = decoded(&things(), Format::Json, input.as_bytes()).contents;
    let mut found: Vec<&[u8]> = found.iter().map(|content| &content.bytes[..]).collect();
    found.sort();
    assert_eq!(found, [b"fo", &b"foo"[..]]);

    let bad = Bytes::from_static(br#"{"id":"1","binary":"Zm9v","integer":"x"}"#);
    let (segments, facts, _) = support::split(Format::Json, &bad, support::WHOLE, bad.len());
    let plan =
        Plan::compile(&support::spec(Format::Json), &things(), &facts.unwrap(), jiff::Timestamp::UNIX_EPOCH);
    let decoded = plan.run(&segments[0], &bad).unwrap();
    assert_eq!((decoded.rows.len(), decoded.rejects.len(), decoded.contents.len()), (0, 1, 0));
}

#[test]
fn values_are_written_as_each_format_says_them() {
    let record = format!(
        r#"{{"id":"1","text":"true","integer":-5,"number":1e-7,"decimal":0.10,"boolean":false,"binary":{FOO}}}"#
    );
    let original = rows(&things(), Format::Json, record.as_bytes());
    let sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    let bare = Shape { metadata: true, extra: false };
    let cases = [
        (
            Format::Ndjson,
            format!(
                "{{\"id\":\"1\",\"text\":\"true\",\"integer\":-5,\"number\":0.0000001,\"decimal\":0.1,\"boolean\":false,\"binary\":{FOO}}}\n"
            ),
        ),
        (
            Format::Csv,
            format!(
                "id,text,integer,number,decimal,boolean,date,array,object,binary\n\
                 1,true,-5,0.0000001,0.1,false,,,,\"{}\"\n",
                FOO.replace('"', "\"\"")
            ),
        ),
        (
            Format::Xml,
            format!(
                "<data>\n  <item>\n    <id>1</id>\n    <text>true</text>\n    <integer>-5</integer>\n    \
                 <number>0.0000001</number>\n    <decimal>0.1</decimal>\n    <boolean>false</boolean>\n    \
                 <binary><size xmlns:carrack=\"urn:carrack\" carrack:type=\"json\">3</size>\
                 <sha256>{sha256}</sha256></binary>\n  </item>\n</data>\n"
            ),
        ),
        (
            Format::Yaml,
            format!(
                "- id: \"1\"\n  text: \"true\"\n  integer: -5\n  number: 0.0000001\n  decimal: 0.1\n  boolean: false\n  \
                 binary:\n    size: 3\n    sha256: \"{sha256}\"\n"
            ),
        ),
        (
            Format::Markdown,
            format!(
                "## Item 1\n**id:** 1\n**text:** true\n**integer:** -5\n**number:** 0.0000001\n**decimal:** 0.1\n\
                 **boolean:** false\n**binary:** `{FOO}`\n"
            ),
        ),
    ];
    for (format, expected) in cases {
        assert_eq!(String::from_utf8(encoded(format, &original, bare, 1)).unwrap(), expected, "{format:?}");
    }
}

/// A number as JSON, to its last digit.
fn exact(number: &str) -> Value {
    serde_json::from_str(&format!("\"\\u0000{number}\"")).unwrap()
}

/// JSON of a record in which [`exact`] numbers stand as numbers.
fn written(records: &[Value]) -> String {
    let mut text = serde_json::to_string(records).unwrap();
    while let Some(start) = text.find("\"\\u0000") {
        let end = start + 1 + text[start + 1..].find('"').unwrap();
        let number = text[start + 7..end].to_owned();
        text.replace_range(start..=end, &number);
    }
    text
}

fn hostile_text() -> impl Strategy<Value = Value> {
    let texts = [
        "true", "false", "null", "0", "1", "-1", "1e5", "0.10", "007", "NaN", ".inf", "", " ", "Zm9v", "{}",
        "[]",
    ];
    prop::sample::select(texts.to_vec()).prop_map(Value::from)
}

fn thing() -> impl Strategy<Value = Value> {
    let integer = prop_oneof![
        prop::sample::select(vec![i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX]),
        any::<i64>(),
    ];
    let special = vec![
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        5e-324,
        1e-320,
        -0.0,
        0.1,
        0.1 + 0.2,
        1e23,
        9007199254740992.0,
    ];
    let number =
        prop_oneof![prop::sample::select(special), prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL];
    // Debug writes exponents, as other programs do; Display does not.
    let number = (number, any::<bool>()).prop_map(|(value, exponent)| {
        exact(&if exponent { format!("{value:e}") } else { value.to_string() })
    });
    let decimal = prop_oneof![
        "-?[1-9][0-9]{0,40}",
        "-?[1-9][0-9]{0,30}\\.[0-9]{1,30}",
        "-?0\\.[0-9]{1,40}",
        "-?[1-9]e-?[0-9]{1,2}"
    ];
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..8),
        prop::sample::select(vec![
            b"\x9e\xe9\x65".to_vec(),
            b"\xb6\xbb\x9e".to_vec(),
            b"\xd7\x6d\xf8\xe7\xae\xfc".to_vec()
        ]),
    ];
    let binary = (bytes, any::<bool>()).prop_map(|(bytes, reference)| match reference {
        true => serde_json::from_str(&Reference::of(&bytes).json()).unwrap(),
        false => Value::from(content::encode(&bytes)),
    });
    let maybe = |value: BoxedStrategy<Value>| prop_oneof![1 => Just(None), 1 => Just(Some(Value::Null)), 6 => value.prop_map(Some)];
    (
        maybe(hostile_text().boxed()),
        maybe(integer.prop_map(Value::from).boxed()),
        maybe(number.boxed()),
        maybe(decimal.prop_map(|number| exact(&number)).boxed()),
        maybe(any::<bool>().prop_map(Value::from).boxed()),
        maybe(prop::collection::vec(hostile_text(), 0..3).prop_map(Value::from).boxed()),
        maybe(binary.boxed()),
    )
        .prop_map(|(text, integer, number, decimal, boolean, array, binary)| {
            let values = [
                ("text", text),
                ("integer", integer),
                ("number", number),
                ("decimal", decimal),
                ("boolean", boolean),
                ("array", array),
                ("binary", binary),
            ];
            let mut members = Map::from_iter([("id".to_owned(), json!("1"))]);
            members.extend(values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
            Value::Object(members)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, max_global_rejects: 100_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_type_comes_back_from_every_format(records in prop::collection::vec(thing(), 1..5), parts in 1..3usize) {
        let input = written(&records);
        let original = decoded(&things(), Format::Json, input.as_bytes());
        let expected = vec![hashes(&original.rows); parts].concat();
        let contents = original.contents.iter().map(|content| (content.reference, content.bytes.clone()));
        let filled = content::fill(&original.rows, 0..original.rows.len(), &contents.collect());
        for format in Format::ALL {
            for written in [&original.rows, &filled] {
                let file = encoded(format, written, EVERYTHING, parts);
                let again = rows(&things(), format, &file);
                prop_assert_eq!(hashes(&again), &expected[..], "{}", String::from_utf8_lossy(&file));
            }
        }
        // What an independent reader finds is what was given.
        let file = encoded(Format::Ndjson, &original.rows, EVERYTHING, 1);
        for (line, given) in std::str::from_utf8(&file).unwrap().lines().zip(&records) {
            let found: BTreeMap<String, &RawValue> = serde_json::from_str(line).unwrap();
            for name in ["text", "integer", "boolean"] {
                prop_assert_eq!(found.get(name).map(|raw| raw.get().to_owned()), given.get(name).map(Value::to_string));
            }
            if let Some(number) = given["number"].as_str() {
                // Not serde_json: it rounds the last digit wrong.
                let parse = |number: &str| number.parse::<f64>().unwrap();
                prop_assert_eq!(parse(found["number"].get()), parse(&number[1..]));
            }
        }
    }

    #[test]
    fn what_passes_as_a_value_in_one_format_comes_back_from_all(
        format in prop::sample::select(Format::ALL.to_vec()),
        name in prop::sample::select(vec!["integer", "number", "decimal", "boolean", "binary"]),
        value in "-?[0-9.eE+-]{1,12}|[0-9]{1,25}|[a-zA-Z0-9+/]{0,12}={0,2}|[ -~]{0,6}|true|false|null",
    ) {
        let file = record(format, name, &value);
        let (outcomes, broken) = support::run_as(&things(), format, file.as_bytes(), support::WHOLE, file.len());
        // What breaks the framing is no value.
        prop_assume!(broken.is_none() && matches!(&outcomes[..], [outcome] if outcome.result.is_ok()));
        let original = rows(&things(), format, file.as_bytes());
        for written in Format::ALL {
            let file = encoded(written, &original, EVERYTHING, 1);
            let again = rows(&things(), written, &file);
            prop_assert_eq!(hashes(&again), hashes(&original), "{:?}: {}", format, String::from_utf8_lossy(&file));
        }
    }
}
