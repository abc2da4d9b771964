//! The half of the driver that faces Windows: NT's routines behind the traits that everything else is written to.
//!
//! * [`driver_entry`]: what loading and unloading do, in order. [`bug_check`]: what a panic becomes.
//! * [`NtKernel`]: the kernel as a zero-sized value: [`Memory`](skua_pools::Memory), [`Kernel`](skua_engine::Kernel),
//!   [`Executive`](crate::Executive).
//! * `bindings`: where NT's declarations come from.
//! * `routines`, `accounts`: the few statics behind it, and why they are statics.
//! * `guarded`: the thunk around what raises.
//! * `handle`, `thread`, `section`, `registry`: kernel objects, owned.
//! * `descriptor`, `device`: the device, and who may open it.
//! * `unguessable`, `unicode`, `debug_print`: random names, counted strings, lines for a debugger.
//!
//! All of it is type-checked on every host and called in a driver only.

mod accounts;
mod bindings;
mod bug_check;
mod debug_print;
mod descriptor;
mod device;
mod entry;
mod executive;
mod guarded;
mod handle;
mod kernel;
mod memory;
mod registry;
mod routines;
mod section;
mod thread;
mod unguessable;
mod unicode;

pub use bug_check::bug_check;
pub use entry::driver_entry;
pub use section::NtSection;
pub use thread::NtThread;

/// The kernel that the driver is loaded into.
///
/// Its routines work once `DriverEntry` has looked up those that not every system has.
#[derive(Clone, Copy, Debug, Default)]
pub struct NtKernel;
