//! Inputs of every format and every way to read it: mostly good, hostile, cut off, and never far from what
//! parsers expect.

use carrack_shared::format::Format;
use proptest::prelude::*;

use super::Way;
use super::tokens::{
    AROUND_ARRAYS, BESIDE_ELEMENTS, CSV_CELLS, CSV_SOUP, ELEMENTS, ENDS, GIVEN, HEADERS, JSON_SOUP,
    MARKDOWN_SOUP, MEMBERS, XML_SOUP, YAML_SOUP,
};

/// Joins tokens drawn from `tokens`: hostile, but never far from what parsers expect.
fn soup(tokens: &'static [&'static str], length: usize) -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(tokens).prop_map(unescaped);
    prop::collection::vec(token, 0..length).prop_map(|tokens| tokens.concat())
}

/// `\xff` in a token is a byte that is no UTF-8.
fn unescaped(token: &str) -> Vec<u8> {
    if token == "\\xff" { vec![0xff] } else { token.as_bytes().to_vec() }
}

/// The same text with other bytes where these stand.
fn swapped(text: &[u8], pairs: [(u8, u8); 2]) -> Vec<u8> {
    let swap = |byte: &u8| {
        let other = pairs.iter().find_map(|(one, other)| match byte {
            _ if byte == one => Some(*other),
            _ if byte == other => Some(*one),
            _ => None,
        });
        other.unwrap_or(*byte)
    };
    text.iter().map(swap).collect()
}

/// A way to read CSV, and a file of mostly good rows for it.
fn any_table() -> impl Strategy<Value = (Way, Vec<u8>)> {
    let dialect =
        prop::sample::select(&[(b',', b'"'), (b';', b'"'), (b'\t', b'"'), (b'|', b'"'), (b';', b'\'')][..]);
    let text = prop_oneof![3 => table(), 1 => soup(CSV_SOUP, 30)];
    (text, dialect, prop::bool::weighted(0.3)).prop_map(|(text, (delimiter, quote), headless)| {
        let mut way = Way::table(delimiter, quote);
        if headless {
            way.reading.header = Way::headless(&GIVEN).reading.header;
        }
        let pairs = [(b',', delimiter), (b'"', quote)];
        (way, swapped(&text, pairs))
    })
}

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

/// An array of mostly good records.
fn array() -> impl Strategy<Value = Vec<u8>> {
    let record = prop::collection::vec(prop::sample::select(MEMBERS), 0..4);
    let between = prop::sample::select(&[",", " ,\n", ",\r\n "][..]);
    (prop::collection::vec(record, 0..6), between).prop_map(|(records, between)| {
        let records: Vec<String> =
            records.iter().map(|members| format!("{{{}}}", members.join(","))).collect();
        format!("[{}]", records.join(between)).replace("\\xff", "\u{fffd}").into_bytes()
    })
}

/// JSON whose records are in an array of a document, or are not.
fn nested() -> impl Strategy<Value = (Way, Vec<u8>)> {
    let around = prop::sample::select(AROUND_ARRAYS);
    let array = prop_oneof![
        5 => array(),
        1 => document().prop_map(|text| [b"[", &text[..], b"]"].concat()),
        1 => soup(JSON_SOUP, 20).prop_map(|text| [b"[", &text[..]].concat()),
        1 => soup(JSON_SOUP, 20),
    ];
    (around, array, prop::option::weighted(0.2, any::<prop::sample::Index>())).prop_map(
        |((before, behind), array, cut)| {
            let mut text = [before.as_bytes(), &array, behind.as_bytes()].concat();
            if let Some(cut) = cut {
                text.truncate(cut.index(text.len() + 1));
            }
            (Way::at(Format::Json, "$.data.contexts"), text)
        },
    )
}

/// XML whose records are somewhere in the document, or are not.
fn scattered() -> impl Strategy<Value = (Way, Vec<u8>)> {
    let way = prop::sample::select(&["/d/c/item", "/d/c", "/d", "item", "/d/c/item/title", "x"][..]);
    let part =
        (prop::sample::select(BESIDE_ELEMENTS), prop::collection::vec(prop::sample::select(ELEMENTS), 0..4));
    let parts = prop::collection::vec(part, 0..8);
    (way, parts, prop::option::weighted(0.3, any::<prop::sample::Index>())).prop_map(|(way, parts, cut)| {
        let mut text = "<d>\n<c>".to_owned();
        for (beside, elements) in parts {
            text.push_str(beside);
            text.push_str("<item>");
            elements.iter().for_each(|element| text.push_str(element));
            text.push_str("</item>\n");
        }
        text.push_str("</c></d>\n");
        let mut text = text.replace("\\xff", "\u{fffd}").into_bytes();
        if let Some(cut) = cut {
            text.truncate(cut.index(text.len() + 1));
        }
        (Way::at(Format::Xml, way), text)
    })
}

/// Inputs as they come, and how to read them.
pub fn input() -> impl Strategy<Value = (Way, Vec<u8>)> {
    let of = |format: Format, input: BoxedStrategy<Vec<u8>>| {
        input.prop_map(move |text| (Way::from(format), text)).boxed()
    };
    let behind = |head: &'static [u8], tokens, length| {
        soup(tokens, length).prop_map(move |text| [head, &text[..]].concat()).boxed()
    };
    prop_oneof![
        3 => of(Format::Csv, table().boxed()),
        3 => of(Format::Json, document().boxed()),
        1 => of(Format::Csv, behind(b"id,title,content\n", CSV_SOUP, 30)),
        1 => of(Format::Csv, soup(CSV_SOUP, 12).boxed()),
        2 => of(Format::Json, soup(JSON_SOUP, 30).boxed()),
        1 => of(Format::Json, behind(b"[", JSON_SOUP, 30)),
        1 => of(Format::Ndjson, document().boxed()),
        1 => of(Format::Ndjson, soup(JSON_SOUP, 30).boxed()),
        3 => of(Format::Xml, elements().boxed()),
        1 => of(Format::Xml, soup(XML_SOUP, 30).boxed()),
        2 => of(Format::Xml, behind(b"<data>", XML_SOUP, 30)),
        3 => of(Format::Yaml, soup(YAML_SOUP, 30).boxed()),
        2 => of(Format::Yaml, behind(b"- id: 1\n  title: t\n  content: c\n", YAML_SOUP, 30)),
        3 => of(Format::Markdown, soup(MARKDOWN_SOUP, 30).boxed()),
        3 => any_table(),
        3 => nested(),
        3 => scattered(),
    ]
}
