//! What is written reads back: every record with the same hash, in every format, hostile texts included.
#![allow(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "inputs of tests are small; a failure is a failed test"
)]

mod support;

use bytes::Bytes;
use carrack_shared::format::Format;
use carrack_shared::format::encode::Shape;
use carrack_shared::limits;
use carrack_shared::record::Rows;
use proptest::prelude::*;
use serde_json::{Map, Value};
use support::written::{self, EVERYTHING, encoded, hashes};
use support::{Way, contexts};

fn rows(way: impl Into<Way>, input: &[u8]) -> Rows {
    written::rows(&contexts(), way, input)
}

/// A CSV file as a file of another dialect, cell by cell.
fn translated(file: &str, delimiter: char, quote: char) -> String {
    let (mut written, mut cell, mut quoted) = (String::new(), String::new(), false);
    let mut characters = file.chars().peekable();
    let mut end = |cell: &mut String, quoted: &mut bool, behind: char| {
        let special = |character: char| [delimiter, quote, '\n', '\r'].contains(&character);
        match *quoted || cell.contains(special) {
            true => {
                let doubled = cell.replace(quote, &format!("{quote}{quote}"));
                written.extend([quote.to_string(), doubled, quote.to_string()]);
            }
            false => written.push_str(cell),
        }
        written.push(behind);
        cell.clear();
        *quoted = false;
    };
    while let Some(character) = characters.next() {
        match character {
            '"' if cell.is_empty() && !quoted => {
                quoted = true;
                while let Some(inside) = characters.next() {
                    match inside {
                        '"' if characters.next_if_eq(&'"').is_none() => break,
                        inside => cell.push(inside),
                    }
                }
            }
            ',' => end(&mut cell, &mut quoted, delimiter),
            '\n' => end(&mut cell, &mut quoted, '\n'),
            other => cell.push(other),
        }
    }
    written
}

/// The other ways to write the same records, each with the way to read it.
fn rewritten(rows: &Rows, parts: usize) -> Vec<(Way, Vec<u8>)> {
    let table = String::from_utf8(encoded(Format::Csv, rows, EVERYTHING, parts)).unwrap();
    let dialects = [(b';', b'"'), (b'\t', b'"'), (b'|', b'"'), (b',', b'\''), (b';', b'\'')];
    let mut ways: Vec<(Way, Vec<u8>)> = dialects
        .iter()
        .map(|&(delimiter, quote)| {
            let text = translated(&table, char::from(delimiter), char::from(quote));
            (Way::table(delimiter, quote), text.into_bytes())
        })
        .collect();
    let (header, body) = table.split_once('\n').unwrap();
    // The mark says that whatever follows is a cell, even another mark.
    let marked = format!("\u{feff}{body}").into_bytes();
    ways.push((Way::headless(&header.split(',').collect::<Vec<_>>()), marked));
    let array = encoded(Format::Json, rows, EVERYTHING, parts);
    let document = [&br#"{"n":[{"x":1}],"data":{"it's":"#[..], &array, br#","contexts":[]}}"#].concat();
    ways.push((Way::at(Format::Json, r"$.data['it\'s']"), document));
    let elements = encoded(Format::Xml, rows, EVERYTHING, parts);
    for path in ["/dump/data/item", "item"] {
        let document = [b"<dump><other><id/></other>", &elements[..], b"</dump>"].concat();
        ways.push((Way::at(Format::Xml, path), document));
    }
    ways
}

/// A text without NUL, now and then one that means something somewhere.
fn text() -> impl Strategy<Value = String> {
    let hostile = [
        "",
        " ",
        " a",
        "a ",
        ",",
        "a,b",
        "\"",
        "\"\"",
        "\n",
        "\r\n",
        "\r",
        "[",
        "[]",
        "[1]",
        "{}",
        "{\"a\":1}",
        "null",
        "\\",
        "\\N",
        "\u{feff}",
        "=1+1",
        "'",
        "\t",
        "\u{1f}",
        "\u{7f}",
        "é✓😀",
        "\u{2028}",
        "extra",
        "id",
    ];
    prop_oneof![
        prop::sample::select(hostile.to_vec()).prop_map(str::to_owned).boxed(),
        "[^\u{0}]{0,40}".boxed(),
        "[a ,\"\n\r\\[\\]{}]{0,70}".boxed(),
    ]
}

fn nested() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e6..1e6f64).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn date() -> impl Strategy<Value = Value> {
    (0..=9999i32, 1..=12, 1..=28, 0..24, 0..60, 0..1_000_000u32).prop_map(|(y, mo, d, h, mi, micros)| {
        Value::from(format!("{:04}-{mo:02}-{d:02}T{h:02}:{mi:02}:07.{micros:06}Z", y.max(1)))
    })
}

