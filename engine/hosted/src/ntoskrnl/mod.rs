//! Routines of ntoskrnl.exe that drivers call and the engine does not, as methods of a
//! [`HostKernel`](crate::HostKernel) under NT's own names: for what exports them under their C names.
//!
//! * Levels of any height, spin locks, run-down protection, locks that wait.
//! * Dispatcher objects of every kind, and waits for several of them; timers, deferred procedure calls.
//! * System threads' objects, work items.
//! * Pool by address alone, packets and descriptors that the kernel allocates.
//!
//! A breach of a routine's rules is reported by [`HostKernel::breach`](crate::HostKernel::breach), after which the routine has no effect.
//!
//! A thread raises and lowers either through these or through [`Kernel`](skua_engine::Kernel), not through both in turn: the
//! latter counts raises, and these know only levels.

mod descriptor;
mod dispatcher;
mod dpc;
mod level;
mod packet;
mod pool;
mod rundown;
mod spin_lock;
mod thread;
mod timer;
mod wait_lock;
mod work;

pub use descriptor::attach_mdl;
pub use spin_lock::KLOCK_QUEUE_HANDLE;
pub use thread::KernelThread;
pub use work::WORK_QUEUE_ITEM;

pub(crate) use dpc::Dpcs;
pub(crate) use timer::Timers;
pub(crate) use work::Work;
