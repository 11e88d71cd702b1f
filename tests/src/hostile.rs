//! Records that try every format: texts that mean something in one of them, numbers that no float holds,
//! nulls, nested values, fields outside the schema. The same for the same seed.

use std::fmt::Write;

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::Value;

/// Texts that are something else to a reader that is not careful.
const TEXTS: [&str; 40] = [
    "",
    " ",
    " before",
    "behind ",
    ",",
    "a,b;c\td|e",
    "\"",
    "say \"\"hi\"\"",
    "'",
    "\n",
    "two\nlines",
    "two\r\nlines\r\n",
    "\r",
    "\t",
    "[",
    "[]",
    "[1,\"a\"]",
    "{}",
    "{\"a\":1}",
    "null",
    "~",
    "true",
    "no",
    "007",
    "1.50",
    "1e5",
    "2024-01-01",
    "\\",
    "\\N",
    "\u{feff}mark",
    "=1+1",
    "- item\n- item",
    "key: value # no comment",
    "--- \n...",
    "## Item 2\n**id:** stolen",
    "```\nfence\n````",
    "]]></content><item>&amp;&lt;",
    "\u{1}\u{1f}\u{7f}\u{85}\u{2028}\u{fffe}",
    "é✓😀 e\u{301}",
    "extra",
];

/// Names of fields outside the schema.
const NAMES: [&str; 8] = ["color", "a b", "1st", "x:y", "Ümlaut", "@id", "#text", "a.b[0]"];

/// Numbers, as they are written wherever JSON is.
const NUMBERS: [&str; 8] = [
    "0",
    "-1",
    "9223372036854775807",
    "123456789012345678901234567890",
    "0.1",
    "-0.000001",
    "1234567890.123456789012345",
    "100000000000000000000000.5",
];

const DATES: [&str; 4] = [
    "2024-02-29T23:59:59.999999Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999Z",
    "2024-06-01T12:00:00Z",
];

/// So many contexts, one JSON object in a line each, with different keys.
pub fn contexts(count: u32, seed: u64) -> String {
    let mut random = SmallRng::seed_from_u64(seed);
    (0..count).fold(String::new(), |mut lines, number| {
        let _ = writeln!(lines, "{{{}}}", context(number, &mut random).join(","));
        lines
    })
}

/// The members of a context.
fn context(number: u32, random: &mut SmallRng) -> Vec<String> {
    let key = format!("{number:05}{}", TEXTS.choose(random).unwrap());
    let mut members = vec![
        member("id", &text(&key)),
        member("title", &any_text(random)),
        // Each text stands once in each forty records, whatever the seed.
        member("content", &text(TEXTS[number as usize % TEXTS.len()])),
    ];
    for (name, value) in [
        ("type", any_text as fn(&mut SmallRng) -> String),
        ("tags", tags),
        ("sessionId", any_text),
        ("createdAt", |random| text(DATES.choose(random).unwrap())),
        ("metadata", |random| object(random, 3)),
    ] {
        match random.random_range(0..6) {
            0 => {}
            1 => members.push(member(name, "null")),
            _ => members.push(member(name, &value(random))),
        }
    }
    let more = random.random_range(0..3);
    let names: Vec<_> = NAMES.choose_multiple(random, more).collect();
    members.extend(names.into_iter().map(|name| member(name, &nested(random, 3))));
    members
}

fn member(name: &str, value: &str) -> String {
    format!("{}:{value}", text(name))
}

/// A text as JSON writes it.
fn text(text: &str) -> String {
    Value::from(text).to_string()
}

fn any_text(random: &mut SmallRng) -> String {
    text(TEXTS.choose(random).unwrap())
}

fn tags(random: &mut SmallRng) -> String {
    let count = random.random_range(0..4);
    let tags: Vec<_> = (0..count)
        .map(|_| match random.random_range(0..8) {
            0 => nested(random, 2),
            _ => any_text(random),
        })
        .collect();
    format!("[{}]", tags.join(","))
}

fn object(random: &mut SmallRng, depth: u32) -> String {
    let count = random.random_range(0..4);
    let names: Vec<_> = NAMES.iter().chain(&TEXTS[..8]).copied().collect();
    let names: Vec<_> = names.choose_multiple(random, count).copied().collect();
    let members: Vec<_> = names.into_iter().map(|name| member(name, &nested(random, depth - 1))).collect();
    format!("{{{}}}", members.join(","))
}

fn nested(random: &mut SmallRng, depth: u32) -> String {
    match random.random_range(0..if depth == 0 { 4 } else { 6 }) {
        0 => "null".into(),
        1 => random.random_bool(0.5).to_string(),
        2 => (*NUMBERS.choose(random).unwrap()).into(),
        3 => any_text(random),
        4 => format!("[{},{}]", nested(random, depth - 1), nested(random, depth - 1)),
        _ => object(random, depth),
    }
}
