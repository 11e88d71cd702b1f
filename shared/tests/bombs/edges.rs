//! Every limit of a decoder at one less, exactly, and one more: format, name, limit, the code of what is
//! more, and an input of that size.

use carrack_shared::format::Format::{self, Csv, Json, Markdown, Xml, Yaml};
use carrack_shared::limits;

use crate::inputs::{cell, filled_text, json, xml, yaml};

type Limit = (Format, &'static str, usize, &'static str, fn(usize) -> Vec<u8>);

const RECORD: usize = limits::RECORD_BYTES as usize;

pub const LIMITS: &[Limit] = &[
    (Json, "depth", limits::DEPTH, "json.depth", |levels| json(&format!("\"a\":{}", brackets(levels - 1)))),
    (Csv, "depth", limits::DEPTH, "json.depth", |levels| {
        cell(&format!("{{\"\"a\"\":{}}}", brackets(levels - 2)), "")
    }),
    (Xml, "depth", limits::DEPTH, "xml.depth", |levels| {
        let (open, close) = ("<a>".repeat(levels - 2), "</a>".repeat(levels - 2));
        xml(&[open, close].concat())
    }),
    (Yaml, "depth", limits::DEPTH, "yaml.depth", |levels| yaml(&format!("  a: {}\n", brackets(levels - 1)))),
    (Json, "digits", limits::NUMBER_DIGITS, "number.range", |digits| {
        json(&format!("\"a\":{}", "7".repeat(digits)))
    }),
    (Yaml, "digits", limits::NUMBER_DIGITS, "number.range", |digits| {
        yaml(&format!("  a: {}\n", "7".repeat(digits)))
    }),
    (Json, "key", limits::KEY_BYTES, "key.too_long", |bytes| {
        format!("{{\"id\":\"{}\",\"title\":\"t\",\"content\":\"c\"}}", "k".repeat(bytes)).into_bytes()
    }),
    (Csv, "columns", limits::COLUMNS, "csv.header_columns", |columns| {
        let names: String = (3..columns).map(|number| format!(",c{number}")).collect();
        format!("id,title,content{names}\n1,t,c{}\n", ",".repeat(columns - 3)).into_bytes()
    }),
    (Csv, "header", limits::HEADER_BYTES, "csv.header_too_long", |bytes| {
        format!("id,title,content,{}\n1,t,c,x\n", "a".repeat(bytes - 17)).into_bytes()
    }),
    (Xml, "attributes", limits::ATTRIBUTES, "xml.attributes", |count| {
        xml(&format!("<a{}/>", (0..count).map(|number| format!(" a{number}=''")).collect::<String>()))
    }),
    (Xml, "name", limits::NAME_BYTES, "xml.name", |bytes| xml(&format!("<{}/>", "a".repeat(bytes)))),
    (Yaml, "aliases", limits::ALIAS_BYTES, "yaml.aliases", |bytes| {
        // What the anchors stand for counts once, and each alias again, all with their quotes.
        let text = bytes / 4 - limits::ANCHOR_BYTES;
        let rest = bytes - 4 * (text + 2) - limits::ANCHOR_BYTES - (limits::ANCHOR_BYTES + 2);
        let (text, rest) = ("x".repeat(text), "x".repeat(rest));
        yaml(&format!("  a: &a {text}\n  b: &b {rest}\n  c: [*a, *a, *a]\n"))
    }),
    (Yaml, "nodes", limits::NODES, "yaml.nodes", |nodes| {
        // The record, its three pairs, and the key and the list of the fourth.
        yaml(&format!("  a: [{}]\n", "a,".repeat(nodes - 9)))
    }),
    (Json, "record", RECORD, "record.too_large", |bytes| {
        let record = r#"{"id":"1","title":"t","content":""}"#;
        record.replace("\"\"}", &format!("\"{}\"}}", "x".repeat(bytes - record.len()))).into_bytes()
    }),
    (Csv, "record", RECORD, "record.too_large", |bytes| {
        format!("id,title,content\n1,t,{}\n", "x".repeat(bytes - 4)).into_bytes()
    }),
    (Xml, "record", RECORD, "record.too_large", |bytes| {
        let empty = xml("").len() - "<d></d>".len();
        xml(&filled_text("x", bytes - empty))
    }),
    (Yaml, "record", RECORD, "record.too_large", |bytes| {
        yaml(&format!("  a: {}", "x".repeat(bytes - yaml("  a: ").len() + 1)))
    }),
    (Markdown, "record", RECORD, "record.too_large", |bytes| {
        // The record begins behind the words of its heading.
        let (words, head) = ("## Item", " 1\n**id:** 1\n**title:** t\n**content:** ");
        format!("{words}{head}{}", "x".repeat(bytes - head.len())).into_bytes()
    }),
];

fn brackets(levels: usize) -> String {
    ["[".repeat(levels), "]".repeat(levels)].concat()
}
