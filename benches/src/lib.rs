//! What Skua's paths cost, next to what its peers cost.
//!
//! 1. `cargo bench -p skua-benches` runs everything; `--bench pools` one target; a word after `--` those whose name has
//!    it; `-- --test` each of them once, without measuring.
//! 2. Peers stand in the same group as Skua and do the same work, so a ratio can be read off one run. Absolute times
//!    belong to the machine and the minute.
//!
//! # Types
//! - [`SystemMemory`]: the memory seams over the system allocator. [`LocalRing`]: both ends of a ring over it.
//! - [`side_by_side`]: two threads at once, each on a processor of its own.

mod memory;
mod pair;
mod ring;

pub use memory::{Regions, SystemMemory};
pub use pair::side_by_side;
pub use ring::LocalRing;
