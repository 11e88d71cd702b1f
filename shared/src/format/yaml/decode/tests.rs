//! What is read without the parser is what the parser reads: the same values, the same faults.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::record::{Origin, Position};
use crate::schema;

/// What a way of reading makes of a record; none where the way is not for it.
fn read(record: &str, shape: Shape, plainly: bool) -> Option<String> {
    let data_type = schema::built_in("contexts").unwrap();
    let meaning = Records::new(&Facts { shape }, &data_type);
    let mut rows = Rows::new(Arc::clone(&data_type), Bytes::copy_from_slice(record.as_bytes()), 0, 1);
    let mut draft = Draft::new(data_type.fields.len());
    let mut decoder = Decoder {
        members: Members::new(&data_type),
        padding: &meaning.padding,
        nul: false,
        plain: Plain::default(),
        padded: String::new(),
        json: Vec::new(),
    };
    decoder.members.begin(record.len());
    if plainly {
        decoder.plain.read(record, meaning.padding.len()).then_some(())?;
        decoder.plain(record, 0, &mut rows, &mut draft);
    } else {
        decoder.parsed(record, &mut rows, &mut draft);
    }
    if !draft.is_good() {
        return Some(format!("{:?}", draft.take_faults()));
    }
    let extra = draft.extra.cell(&mut rows);
    draft.push(Origin { position: Position::new(0, 1), frame: 0..0 }, extra, &mut rows);
    let values = (0..rows.width()).map(|slot| format!("{:?}", rows.value(0, slot)));
    Some(values.collect::<Vec<_>>().join(" "))
}

const ITEMS: Shape = Shape::Sequence { indent: 0 };

#[test]
fn plain_records_are_read_without_the_parser() {
    let plain = [
        " id: 1\n  title: \"a \\\"b\\\" \\u00e9\\n\"\n  tags:\n    - a\n    - \"b, c\"\n  createdAt: 2024-01-01T10:00:00Z\n",
        " id: 'x'\n  metadata:\n    importance: low\n    deep:\n      n: 1.50\n      list:\n      - -1\n      - ~x\n".trim_end_matches("      - ~x\n"),
        "\n    id: 1\n    content: |\n      two\n        lines\n\n      # no comment\n    type: |-\n      x\n\n",
        " id: 1\n  tags: []\n  metadata: {}\n\n  x:\n  title: 007\n  \"a b\": é✓\n  e: http://x/y?a=b#c",
        " id: 0x1F\n  a: 0x1F\n  b: 1e3\n  c: yes\n  type: null\n  d: null\n",
    ];
    for record in plain {
        let found = read(record, ITEMS, true);
        assert!(found.is_some(), "{record} is for the parser");
        assert_eq!(found, read(record, ITEMS, false), "{record}");
    }
    let others = [
        " id: &a 1\n",
        " id: !!str 1\n",
        " id: 1 # c\n",
        " id: a: b\n",
        " id: a:\n",
        " id: [1]\n",
        " id: a\n   b\n",
        " id: \"a\n   b\"\n",
        " id: 'it''s'\n",
        " id: \"\\x41\"\n",
        " id: \"\\ud83d\\ude00\"\n",
        " id: >\n    a\n",
        " id: |2\n    a\n",
        " id: |\n\n    a\n",
        " id: |\n    a",
        " id: |\n     a\n    b\n",
        " id: a\n title: b\n",
        " id: a\n   title: b\n",
        " id: a \n",
        " id: a\tb\n",
        " id: a\r\n",
        " ? id\n  : a\n",
        " id: -\n",
        " id: *a\n",
        " id: .inf\n",
        " id: \u{85}\n",
        " - a\n",
        " a\n",
        "",
        " id: \"a\" b\n",
        " id : a\n",
        "\"\\: id",
        "\ta: b\n",
        " id: a\n  \n  b: c\n",
        " tags:\n    - a: b\n",
        " tags:\n    -\n",
        " tags:\n    - - a\n",
        " tags:\n    - |\n      a\n",
    ];
    for record in others {
        assert_eq!(read(record, ITEMS, true), None, "{record:?}");
    }
}

#[test]
fn a_record_that_may_have_too_many_nodes_is_for_the_parser() {
    let record = |length: usize| format!(" id: {}", "x".repeat(length - 5));
    assert!(read(&record(limits::NODES / 2), ITEMS, true).is_some());
    assert_eq!(read(&record(limits::NODES / 2 + 1), ITEMS, true), None);
}

const TOKENS: &[&str] = &[
    "id",
    "title",
    "tags",
    "metadata",
    "createdAt",
    "a",
    "b",
    "\"c d\"",
    "x-y",
    ":",
    ": ",
    ":\n",
    "- ",
    "-",
    "\n",
    "\n\n",
    " ",
    "  ",
    "    ",
    "\n  ",
    "\n    ",
    "\n      ",
    "\n  a: ",
    "\n  b: ",
    "\n    - ",
    "\n  - ",
    "1",
    "1.50",
    "007",
    "-1",
    "-.5",
    "0x1F",
    "null",
    "~",
    "true",
    "yes",
    "\"",
    "'",
    "''",
    "\"q\"",
    "\"e\\n\\u00e9\"",
    "\"\\/\"",
    "\"\\x41\"",
    "'s'",
    "\\",
    "|",
    "|\n",
    "|-\n",
    "|+\n",
    ">\n",
    "[]",
    "{}",
    "[",
    "]",
    "{",
    "}",
    ",",
    "#",
    " #",
    "&a ",
    "*a",
    "!t ",
    "?",
    "%",
    "@",
    "`",
    "é",
    "✓",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "\t",
    "\r",
    "\u{1}",
    "2024-01-01",
    "10:00",
    "text here",
    "\n    text\n      more\n",
    "---",
    "...",
    "<<",
    "=",
];

const LINES: &[&str] = &[
    "  a: 1",
    "  b: \"x\"",
    "  c:",
    "  tags:",
    "    - a",
    "    - 'b'",
    "  - c",
    "    d: e",
    "    f:",
    "      - g",
    "      h: |",
    "        text",
    "         more",
    "  i: |-",
    "    text",
    "",
    "  j: x y",
    "  metadata:",
    "  type: 1.0",
    "  \"k l\": {}",
    "  title: null",
    "  a: again",
    "      ",
    "    # c",
    "  # c",
    "# c",
    "  m: \"e\\t\"",
    "  content: |",
    "  n: -1",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_plain_means_the_same_to_the_parser(
        tokens in prop::collection::vec(prop::sample::select(TOKENS), 0..14),
        lines in prop::collection::vec(prop::sample::select(LINES), 0..10),
        shape in prop::sample::select(&[ITEMS, Shape::Sequence { indent: 2 }, Shape::Documents][..]),
    ) {
        for record in [format!(" id: {}", tokens.concat()), tokens.concat(), format!(" id: 1\n{}\n", lines.join("\n")), lines.join("\n")] {
            if let Some(plain) = read(&record, shape, true) {
                prop_assert_eq!(Some(plain), read(&record, shape, false), "{:?}", record);
            }
        }
    }
}
