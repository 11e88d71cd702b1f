//! What is refused, with which code, in which field and with which words; and what just passes.
#![allow(clippy::unwrap_used, reason = "a failure is a failed test")]

mod support;

use bytes::Bytes;
use carrack_shared::format::Format;
use carrack_shared::limits;
use carrack_shared::pipeline::Plan;
use carrack_shared::pipeline::split::Rules;
use carrack_shared::spec::ImportSpec;
use jiff::Timestamp;
use support::{Outcome, WHOLE, contexts, decode, only, run, shown, spec, split};

#[test]
fn json_records() {
    let good = r#""id":"1","title":"t","content":"c""#;
    let with = |members: &str| format!("{{{good},{members}}}");
    let key = |length: usize| format!(r#"{{"id":"{}","title":"t","content":"c"}}"#, "k".repeat(length));
    let cases: &[(&str, &[&str])] = &[
        (
            &with(r#""tags":["b",2.0],"metadata":{"bb":1,"a":null}"#),
            &["'1' 't' 'c' - [\"b\",2] - - - {\"a\":null,\"bb\":1} -"],
        ),
        (
            &with(r#""createdAt":"2024-01-01","color":"red","b":[ 1 ]"#),
            &["'1' 't' 'c' - - - 1704067200000000 - - {\"b\":[1],\"color\":\"red\"}"],
        ),
        (&with(r#""type":null"#), &["'1' 't' 'c' - - - - - - {\"type\":null}"]),
        (&with(r#""type":"","sessionId":"\n\u00e9""#), &["'1' 't' 'c' '' - '\né' - - - -"]),
        ("42", &["record.not_object: found the number 42, expected an object"]),
        ("[[{}]]", &["record.not_object: found an array, expected an object"]),
        ("null", &["record.not_object: found null, expected an object"]),
        ("\"x\"", &["record.not_object: found a string, expected an object"]),
        ("nul", &["json.invalid: found no valid JSON at byte 2 of the record: EOF while parsing a value"]),
        (r#"{"id":"1",}"#, &["json.invalid: found no valid JSON at byte 10 of the record: trailing comma"]),
        (r#"{"id" "1"}"#, &["json.invalid: found no valid JSON at byte 6 of the record: expected `:`"]),
        (
            "{\"id\":\n\"1\n\"}",
            &[
                "json.invalid: found no valid JSON at byte 8 of the record: control character (\\u0000-\\u001F) found while parsing a string",
            ],
        ),
        (r#"{"id":01}"#, &["json.invalid: found no valid JSON at byte 7 of the record: invalid number"]),
        (
            &with(r#""n":NaN"#),
            &["json.invalid: found no valid JSON at byte 40 of the record: expected value"],
        ),
        (&with(r#""id":"2""#), &["member.duplicate id: found the member \"id\" twice in one object"]),
        (&with(r#""x":1,"\u0078":2"#), &["member.duplicate x: found the member \"x\" twice in one object"]),
        (
            &with(r#""metadata":{"a":{"b":1,"b":1}}"#),
            &["member.duplicate metadata: found the member \"b\" twice in one object"],
        ),
        (
            &with(r#""type":"a\u0000b""#),
            &["text.nul type: found a NUL character, which no database stores in a text"],
        ),
        (
            &with(r#""tags":["\u0000"]"#),
            &["text.nul tags: found a NUL character, which no database stores in a text"],
        ),
        (
            &with(r#""a\u0000":1"#),
            &["text.nul a\u{0}: found a NUL character, which no database stores in a text"],
        ),
        (
            &with(r#""type":"\ud83d""#),
            &["json.surrogate type: found \"\\\\ud83d\" without the other half of its surrogate pair"],
        ),
        (
            &with(r#""x":{"\udc00":1}"#),
            &["json.surrogate x: found \"\\\\udc00\" without the other half of its surrogate pair"],
        ),
        (
            &with(r#""\udc00":1"#),
            &[
                "json.surrogate: found no valid JSON at byte 42 of the record: lone leading surrogate in hex escape",
            ],
        ),
        (
            &with(r#""metadata":{"n":1e1000}"#),
            &[
                "number.range metadata: found \"1e1000\", expected a number of at most 1000 digits once written without an exponent",
            ],
        ),
        (
            &with(r#""title":3,"content":true"#).replacen(r#""title":"t","content":"c","#, "", 1),
            &[
                "type.string title: found the number 3, expected a string",
                "type.string content: found true, expected a string",
            ],
        ),
        (
            &with(r#""tags":"a,b","metadata":[],"createdAt":1704067200,"updatedAt":{}"#),
            &[
                "type.array tags: found the text \"a,b\", expected an array",
                "type.date createdAt: found the number 1704067200, expected a string with an RFC 3339 date",
                "type.date updatedAt: found an object, expected a string with an RFC 3339 date",
                "type.object metadata: found an array, expected an object",
            ],
        ),
        (
            &with(r#""createdAt":"31/02/2024","updatedAt":"2024-01-01T00:00:00.1234567Z""#),
            &[
                "date.invalid createdAt: found \"31/02/2024\", expected an RFC 3339 date",
                "date.precision updatedAt: found \"2024-01-01T00:00:00.1234567Z\", expected a date of at most six decimals",
            ],
        ),
        (
            &with(r#""createdAt":"2024-01-01T10:00:00.5","updatedAt":"2024-02-30T10:00:00""#),
            &[
                "date.invalid createdAt: found \"2024-01-01T10:00:00.5\" without an offset, expected one behind it, such as Z or +02:00",
                "date.invalid updatedAt: found \"2024-02-30T10:00:00\", expected an RFC 3339 date",
            ],
        ),
        (
            r#"{"id":"1","title":3,"content":"\u0000"}"#,
            &[
                "type.string title: found the number 3, expected a string",
                "text.nul content: found a NUL character, which no database stores in a text",
            ],
        ),
        (
            r#"{"title":null,"content":""}"#,
            &[
                "required.missing id: found nothing, expected a string",
                "required.missing title: found null, expected a string",
            ],
        ),
        (&key(limits::KEY_BYTES), &[&format!("'{}' 't' 'c' - - - - - - -", "k".repeat(limits::KEY_BYTES))]),
        (&key(limits::KEY_BYTES + 1), &["key.too_long id: found a key of 1025 bytes, expected at most 1024"]),
    ];
    let found: Vec<_> = cases.iter().map(|(record, _)| only(Format::Json, record.as_bytes())).collect();
    let expected: Vec<_> = cases.iter().map(|(_, expected)| *expected).collect();
    let wrong: Vec<_> = found.iter().zip(expected).filter(|(found, expected)| found != expected).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let broken_text = [b"{\"id\":\"", &[0xc3, 0x28][..], b"\"}"].concat();
    let message = "encoding.utf8: found the byte 0xc3 at byte 7 of the record, expected UTF-8";
    assert_eq!(only(Format::Json, &broken_text), [message]);
}

#[test]
fn of_too_many_faults_some_are_told() {
    let record = |count: usize| {
        let faulty: String = (0..count).map(|number| format!(",\"a{number}\":1e1000")).collect();
        format!("{{\"id\":\"1\",\"title\":\"t\",\"content\":\"c\"{faulty}}}")
    };
    let more = "record.faults: found more than 1000 faults in the record, of which 1000 are told";
    for (count, told, last_is_more) in [
        (limits::FAULTS - 1, limits::FAULTS - 1, false),
        (limits::FAULTS, limits::FAULTS, false),
        (limits::FAULTS + 1, limits::FAULTS + 1, true),
        (limits::FAULTS + 9, limits::FAULTS + 1, true),
    ] {
        let found = only(Format::Json, record(count).as_bytes());
        assert_eq!(found.len(), told);
        assert_eq!(found.last().is_some_and(|last| last == more), last_is_more, "{count}");
    }
    // The next record has nothing of it.
    let two = format!("{}\n{{\"id\":1}}", record(limits::FAULTS + 1));
    let (outcomes, _) = run(Format::Json, two.as_bytes(), WHOLE, 64);
    assert!(!shown(&outcomes[1].result.clone().unwrap_err().faults).contains(&more.to_owned()));
}

#[test]
fn nesting_of_lines_is_found_by_the_decoder() {
    let nested = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!("{{\"id\":\"1\",\"title\":\"t\",\"content\":\"c\",\"x\":{open}{close}}}")
    };
    let lines = |record: &str| format!("{{}}\n{record}\n");
    let last = |record: &str| run(Format::Json, lines(record).as_bytes(), WHOLE, 1).0.pop().unwrap();
    assert!(last(&nested(limits::DEPTH - 1)).result.is_ok());
    let refused = last(&nested(limits::DEPTH)).result.unwrap_err();
    assert_eq!(shown(&refused.faults), ["json.depth x: found \"[\" below 128 levels of arrays and objects"]);
}

#[test]
fn csv_records() {
    let header = "id,title,content,tags,createdAt,metadata,color,extra\n";
    let cases: &[(&str, &[&str])] = &[
        ("1,t,c,,,,,", &["'1' 't' 'c' - - - - - - -"]),
        ("1,\"\",c,\"\",\"\",\"\",\"\",", &["'1' '' 'c' - - - - - - {\"color\":\"\"}"]),
        (
            " 1,\"a \"\"b\"\"\",c\"d,\"x,y\",2024-01-01,{},red,",
            &["' 1' 'a \"b\"' 'c\"d' - [\"x\",\"y\"] - 1704067200000000 - {} {\"color\":\"red\"}"],
        ),
        ("1,t,c,[],,,,", &["'1' 't' 'c' - [] - - - - -"]),
        ("1,t,c,\"[\"\"a,b\"\",1.0]\",,,,", &["'1' 't' 'c' - [\"a,b\",1] - - - - -"]),
        ("1,t,c,\"a,,\",,,,", &["'1' 't' 'c' - [\"a\",\"\",\"\"] - - - - -"]),
        ("1,t,c,,,\"{\"\"b\"\":1,\"\"a\"\":2}\",,", &["'1' 't' 'c' - - - - - {\"a\":2,\"b\":1} -"]),
        (
            "1,t,c,,,,red,\"{\"\"zz\"\":1,\"\"type\"\":null}\"",
            &["'1' 't' 'c' - - - - - - {\"zz\":1,\"type\":null,\"color\":\"red\"}"],
        ),
        ("1,t,c,,,,,\"{oh\"", &["'1' 't' 'c' - - - - - - {\"extra\":\"{oh\"}"]),
        ("1,t,c,,,,,[1]", &["'1' 't' 'c' - - - - - - {\"extra\":\"[1]\"}"]),
        (
            "1,t,c,,,,,\"{\"\"title\"\":null}\"",
            &[
                "extra.conflict title: found the member \"title\" in the column extra, which is a field of the schema",
            ],
        ),
        (
            "1,t,c,y,,,,\"{\"\"tags\"\":[1]}\"",
            &[
                "extra.conflict tags: found the member \"tags\" in the column extra, which is a field of the schema",
            ],
        ),
        // As of a row that is older than the field.
        ("1,t,c,,,,,\"{\"\"type\"\":\"\"x\"\",\"\"tags\"\":[1]}\"", &["'1' 't' 'c' 'x' [1] - - - - -"]),
        ("1,t,c,,,,,\"{\"\"type\"\":7}\"", &["type.string type: found the number 7, expected a string"]),
        (
            "1,t,c,,,,red,\"{\"\"color\"\":1}\"",
            &[
                "extra.conflict color: found the member \"color\" in the column extra, which is a column of its own",
            ],
        ),
        (
            "1,t,c,,,,,\"{\"\"a\"\":1,\"\"a\"\":1}\"",
            &["member.duplicate extra: found the member \"a\" twice in one object"],
        ),
        ("1,t,c", &["csv.ragged: found 3 columns, expected 8"]),
        ("1,t,c,,,,,,", &["csv.ragged: found 9 columns, expected 8"]),
        (
            "1,\"t\"x,c,,,,,",
            &[
                "csv.quote title: found \"x\" behind the closing quote at byte 5 of the record, expected \",\"",
            ],
        ),
        (
            "1,\"a \"b, c\" d\",c,,,,,",
            &[
                "csv.quote: found \"b\" behind the closing quote at byte 6 of the record, expected \",\"; found 9 columns, \
                 expected 8",
            ],
        ),
        ("1,t,c,,,[1],,", &["type.object metadata: found the text \"[1]\", expected an object"]),
        (
            "1,t,c,,,{],,",
            &["json.invalid metadata: found no valid JSON at byte 1 of the cell: key must be a string"],
        ),
        ("1,t,c,[x],,,,", &["json.invalid tags: found no valid JSON at byte 1 of the cell: expected value"]),
        (
            ",,c,,31/02/2024,,,",
            &[
                "required.missing id: found nothing, expected a string",
                "required.missing title: found nothing, expected a string",
                "date.invalid createdAt: found \"31/02/2024\", expected an RFC 3339 date",
            ],
        ),
        ("1,t,c,,,,a\u{0}b,", &["text.nul color: found a NUL character, which no database stores in a text"]),
        ("1,t\u{0},c,,,,,", &["text.nul title: found a NUL character, which no database stores in a text"]),
    ];
    for (record, expected) in cases {
        assert_eq!(only(Format::Csv, format!("{header}{record}\n").as_bytes()), *expected, "{record}");
    }
    let broken_text = [header.as_bytes(), b"1,\xff,c,,,,,"].concat();
    let message = "encoding.utf8: found the byte 0xff at byte 2 of the record, expected UTF-8";
    assert_eq!(only(Format::Csv, &broken_text), [message]);
}

#[test]
fn places_are_those_of_the_source() {
    let input = b"\xef\xbb\xbfid,title,content\r\n1,t,\"two\nlines\"\r\n\r\n2,t\r\n3,t,c\n,,\n";
    let (outcomes, broken) = run(Format::Csv, input, WHOLE, 5);
    assert_eq!(broken, None);
    let places = |outcome: &Outcome| {
        let line = outcome.result.as_ref().err().map(|refused| refused.line);
        (outcome.record, outcome.bytes.clone(), line)
    };
    let expected = [(1, 21..36, None), (2, 40..43, Some(5)), (3, 45..50, None), (4, 51..53, Some(7))];
    assert_eq!(outcomes.iter().map(places).collect::<Vec<_>>(), expected);
    assert_eq!(outcomes[1].result.as_ref().unwrap_err().raw.as_deref(), Some(&b"2,t"[..]));
}

#[test]
fn a_source_that_breaks_off_gives_what_stands_before_it() {
    let cases: &[(Format, &str, &str)] = &[
        (Format::Json, "[{},\n{\"a\":[1}, {}]", "json.bracket at record 2, line 2, byte 5; rest 5..18"),
        (Format::Json, "[{},\n\n ,{}]", "json.separator at record 2, line 3, byte 7; rest 7..11"),
        (Format::Json, "[{}\n", "json.truncated at record 2, line 2, byte 4; rest none"),
        (Format::Json, "[{}]\nx", "json.trailing at record 2, line 2, byte 5; rest 5..6"),
        (Format::Json, "\nhello", "json.not_json at record 1, line 2, byte 1; rest 1..6"),
        (Format::Json, "{\"a\":\n1", "json.truncated at record 1, line 1, byte 0; rest 0..7"),
        (Format::Json, "\u{feff} \r\n", "source.empty at record 1, line 1, byte 0; rest none"),
        (Format::Csv, "", "source.empty at record 1, line 1, byte 0; rest none"),
        (Format::Csv, "\r\n\n", "source.empty at record 1, line 1, byte 0; rest none"),
        (
            Format::Csv,
            "id,title\n1,t\n2,\"t\n3",
            "csv.unclosed_quote at record 2, line 3, byte 13; rest 13..19",
        ),
        (Format::Csv, "id,\"t\n", "csv.unclosed_quote at record 1, line 1, byte 0; rest 0..6"),
        (Format::Csv, "\n\nid,id\n1,2\n", "csv.header_duplicate at record 1, line 3, byte 2; rest 2..12"),
    ];
    for (format, input, expected) in cases {
        for size in 1..8 {
            let (segments, _, broken) = split(*format, input.as_bytes(), WHOLE, size);
            let broken = broken.unwrap();
            let rest = segments.iter().find(|segment| segment.fault.is_some());
            let found = format!(
                "{} at record {}, line {}, byte {}; rest {}",
                broken.fault.code,
                broken.record,
                broken.line,
                broken.byte,
                rest.map_or("none".into(), |rest| format!("{:?}", rest.bytes))
            );
            assert_eq!(found, *expected, "{input:?}");
            if let Some(rest) = rest {
                assert_eq!(
                    (rest.first_record, rest.first_line, rest.records),
                    (broken.record, broken.line, 1)
                );
                assert_eq!(rest.fault.as_ref(), Some(&broken.fault));
            }
        }
    }
}

#[test]
fn sources_without_records_are_fine() {
    for (format, input) in [(Format::Json, "[]"), (Format::Csv, "id,title"), (Format::Csv, "id\r\n\r\n")] {
        let (segments, facts, broken) = split(format, input.as_bytes(), WHOLE, 1);
        assert_eq!((segments.len(), broken, facts.is_some()), (0, None, true), "{input}");
    }
}

#[test]
fn records_over_their_limit_stand_alone() {
    let rules = Rules { record_bytes: 10, ..WHOLE };
    let input = b"id,title\n1,23456789\n1,234567890\n1,2\n";
    let (segments, _, broken) = split(Format::Csv, input, rules, 3);
    assert_eq!(broken, None);
    let found =
        segments.iter().map(|segment| (segment.bytes.clone(), segment.first_record, segment.first_line));
    assert_eq!(found.collect::<Vec<_>>(), [(9..19, 1, 2), (20..31, 2, 3), (32..35, 3, 4)]);
    let fault = segments[1].fault.clone().unwrap();
    assert_eq!(shown(&[fault]), ["record.too_large: found a record of 11 bytes, expected at most 10"]);
}

#[test]
fn a_header_over_its_limit_is_refused_before_it_ends() {
    let mut input = b"id,\"".to_vec();
    input.resize(limits::HEADER_BYTES + 1, b'x');
    let (segments, _, broken) = split(Format::Csv, &input, WHOLE, 64 * 1024);
    assert_eq!(broken.unwrap().fault.code, "csv.header_too_long");
    assert_eq!(segments[0].bytes, 0..input.len() as u64);
}

#[test]
fn without_schema_validation_only_the_key_must_be_there() {
    let input = b"id,createdAt\n1,\n,2024-01-01\n2,x\n";
    let (segments, facts, _) = split(Format::Csv, input, WHOLE, input.len());
    let mut spec = spec(Format::Csv);
    spec.validate_schema = false;
    let plan = Plan::compile(&spec, &contexts(), &facts.unwrap(), Timestamp::UNIX_EPOCH);
    let faults = |outcome: &Outcome| match &outcome.result {
        Ok(_) => "good".into(),
        Err(refused) => shown(&refused.faults).join("; "),
    };
    assert_eq!(
        decode(input, &segments, &plan).iter().map(faults).collect::<Vec<_>>(),
        [
            "good",
            "required.missing id: found nothing, expected a string",
            "date.invalid createdAt: found \"x\", expected an RFC 3339 date",
        ]
    );
}

#[test]
fn metadata_may_be_left_out_in_every_format() {
    let json = r#"{"id":"1","title":"t","content":"c","metadata":{"a":1},"x":1}"#;
    let bad = r#"{"id":"1","title":"t","content":"c","metadata":[{"a":1,"a":2}],"x":1}"#;
    let good = "'1' 't' 'c' - - - - - - {\"x\":1}";
    let text = "'1' 't' 'c' - - - - - - {\"x\":\"1\"}";
    let cases = [
        (Format::Json, format!("[{json}]"), good),
        (Format::Json, format!("[{bad}]"), good),
        (Format::Json, format!("[{}]", json.replace(r#"{"a":1}"#, "null")), good),
        (Format::Ndjson, json.to_owned(), good),
        (Format::Csv, "id,title,content,metadata,x\n1,t,c,{],1\n".to_owned(), text),
        (
            Format::Csv,
            "id,title,content,extra\n1,t,c,\"{\"\"metadata\"\":null,\"\"x\"\":1}\"\n".to_owned(),
            good,
        ),
        (
            Format::Xml,
            "<d><i><id>1</id><title>t</title><content>c</content><metadata>no</metadata><x>1</x></i></d>"
                .to_owned(),
            text,
        ),
        (Format::Yaml, "- id: 1\n  title: t\n  content: c\n  metadata: [1]\n  x: 1\n".to_owned(), good),
        (
            Format::Markdown,
            "## Item 1\n**id:** 1\n**title:** t\n**content:** c\n**metadata:** no\n**x:** `1`\n".to_owned(),
            good,
        ),
    ];
    for (format, input, expected) in cases {
        let (segments, facts, _) = split(format, input.as_bytes(), WHOLE, input.len());
        let spec = ImportSpec { include_metadata: false, ..spec(format) };
        let plan = Plan::compile(&spec, &contexts(), &facts.unwrap(), Timestamp::UNIX_EPOCH);
        let outcomes = decode(input.as_bytes(), &segments, &plan);
        let [outcome] = &outcomes[..] else { panic!("one record") };
        let found = outcome.result.as_ref().map(|accepted| accepted.values.join(" "));
        assert_eq!(found.as_deref(), Ok(expected), "{input}");
    }
}

#[test]
fn a_segment_that_is_not_the_planned_one_is_no_fault_of_a_record() {
    let input = b"id,title,content\n1,t,c\n2,t,c";
    let (segments, facts, _) = split(Format::Csv, input, WHOLE, input.len());
    let plan = Plan::compile(&spec(Format::Csv), &contexts(), &facts.unwrap(), Timestamp::UNIX_EPOCH);
    let segment = &segments[0];
    let run = |segment: &carrack_shared::segment::Segment, bytes: &'static [u8]| {
        plan.run(segment, &Bytes::from_static(bytes)).map(|_| ()).map_err(|mismatch| mismatch.what)
    };
    assert_eq!(run(segment, b"1,t,c\n2,t,c"), Ok(()));
    assert_eq!(run(segment, b"1,t,c\n2,t,"), Err("found 10 bytes, expected 11".into()));
    assert!(run(segment, b"1,t,c\n2,t,d").unwrap_err().starts_with("found bytes with the hash"));
    let mut other = segment.clone();
    other.records = 3;
    assert_eq!(run(&other, b"1,t,c\n2,t,c"), Err("found 2 records, expected 3".into()));
}
