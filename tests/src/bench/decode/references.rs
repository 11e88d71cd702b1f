//! The fastest known readers of each format, doing the least that they can do with all of the bytes.

use std::hint::black_box;
use std::ops::Range;

use carrack_shared::format::Format;

use super::inputs::Input;

/// A reader of somebody else.
pub struct Reference {
    pub name: &'static str,
    /// Reads the source, of which each record stands in its range.
    pub read: fn(&Input, &[Range<usize>]),
}

/// That of a format.
pub fn of(format: Format) -> Reference {
    match format {
        Format::Json | Format::Ndjson => Reference { name: "sonic-rs values", read: json },
        Format::Csv => Reference { name: "csv byte records", read: csv },
        Format::Xml => Reference { name: "quick-xml events", read: xml },
        Format::Yaml => Reference { name: "granit-parser events", read: yaml },
        // No parser of Markdown knows our fields; none can do less than find the lines.
        Format::Markdown => Reference { name: "lines of UTF-8", read: markdown },
    }
}

fn json(input: &Input, frames: &[Range<usize>]) {
    for frame in frames {
        black_box(sonic_rs::from_slice::<sonic_rs::Value>(&input.bytes[frame.clone()]).unwrap());
    }
}

fn csv(input: &Input, _frames: &[Range<usize>]) {
    let mut reader = csv::Reader::from_reader(&input.bytes[..]);
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).unwrap() {
        black_box(record.len());
    }
}

fn xml(input: &Input, _frames: &[Range<usize>]) {
    let mut reader = quick_xml::Reader::from_str(text(&input.bytes));
    while !matches!(black_box(reader.read_event().unwrap()), quick_xml::events::Event::Eof) {}
}

/// An item at a time: a sequence of all of them is slower.
fn yaml(input: &Input, frames: &[Range<usize>]) {
    let source = text(&input.bytes);
    let mut item = String::new();
    for frame in frames {
        item.clear();
        // The dash, which stands before the record.
        item.push(' ');
        item.push_str(&source[frame.clone()]);
        // As we ask for it.
        let options = granit_parser::options! { strict_indentation: true, emit_comments: false };
        for event in granit_parser::Parser::new_from_str_with_options(&item, options) {
            black_box(event.unwrap());
        }
    }
}

fn markdown(input: &Input, _frames: &[Range<usize>]) {
    for line in text(&input.bytes).lines() {
        black_box(line);
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
