//! Where records begin and end, as tables: every case is run in one piece and in pieces of 1 to 7 bytes.
#![allow(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "inputs of tests are small; a failure is a failed test"
)]

use carrack_shared::format::reading::Reading;
use carrack_shared::format::{Format, FrameRange};
use carrack_shared::pipeline::split::{Rules, Splitter};

/// The frames as text, and the code and the place of the open record where framing broke off.
fn frames(format: Format, input: &[u8], size: usize) -> Vec<String> {
    let mut framer = format.framer(&Reading::default());
    let mut found: Vec<FrameRange> = Vec::new();
    let pushed = input.chunks(size.max(1)).try_for_each(|piece| framer.push(piece, &mut found));
    let ended = pushed.and_then(|()| framer.finish(&mut found));
    let text = |frame: &FrameRange| {
        String::from_utf8_lossy(&input[frame.start as usize..frame.end as usize]).into_owned()
    };
    let mut shown: Vec<String> = found.iter().map(text).collect();
    if let Err(fault) = ended {
        let open = framer.open().map_or("-".into(), |at| at.to_string());
        shown.push(format!("{} open {open}: {}", fault.code, fault.message));
    }
    shown
}

fn check(format: Format, cases: &[(&str, &[&str])]) {
    for (input, expected) in cases {
        for size in [usize::MAX, 1, 2, 3, 4, 5, 6, 7] {
            let found = frames(format, input.as_bytes(), size.min(input.len().max(1)));
            assert_eq!(found, *expected, "{input:?} in pieces of {size}");
        }
    }
}

