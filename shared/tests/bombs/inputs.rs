//! The bombs: format, name, how they end, and the input itself.

use std::fmt::Write;

use carrack_shared::format::Format::{self, Csv, Json, Markdown, Xml, Yaml};

/// Nearly all that a record may have.
const FULL: usize = 16 * 1024 * 1024 - 1024;

type Bomb = (Format, &'static str, &'static str, fn() -> Vec<u8>);

pub const BOMBS: &[Bomb] = &[
    (Json, "nested arrays", "1 json.depth", || filled("", "[", 200_000, "")),
    (Json, "nested objects", "1 json.depth", || filled("", "{\"a\":", FULL, "")),
    (Json, "nested arrays on a line", "1 good, 1 json.invalid", || line(&filled_text("[", 200_000), "")),
    (Json, "closed arrays on a line", "1 good, 1 json.depth", || {
        line(&filled_text("[", 200_000), &filled_text("]", 200_000))
    }),
    (Json, "objects on a line", "1 good, 1 json.invalid", || line(&filled_text("{\"a\":", FULL), "")),
    (Json, "a long text", "1 good", || json(&format!("\"a\":\"{}\"", filled_text("x", FULL)))),
    (Json, "escapes", "1 good", || json(&format!("\"a\":\"{}\"", filled_text("\\u0001", FULL)))),
    (Json, "digits", "1 number.range", || json(&format!("\"a\":{}", filled_text("7", FULL)))),
    (Json, "exponents", "1 number.range", || json(&format!("\"a\":[{}1]", filled_text("1e999,", FULL)))),
    (Json, "elements", "1 good", || json(&format!("\"a\":[{}1]", filled_text("1,", FULL)))),
    (Json, "empty elements", "1 good", || json(&format!("\"a\":[{}1]", filled_text("{},", FULL)))),
    (Json, "members", "1 good", || json(&numbered("\"a", "\":1,", FULL, "\"z\":1"))),
    (Json, "members below", "1 good", || {
        json(&format!("\"a\":{{{}}}", numbered("\"a", "\":1,", FULL, "\"z\":1")))
    }),
    (Json, "faulty members", "1 number.range record.faults", || {
        json(&numbered("\"a", "\":1e1000,", FULL, "\"z\":1"))
    }),
    (Json, "one name again", "1 member.duplicate record.faults", || {
        json(&format!("{}\"z\":1", filled_text("\"id\":\"1\",", FULL)))
    }),
    (Json, "one extra name again", "1 member.duplicate", || {
        json(&format!("{}\"z\":1", filled_text("\"a\":1,", FULL)))
    }),
    (Json, "records of a byte", "1048576 record.not_object", || filled("[1", ",1", 2 * 1024 * 1024 - 2, "]")),
    (Csv, "quotes", "1 good", || csv(&format!("1,t,\"{}\"\n", filled_text("\"\"", FULL)))),
    (Csv, "an open quote", "1 csv.unclosed_quote", || csv(&format!("1,t,\"{}", filled_text("x", FULL)))),
    (Csv, "cells", "1 csv.ragged", || csv(&filled_text(",", FULL))),
    (Csv, "empty rows", "1 good", || csv(&format!("{}1,t,c", filled_text("\r\n", FULL)))),
    (Csv, "columns", "1 csv.header_columns", || filled("id", ",a", 1024 * 1024 - 2, "\n1")),
    (Csv, "an endless header", "1 csv.header_too_long", || filled("id,", "a", FULL, "")),
    (Csv, "a nested cell", "1 json.depth", || cell(&nested(200_000), "}")),
    (Csv, "an open cell", "1 json.invalid", || cell("{", "")),
    (Csv, "a list", "1 good", || csv_tags(&filled_text("a,", FULL))),
    (Xml, "entities", "1 xml.doctype", || laughs_of_xml().into_bytes()),
    (Xml, "an unknown entity", "1 xml.entity", || xml(&filled_text("&lol;", FULL))),
    (Xml, "references", "1 good", || xml(&filled_text("&#65;", FULL))),
    (Xml, "nested elements", "1 xml.depth", || filled("<d>", "<a>", 200_000, "")),
    (Xml, "attributes", "1 xml.attributes", || {
        xml(&format!("<a{}/>", numbered(" a", "='1'", 1_400_000, "")))
    }),
    (Xml, "attributes often", "1 good", || {
        let element = format!("<a{}/>", (0..1024).map(|n| format!(" aaaa{n}=''")).collect::<String>());
        xml(&filled_text(&element, FULL))
    }),
    (Xml, "attributes alike", "1 good", || {
        let name = "a".repeat(100);
        let attributes: String = (0..1024).map(|n| format!(" {name}{n:04}=''")).collect();
        xml(&filled_text(&format!("<a{attributes}/>"), FULL))
    }),
    (Xml, "an attribute twice", "1 xml.invalid", || xml("<a b='1' c='' b='2'/>")),
    (Xml, "a long attribute", "1 good", || xml(&format!("<a b='{}'/>", filled_text("x&amp;", FULL)))),
    (Xml, "names of elements", "1 good", || xml(&numbered("<a", "/>", FULL, ""))),
    (Xml, "one name", "1 good", || xml(&filled_text("<a/>", FULL))),
    (Xml, "two names in turn", "1 good", || xml(&filled_text("<a/><b/>", FULL))),
    (Xml, "texts and elements", "1 good", || xml(&filled_text("x<a/>", FULL))),
    (Xml, "comments", "1 good", || xml(&filled_text("<!---->", FULL))),
    (Xml, "sections", "1 good", || xml(&filled_text("<![CDATA[x]]>", FULL))),
    (Xml, "line ends", "1 good", || xml(&filled_text("\r", FULL))),
    (Xml, "a long name", "1 xml.name", || filled("<d><", "a", FULL, "")),
    (Yaml, "aliases", "1 yaml.aliases", || yaml(&laughs_of_yaml())),
    (Yaml, "one alias", "1 yaml.aliases", || {
        yaml(&format!(
            "  a: &a [{}]\n  b: [{}]\n",
            filled_text("a,", 64 * 1024),
            filled_text("*a,", 1024 * 1024)
        ))
    }),
    (Yaml, "anchors", "1 yaml.aliases", || yaml(&format!("  a: [{}]\n", numbered("&a", " x,", FULL, "")))),
    (Yaml, "nested sequences", "1 yaml.invalid", || yaml(&format!("  a: {}\n", filled_text("[", 200_000)))),
    (Yaml, "nested mappings", "1 yaml.depth", || yaml(&format!("  a: {}\n", filled_text("{a: ", FULL)))),
    (Yaml, "nested dashes", "1 yaml.invalid", || yaml(&format!("  a:\n  {}\n", filled_text("- ", 400_000)))),
    (Yaml, "nested questions", "1 yaml.key", || yaml(&format!("  a:\n   {}\n", filled_text("? ", 400_000)))),
    (Yaml, "a long scalar", "1 good", || yaml(&format!("  a: {}\n", filled_text("x", FULL)))),
    (Yaml, "words", "1 good", || yaml(&format!("  a: {}\n", filled_text("x ", FULL)))),
    (Yaml, "words on lines", "1 good", || yaml(&format!("  a: {}\n", filled_text("x\n   ", FULL)))),
    (Yaml, "a quoted scalar", "1 good", || yaml(&format!("  a: \"{}\"\n", filled_text("x", FULL)))),
    (Yaml, "escapes", "1 good", || yaml(&format!("  a: \"{}\"\n", filled_text("\\x01", FULL)))),
    (Yaml, "quotes", "1 good", || yaml(&format!("  a: '{}'\n", filled_text("''", FULL)))),
    (Yaml, "a literal", "1 good", || yaml(&format!("  a: |\n{}", filled_text("    x\n", FULL)))),
    (Yaml, "a folded scalar", "1 good", || yaml(&format!("  a: >\n{}", filled_text("    x\n", FULL)))),
    (Yaml, "blank lines", "1 good", || yaml(&format!("  a: |+\n{}", filled_text("\n", FULL)))),
    (Yaml, "comments", "1 good", || yaml(&filled_text("  #\n", FULL))),
    (Yaml, "elements", "1 yaml.nodes", || yaml(&format!("  a: [{}]\n", filled_text("a,", FULL)))),
    (Yaml, "items", "1 yaml.nodes", || yaml(&format!("  a:\n{}", filled_text("  - a\n", FULL)))),
    (Yaml, "members", "1 yaml.nodes", || yaml(&numbered("  a", ": 1\n", FULL, ""))),
    (Yaml, "digits", "1 number.range", || yaml(&format!("  a: {}\n", filled_text("7", FULL)))),
    (Yaml, "an open bracket", "1 yaml.invalid", || yaml(&format!("  a: [\n{}", filled_text("   x\n", FULL)))),
    (Yaml, "a key that goes on", "1 yaml.invalid", || yaml(&format!("  {}", filled_text("x", FULL)))),
    // Whatever may be a key: a parser that keeps all of it until it knows takes 3 GB.
    (Yaml, "a sequence in brackets", "1 record.not_object", || braced("[", "a,", "]")),
    (Yaml, "deep brackets", "1 record.not_object", || braced(&filled_text("[", 120), "a,", "]")),
    (Yaml, "names in braces", "1 yaml.nodes", || braced("{", "a,", "}")),
    (Yaml, "members in braces", "1 yaml.nodes", || braced("{", "a: 1,", "}")),
    (Yaml, "brackets before a colon", "1 yaml.invalid", || {
        yaml(&format!("  [{}]: x\n", filled_text("a,", FULL)))
    }),
    (Yaml, "brackets in brackets", "1 yaml.nodes", || {
        yaml(&format!("  a: [[{}]]\n", filled_text("a,", FULL)))
    }),
    (Yaml, "empty brackets", "1 yaml.nodes", || yaml(&format!("  a: [{}]\n", filled_text("[],", FULL)))),
    (Markdown, "fields", "1 good", || markdown(&numbered("**a", ":** 1\n", FULL, ""))),
    (Markdown, "one field again", "1 member.duplicate record.faults", || {
        markdown(&filled_text("**id:** 1\n", FULL))
    }),
    (Markdown, "a long line", "1 good", || markdown(&format!("**a:** {}", filled_text("x", FULL)))),
    (Markdown, "lines", "1 good", || markdown(&format!("**a:**\n```\n{}\n```\n", filled_text("x\n", FULL)))),
    (Markdown, "fences", "1 good", || {
        markdown(&format!("**a:**\n````\n{}\n````\n", filled_text("```\n", FULL)))
    }),
    (Markdown, "a long fence", "1 good", || markdown(&format!("**a:** {}", filled_text("`", FULL)))),
    (Markdown, "an open name", "1 good", || markdown(&format!("**a:** x\n**{}", filled_text("a", FULL)))),
    (Markdown, "items", "1048576 required.missing", || {
        filled("", "## Item 1\n\n\n\n\n\n\n", 1024 * 1024 * 16, "")
    }),
    (Markdown, "nested code", "1 json.depth", || {
        markdown(&format!("**a:** `{}{}`", filled_text("[", 200_000), filled_text("]", 200_000)))
    }),
];

