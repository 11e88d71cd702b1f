//! What is read without the parser is what the parser reads: the same values, the same faults.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::limits;
use crate::record::{Origin, Position};
use crate::schema;

/// What a way of reading makes of a record; none where the way is not for it.
fn read(record: &str, shape: Shape, plainly: bool) -> Option<String> {
    meant(record, shape, plainly).map(|(meaning, _)| meaning)
}

/// The same, with how many members were for the parser.
fn meant(record: &str, shape: Shape, plainly: bool) -> Option<(String, usize)> {
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
        decoder.odd(record).ok().filter(|all| *all)?;
        decoder.plain(record, 0, &mut rows, &mut draft);
    } else {
        decoder.parsed(record, &mut rows, &mut draft);
    }
    if !draft.is_good() {
        return Some((format!("{:?}", draft.take_faults()), 0));
    }
    let is_odd = |(_, value): &&(Range<usize>, Value)| matches!(value, Value::Parsed(_));
    let odd = decoder.plain.members.iter().filter(is_odd).count();
    let extra = draft.extra.cell(&mut rows);
    draft.push(Origin { position: Position::new(0, 1), frame: 0..0 }, extra, &mut rows);
    let values = (0..rows.width()).map(|slot| format!("{:?}", rows.value(0, slot)));
    Some((values.collect::<Vec<_>>().join(" "), odd))
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
        for record in [record, &record.replace('\n', "\r\n")] {
            let found = meant(record, ITEMS, true);
            assert_eq!(found.as_ref().map(|(_, odd)| *odd), Some(0), "{record} is for the parser");
            assert_eq!(found.map(|(meaning, _)| meaning), read(record, ITEMS, false), "{record}");
        }
    }
}

#[test]
fn odd_members_are_left_to_the_parser() {
    // How many of their members are odd.
    let records = [
        (1, " id: &a 1\n  title: t\n"),
        (1, " id: !!str 1\n  title: t\n"),
        (1, " id: 1 # c\n  title: t\n"),
        (1, " id: t\n  tags: [1, 'a']\n"),
        (1, " id: a\n    b\n\n    c\n  title: t\n"),
        (1, " id: a\n  title: \"a\n    b\"\n"),
        (1, " id: a\n  title: 'it''s'\n  content: c\n"),
        (1, " id: \"\\x41\"\n"),
        (1, " id: >\n    a\n   # c\n# d\n  title: t\n"),
        (1, " id: |2\n    a\n"),
        (1, " id: |\n\n    a\n"),
        (1, " id: |\n    a"),
        (1, " id: |+\n    a\n\n\n  title: t\n"),
        (1, " id: a \n  title: t\n"),
        (1, " tags:\n    - a: b\n  id: 1\n"),
        (1, " id: 1\n  tags:\n  - - a\n  -\n"),
        (1, " tags:\n    - |\n      a\n  id: 1\n"),
        (2, " id: 1\n  title: &a t\n  type: x\n  content: *a\n"),
        (2, " id: 1\n  metadata: &a {a: 1}\n  type: x\n  tags:\n  - *a\n  - *a\n"),
        (3, " id: &a 1\n  title: &a 2\n  content: *a\n  type: x\n"),
        (1, " id: ~ x\n"),
    ];
    for (odd, record) in records {
        for record in [record, &record.replace('\n', "\r\n")] {
            let found = meant(record, ITEMS, true);
            assert_eq!(found.as_ref().map(|(_, odd)| *odd), Some(odd), "{record:?}");
            assert_eq!(found.map(|(meaning, _)| meaning), read(record, ITEMS, false), "{record:?}");
        }
    }
}

#[test]
fn records_that_their_lines_do_not_tell_are_for_the_parser() {
    let records = [
        " id: a: b\n",
        " id: a:\n",
        " id: \"a\n  b: 1\n  c: b\"\n",
        " id: \"a\n  b: 1\n  title: b\"\n  title: &a 1\n",
        " id: [a\n  b: 1\n  title: b]\n",
        " id: \"a\n  b: 1\n  c: d\"\r  c: 1\n",
        " id: &a\r  b: 1\n",
        " id: \r...\n  title: t\n",
        " id: &a x\r---\n  title: t\n",
        " id: a\n  \n  title: t\n",
        " id: a\n title: b\n",
        " id: a\n   title: b\n",
        " id: a\tb\n  \ttitle: b\n",
        " ? id\n  : a\n",
        " id: *a\n",
        " id: .inf\n",
        " id: 1\n  title: -\n",
        " id: \u{1}\n",
        " &a id: 1\n",
        " - a\n",
        " a\n",
        "",
        " id: \"a\" b\n",
        " id : a\n",
        "\"\\: id",
        "\ta: b\n",
        " [id]: 1\n",
        " {id: 1}\n",
    ];
    for record in records {
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
    "  o: &o p",
    "  q: *o",
    "  r: [s, *o]",
    "  t: {u: v, w: [x]} # y",
    "  aa: \"b",
    "    c\"",
    "  d: e\"",
    "  bb: 'c",
    "  cc: [",
    "  ]",
    "  dd: e]",
    "    dd: ee",
    "  ff: > # g",
    "  gg: a  ",
    "  hh: *o\r  ii: 1",
    "  jj: \"e\\",
    "\tkk: 1",
    "  id: &id",
    "  ll: !!str 7",
    "  mm: |+",
    "  id: 2\r",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_plain_means_the_same_to_the_parser(
        tokens in prop::collection::vec(prop::sample::select(TOKENS), 0..14),
        lines in prop::collection::vec(prop::sample::select(LINES), 0..10),
        shape in prop::sample::select(&[ITEMS, Shape::Sequence { indent: 2 }, Shape::Documents][..]),
    ) {
        let (text, lines) = (tokens.concat(), lines.join("\n"));
        let records = [
            format!(" id: {text}"),
            format!(" id: {text}\n{lines}\n"),
            text,
            format!(" id: 1\n{lines}\n"),
            format!(" id: 1\n{lines}\n").replace('\n', "\r\n"),
            lines,
        ];
        for record in records {
            if let Some(plain) = read(&record, shape, true) {
                prop_assert_eq!(Some(plain), read(&record, shape, false), "{:?}", record);
            }
        }
    }
}