fn record() -> impl Strategy<Value = Value> {
    let maybe = prop::option::of::<BoxedStrategy<Value>>;
    let string = || text().prop_map(Value::from).boxed();
    let array = prop_oneof![
        prop::collection::vec(text().prop_map(Value::from), 0..4).prop_map(Value::from),
        prop::collection::vec(nested(), 0..4).prop_map(Value::from),
    ];
    let object = prop::collection::vec((text(), nested()), 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()));
    let fields = (
        maybe(prop_oneof![string(), Just(Value::Null)].boxed()),
        maybe(array.boxed()),
        maybe(prop_oneof![date(), Just(Value::Null)].boxed()),
        maybe(prop_oneof![object.boxed(), Just(Value::Null)].boxed()),
    );
    let others = prop::collection::vec((text(), nested()), 0..3);
    (text(), text(), text(), fields, others).prop_map(
        |(id, title, content, (kind, tags, created, metadata), others)| {
            let mut members: Map<String, Value> = others.into_iter().collect();
            for (name, value) in
                [("type", kind), ("tags", tags), ("createdAt", created), ("metadata", metadata)]
            {
                members.remove(name);
                members.extend(value.map(|value| (name.to_owned(), value)));
            }
            for (name, value) in [("id", id), ("title", title), ("content", content)] {
                members.insert(name.into(), value.into());
            }
            for name in ["sessionId", "updatedAt"] {
                members.remove(name);
            }
            Value::Object(members)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_back(records in prop::collection::vec(record(), 0..5), parts in 1..3usize) {
        let input = serde_json::to_vec(&records).unwrap();
        let original = rows(Format::Json, &input);
        let expected = vec![hashes(&original); parts].concat();
        for format in Format::ALL {
            let file = encoded(format, &original, EVERYTHING, parts);
            let again = rows(format, &file);
            prop_assert_eq!(hashes(&again), &expected[..], "{}", String::from_utf8_lossy(&file));
            let third = encoded(format, &again, EVERYTHING, 1);
            prop_assert_eq!(third, file, "writing it again changes nothing");
        }
        for (way, file) in rewritten(&original, parts) {
            if way.reading.records_at.is_some() && records.is_empty() && way.format == Format::Xml {
                // Without a record its place cannot be told by a name.
                continue;
            }
            let again = rows(way.clone(), &file);
            prop_assert_eq!(hashes(&again), &expected[..], "{:?} {}", way, String::from_utf8_lossy(&file));
        }
        let file = encoded(Format::Json, &original, EVERYTHING, 1);
        let reference: Vec<Value> = serde_json::from_slice(&file).unwrap();
        prop_assert_eq!(reference.len(), records.len());
        for (found, written) in reference.iter().zip(&records) {
            prop_assert_eq!(&found["content"], &written["content"]);
            prop_assert_eq!(found.get("tags").is_some(), written.get("tags").is_some());
        }
    }
}

/// Names and nesting up to the limits of JSON are within those of every format. Fuzzing found that they were
/// not: a simple key of YAML has 1,024 characters, and an element of XML stands below two others.
#[test]
fn limits_of_one_format_are_within_those_of_others() {
    let good = r#""id":"1","title":"t","content":"c""#;
    let named = |name: String| format!(r#"{{{good},"{name}":{{"{name}":[{{"{name}":1,"b":2}}]}}}}"#);
    let deep = |open: &str, close: &str, levels: usize| {
        format!(r#"{{{good},"a":{}1{}}}"#, open.repeat(levels), close.repeat(levels))
    };
    let names = [1_021, 1_022, 1_023, 1_024, 1_025, 2_000].map(|length| named("n".repeat(length)));
    let control = named("\\u0002".repeat(200));
    let depths = [limits::DEPTH - 4, limits::DEPTH - 3, limits::DEPTH - 2, limits::DEPTH - 1];
    let objects = depths.map(|levels| deep("{\"a\":", "}", levels));
    let arrays = depths.map(|levels| deep("[", "]", levels));
    for record in names.into_iter().chain([control]).chain(objects).chain(arrays) {
        let original = rows(Format::Json, record.as_bytes());
        for format in Format::ALL {
            let file = encoded(format, &original, EVERYTHING, 1);
            assert_eq!(hashes(&rows(format, &file)), hashes(&original), "{format:?}: {record}");
        }
    }
}

#[test]
fn files_look_as_documented() {
    let record = r#"{"content":"two\nlines, \"quoted\"","id":"1","title":"","zz":1.50,"type":null,"tags":["a","b c"],
        "createdAt":"2024-01-01T01:00:00+01:00","metadata":{"source":"api","importance":"low"}}
        {"id":"2","title":" t","content":"c","tags":["a,b"],"updatedAt":"2024-01-01T00:00:00.25Z","metadata":null}"#;
    let rows_found = rows(Format::Json, record.as_bytes());
    let bare = Shape { metadata: false, extra: false };
    let file = |format, shape| String::from_utf8(encoded(format, &rows_found, shape, 1)).unwrap();
    let cases = [
        (
            Format::Json,
            EVERYTHING,
            concat!(
                "[\n",
                r#"{"id":"1","title":"","content":"two\nlines, \"quoted\"","tags":["a","b c"],"#,
                r#""createdAt":"2024-01-01T00:00:00Z","metadata":{"source":"api","importance":"low"},"zz":1.5,"type":null}"#,
                ",\n",
                r#"{"id":"2","title":" t","content":"c","tags":["a,b"],"updatedAt":"2024-01-01T00:00:00.250Z","metadata":null}"#,
                "\n]\n",
            ),
        ),
        (
            Format::Json,
            bare,
            concat!(
                "[\n",
                r#"{"id":"1","title":"","content":"two\nlines, \"quoted\"","tags":["a","b c"],"createdAt":"2024-01-01T00:00:00Z","#,
                r#""zz":1.5,"type":null}"#,
                ",\n",
                r#"{"id":"2","title":" t","content":"c","tags":["a,b"],"updatedAt":"2024-01-01T00:00:00.250Z"}"#,
                "\n]\n",
            ),
        ),
        (
            Format::Ndjson,
            bare,
            concat!(
                r#"{"id":"1","title":"","content":"two\nlines, \"quoted\"","tags":["a","b c"],"createdAt":"2024-01-01T00:00:00Z","#,
                r#""zz":1.5,"type":null}"#,
                "\n",
                r#"{"id":"2","title":" t","content":"c","tags":["a,b"],"updatedAt":"2024-01-01T00:00:00.250Z"}"#,
                "\n",
            ),
        ),
        (
            Format::Csv,
            EVERYTHING,
            concat!(
                "id,title,content,type,tags,sessionId,createdAt,updatedAt,metadata,extra\n",
                "1,\"\",\"two\nlines, \"\"quoted\"\"\",,\"a,b c\",,2024-01-01T00:00:00Z,,",
                "\"{\"\"source\"\":\"\"api\"\",\"\"importance\"\":\"\"low\"\"}\",\"{\"\"zz\"\":1.5,\"\"type\"\":null}\"\n",
                "2,\" t\",c,,\"[\"\"a,b\"\"]\",,,2024-01-01T00:00:00.250Z,,\"{\"\"metadata\"\":null}\"\n",
            ),
        ),
        (
            Format::Csv,
            bare,
            concat!(
                "id,title,content,type,tags,sessionId,createdAt,updatedAt\n",
                "1,\"\",\"two\nlines, \"\"quoted\"\"\",,\"a,b c\",,2024-01-01T00:00:00Z,\n",
                "2,\" t\",c,,\"[\"\"a,b\"\"]\",,,2024-01-01T00:00:00.250Z\n",
            ),
        ),
    ];
    for (format, shape, expected) in cases {
        assert_eq!(file(format, shape), expected);
    }
    let nothing = Rows::new(contexts(), Bytes::new(), 0, 1);
    assert_eq!(encoded(Format::Json, &nothing, EVERYTHING, 1), b"[]\n");
    assert_eq!(encoded(Format::Ndjson, &nothing, EVERYTHING, 1), b"");
    assert_eq!(
        encoded(Format::Csv, &nothing, bare, 1),
        b"id,title,content,type,tags,sessionId,createdAt,updatedAt\n"
    );
}

#[test]
fn arrays_stand_between_commas_where_that_reads_back() {
    let cases = [
        (r#"[]"#, "[]"),
        (r#"["a"]"#, "a"),
        (r#"["a","b","c"]"#, "\"a,b,c\""),
        (r#"["a","[b"]"#, "\"a,[b\""),
        (r#"["[a","b"]"#, "\"[\"\"[a\"\",\"\"b\"\"]\""),
        (r#"[""]"#, "\"[\"\"\"\"]\""),
        (r#"["a",""]"#, "\"[\"\"a\"\",\"\"\"\"]\""),
        (r#"["a "]"#, "\"[\"\"a \"\"]\""),
        (r#"["a,b"]"#, "\"[\"\"a,b\"\"]\""),
        (r#"[1]"#, "[1]"),
        (r#"["1",null]"#, "\"[\"\"1\"\",null]\""),
        (r#"["say \"hi\""]"#, "\"say \"\"hi\"\"\""),
    ];
    for (tags, expected) in cases {
        let record = format!(r#"{{"id":"1","title":"t","content":"c","tags":{tags}}}"#);
        let rows = rows(Format::Json, record.as_bytes());
        let file = encoded(Format::Csv, &rows, Shape { metadata: false, extra: false }, 1);
        let row = String::from_utf8(file).unwrap();
        let row = row.split_once('\n').unwrap().1;
        assert_eq!(row, format!("1,t,c,,{expected},,,\n"), "{tags}");
    }
}
