//! How fast the pure core is, on one core, without any input or output: prints MB/s of framing, cutting,
//! decoding and encoding on generated contexts of about 430 bytes, and of sealing and opening them. Time is
//! that of the processor (Linux).
//!
//! `cargo run --release -p carrack-shared --example decode_speed [RECORDS] [template]`; the latter measures only
//! what a whole template takes, with the same records of a type without one beside it.
#![allow(clippy::disallowed_methods, reason = "it measures time, and reads a file of its own")]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "prints figures; a failure may end it")]
#![allow(clippy::cast_possible_truncation, reason = "inputs fit in memory")]

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use carrack_shared::format::encode::{Encoder, Shape};
use carrack_shared::format::reading::Reading;
use carrack_shared::format::{Format, SourceFacts};
use carrack_shared::layer::chunks;
use carrack_shared::layer::sealed::{ChunkedKey, Opener, Sealer};
use carrack_shared::layer::secret::{DataKey, UserKey};
use carrack_shared::layer::wrapping::{KdfParameters, derive};
use carrack_shared::limits;
use carrack_shared::mapping::Mapping;
use carrack_shared::pipeline::split::{Rules, Splitter};
use carrack_shared::pipeline::{Decoded, Plan};
use carrack_shared::schema;
use carrack_shared::segment::Segment;
use carrack_shared::spec::ImportSpec;
use carrack_shared::template::Template;
use jiff::Timestamp;

/// Bytes of one read.
const PIECE: usize = 256 * 1024;
/// Runs of which the mean is shown: the system counts a process's time in steps of some milliseconds.
const RUNS: u32 = 10;

fn main() {
    let records = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(200_000);
    if std::env::args().nth(2).is_some_and(|only| only == "template") {
        return templated("csv", Format::Csv, &csv(records));
    }
    for (name, format, input) in [
        ("csv", Format::Csv, csv(records)),
        ("json array", Format::Json, json(records, "[\n", ",\n", "\n]\n")),
        ("json lines", Format::Json, json(records, "", "\n", "\n")),
    ] {
        measure(name, format, &input);
        mapped(name, format, &input);
        templated(name, format, &input);
    }
    for (name, format) in [("xml", Format::Xml), ("yaml", Format::Yaml), ("markdown", Format::Markdown)] {
        measure(name, format, &written(format, &json(records, "", "\n", "\n")));
    }
    sealed(&json(records, "", "\n", "\n"));
}

/// The same records in another format, as an export writes them.
fn written(format: Format, lines: &Bytes) -> Bytes {
    let data_type = schema::built_in("contexts").unwrap();
    let (segments, facts) = split(Format::Json, lines);
    let plan = Plan::compile(&spec(Format::Json), &data_type, &facts, Timestamp::UNIX_EPOCH);
    let encoder = Encoder::new(format, &data_type, Shape { metadata: true, extra: true });
    let (mut file, mut first) = (encoder.head(), 1);
    for segment in &segments {
        let rows = decoded(&plan, segment, lines).rows;
        encoder.rows(&rows, first, &mut file);
        first += rows.len() as u64;
    }
    file.extend_from_slice(encoder.tail(false));
    file.into()
}

fn split(format: Format, input: &Bytes) -> (Vec<Segment>, SourceFacts) {
    let mut segments = Vec::new();
    let rules = Rules {
        batch_records: limits::BATCH_RECORDS,
        batch_bytes: limits::BATCH_BYTES,
        record_bytes: limits::RECORD_BYTES,
    };
    let mut splitter = Splitter::new(0, format, &Reading::default(), input.len() as u64, rules);
    for piece in input.chunks(PIECE) {
        splitter.push(piece, &mut segments).unwrap();
    }
    splitter.finish(&mut segments).unwrap();
    (segments, splitter.facts().unwrap())
}

