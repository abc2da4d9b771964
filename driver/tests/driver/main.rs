//! The driver over the user-mode kernel: what its public face promises, seen from outside.

mod boot;
mod executive;
mod faults;
mod host;
mod hostile;
mod packed;
mod program;
mod reader;
mod rig;
mod script;
mod self_test;
mod sinks;
mod waits;
