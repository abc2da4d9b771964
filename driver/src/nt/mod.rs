//! The half of the driver that faces Windows: NT's routines behind the traits that everything else is written to.
//!
//! What any driver needs of it is in [`skua_nt`]: [`NtKernel`](skua_nt::NtKernel) as [`Memory`](skua_pools::Memory) and
//! [`Kernel`](skua_engine::Kernel), threads, handles, NT's declarations. Here is what this driver needs besides.
//!
//! * [`driver_entry`]: what loading and unloading do, in order.
//! * `executive`: the kernel as [`Executive`](crate::Executive).
//! * `guarded`: the thunk around what raises.
//! * `section`, `registry`: kernel objects, owned.
//! * `descriptor`, `device`: the device, and who may open it.
//! * `unguessable`: random names.
//!
//! All of it is type-checked on every host and called in a driver only.

mod descriptor;
mod device;
mod entry;
mod executive;
mod guarded;
mod registry;
mod section;
mod unguessable;

pub use entry::driver_entry;
pub use section::NtSection;
