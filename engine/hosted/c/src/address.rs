//! IP addresses as text, under the names of ip2string.h.

// UNSAFETY: exports under NT's names; texts are reached by address.
#![expect(unsafe_code, reason = "texts live in the driver's memory")]

use std::net::{Ipv4Addr, Ipv6Addr};

use skua_engine::abi::nt::BOOLEAN;
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};

/// A unit of text: CHAR or WCHAR. Addresses are of ASCII.
trait Unit: Copy {
    fn from_ascii(byte: u8) -> Self;
    fn to_ascii(self) -> Option<u8>;
}

impl Unit for u8 {
    fn from_ascii(byte: u8) -> Self {
        byte
    }

    fn to_ascii(self) -> Option<u8> {
        Some(self).filter(u8::is_ascii)
    }
}

impl Unit for u16 {
    fn from_ascii(byte: u8) -> Self {
        Self::from(byte)
    }

    fn to_ascii(self) -> Option<u8> {
        u8::try_from(self).ok().filter(u8::is_ascii)
    }
}

/// Longest text of an address, a scope, a port, and a null.
const LONGEST: usize = 65;

routines! {
    /// RtlIpv4AddressToStringA.
    contract fn RtlIpv4AddressToStringA(address: *const [u8; 4], to: *mut u8) -> *mut u8 {
        write(&Ipv4Addr::from(address.read()).to_string(), to)
    }

    /// RtlIpv4AddressToStringW.
    contract fn RtlIpv4AddressToStringW(address: *const [u8; 4], to: *mut u16) -> *mut u16 {
        write(&Ipv4Addr::from(address.read()).to_string(), to)
    }

    /// RtlIpv6AddressToStringA.
    contract fn RtlIpv6AddressToStringA(address: *const [u8; 16], to: *mut u8) -> *mut u8 {
        write(&Ipv6Addr::from(address.read()).to_string(), to)
    }

    /// RtlIpv6AddressToStringW.
    contract fn RtlIpv6AddressToStringW(address: *const [u8; 16], to: *mut u16) -> *mut u16 {
        write(&Ipv6Addr::from(address.read()).to_string(), to)
    }

    /// RtlIpv4AddressToStringExA.
    contract fn RtlIpv4AddressToStringExA(
        address: *const [u8; 4],
        port: u16,
        to: *mut u8,
        units: *mut u32,
    ) -> NTSTATUS {
        write_within(&text_v4(address.read(), port), to, units)
    }

    /// RtlIpv4AddressToStringExW.
    contract fn RtlIpv4AddressToStringExW(
        address: *const [u8; 4],
        port: u16,
        to: *mut u16,
        units: *mut u32,
    ) -> NTSTATUS {
        write_within(&text_v4(address.read(), port), to, units)
    }

    /// RtlIpv6AddressToStringExA.
    contract fn RtlIpv6AddressToStringExA(
        address: *const [u8; 16],
        scope: u32,
        port: u16,
        to: *mut u8,
        units: *mut u32,
    ) -> NTSTATUS {
        write_within(&text_v6(address.read(), scope, port), to, units)
    }

    /// RtlIpv6AddressToStringExW.
    contract fn RtlIpv6AddressToStringExW(
        address: *const [u8; 16],
        scope: u32,
        port: u16,
        to: *mut u16,
        units: *mut u32,
    ) -> NTSTATUS {
        write_within(&text_v6(address.read(), scope, port), to, units)
    }

    /// RtlIpv4StringToAddressA. Of addresses with four numbers, whether strict or not.
    contract fn RtlIpv4StringToAddressA(
        text: *const u8,
        _strict: BOOLEAN,
        end: *mut *const u8,
        address: *mut [u8; 4],
    ) -> NTSTATUS {
        read(text, end, |text| text.parse::<Ipv4Addr>().ok().map(|found| found.octets()), address)
    }

    /// RtlIpv4StringToAddressW.
    contract fn RtlIpv4StringToAddressW(
        text: *const u16,
        _strict: BOOLEAN,
        end: *mut *const u16,
        address: *mut [u8; 4],
    ) -> NTSTATUS {
        read(text, end, |text| text.parse::<Ipv4Addr>().ok().map(|found| found.octets()), address)
    }

    /// RtlIpv6StringToAddressA.
    contract fn RtlIpv6StringToAddressA(
        text: *const u8,
        end: *mut *const u8,
        address: *mut [u8; 16],
    ) -> NTSTATUS {
        read(text, end, |text| text.parse::<Ipv6Addr>().ok().map(|found| found.octets()), address)
    }

    /// RtlIpv6StringToAddressW.
    contract fn RtlIpv6StringToAddressW(
        text: *const u16,
        end: *mut *const u16,
        address: *mut [u8; 16],
    ) -> NTSTATUS {
        read(text, end, |text| text.parse::<Ipv6Addr>().ok().map(|found| found.octets()), address)
    }
}

/// `port` is in the order of the wire; 0 is none.
fn text_v4(address: [u8; 4], port: u16) -> String {
    let address = Ipv4Addr::from(address);
    if port == 0 { address.to_string() } else { format!("{address}:{}", u16::from_be(port)) }
}

/// The same; a scope of 0 is none.
fn text_v6(address: [u8; 16], scope: u32, port: u16) -> String {
    let address = Ipv6Addr::from(address);
    let scoped = if scope == 0 { address.to_string() } else { format!("{address}%{scope}") };
    if port == 0 { scoped } else { format!("[{scoped}]:{}", u16::from_be(port)) }
}

/// Writes a text and a null; where the null is.
///
/// # Safety
/// `to` has room for the longest address.
unsafe fn write<U: Unit>(text: &str, to: *mut U) -> *mut U {
    for (at, byte) in text.bytes().chain([0]).enumerate() {
        // SAFETY: the caller's promise.
        unsafe { to.wrapping_add(at).write(U::from_ascii(byte)) };
    }
    to.wrapping_add(text.len())
}

/// Writes a text and a null into room for `units`, which becomes what is needed.
///
/// # Safety
/// `units` is readable and writable, `to` writable for so many.
unsafe fn write_within<U: Unit>(text: &str, to: *mut U, units: *mut u32) -> NTSTATUS {
    let needed = u32::try_from(text.len() + 1).unwrap_or(u32::MAX);
    // SAFETY: the caller's promise.
    let room = unsafe { units.replace(needed) };
    if to.is_null() || room < needed {
        return STATUS_INVALID_PARAMETER;
    }
    // SAFETY: room for it.
    unsafe { write(text, to) };
    STATUS_SUCCESS
}

/// Reads the longest address that `text` begins with, and where it ends.
///
/// # Safety
/// `text` is a text with a null, `end` and `address` are writable.
unsafe fn read<U: Unit, const N: usize>(
    text: *const U,
    end: *mut *const U,
    parse: impl Fn(&str) -> Option<[u8; N]>,
    address: *mut [u8; N],
) -> NTSTATUS {
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
    // SAFETY: the caller's promise: it goes no further than the null, which is no part.
    let at = |index| unsafe { text.wrapping_add(index).read() }.to_ascii().filter(is_part);
    let letters: String = (0..LONGEST).map_while(at).map(char::from).collect();
    let found = (1..=letters.len()).rev().find_map(|length| Some((length, parse(&letters[..length])?)));
    // SAFETY: the caller's promise.
    unsafe { end.write(text.wrapping_add(found.map_or(0, |(length, _)| length))) };
    let Some((_, octets)) = found else { return STATUS_INVALID_PARAMETER };
    // SAFETY: the caller's promise.
    unsafe { address.write(octets) };
    STATUS_SUCCESS
}
