//! Interrupt request levels, and the words of memory that are locks.

use bytemuck::{Pod, Zeroable};

/// An interrupt request level: what may preempt the processor now, and so what may be done.
pub type KIRQL = u8;
/// Threads run, page faults are served, waiting is allowed.
pub const PASSIVE_LEVEL: KIRQL = 0;
/// As passive, without asynchronous procedure calls.
pub const APC_LEVEL: KIRQL = 1;
/// The scheduler is off: no waiting, no pageable memory. Deferred procedure calls run here.
pub const DISPATCH_LEVEL: KIRQL = 2;

/// In whose name something is done: [`KernelMode`] or [`UserMode`].
pub type KPROCESSOR_MODE = i8;
/// [`KPROCESSOR_MODE`]: the kernel; arguments are trusted, and a waiting thread's stack stays resident.
pub const KernelMode: KPROCESSOR_MODE = 0;
/// [`KPROCESSOR_MODE`]: an application; arguments are probed.
pub const UserMode: KPROCESSOR_MODE = 1;

/// A spin lock. Zero is free.
pub type KSPIN_LOCK = usize;

/// Run-down protection: how many hold it, and whether it is being run down. Only NT's `Ex` functions read it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct EX_RUNDOWN_REF {
    /// Twice the number of holders; odd or a pointer once the run-down has begun.
    pub Count: usize,
}
layout!(EX_RUNDOWN_REF { size: 8, align: 8, Count: 0 });