fn measure(name: &str, format: Format, input: &Bytes) {
    let frame = mean(|| {
        let (mut framer, mut frames) = (format.framer(&Reading::default()), Vec::new());
        for piece in input.chunks(PIECE) {
            frames.clear();
            framer.push(piece, &mut frames).unwrap();
        }
    });
    let (segments, facts) = split(format, input);
    let split = mean(|| drop(split(format, input)));
    let data_type = schema::built_in("contexts").unwrap();
    let plan = Plan::compile(&spec(format), &data_type, &facts, Timestamp::UNIX_EPOCH);
    let decode = mean(|| {
        for segment in &segments {
            assert!(decoded(&plan, segment, input).rejects.is_empty());
        }
    });
    let mut written = 0;
    let shape = Shape { metadata: true, extra: true };
    let encoder = Encoder::new(format, &data_type, shape);
    let rows: Vec<_> = segments.iter().map(|segment| decoded(&plan, segment, input).rows).collect();
    let encode = mean(|| {
        let mut part = Vec::new();
        written = 0;
        for rows in &rows {
            part.clear();
            encoder.rows(rows, 1, &mut part);
            written += part.len();
        }
    });
    let hash = mean(|| {
        for rows in &rows {
            for row in 0..rows.len() {
                std::hint::black_box(rows.hash(row));
            }
        }
    });
    let speed = |bytes: usize, time: Duration| bytes as f64 / 1e6 / time.as_secs_f64();
    println!(
        "{name:10} {:5.0} MB: framing {:5.0} MB/s, splitter {:5.0}, Plan::run {:4.0}, encode {:4.0}, row hashes {:4.0}",
        input.len() as f64 / 1e6,
        speed(input.len(), frame),
        speed(input.len(), split),
        speed(input.len(), decode),
        speed(written, encode),
        speed(input.len(), hash),
    );
}

/// Fields that get other names; and ten of them, five transformations and two computed fields.
const MAPPINGS: [(&str, &str); 2] = [
    ("renamed", r#"{"fieldMappings":{"title":"content","content":"title"}}"#),
    (
        "mapped",
        r#"{"fieldMappings":{"id":"id","title":"content","content":"title","type":"type","tags":"tags",
            "sessionId":"sessionId","createdAt":"createdAt","updatedAt":"updatedAt","metadata.score":"score",
            "metadata.importance":"importance"},
        "transformations":[{"field":"title","transformation":"trim"},{"field":"type","transformation":"lowercase"},
            {"field":"tags","transformation":"custom","customFunction":"splitAndTrim"},
            {"field":"createdAt","transformation":"date","formats":["rfc3339"]},
            {"field":"sessionId","transformation":"default","value":"none"}],
        "computedFields":[{"name":"importedAt","expression":"now()"},{"name":"label","expression":"type + '/' + sessionId"}]}"#,
    ),
];

/// Decoding through mappings.
fn mapped(name: &str, format: Format, input: &Bytes) {
    let (segments, facts) = split(format, input);
    let data_type = schema::built_in("contexts").unwrap();
    for (kind, document) in MAPPINGS {
        let mapping = Mapping::read(&serde_json::from_str(document).unwrap()).unwrap();
        let spec = ImportSpec { mapping: Some(mapping), ..spec(format) };
        let plan = Plan::compile(&spec, &data_type, &facts, Timestamp::UNIX_EPOCH);
        let decode = mean(|| {
            for segment in &segments {
                assert!(decoded(&plan, segment, input).rejects.is_empty());
            }
        });
        println!("{name:10} {kind}: Plan::run {:4.0} MB/s", input.len() as f64 / 1e6 / decode.as_secs_f64());
    }
}

/// Decoding through a whole template; `./dev bench records` measures it beside everything else that an import does.
fn templated(name: &str, format: Format, input: &Bytes) {
    let document = serde_json::from_str(include_str!("full_template.json")).unwrap();
    let template = Template::read(&document).unwrap();
    let data_type = Arc::new(template.applied_to(None).unwrap());
    let (segments, facts) = split(format, input);
    let spec = ImportSpec { mapping: template.mapping.clone(), ..ImportSpec::new("articles", format) };
    let contexts = schema::built_in("contexts").unwrap();
    let plans = [(&spec, &data_type), (&self::spec(format), &contexts)];
    let [through, without] = plans.map(|(spec, data_type)| {
        let plan = Plan::compile(spec, data_type, &facts, Timestamp::UNIX_EPOCH);
        mean(|| {
            for segment in &segments {
                assert!(decoded(&plan, segment, input).rejects.is_empty());
            }
        })
    });
    let records: u32 = segments.iter().map(|segment| segment.records).sum();
    let each = |time: Duration| time.as_secs_f64() * 1e9 / f64::from(records);
    println!(
        "{name:10} template: Plan::run {:5.0} ns for each record, without one {:5.0}",
        each(through),
        each(without)
    );
}

