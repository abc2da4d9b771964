//! What Skua's paths cost, next to what its peers cost.
//!
//! 1. `cargo bench -p skua-benches` runs everything; `--bench pools` one target; a word after `--` those rows whose name
//!    has it; `-- --test` each row once, without measuring.
//! 2. Peers stand in the same group as Skua and do the same work, so a ratio can be read off one run. Absolute times
//!    belong to the machine and the minute.
//! 3. `cargo run --release -p skua-benches --example receive_instructions` counts instructions, with valgrind.
//!
//! # Types
//! - [`SystemMemory`]: the memory seams over the system allocator. [`LocalRing`]: both ends of a ring over it.
//! - [`thread_time`]: what rows of one thread are measured in. [`side_by_side`]: two threads at once, each on a processor
//!   of its own.
//! - [`Receiver`]: the engine with one socket, whose receive event is called with [`Indications`] that were built once.
//!   [`Setting`]: what is asked of it.
//! - [`ReadFirst`], [`SinkReceiver`]: the handlers.

mod clock;
mod indications;
mod memory;
mod pair;
mod read_first;
mod receiver;
mod ring;
mod setting;
mod sink;
mod tap;

pub use clock::thread_time;
pub use indications::{Indications, READ};
pub use memory::{Regions, SystemMemory};
pub use pair::side_by_side;
pub use read_first::ReadFirst;
pub use receiver::{Raised, Receiver};
pub use ring::LocalRing;
pub use setting::Setting;
pub use sink::{LocalSink, NoWake, RING_BYTES, RingEnd, SinkReceiver};
