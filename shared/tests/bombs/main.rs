//! Inputs that are made to exhaust: each comes to its end within [`MOST_TIME`] and 256 MiB, and to the one that
//! is expected.
#![allow(clippy::print_stdout, reason = "the figures, for whoever runs it with --nocapture")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "inputs fit in memory; a failure is a failed test"
)]

#[path = "../support/mod.rs"]
mod support;

mod edges;
mod inputs;
mod outcome;
#[path = "../support/taken.rs"]
mod taken;

use std::time::Duration;

use carrack_shared::format::Format;
use taken::{Counting, Taken};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Processor time. Released, all need less than a second; tests are built with few optimisations, and run on slow
/// machines, too. What it is to catch, work that grows with the square of the input, takes minutes at these sizes.
const MOST_TIME: Duration = Duration::from_secs(if cfg!(debug_assertions) { 5 } else { 1 });
const MOST_MEMORY: usize = 256 * 1024 * 1024;

/// Measurements of which the fastest counts, if the first is too slow: processors share caches and power with
/// neighbours.
const MEASUREMENTS: usize = 3;

/// Runs an input; says what is wrong with how it ended.
fn complaint(name: &str, format: Format, input: Vec<u8>, expected: &str) -> Option<String> {
    let input = input.into();
    let (ends, Taken { mut time, memory }) = taken::by(|| outcome::ends(format, &input));
    for _ in 1..MEASUREMENTS {
        if time >= MOST_TIME {
            time = time.min(taken::by(|| outcome::ends(format, &input)).1.time);
        }
    }
    let ends: Vec<_> = ends.iter().map(|(end, count)| format!("{count} {end}")).collect();
    let ends = ends.join(", ");
    let figures = format!("{format:?}, {name}: {} ms, {} MiB: {ends}", time.as_millis(), memory >> 20);
    println!("{figures}");
    let fits = ends == expected && time < MOST_TIME && memory < MOST_MEMORY;
    (!fits).then(|| format!("{figures}; expected {expected}"))
}

/// One test for each format, so that they run side by side.
macro_rules! bombs_of {
    ($name:ident, $format:expr) => {
        #[test]
        fn $name() {
            let of_format = inputs::BOMBS.iter().filter(|bomb| bomb.0 == $format);
            let complaints: Vec<_> = of_format
                .filter_map(|(format, name, expected, input)| complaint(name, *format, input(), expected))
                .collect();
            assert!(complaints.is_empty(), "{}", complaints.join("\n"));
        }
    };
}

bombs_of!(bombs_of_json, Format::Json);
bombs_of!(bombs_of_csv, Format::Csv);
bombs_of!(bombs_of_xml, Format::Xml);
bombs_of!(bombs_of_yaml, Format::Yaml);
bombs_of!(bombs_of_markdown, Format::Markdown);

#[test]
fn limits_are_met_exactly() {
    let mut complaints = Vec::new();
    for (format, name, limit, code, input) in edges::LIMITS {
        for (size, expected) in [(limit - 1, "1 good"), (*limit, "1 good"), (limit + 1, &format!("1 {code}"))]
        {
            complaints.extend(complaint(&format!("{name} {size}"), *format, input(size), expected));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
