//! The ways to read a format, as tables: delimiters, quotes and given headers of CSV, NDJSON, and records that
//! are somewhere in a document. Every case is run in one piece and in pieces of 1 to 7 bytes.
#![allow(clippy::unwrap_used, reason = "a failure is a failed test")]

mod support;

use carrack_shared::format::Format;
use carrack_shared::limits;
use support::{Outcome, WHOLE, Way, run};

/// The records as text, and how and where they broke off.
fn records(way: &Way, input: &[u8], size: usize) -> Vec<String> {
    let (outcomes, broken) = run(way.clone(), input, WHOLE, size);
    let text = |outcome: &Outcome| {
        let range =
            usize::try_from(outcome.bytes.start).unwrap()..usize::try_from(outcome.bytes.end).unwrap();
        String::from_utf8_lossy(&input[range]).into_owned()
    };
    let whole =
        outcomes.iter().filter(|outcome| broken.as_ref().is_none_or(|broken| outcome.record < broken.record));
    let mut shown: Vec<String> = whole.map(text).collect();
    if let Some(broken) = broken {
        let (code, message) = (&broken.fault.code, &broken.fault.message);
        shown.push(format!("{code} at line {}, byte {}: {message}", broken.line, broken.byte));
    }
    shown
}

fn check(way: &Way, cases: &[(&str, &[&str])]) {
    for (input, expected) in cases {
        for size in [usize::MAX, 1, 2, 3, 4, 5, 6, 7] {
            let found = records(way, input.as_bytes(), size.min(input.len().max(1)));
            assert_eq!(found, *expected, "{input:?} in pieces of {size}");
        }
    }
}

