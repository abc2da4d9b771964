//! The parts of the NT kernel's ABI that WSK is spoken through.
//!
//! * Basic types of `ntdef.h`: [`GUID`], [`LARGE_INTEGER`], [`LIST_ENTRY`], [`UNICODE_STRING`], [`PROCESSOR_NUMBER`].
//! * [`IRP`] with its [`IO_STACK_LOCATION`]s: one asynchronous operation, its status and its completion routine.
//! * [`MDL`]: one range of locked memory, and the chain of them that a buffer is made of.
//! * [`KEVENT`] and the other dispatcher objects, [`KDPC`] and [`KAPC`].
//! * [`DRIVER_OBJECT`], [`DEVICE_OBJECT`], [`FILE_OBJECT`].
//! * [`SECURITY_DESCRIPTOR`] in both its forms, [`SID`], [`ACL`].
//! * [`NPI_CLIENT_CHARACTERISTICS`] and [`NPI_PROVIDER_CHARACTERISTICS`] of the network module registrar.
//! * Interrupt request levels, pools, page priorities.
//!
//! Structures are those of `wdm.h`, `ntifs.h` and `netioddk.h`; what is said of them is what the Windows driver
//! documentation says under their names. The functions are those that `wdm.h` declares as macros or inline: they touch nothing but the structures given to
//! them. What has to be called in the kernel is not here.

mod dispatcher;
mod dpc;
mod irp;
mod irql;
mod mdl;
mod memory;
mod npi;
mod ntdef;
mod object;
mod security;
mod stack_location;

pub use dispatcher::*;
pub use dpc::*;
pub use irp::*;
pub use irql::*;
pub use mdl::*;
pub use memory::*;
pub use npi::*;
pub use ntdef::*;
pub use object::*;
pub use security::*;
pub use stack_location::*;
