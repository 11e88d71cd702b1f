//! How the system's allocator keeps memory.

/// glibc gives every thread an arena of its own, up to eight per core, and an arena hardly ever gives anything
/// back. A batch goes through several threads, so each arena grew to the size of a batch and stayed there:
/// measured on an import of 1 GB, 124 MiB at the peak with them and 66 MiB with two, which is also faster.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "glibc offers this as a function of C only")]
pub(crate) fn share_arenas() {
    const ARENAS: i32 = 2;
    // SAFETY: takes two numbers and may be called at any time; here no other thread runs yet.
    let set = unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) };
    debug_assert_eq!(set, 1, "glibc knows this setting since 2.10");
}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn share_arenas() {}
