//! The adapters that need nothing installed: a directory, and memory of this process.

mod directory;
mod fault;
mod objects;
mod progress;
mod queue;
mod read;

pub use objects::LocalObjects;
pub use progress::MemoryProgress;
pub use queue::{LANE_TASKS, MemoryQueue};
