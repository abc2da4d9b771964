//! The code of skua.sys and of the examples, forward.sys and cforward.sys, read back from what the linker wrote.
//!
//! 1. The image's bytes and the linker's [`map`] give every function: where it lies, what it is called, what it takes
//!    from the stack ([`unwind`]), and whom it calls ([`function`], [`program`]).
//! 2. [`rules`] holds what the bytes cannot say, and is kept in this tree: at which IRQL others call into the driver,
//!    where its indirect calls go, and which panics are left.
//! 3. [`reach`] follows the calls. `cargo xtask check-stack` ([`stack`]) finds the deepest path from what is called at
//!    DISPATCH_LEVEL, `cargo xtask check-panics` ([`panics`]) every way to the panic handler.
//!
//! What others do on the same stack is not counted: routines of the kernel and of the provider below it have their own
//! budgets. What they call back is a root of its own.

mod function;
pub(crate) mod map;
pub(crate) mod panics;
mod program;
mod reach;
mod rules;
#[cfg(test)]
mod sample;
pub(crate) mod stack;
mod unwind;