#[test]
fn arrays() {
    check(
        Format::Json,
        &[
            ("[]", &[]),
            (" [ ] \n", &[]),
            ("\u{feff}[{\"a\":1},\n {\"b\":[{}]} ]\n", &[r#"{"a":1}"#, r#"{"b":[{}]}"#]),
            (r#"[1,true , "a\",]",[2],-1.5e3]"#, &["1", "true", r#""a\",]""#, "[2]", "-1.5e3"]),
            (r#"[{"}\\":"{[\"\\\\"},{}]"#, &[r#"{"}\\":"{[\"\\\\"}"#, "{}"]),
            ("[{},]", &["{}", "json.separator open -: found \"]\" at byte 4, expected a value"]),
            ("[,{}]", &["json.separator open -: found \",\" at byte 1, expected a value or \"]\""]),
            ("[{} {}]", &["{}", "json.separator open -: found \"{\" at byte 4, expected \",\" or \"]\""]),
            ("[{}}", &["{}", "json.bracket open -: found \"}\" at byte 3, expected \",\" or \"]\""]),
            ("[{},{\"a\":[1}]", &["{}", "json.bracket open 4: found \"}\" at byte 11, expected \"]\""]),
            (
                "[{}] x",
                &[
                    "{}",
                    "json.trailing open -: found \"x\" at byte 5, expected nothing behind the closing \"]\"",
                ],
            ),
            ("[{}", &["{}", "json.truncated open -: found the end of the input at byte 3, expected \"]\""]),
            ("[12", &["12", "json.truncated open -: found the end of the input at byte 3, expected \"]\""]),
            ("[{},", &["{}", "json.truncated open -: found the end of the input at byte 4, expected \"]\""]),
            (
                "[{},{\"a\":\"b\\",
                &[
                    "{}",
                    "json.truncated open 4: found the end of the input at byte 12 inside the value that begins at byte 4",
                ],
            ),
        ],
    );
}

#[test]
fn lines() {
    check(
        Format::Json,
        &[
            ("{\"a\":1}", &["{\"a\":1}"]),
            ("{\"a\":1}\r\n\r\n \t{\"b\":2} \t\r\n", &["{\"a\":1}", "{\"b\":2}"]),
            ("{} \n{\"a\":[}\n{\"b\":\"\n  \nx\n{}", &["{}", "{\"a\":[}", "{\"b\":\"", "x", "{}"]),
            ("\n\n1\n\"a b\"\n[2] , 3  ", &["1", "\"a b\"", "[2] , 3"]),
            ("{}\n\u{fc} \u{a0}\n", &["{}", "\u{fc} \u{a0}"]),
        ],
    );
}

/// No value goes on with an object where the first line ends, so that line was broken.
#[test]
fn a_first_line_that_is_broken() {
    check(
        Format::Json,
        &[
            ("{\"a\":\"x}\n{\"b\":2}\n", &["{\"a\":\"x}", "{\"b\":2}"]),
            ("{\"a\":\"\\\n{}", &["{\"a\":\"\\", "{}"]),
            ("{\"a\":tru \t\r\n \r\n {}\n{", &["{\"a\":tru", "{}", "{"]),
            ("\n {\"a\"\n{}\n", &["{\"a\"", "{}"]),
            ("{\n{}\n{}", &["{", "{}", "{}"]),
            ("{\"a\":[{}],\n{}", &["{\"a\":[{}],", "{}"]),
            ("{\"a\":[1,{\"b\":2}\n{}", &["{\"a\":[1,{\"b\":2}", "{}"]),
        ],
    );
}

/// The value may go on, and is taken to.
#[test]
fn a_first_value_over_several_lines() {
    check(
        Format::Json,
        &[
            ("{\"a\":\n{\"b\":1}}\n{}", &["{\"a\":\n{\"b\":1}}", "{}"]),
            ("{\"a\":[ \n\n{}]}{}", &["{\"a\":[ \n\n{}]}", "{}"]),
            ("{\"a\":[1,\r\n{}]}{}", &["{\"a\":[1,\r\n{}]}", "{}"]),
            ("{\"a\":\"x\n}\n{\"\n}{}", &["{\"a\":\"x\n}\n{\"\n}", "{}"]),
            ("{\"a\"\n:{}}{}", &["{\"a\"\n:{}}", "{}"]),
            (
                "{\"a\":\n{}\n{}\n",
                &[
                    "json.truncated open 0: found the end of the input at byte 12 inside the value that begins at byte 0",
                ],
            ),
            (
                "{\"a\" \n ",
                &[
                    "json.truncated open 0: found the end of the input at byte 7 inside the value that begins at byte 0",
                ],
            ),
        ],
    );
}

#[test]
fn values() {
    check(
        Format::Json,
        &[
            ("{}{}", &["{}", "{}"]),
            ("{\"a\":\n1}\n{\"b\":2}{\"c\":3}\n", &["{\"a\":\n1}", "{\"b\":2}", "{\"c\":3}"]),
            ("1 \"a\"true[2]{}", &["1", "\"a\"", "true", "[2]", "{}"]),
            ("{},{}", &["{}", "json.separator open -: found \",\" at byte 2, expected a value"]),
            ("{}\u{b}", &["{}", "json.separator open -: found the byte 0x0b at byte 2, expected a value"]),
            ("{}]", &["{}", "json.bracket open -: found \"]\" at byte 2, expected a value"]),
            ("{\"a\":1]", &["json.bracket open 0: found \"]\" at byte 6, expected \"}\""]),
            (
                "{\n\"a",
                &[
                    "json.truncated open 0: found the end of the input at byte 4 inside the value that begins at byte 0",
                ],
            ),
        ],
    );
}

#[test]
fn what_is_no_json() {
    check(
        Format::Json,
        &[
            ("", &[]),
            ("\u{feff} \n", &[]),
            (
                "id,title\n1,2",
                &["json.not_json open -: found \"i\" at byte 0, expected JSON: \"[\" or \"{\""],
            ),
            (" <a/>", &["json.not_json open -: found \"<\" at byte 1, expected JSON: \"[\" or \"{\""]),
            (
                "\u{feee}",
                &["json.not_json open -: found the byte 0xef at byte 0, expected JSON: \"[\" or \"{\""],
            ),
        ],
    );
}

#[test]
fn nesting_ends_at_128_levels() {
    let nested = |levels: usize| format!("[{}{}]", "[".repeat(levels), "]".repeat(levels));
    let deepest = nested(128);
    let expected = &deepest[1..deepest.len() - 1];
    check(Format::Json, &[(&deepest, &[expected])]);
    let message = "json.depth open 1: found more than 128 levels of arrays and objects at byte 129";
    check(Format::Json, &[(&nested(129), &[message])]);
}

#[test]
fn rows() {
    check(
        Format::Csv,
        &[
            ("", &[]),
            ("\u{feff}id,a\n1,2\n", &["1,2"]),
            ("\r\n\nid\r\n\r\n1\r2\n\r3", &["1", "2", "3"]),
            ("h\na,\"x\n\r\n,\"\"y\"\"\"\r\nb,\n", &["a,\"x\n\r\n,\"\"y\"\"\"", "b,"]),
            ("h\n5\" pipe,a\"b\n1,\"2\"", &["5\" pipe,a\"b", "1,\"2\""]),
            ("h\n\"a\"b\n\"c\" ,\"\nd\"\n", &["\"a\"b", "\"c\" ,\"\nd\""]),
            ("h\n\"\"\n,\n\"\"\"\",", &["\"\"", ",", "\"\"\"\","]),
            ("\u{feee},x\n1,2", &["1,2"]),
            (
                "id\n1,\"a\nb",
                &[
                    "csv.unclosed_quote open 3: found the end of the input at byte 9, expected the quote that closes the one at byte 5",
                ],
            ),
        ],
    );
}

#[test]
fn elements() {
    check(
        Format::Xml,
        &[
            ("", &[]),
            ("<data/>", &[]),
            ("<data></data>\n", &[]),
            (
                "\u{feff}<?xml version=\"1.0\"?>\n<!-- <x> --><data a='>'>\n <item/>\n<a>1</a ></data><!----><?p?>\n",
                &["<item/>", "<a>1</a >"],
            ),
            ("<d><i a=\"/>\" b='\"'><i>x</i></i></d>", &["<i a=\"/>\" b='\"'><i>x</i></i>"]),
            ("<d><i><![CDATA[</i>]]]]></i><!-- </i> - ---></d>", &["<i><![CDATA[</i>]]]]></i>"]),
            ("<d><i/ ></i></d>", &["<i/ ></i>"]),
            ("<d><é:ü>x</é:ü></d>", &["<é:ü>x</é:ü>"]),
            ("x", &["xml.text open -: found \"x\" at byte 0, expected the root element"]),
            ("<d/>x", &["xml.text open -: found \"x\" at byte 4, expected nothing behind the root element"]),
            (
                "<d><i/> ,",
                &["<i/>", "xml.text open -: found \",\" at byte 8, expected the element of a record"],
            ),
            ("<d/><e/>", &["xml.trailing open -: found a second root element at byte 4"]),
            (
                "<!DOCTYPE d [",
                &[
                    "xml.doctype open -: found a document type definition at byte 0, expected none: it could define entities without end; remove it",
                ],
            ),
            (
                "<d><i><a></i></d>",
                &["xml.mismatched open 3: found an end tag at byte 9, expected that of \"a\""],
            ),
            (
                "<d><i></ix></d>",
                &["xml.mismatched open 3: found an end tag at byte 6, expected that of \"i\""],
            ),
            ("</d>", &["xml.mismatched open -: found an end tag at byte 0, expected no more"]),
            (
                "<d><i>",
                &[
                    "xml.truncated open 3: found the end of the input at byte 6, expected the end tag of \"i\"",
                ],
            ),
            (
                "<d><i/><!-- ",
                &[
                    "<i/>",
                    "xml.truncated open -: found the end of the input at byte 12 in the markup that begins at byte 7",
                ],
            ),
            (
                "<d>< i/>",
                &[
                    "xml.markup open 3: found the byte 0x20 behind \"<\" at byte 4, expected the name of an element",
                ],
            ),
        ],
    );
}

#[test]
fn items() {
    check(
        Format::Markdown,
        &[
            ("", &[]),
            ("# Title\n\ntext\n## Item 1\n", &[" 1"]),
            (
                "# Title\n\ntext\n",
                &[
                    "markdown.no_records open -: found text and no heading of a record up to the end at byte 14, \
                     expected \"## Item 1\"",
                ],
            ),
            (" \n\t\n", &[]),
            ("## Item 1\n**id:** 1\n\n## Item 2\n\n", &[" 1\n**id:** 1", " 2"]),
            ("text\n## Item \nx  \n", &[" \nx"]),
            ("## Items\n## Item\n ## Item 1\n### Item 1\n## Item 2", &[" 2"]),
            ("## Item 1\n## \n##", &[" 1\n## \n##"]),
            ("## Item 1\n## It\n\n\n## Item 2", &[" 1\n## It", " 2"]),
            ("## Item 1\n```\n## Item 2\n```\n## Item 3\r\ny", &[" 1\n```\n## Item 2\n```", " 3\r\ny"]),
            ("## Item 1\n````x\n```\n## Item 2\n  ````  \n", &[" 1\n````x\n```\n## Item 2\n  ````"]),
            ("## Item 1\n``` a`b\n## Item 2\n", &[" 1\n``` a`b", " 2"]),
            ("## Item 1\n~~~ a`b\n## Item 2\n", &[" 1\n~~~ a`b\n## Item 2"]),
        ],
    );
}

#[test]
fn blocks() {
    check(
        Format::Yaml,
        &[
            ("", &[]),
            ("# nothing\n---\n", &[]),
            ("[ ]\n", &[]),
            ("- id: 1\n  a: 2\n\n-\n  id: 2\n", &[" id: 1\n  a: 2\n\n", "\n  id: 2\n"]),
            ("\u{feff}%YAML 1.2\n--- # x\n  - 1\n   # y\n  - 2\n...\n", &[" 1\n   # y\n", " 2\n"]),
            ("- a: |\n   - b\n\n   --- c\n- - d\n", &[" a: |\n   - b\n\n   --- c\n", " - d\n"]),
            ("- 1\n---\n- 2\n", &[" 1\n", " 2\n"]),
            ("id: 1\ntags:\n- a\n-b: c\n---\nid: 2", &["id: 1\ntags:\n- a\n-b: c\n", "id: 2"]),
            ("--- {id: 1}\n--- \nid: 2\n... \n", &["{id: 1}\n", "id: 2\n"]),
            (
                "- 1\nx: 2\n",
                &["yaml.item open 1: found \"x\" at byte 4, expected the next item: \"- \" in column 1"],
            ),
            (
                "- 1\n -2\n-3",
                &["yaml.item open 1: found \"3\" at byte 9, expected the next item: \"- \" in column 1"],
            ),
            (
                "[{id: 1}]",
                &[
                    "yaml.flow open -: found a sequence in brackets at byte 1, expected items behind dashes; a file of JSON is read as json",
                ],
            ),
            (
                " id: 1",
                &[
                    "yaml.indent open -: found the first key of a document at byte 1 behind blanks, expected it in column 1",
                ],
            ),
        ],
    );
}

#[test]
fn a_segment_is_framed_like_its_source() {
    let cases: &[(Format, &str, &str, usize)] = &[
        (Format::Json, "[{\"a\":1}, 2 ,\"b\"]", "{\"a\":1}, 2 ,\"b\"", 3),
        (Format::Json, "[1,2]", "2", 1),
        (Format::Json, "{}\n{]\n1", "{]\n1", 2),
        (Format::Json, "{\n}{} 1", "{} 1", 2),
        (Format::Csv, "id\n\"1\n\"\n2\n", "\"1\n\"\n2", 2),
        (Format::Xml, "<d>\n<i/> <i>1</i>\n</d>", "<i/> <i>1</i>", 2),
    ];
    for (format, source, segment, count) in cases {
        let mut splitter = Splitter::new(0, *format, &Reading::default(), source.len() as u64, RULES);
        let mut segments = Vec::new();
        splitter.push(source.as_bytes(), &mut segments).unwrap();
        splitter.finish(&mut segments).unwrap();
        let mut framer = splitter.facts().unwrap().resume();
        let mut found = Vec::new();
        framer.push(segment.as_bytes(), &mut found).unwrap();
        // That the array goes on behind the segment is no error of the segment.
        let _ = framer.finish(&mut found);
        assert_eq!(found.len(), *count, "{segment}");
        assert_eq!(found.last().unwrap().end, segment.len() as u64);
    }
}

const RULES: Rules = Rules { batch_records: 10, batch_bytes: 1000, record_bytes: 1000 };
