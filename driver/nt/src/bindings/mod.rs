//! The seam to NT's declarations: whichever crate they come from, the rest of the driver sees one set of names.
//!
//! | feature | types and functions | linked by |
//! |---|---|---|
//! | none | `windows-sys`, made from Microsoft's metadata | import tables written by rustc |
//! | `wdk` | `wdk-sys`, made by bindgen from the headers of an installed WDK | the WDK's import libraries |
//!
//! [`imports`] holds what neither has: netio.sys, what C compilers expect of a runtime, routines that are macros in some
//! header, and those that the metadata places in user mode's `ntdll.dll`.
//!
//! The driver works with the types of [`skua_engine::abi::nt`]; pointers are cast where a call is made. `layout` asserts, at
//! compile time, that either crate's types have the same layout.

pub mod imports;
mod layout;

#[cfg(feature = "wdk")]
mod wdk;
#[cfg(not(feature = "wdk"))]
mod windows_sys;

#[cfg(feature = "wdk")]
pub use wdk::*;
#[cfg(not(feature = "wdk"))]
pub use windows_sys::*;
