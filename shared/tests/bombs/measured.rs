//! Runs an input through splitter and plan as an import does, and measures what that takes.
#![allow(clippy::disallowed_methods, reason = "the time of a thread stands in a file of the system")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use carrack_shared::fault::Fault;
use carrack_shared::format::Format;
use carrack_shared::limits;
use carrack_shared::pipeline::Plan;
use carrack_shared::pipeline::split::{Rules, Splitter};

use crate::support::{contexts, spec};

/// Bytes of one read.
const PIECE: usize = 256 * 1024;

/// As the planner cuts.
const RULES: Rules = Rules {
    batch_records: limits::BATCH_RECORDS,
    batch_bytes: limits::BATCH_BYTES,
    record_bytes: limits::RECORD_BYTES,
};

/// What became of an input, and what it took beside its own bytes.
pub struct Measured {
    /// How many records came to each end: `good`, or the codes of their faults.
    pub ends: BTreeMap<String, u64>,
    pub time: Duration,
    pub memory: usize,
}

/// Runs `input` whole.
pub fn run(format: Format, input: &Bytes) -> Measured {
    let (start, held) = (thread_time(), begin());
    let mut ends = BTreeMap::new();
    let mut splitter = Splitter::new(0, format, input.len() as u64, RULES);
    let (mut segments, mut plan) = (Vec::new(), None);
    let mut pieces = input.chunks(PIECE);
    loop {
        let piece = pieces.next();
        let cut = match piece {
            Some(piece) => splitter.push(piece, &mut segments),
            None => splitter.finish(&mut segments),
        };
        for segment in segments.drain(..) {
            if let Some(fault) = &segment.fault {
                *ends.entry(fault.code.to_string()).or_default() += 1;
                continue;
            }
            let facts = splitter.facts().unwrap();
            let plan = plan.get_or_insert_with(|| Plan::compile(&spec(format), &contexts(), &facts));
            let bytes = input.slice(segment.bytes.start as usize..segment.bytes.end as usize);
            let decoded = plan.run(&segment, &bytes).unwrap();
            if !decoded.rows.is_empty() {
                *ends.entry("good".into()).or_default() += decoded.rows.len() as u64;
            }
            for reject in &decoded.rejects {
                *ends.entry(codes(&reject.faults)).or_default() += 1;
            }
        }
        if cut.is_err() || piece.is_none() {
            break;
        }
    }
    Measured { ends, time: thread_time() - start, memory: peak_since(held) }
}

/// The codes, each once, in the order in which they first stand.
fn codes(faults: &[Fault]) -> String {
    let mut codes: Vec<&str> = Vec::new();
    for fault in faults {
        if !codes.contains(&fault.code.as_ref()) {
            codes.push(&fault.code);
        }
    }
    codes.join(" ")
}

/// What this thread has used of a processor: others on the machine do not count.
fn thread_time() -> Duration {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(statistics.split(' ').next().unwrap().parse().unwrap())
}

thread_local! {
    /// Bytes that this thread holds, and the most that it held.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

/// The system's allocator, counting.
pub struct Counting;

fn count(bytes: isize) {
    // A thread that ends has nothing more to count.
    let _ = HELD.try_with(|held| {
        let (now, most) = held.get();
        held.set((now + bytes, most.max(now + bytes)));
    });
}

fn begin() -> isize {
    let (now, _) = HELD.get();
    HELD.set((now, now));
    now
}

fn peak_since(held: isize) -> usize {
    usize::try_from(HELD.get().1 - held).unwrap_or_default()
}

// SAFETY: every call goes to the system's allocator as it came.
#[expect(unsafe_code, reason = "an allocator is unsafe to implement")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}
