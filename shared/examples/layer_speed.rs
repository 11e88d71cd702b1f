//! How fast the layers are, on one core, without any input or output: prints MB/s of text and the ratio of
//! framing and opening generated lines of records, for each compression and for the levels that are given.
//! Time is that of the processor (Linux).
//!
//! `cargo run --release -p carrack-shared --example layer_speed [COMPRESSION LEVEL…]`
#![allow(clippy::disallowed_methods, reason = "it measures time, and reads a file of its own")]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "prints figures; a failure may end it")]
#![allow(clippy::cast_possible_truncation, reason = "inputs fit in memory")]

use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use carrack_shared::layer::Opened;
use carrack_shared::layer::compress::{compress, frame};
use carrack_shared::layer::compression::Compression;
use carrack_shared::layer::encoding::{Encoding, to_utf8};
use carrack_shared::layer::open::{Caps, open, open_whole};
use futures_util::{FutureExt, StreamExt, stream};

/// Bytes of text.
const TEXT: usize = 64 * 1024 * 1024;
/// Bytes of text in one frame.
const FRAME: usize = 4 * 1024 * 1024;
/// Bytes of one read.
const PIECE: usize = 256 * 1024;

fn main() {
    let text = lines();
    let mut arguments = std::env::args().skip(1);
    let levels = match arguments.next().map(|name| Compression::parse(&name).unwrap()) {
        Some(compression) => arguments.map(|level| (compression, level.parse().unwrap())).collect(),
        None => Compression::ALL[1..].iter().map(|one| (*one, one.default_level())).collect::<Vec<_>>(),
    };
    for (compression, level) in levels {
        measure(compression, level, &text);
    }
    let western = text.to_vec();
    let wide: Vec<u8> = text.iter().flat_map(|byte| [*byte, 0]).collect();
    for (encoding, bytes) in [(Encoding::Windows1252, western), (Encoding::Utf16Le, wide)] {
        let (_, time) = timed(|| drained(to_utf8(encoding, body(&bytes.clone().into()))));
        println!("{:13} to UTF-8 {:5.0} MB/s", encoding.as_str(), speed(time));
    }
}

fn measure(compression: Compression, level: i32, text: &Bytes) {
    let (frames, framing) = timed(|| {
        text.chunks(FRAME).map(|text| Bytes::from(frame(compression, level, text))).collect::<Vec<_>>()
    });
    let (_, opening) = timed(|| {
        for frame in &frames {
            black_box(open_whole(compression, frame, Caps::default()).unwrap());
        }
    });
    let mut whole = Vec::new();
    let (_, streaming) = timed(|| whole = drained(compress(compression, level, body(text))));
    let whole = Bytes::from(whole);
    let (opened, stream_opening) = timed(|| drained(open(compression, body(&whole), Caps::default())).len());
    assert_eq!(opened, text.len());
    let stored: usize = frames.iter().map(Bytes::len).sum();
    println!(
        "{:7} {level:2}: framing {:4.0} MB/s (ratio {:.2}), opening {:5.0}; streams {:4.0} ({:.2}), opening {:5.0}",
        compression.title(),
        speed(framing),
        text.len() as f64 / stored as f64,
        speed(opening),
        speed(streaming),
        text.len() as f64 / whole.len() as f64,
        speed(stream_opening),
    );
}

fn speed(time: Duration) -> f64 {
    TEXT as f64 / 1e6 / time.as_secs_f64()
}

fn body(bytes: &Bytes) -> Opened {
    let bytes = bytes.clone();
    let starts = (0..bytes.len()).step_by(PIECE);
    stream::iter(starts.map(move |at| Ok(bytes.slice(at..(at + PIECE).min(bytes.len()))))).boxed()
}

fn drained(mut body: Opened) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().now_or_never().unwrap() {
        bytes.extend_from_slice(&piece.unwrap());
    }
    bytes
}

fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let start = processor_time();
    let result = run();
    (result, processor_time() - start)
}

/// What this process has used: other processes on the machine do not count.
fn processor_time() -> Duration {
    let statistics = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    Duration::from_nanos(statistics.split(' ').next().unwrap().parse().unwrap())
}

/// Words and numbers from a fixed seed: less alike than most records are.
fn lines() -> Bytes {
    let mut state = 7_u64;
    let mut below = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let words: Vec<String> =
        (0..3_000).map(|_| (0..3 + below(8)).map(|_| char::from(b'a' + below(26) as u8)).collect()).collect();
    let mut text = String::with_capacity(TEXT + 1024);
    let mut number = 0;
    while text.len() < TEXT {
        number += 1;
        let content: Vec<&str> = (0..30 + below(40))
            .map(|_| {
                // The product makes some words common, as they are in a language.
                let word = below(3_000) * below(3_000) / 3_000;
                words[word as usize].as_str()
            })
            .collect();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            r#"{{"id":"context-{number:08}","title":"{}","content":"{}","createdAt":"2024-03-{:02}T10:20:{:02}Z","metadata":{{"score":0.{}}}}}"#,
            content[..4].join(" "),
            content.join(" "),
            1 + below(28),
            below(60),
            below(10_000),
        );
    }
    text.truncate(TEXT);
    text.into()
}
