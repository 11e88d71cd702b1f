//! What the work of a thread takes: time of a processor, and memory.
#![allow(clippy::disallowed_methods, reason = "the time of a thread stands in a file of the system")]
#![allow(clippy::unwrap_used, reason = "without its measure a test cannot go on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

/// What something took.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    pub time: Duration,
    /// Bytes held at its worst moment, beside what was held before.
    pub memory: usize,
}

/// Measures `work`, in a program whose allocator is [`Counting`].
pub fn by<T>(work: impl FnOnce() -> T) -> (T, Taken) {
    let (start, held) = (thread_time(), begin());
    let done = work();
    let memory = usize::try_from(HELD.get().1 - held).unwrap_or_default();
    (done, Taken { time: thread_time() - start, memory })
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
