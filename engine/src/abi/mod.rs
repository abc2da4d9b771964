//! The C ABI of Winsock Kernel and of the parts of NT that it is spoken through.
//!
//! Client and provider meet in these types and nowhere else: a dispatch table filled by `netio.sys` and one filled by
//! a provider in user mode have the same layout, and the engine cannot tell them apart. All sizes and offsets are
//! those of 64-bit Windows and are asserted next to each declaration; `ULONG` is 32 bits everywhere, `SIZE_T` and
//! pointers 64. Functions use the platform's C convention, which on 64-bit Windows is the one that `NTAPI` and
//! `WSKAPI` name.
//!
//! * [`status`]: [`NTSTATUS`](status::NTSTATUS), its values and their names.
//! * [`nt`]: I/O request packets, memory descriptor lists, dispatcher, driver, device and file objects, network
//!   programming interfaces, and the inline functions that `wdm.h` declares for them.
//! * [`sockaddr`]: addresses, address families, socket options and their arguments.
//! * [`cmsg`]: control messages, which carry what is known about a datagram besides its bytes.
//! * [`ndis`]: lists of network buffers, as filters meet them.
//! * [`wsk`]: the registration, the dispatch tables, the functions and callbacks, buffers, indications, controls.
//!
//! Types, fields and constants carry the names of the WDK's headers, so that its documentation can be searched for
//! them; functions that are macros or inline in C carry the C name in snake case.

#![expect(
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    reason = "the WDK's names are kept letter by letter"
)]

#[cfg(not(target_pointer_width = "64"))]
compile_error!("the declared layouts are those of 64-bit Windows");

#[macro_use]
mod layout;

pub mod cmsg;
pub mod ndis;
pub mod nt;
pub mod sockaddr;
pub mod status;
pub mod wsk;

pub use layout::zeroed;