/// The text sealed and opened as it comes, and opened in ranges as workers read them.
fn sealed(plain: &[u8]) {
    let (key, context, mut content, mut out) = (DataKey::new([7; 32]), b"context", Vec::new(), Vec::new());
    let seal = mean(|| {
        let mut sealer = Sealer::new(&key, context, [9; 24]);
        content.clear();
        for piece in plain.chunks(PIECE) {
            sealer.push(piece, &mut content).unwrap();
        }
        sealer.finish(&mut content).unwrap();
    });
    let open = mean(|| {
        let mut opener = Opener::new(&key, context);
        for piece in content.chunks(PIECE) {
            out.clear();
            opener.push(piece, &mut out).unwrap();
        }
        opener.finish(&mut out).unwrap();
    });
    let keys = ChunkedKey::new(&key, context, content.first_chunk().unwrap()).unwrap();
    let length = plain.len() as u64;
    let ranges = mean(|| {
        for start in (0..length).step_by(limits::TASK_BYTES as usize) {
            let range = start..(start + limits::TASK_BYTES).min(length);
            let stored = chunks::stored(range.clone(), length);
            out.clear();
            let stored = &content[stored.start as usize..stored.end as usize];
            keys.open_range(range, length, stored, &mut out).unwrap();
        }
    });
    let passphrase = UserKey::parse("correct horse battery staple").unwrap();
    let stretch = mean(|| drop(derive(&passphrase, &KdfParameters::new(&passphrase, [3; 16])).unwrap()));
    let speed = |time: Duration| plain.len() as f64 / 1e6 / time.as_secs_f64();
    println!(
        "{:10} {:5.0} MB: sealing {:5.0} MB/s, opening {:5.0}, in ranges {:5.0}; a passphrase takes {:.0} ms",
        "sealed",
        plain.len() as f64 / 1e6,
        speed(seal),
        speed(open),
        speed(ranges),
        stretch.as_secs_f64() * 1e3,
    );
}

fn mean(mut run: impl FnMut()) -> Duration {
    let start = processor_time();
    (0..RUNS).for_each(|_| run());
    (processor_time() - start) / RUNS
}

/// What this process has used: other processes on the machine do not count.
fn processor_time() -> Duration {
    let statistics = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    Duration::from_nanos(statistics.split(' ').next().unwrap().parse().unwrap())
}

fn decoded(plan: &Plan, segment: &Segment, input: &Bytes) -> Decoded {
    plan.run(segment, &input.slice(segment.bytes.start as usize..segment.bytes.end as usize)).unwrap()
}

fn spec(format: Format) -> ImportSpec {
    ImportSpec::new("contexts", format)
}

/// Words and numbers from a fixed seed.
struct Source(u64);

impl Source {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn words(&mut self, count: u64) -> String {
        let words = ["river", "stone", "be", "lantern", "amber", "of", "violet", "harbour", "sudden", "the"];
        (0..count).map(|_| words[self.below(10) as usize]).collect::<Vec<_>>().join(" ")
    }
}

/// The values of record `number`: the content, and those around it.
fn values(source: &mut Source, number: usize) -> (String, [String; 5]) {
    let (least, most) = (20, 61);
    let words = least + source.below(most - least);
    let content = source.words(words);
    let title = source.words(5);
    let (day, second) = (1 + number % 28, number % 60);
    let created = format!("2024-03-{day:02}T10:20:{second:02}Z");
    let tags = source.below(6);
    (
        content,
        [
            title,
            created,
            source.words(tags),
            format!("session-{}", number % 5000),
            source.below(10_000).to_string(),
        ],
    )
}

fn csv(records: usize) -> Bytes {
    let mut text = String::from("id,title,content,type,tags,createdAt,sessionId,metadata\n");
    let mut source = Source(7);
    for number in 0..records {
        let (mut content, [title, created, tags, session, score]) = values(&mut source, number);
        if number % 37 == 0 {
            content = format!("\"{content}\nsecond line, with \"\"quotes\"\" and ünïcode ✓\"");
        }
        let tags = tags.replace(' ', ",");
        let metadata = format!(r#"{{""importance"": ""low"", ""source"": ""api"", ""score"": 0.{score}}}"#);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "context-{number:08},{title},{content},general,\"{tags}\",{created},{session},\"{metadata}\""
        );
    }
    text.into()
}

fn json(records: usize, open: &str, between: &str, close: &str) -> Bytes {
    let mut text = String::from(open);
    let mut source = Source(7);
    for number in 0..records {
        let (mut content, [title, created, tags, session, score]) = values(&mut source, number);
        if number > 0 {
            text.push_str(between);
        }
        if number % 37 == 0 {
            content.push_str("\\nsecond line, with \\\"quotes\\\" and ünïcode ✓");
        }
        let tags: Vec<String> = tags.split_whitespace().map(|tag| format!("\"{tag}\"")).collect();
        let _ = write!(
            text,
            concat!(
                r#"{{"id": "context-{:08}", "title": "{}", "content": "{}", "type": "general", "tags": [{}], "#,
                r#""createdAt": "{}", "sessionId": "{}", "metadata": {{"importance": "low", "source": "api", "score": 0.{}}}}}"#
            ),
            number,
            title,
            content,
            tags.join(", "),
            created,
            session,
            score,
        );
    }
    text.push_str(close);
    text.into()
}
