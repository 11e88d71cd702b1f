//! Where the input is cut changes nothing: any batch size and pieces of any size give the same rows and the
//! same faults as one batch in one piece, and planning goes on from every cursor as if undisturbed.
#![allow(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "inputs of tests are small; a failure is a failed test"
)]

mod support;

use carrack_shared::format::Format;
use carrack_shared::pipeline::split::Rules;
use proptest::prelude::*;
use support::{WHOLE, resumed, run, split};

/// Joins tokens drawn from `tokens`: hostile, but never far from what parsers expect.
fn soup(tokens: &'static [&'static str], length: usize) -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(tokens).prop_map(unescaped);
    prop::collection::vec(token, 0..length).prop_map(|tokens| tokens.concat())
}

/// `\xff` in a token is a byte that is no UTF-8.
fn unescaped(token: &str) -> Vec<u8> {
    if token == "\\xff" { vec![0xff] } else { token.as_bytes().to_vec() }
}

const JSON_SOUP: &[&str] = &[
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "\"",
    "\\",
    "\n",
    "\r\n",
    " ",
    "\t",
    "a",
    "é",
    "-1.50",
    "true",
    "null",
    "\\xff",
    "{\"id\":\"1\"}",
    "{\"id\":\"2\",\"title\":\"t\",\"content\":\"c\"}",
    "\"x\"",
    "\u{0}",
    "\\u0000",
    "\u{feff}",
];

const CSV_SOUP: &[&str] = &[
    ",", "\"", "\"\"", "\n", "\r\n", "\r", " ", "a", "é", "1,t,c", "\"x\ny\"", "[1]", "\\xff", "\u{0}",
    ",,,,,,", "\n\n",
];

const CSV_CELLS: &[&str] = &[
    "",
    "\"\"",
    "a",
    "é✓",
    "\"a,b\"",
    "\"two\nlines\"",
    "\"crlf\r\n\"",
    "\"say \"\"hi\"\"\"",
    "5\" pipe",
    " ",
    "x,",
    "2024-01-01",
    "2024-01-01T10:00:00+02:00",
    "31/02/2024",
    "\"[1,{\"\"b\"\":1,\"\"a\"\":2}]\"",
    "[]",
    "{}",
    "\"{\"\"k\"\":1.50}\"",
    "\"{\"\"k\"\":\"",
    "\"stray\"x",
    "\\xff",
    "n\u{0}l",
    "\"{\"\"title\"\":null,\"\"zz\"\":[1]}\"",
];

const HEADERS: &[&str] = &[
    "id,title,content,tags,createdAt,metadata",
    "content,id,title,color,extra,size",
    "\u{feff}id,\"ti\"\"tle\",title,content",
    "\"id\",title\r\n\r",
    "id,id",
    "id,,b",
];

const ENDS: &[&str] = &["\n", "\r\n", "\r", "\n\n", "\r\n\n"];

/// A CSV file of mostly good rows.
fn table() -> impl Strategy<Value = Vec<u8>> {
    let row = (prop::collection::vec(prop::sample::select(CSV_CELLS), 1..7), prop::sample::select(ENDS));
    let rows = prop::collection::vec(row, 0..12);
    (prop::sample::select(HEADERS), prop::sample::select(ENDS), rows, any::<bool>()).prop_map(
        |(header, end, rows, closed)| {
            let mut text = header.as_bytes().to_vec();
            text.extend_from_slice(end.as_bytes());
            let count = rows.len();
            for (index, (cells, end)) in rows.into_iter().enumerate() {
                for (cell, text_of_cell) in cells.iter().enumerate() {
                    if cell > 0 {
                        text.push(b',');
                    }
                    text.extend(unescaped(text_of_cell));
                }
                if closed || index + 1 < count {
                    text.extend_from_slice(end.as_bytes());
                }
            }
            text
        },
    )
}

const MEMBERS: &[&str] = &[
    r#""id":"1""#,
    r#""id" : "é✓\ud83d\ude00""#,
    r#""title":"t\n\"q\" \\""#,
    r#""content":"}{][""#,
    r#""title":null"#,
    r#""tags":["a", "b,\\"]"#,
    r#""metadata":{"b":1.50,"a":[{}, 1e3]}"#,
    "\"color\" :\t\"red\"",
    r#""metadata":{"a":1,"a":2}"#,
    r#""createdAt":"2024-01-01T00:00:00Z""#,
    r#""createdAt":"31/02/2024""#,
    r#""n":-0.0"#,
    r#""content":7"#,
    r#""id":"\u0000""#,
    r#""title":"\ud800""#,
    "\"content\":\"raw\nline\"",
    "\"nested\":{\n\"deep\":[[[]]]}",
    "\"bad\" 1",
    "\"title\":\"\\xff\"",
];

