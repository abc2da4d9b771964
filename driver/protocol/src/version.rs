//! Which protocol, and which driver.

use bytemuck::{Pod, Zeroable};

/// The version of everything in this crate but [`Version`] itself.
pub const PROTOCOL_VERSION: u16 = 1;

/// What the driver says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Version {
    /// [`PROTOCOL_VERSION`] of the driver.
    pub protocol: u16,
    /// [`RecordHeader::VERSION`](skua_record::RecordHeader::VERSION) of the rings it writes.
    pub record: u16,
    /// The driver's own version: major, minor.
    pub driver: [u16; 2],
    /// The patch level of its version.
    pub patch: u16,
    /// Zero.
    pub reserved: [u16; 3],
}

impl Version {
    /// That of the driver which is built from this tree.
    pub const HERE: Self = Self {
        protocol: PROTOCOL_VERSION,
        record: skua_record::RecordHeader::VERSION as u16,
        driver: [number(env!("CARGO_PKG_VERSION_MAJOR")), number(env!("CARGO_PKG_VERSION_MINOR"))],
        patch: number(env!("CARGO_PKG_VERSION_PATCH")),
        reserved: [0; 3],
    };
}

/// A part of the package's version; cargo writes it in digits.
const fn number(digits: &str) -> u16 {
    match u16::from_str_radix(digits, 10) {
        Ok(number) => number,
        Err(_) => panic!("cargo gives versions in digits"),
    }
}
