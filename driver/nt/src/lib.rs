//! ntoskrnl and netio.sys behind the engine's traits: what a driver of any kind runs the engine on.
//!
//! # Life cycle
//!
//! 1. `DriverEntry` calls [`NtKernel::load`], first of all: routines that not every system has are looked up, and the driver
//!    may name the one tag under which all its pool is taken.
//! 2. The [`NtKernel`] goes to [`Registration::register`](skua_engine::Registration::register) and
//!    [`Engine::open`](skua_engine::Engine::open). It is zero-sized: copies cost nothing, and are the same kernel.
//! 3. A [`Worker`]'s thread waits for the WSK provider and opens sockets: `DriverEntry` must not wait.
//! 4. `DriverUnload` drops the [`Worker`], which tells its thread to stop and waits until it has closed everything, and asks
//!    [`NtKernel::owing`] for what was not given back.
//!
//! # Types
//!
//! * [`NtKernel`]: the kernel as a value: [`Memory`](skua_pools::Memory) and [`Kernel`](skua_engine::Kernel).
//! * [`Worker`], [`Stop`]: a system thread that runs until it is told to stop; [`NtThread`], [`StartRoutine`]: one that runs as
//!   long as it likes. [`Handle`], [`attributes`]: kernel handles.
//! * [`PoolUse`]: what is charged to a tag.
//! * [`bug_check`]: what a panic handler ends in. [`debug_print`]: lines for a debugger. [`unicode`]: counted strings.
//!
//! All of it is type-checked on every host and called in a driver only. The crate has no entry point and no panic handler: those
//! are the image's.
#![no_std]

#[cfg(test)]
extern crate std;

mod accounts;
// Whose signatures follow the feature `wdk`: for the crates of this tree.
#[doc(hidden)]
pub mod bindings;
mod bug_check;
pub mod debug_print;
mod handle;
mod kernel;
mod memory;
mod routines;
mod thread;
pub mod unicode;
mod worker;

pub use bug_check::bug_check;
pub use handle::{Handle, attributes};
pub use kernel::NtKernel;
pub use memory::PoolUse;
pub use thread::{NtThread, StartRoutine};
pub use worker::{Stop, Worker};