/// JSON of mostly good records, in one of the three shapes, cut off at some place or not.
fn document() -> impl Strategy<Value = Vec<u8>> {
    let member = prop::sample::select(MEMBERS);
    let blank = prop::sample::select(&["", "", " ", "\n", "\r\n ", "\t"][..]);
    let record = (prop::collection::vec(member, 0..6), blank);
    let shape =
        prop::sample::select(&[("[", ",", "]"), ("", "\n", "\n"), ("", " ", ""), ("", "\r\n", "\n \n")][..]);
    (
        prop::collection::vec(record, 0..10),
        shape,
        any::<bool>(),
        prop::option::weighted(0.2, any::<prop::sample::Index>()),
    )
        .prop_map(|(records, (open, between, close), mark, cut)| {
            let mut text = if mark { "\u{feff}".as_bytes().to_vec() } else { Vec::new() };
            text.extend_from_slice(open.as_bytes());
            for (index, (members, blank)) in records.iter().enumerate() {
                if index > 0 {
                    text.extend_from_slice(between.as_bytes());
                }
                text.push(b'{');
                text.extend_from_slice(members.join(",").replace("\\xff", "\u{fffd}").as_bytes());
                text.push(b'}');
                text.extend_from_slice(blank.as_bytes());
            }
            text.extend_from_slice(close.as_bytes());
            if let Some(cut) = cut {
                text.truncate(cut.index(text.len() + 1));
            }
            text
        })
}

const XML_SOUP: &[&str] = &[
    "<",
    ">",
    "/",
    "</",
    "/>",
    "<a>",
    "</a>",
    "<a/>",
    "<b",
    " c=\"",
    "\"",
    "'",
    "=",
    "&",
    "&amp;",
    "&#10;",
    ";",
    "<!--",
    "--",
    "-->",
    "<![CDATA[",
    "]]>",
    "]",
    "<?",
    "?>",
    "<!DOCTYPE",
    "\n",
    "\r\n",
    " ",
    "x",
    "é",
    "\\xff",
    "\u{0}",
    "<item><id>1</id><title>t</title><content>c</content></item>",
    "<id>2</id>",
];

const ELEMENTS: &[&str] = &[
    "<id>1</id>",
    "<id>é✓</id>",
    "<title>a &amp; b &lt;c&gt; &#233;</title>",
    "<title><![CDATA[<x> ]] ]]></title>",
    "<content>two\nlines</content>",
    "<content>crlf\r\nhere<!-- > --></content>",
    "<content/>",
    "<tags>a</tags><tags>b</tags>",
    "<tags><tag>a</tag><tag>b</tag></tags>",
    "<metadata><source>api</source><n t='>'>1</n></metadata>",
    "<color a=\"1\" b='<'>red</color>",
    "<size carrack:type=\"json\">1.50</size>",
    "<size carrack:type=\"json\">{</size>",
    "<createdAt>2024-01-01T00:00:00Z</createdAt>",
    "<createdAt>31/02/2024</createdAt>",
    "<title>&nbsp;</title>",
    "<?pi x?>",
    "mixed",
    "<open>",
    "<title>\\xff</title>",
];

/// XML of mostly good records, cut off at some place or not.
fn elements() -> impl Strategy<Value = Vec<u8>> {
    let record = prop::collection::vec(prop::sample::select(ELEMENTS), 0..6);
    let blank = prop::sample::select(&["", "\n  ", "\r\n", "<!-- - -->", "<?p ?>"][..]);
    let head = prop::sample::select(
        &["<data>", "\u{feff}<?xml version=\"1.0\"?>\n<data x='>'>", "<!-- a --><ns:data>"][..],
    );
    let records = prop::collection::vec((record, blank), 0..10);
    let cut = prop::option::weighted(0.2, any::<prop::sample::Index>());
    (head, records, cut).prop_map(|(head, records, cut)| {
        let mut text = head.as_bytes().to_vec();
        for (elements, blank) in &records {
            text.extend_from_slice(format!("<item n=\"1\">{blank}").as_bytes());
            elements.iter().for_each(|element| {
                let element = if element.contains("\\xff") { "<title>\u{fffd}</title>" } else { element };
                text.extend_from_slice(element.as_bytes());
            });
            text.extend_from_slice(format!("</item>{blank}").as_bytes());
        }
        text.extend_from_slice(if head.contains("ns:") { b"</ns:data>" } else { b"</data>\n" });
        if let Some(cut) = cut {
            text.truncate(cut.index(text.len() + 1));
        }
        text
    })
}

const MARKDOWN_SOUP: &[&str] = &[
    "## Item",
    "## Item 1\n",
    "\n## Item 2\n",
    "##",
    "#",
    " ",
    "\n",
    "\r\n",
    "```\n",
    "````",
    "`",
    "~~~\n",
    "**id:** 1\n",
    "**title:** t\n",
    "**content:**\n```\n## Item 3\n```\n",
    "**tags:** a, b\n",
    "**size:** `1.50`\n",
    "**extra:** `{\"a\":1}`\n",
    "**createdAt:** 31/02/2024\n",
    "**",
    ":**",
    "x",
    "é",
    "\\xff",
    "\u{0}",
    "# Title\n\n",
    "\u{feff}",
];

