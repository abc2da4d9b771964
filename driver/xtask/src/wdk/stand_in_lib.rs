//! What stands in for wdk-sys where there is no WDK: the same names, from the headers of mingw-w64. Made to be checked
//! against, never to be linked.
#![no_std]
#![allow(warnings, clippy::all)]

pub use constants::*;
pub use types::*;

mod types {
    include!(concat!(env!("OUT_DIR"), "/types.rs"));
}

mod constants {
    use crate::types::*;

    include!(concat!(env!("OUT_DIR"), "/constants.rs"));
}

/// Functions.
pub mod ntddk {
    use crate::types::*;

    include!(concat!(env!("OUT_DIR"), "/ntddk.rs"));
}

/// C's types as they are on 64-bit Windows.
mod c {
    pub use core::ffi::c_void;

    pub type c_char = i8;
    pub type c_schar = i8;
    pub type c_uchar = u8;
    pub type c_short = i16;
    pub type c_ushort = u16;
    pub type c_int = i32;
    pub type c_uint = u32;
    pub type c_long = i32;
    pub type c_ulong = u32;
    pub type c_longlong = i64;
    pub type c_ulonglong = u64;
    pub type c_float = f32;
    pub type c_double = f64;
}
