//! What Skua's paths cost, next to what its peers cost.
//!
//! # Running
//! 1. `cargo bench -p skua-benches` runs everything; `--bench pools` one target of `pools`, `ring`, `receive`, `send` and `sink`; a
//!    word after `--` the rows whose name has it; `-- --test` each row once, without measuring. `--features peers-c` adds
//!    mimalloc and jemalloc to the pools' peers, and takes a C compiler.
//! 2. `cargo run --release -p skua-benches --example rounds -- 5` runs everything five times and prints medians with
//!    minimum and maximum over the rounds, and ratios.
//! 3. `cargo xtask instructions` counts the instructions of one call over 32 slots, records or datagrams. It takes valgrind and
//!    gungraun-runner (`cargo install gungraun-runner --version 0.20.0`), and says so where one is missing.
//! 4. `cargo run --release -p skua-benches --example receive_instructions` counts instructions per datagram, with
//!    valgrind alone. One row of it for a look inside, function by function:
//!    `valgrind --tool=callgrind target/release/examples/receive_instructions engine-plain 1000`.
//!
//! What receiving costs as a whole, over real sockets, is measured by the tool `throughput`: see `benches/README.md`.
//!
//! # Reading
//! Peers stand in the same group as Skua and do the same work, so a ratio can be read off one run. Absolute times belong to
//! the machine.
//!
//! Rows of one thread are measured in that thread's processor time, so other work on the machine costs them cold caches and
//! nothing else. Rows of two threads are measured in wall time, over chunks in which neither thread lost its processor.
//!
//! The receive path is what the engine does between the call of WskReceiveFromEvent and its return. What a provider does
//! before and after, system calls above all, is not in it. The kernel below the engine is the hosted one: reading the clock
//! costs once a list what the host takes for it, and levels were raised before.
//!
//! # Types
//! - [`SystemMemory`]: the memory seams over the system allocator. [`LocalRing`]: both ends of a ring over it.
//! - [`thread_time`], [`side_by_side`]: the clocks of one thread and of two.
//! - [`Receiver`]: the engine with one socket, whose receive event is called with [`Indications`] that were built once.
//!   [`Setting`]: what is asked of it.
//! - [`Sender`]: the engine with one socket that sends.
//! - [`ReadFirst`], [`SinkReceiver`]: the handlers. [`CReceiver`]: the engine and its handler through the functions in C.

mod c_receiver;
mod clock;
mod indications;
mod memory;
mod pair;
mod read_first;
mod receiver;
mod ring;
mod sender;
mod setting;
mod sink;
mod tap;

pub use c_receiver::{CReceiver, Reading};
pub use clock::thread_time;
pub use indications::{Indications, READ};
pub use memory::{Regions, SystemMemory};
pub use pair::side_by_side;
pub use read_first::ReadFirst;
pub use receiver::{Raised, Receiver};
pub use ring::LocalRing;
pub use sender::Sender;
pub use setting::Setting;
pub use sink::{LocalSink, NoWake, RING_BYTES, RingEnd, SinkReceiver};