const YAML_SOUP: &[&str] = &[
    "- id: 1\n",
    "- \n",
    "-\n",
    "-",
    "--",
    "---\n",
    "--- ",
    "...\n",
    ".",
    "  title: t\n",
    "  content: c\n",
    "id: 2\n",
    "title: \"a\\n\\u00e9\"\n",
    "  tags: [a, b]\n",
    "  tags:\n  - a\n  - b\n",
    "tags:\n- a\n",
    "  metadata: {a: 1.50, b: ~}\n",
    "  content: |\n    two\n    lines\n",
    "  a: &x [1]\n  b: *x\n",
    "  c: *nowhere\n",
    "  d: !own 1\n",
    "  createdAt: 31/02/2024\n",
    "# comment\n",
    "%YAML 1.2\n",
    " ",
    "\n",
    "\r\n",
    "\t",
    "[",
    "]",
    "'",
    "x",
    "é",
    "\\xff",
    "\u{0}",
    "\u{feff}",
];

fn input() -> impl Strategy<Value = (Format, Vec<u8>)> {
    prop_oneof![
        3 => table().prop_map(|text| (Format::Csv, text)),
        3 => document().prop_map(|text| (Format::Json, text)),
        1 => soup(CSV_SOUP, 30).prop_map(|text| (Format::Csv, [b"id,title,content\n", &text[..]].concat())),
        1 => soup(CSV_SOUP, 12).prop_map(|text| (Format::Csv, text)),
        2 => soup(JSON_SOUP, 30).prop_map(|text| (Format::Json, text)),
        1 => soup(JSON_SOUP, 30).prop_map(|text| (Format::Json, [b"[", &text[..]].concat())),
        3 => elements().prop_map(|text| (Format::Xml, text)),
        1 => soup(XML_SOUP, 30).prop_map(|text| (Format::Xml, text)),
        3 => soup(YAML_SOUP, 30).prop_map(|text| (Format::Yaml, text)),
        2 => soup(YAML_SOUP, 30).prop_map(|text| (Format::Yaml, [b"- id: 1\n  title: t\n  content: c\n", &text[..]].concat())),
        3 => soup(MARKDOWN_SOUP, 30).prop_map(|text| (Format::Markdown, text)),
        2 => soup(XML_SOUP, 30).prop_map(|text| (Format::Xml, [b"<data>", &text[..]].concat())),
    ]
}

fn rules() -> impl Strategy<Value = Rules> {
    let records = prop_oneof![1..5u32, Just(u32::MAX)];
    let bytes = prop_oneof![1..80u64, Just(u64::MAX)];
    (records, bytes, prop_oneof![1 => 5..60u64, 2 => Just(u64::MAX)]).prop_map(
        |(batch_records, batch_bytes, record_bytes)| Rules { batch_records, batch_bytes, record_bytes },
    )
}

/// The line on which byte `at` stands. A byte between the halves of a `\r\n` is never asked for.
fn line_of(format: Format, input: &[u8], at: usize) -> u64 {
    let ends = |index: &usize| match input[*index] {
        b'\n' => true,
        b'\r' => format == Format::Csv && input.get(index + 1) != Some(&b'\n'),
        _ => false,
    };
    1 + (0..at).filter(ends).count() as u64
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cutting_changes_nothing((format, input) in input(), rules in rules(), size in 1..8usize) {
        let whole = run(format, &input, Rules { record_bytes: rules.record_bytes, ..WHOLE }, input.len());
        prop_assert_eq!(&run(format, &input, rules, input.len()), &whole, "batches");
        prop_assert_eq!(&run(format, &input, rules, size), &whole, "batches and pieces");
    }

    #[test]
    fn segments_are_as_the_rules_say((format, input) in input(), rules in rules(), size in 1..8usize) {
        let (segments, _, _) = split(format, &input, rules, size);
        prop_assert_eq!(&split(format, &input, rules, input.len()).0, &segments, "pieces");
        let mut behind = 0;
        for segment in &segments {
            prop_assert!(segment.bytes.start >= behind && segment.bytes.end <= input.len() as u64);
            behind = segment.bytes.end;
            let bytes = &input[segment.bytes.start as usize..segment.bytes.end as usize];
            prop_assert_eq!(segment.first_line, line_of(format, &input, segment.bytes.start as usize));
            if segment.fault.is_none() {
                prop_assert_eq!(segment.hash, *blake3::hash(bytes).as_bytes());
                prop_assert!(segment.records <= rules.batch_records);
                prop_assert!(bytes.len() as u64 <= rules.batch_bytes || segment.records == 1);
            }
        }
    }

    #[test]
    fn planning_goes_on_from_every_cursor((format, input) in input(), rules in rules(), size in 1..8usize) {
        let (segments, _, broken) = split(format, &input, rules, size);
        for (cursor, rest, broken_then) in resumed(format, &input, rules, size) {
            let planned = segments.iter().take_while(|segment| segment.bytes.end <= cursor.byte).count();
            prop_assert_eq!(&rest, &segments[planned..], "from {:?}", &cursor);
            if cursor.byte < input.len() as u64 {
                prop_assert_eq!(&broken_then, &broken);
            }
        }
    }
}