#[test]
fn arrays_in_documents() {
    let second = "json.records_at at line 1, byte 17: found a second array $.a.b at byte 17, expected one";
    check(
        &Way::at(Format::Json, "$.a.b"),
        &[
            (r#"{"a":{"b":[{"x":1}, 2 ,"c"]}}"#, &[r#"{"x":1}"#, "2", "\"c\""]),
            (r#"{"a":{"b":[]}}"#, &[]),
            // What stands around it is skipped, and what it holds is not taken for the path.
            (
                r#" {"n":-1.5e3,"b":[{}],"t":"}\"a\":{","x":{"a":{"b":[0]}},"y":[[{"a":1}],"]"],"a" : {"q":null,"b": [1] ,"z":{"b":[2]}},"b":[3]} "#,
                &["1"],
            ),
            ("\u{feff}{\"a\":\n{\"b\":[{}\n]}\n}\n", &["{}"]),
            (r#"{"\u0061":{"\u0062":[7]}}"#, &["7"]),
            // A member of the same name elsewhere does not matter, a second array would.
            (r#"{"a":{"c":1},"a":{"b":[1]}}"#, &["1"]),
            (r#"{"a":{"b":[],"b":[1]}}"#, &[second]),
            (
                r#"{"a":{"c":1,"d \n":{"b":[]}}}"#,
                &[
                    r#"json.records_at at line 1, byte 29: found no member "b" in $.a, which holds "c", "d \n"; expected the array $.a.b"#,
                ],
            ),
            (
                r#"{"x":[1]}"#,
                &[
                    r#"json.records_at at line 1, byte 9: found no member "a" in $, which holds "x"; expected the array $.a.b"#,
                ],
            ),
            (
                "{}",
                &[
                    r#"json.records_at at line 1, byte 2: found no member "a" in $, which holds nothing; expected the array $.a.b"#,
                ],
            ),
            (
                r#"{"a":[1]}"#,
                &["json.records_at at line 1, byte 5: found an array at $.a (byte 5), expected an object"],
            ),
            (
                r#"{"a":{"b":{"c":1}}}"#,
                &[
                    "json.records_at at line 1, byte 10: found an object at $.a.b (byte 10), expected an array of records",
                ],
            ),
            (
                r#"{"a":{"b":null}}"#,
                &[
                    r#"json.records_at at line 1, byte 10: found a value that begins with "n" at $.a.b (byte 10), expected an array of records"#,
                ],
            ),
            (
                "[{}]",
                &[
                    r#"json.records_at at line 1, byte 0: found "[" at byte 0, expected "{": $.a.b is a path in an object"#,
                ],
            ),
            (
                r#"{"a":{"b":[1]}} {}"#,
                &[
                    "1",
                    r#"json.trailing at line 1, byte 16: found "{" at byte 16, expected nothing behind the document"#,
                ],
            ),
            (
                r#"{"a":{"b":[1],]}}"#,
                &["1", r#"json.separator at line 1, byte 14: found "]" at byte 14, expected a name"#],
            ),
            (r#"{"x":{]},"a":1}"#, &[r#"json.bracket at line 1, byte 6: found "]" at byte 6, expected "}""#]),
            (
                r#"{"a":{"b":[1]"#,
                &[
                    "1",
                    "json.truncated at line 1, byte 13: found the end of the input at byte 13 inside the document",
                ],
            ),
            (
                r#"{"a":{"b":[1"#,
                &[
                    "1",
                    r#"json.truncated at line 1, byte 12: found the end of the input at byte 12, expected "]""#,
                ],
            ),
            (
                r#"{"x":"#,
                &[
                    "json.truncated at line 1, byte 5: found the end of the input at byte 5 inside the document",
                ],
            ),
        ],
    );
    let deep = |levels: usize| format!("{{\"x\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    let way = Way::at(Format::Json, "$.a");
    assert!(records(&way, deep(limits::DEPTH - 1).as_bytes(), 7)[0].starts_with("json.records_at"));
    assert!(records(&way, deep(limits::DEPTH).as_bytes(), 7)[0].starts_with("json.depth"));
}

#[test]
fn elements_in_documents() {
    check(
        &Way::at(Format::Xml, "/d/c/i"),
        &[
            ("<d><n>1</n>x<c><i>1</i> <j/><i/></c><c><i>3</i></c></d>", &["<i>1</i>", "<i/>", "<i>3</i>"]),
            ("<d><c/></d>", &[]),
            // Only there, and not what a record holds.
            ("<d><i/><x><c><i/></c></x><c><i><c><i/></c></i><x><i/></x></c></d>", &["<i><c><i/></c></i>"]),
            (
                "<?xml version='1.0'?>\n<d><![CDATA[<c><i/>]]><!-- <i/> --><c>\n<i\n a='>'/></c>\n</d>\n",
                &["<i\n a='>'/>"],
            ),
            (
                "<d><c><k/><k/><l/></c></d>",
                &[
                    r#"xml.records_at at line 1, byte 26: found no element "i" in /d/c, which holds "k", "l"; expected /d/c/i"#,
                ],
            ),
            (
                "<d><e/></d>",
                &[
                    r#"xml.records_at at line 1, byte 11: found no element "c" in /d, which holds "e"; expected /d/c/i"#,
                ],
            ),
            (
                "<e/>",
                &[
                    r#"xml.records_at at line 1, byte 4: found no element "d" in the document, which holds "e"; expected /d/c/i"#,
                ],
            ),
            (
                "<d><c><i/></c></d>x",
                &[
                    "<i/>",
                    r#"xml.text at line 1, byte 18: found "x" at byte 18, expected nothing behind the root element"#,
                ],
            ),
            (
                "<d><c><i/></x></d>",
                &[
                    "<i/>",
                    r#"xml.mismatched at line 1, byte 12: found an end tag at byte 10, expected that of "c""#,
                ],
            ),
        ],
    );
    check(&Way::at(Format::Xml, "/i"), &[("<i><i/></i>", &["<i><i/></i>"])]);
    check(
        &Way::at(Format::Xml, "item"),
        &[
            (
                "<d><n>1</n><c><item><item/></item><x><y/></x></c><c><item/></c></d>",
                &["<item><item/></item>", "<item/>"],
            ),
            (
                "<d><c><item/></c><e><item/></e></d>",
                &[
                    "<item/>",
                    r#"xml.records_at at line 1, byte 20: found an element "item" at byte 20 in another place than the first one, expected all of them at /d/c/item; name the path of those that are wanted"#,
                ],
            ),
            (
                "<d><items/><itemize/></d>",
                &[
                    r#"xml.records_at at line 1, byte 25: found no element "item" in the document, which holds "d", "items", "itemize""#,
                ],
            ),
        ],
    );
}

#[test]
fn lines() {
    check(
        &Format::Ndjson.into(),
        &[
            ("{\"a\":1}\n{\"a\":2}", &["{\"a\":1}", "{\"a\":2}"]),
            // No line says anything about another one, the first least of all.
            ("{\"a\":\n{\"a\":2}\n", &["{\"a\":", "{\"a\":2}"]),
            ("\u{feff}\r\n {}\r\n\n[1] \n", &["{}", "[1]"]),
            (
                "\n [{}]",
                &["json.not_lines at line 2, byte 2: found an array at byte 2, expected one object per line"],
            ),
        ],
    );
}

#[test]
fn tables() {
    for (delimiter, quote) in
        [(b';', b'"'), (b'\t', b'"'), (b'|', b'"'), (b',', b'\''), (b';', b'\''), (1, b'~')]
    {
        let written = |text: &str| {
            text.replace('D', &char::from(delimiter).to_string()).replace('Q', &char::from(quote).to_string())
        };
        let input = written("idDtitleDcontent\n1DQaDb\nQQcQDd\r\n2DxQyDz\n");
        let (outcomes, broken) = run(Way::table(delimiter, quote), input.as_bytes(), WHOLE, 3);
        assert_eq!(broken, None);
        let values: Vec<_> =
            outcomes.iter().map(|outcome| outcome.result.as_ref().unwrap().values[..3].join(" ")).collect();
        assert_eq!(values, [written("'1' 'aDb\nQc' 'd'"), written("'2' 'xQy' 'z'")]);
    }
    let way = Way::headless(&["id", "title", "content"]);
    check(&way, &[("1,t,c\n\n\"2\",t\n", &["1,t,c", "\"2\",t"]), ("\u{feff}1,t,c", &["1,t,c"]), ("\n", &[])]);
    let (outcomes, _) = run(way, b"1,t,c\n2,t\n", WHOLE, 1);
    assert_eq!(outcomes[0].result.as_ref().unwrap().values[..3], ["'1'", "'t'", "'c'"]);
    let ragged = outcomes[1].result.as_ref().unwrap_err();
    assert_eq!((ragged.line, ragged.faults[0].message.as_ref()), (2, "found 2 columns, expected 3"));
}