/// `part` again and again, up to so many bytes.
pub fn filled_text(part: &str, bytes: usize) -> String {
    part.repeat(bytes / part.len())
}

fn filled(head: &str, part: &str, bytes: usize, tail: &str) -> Vec<u8> {
    [head, &filled_text(part, bytes), tail].concat().into_bytes()
}

/// Numbers between `before` and `behind`, up to so many bytes.
fn numbered(before: &str, behind: &str, bytes: usize, tail: &str) -> String {
    let mut text = String::with_capacity(bytes);
    for number in 0.. {
        if text.len() + before.len() + behind.len() + 8 > bytes {
            break;
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{before}{number}{behind}");
    }
    text + tail
}

pub fn json(members: &str) -> Vec<u8> {
    format!("[{{\"id\":\"1\",\"title\":\"t\",\"content\":\"c\",{members}}}]").into_bytes()
}

/// A good record on a line, and one behind it that its own line has to hold.
fn line(open: &str, close: &str) -> Vec<u8> {
    let good = "\"id\":\"1\",\"title\":\"t\",\"content\":\"c\"";
    format!("{{{good}}}\n{{{good},\"a\":{open}{close}}}\n").into_bytes()
}

/// An object with so many levels of arrays, as a cell writes it; without the closing brace.
fn nested(levels: usize) -> String {
    format!("{{\"\"a\"\":{}{}", "[".repeat(levels), "]".repeat(levels))
}

fn csv(rows: &str) -> Vec<u8> {
    format!("id,title,content\n{rows}").into_bytes()
}

fn csv_tags(list: &str) -> Vec<u8> {
    format!("id,title,content,tags\n1,t,c,\"{list}\"\n").into_bytes()
}

pub fn cell(open: &str, close: &str) -> Vec<u8> {
    format!("id,title,content,metadata\n1,t,c,\"{open}{close}\"\n").into_bytes()
}

pub fn xml(elements: &str) -> Vec<u8> {
    format!("<d><i><id>1</id><title>t</title><content>c</content>{elements}</i></d>").into_bytes()
}

pub fn yaml(lines: &str) -> Vec<u8> {
    format!("- id: 1\n  title: t\n  content: c\n{lines}").into_bytes()
}

fn braced(head: &str, part: &str, tail: &str) -> Vec<u8> {
    format!("- {head}{}{tail}\n", filled_text(part, FULL)).into_bytes()
}

fn markdown(fields: &str) -> Vec<u8> {
    format!("## Item 1\n**id:** 1\n**title:** t\n**content:** c\n{fields}").into_bytes()
}

fn laughs_of_xml() -> String {
    let entities: String =
        (1..10).map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))).collect();
    format!("<?xml version=\"1.0\"?><!DOCTYPE d [<!ENTITY l0 \"lol\">{entities}]><d><i><id>&l9;</id></i></d>")
}

fn laughs_of_yaml() -> String {
    let more: String = (1..10)
        .map(|n| format!("  a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(",")))
        .collect();
    format!("  a0: &a0 lol\n{more}")
}
