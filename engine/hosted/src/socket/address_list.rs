//! SIO_ADDRESS_LIST_QUERY and SIO_ADDRESS_LIST_SORT.

// UNSAFETY: reads and writes lists of addresses in the client's buffers.
#![expect(unsafe_code, reason = "the list holds addresses by pointer")]

use std::cmp::Reverse;
use std::net::IpAddr;

use skua_engine::abi::sockaddr::{SOCKADDR_IN, SOCKADDR_INET, SOCKET_ADDRESS};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_BUFFER_OVERFLOW, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED,
};

use super::control::ControlRequest;
use super::scope::Scope;
use crate::HostKernel;
use crate::receive::unmapped;

/// Where the entries of a SOCKET_ADDRESS_LIST begin.
const ENTRIES: usize = 8;

/// Writes the addresses of this host that a socket can be bound to: the list, and behind it what it points at. With
/// STATUS_BUFFER_OVERFLOW comes the size that is needed.
pub(super) fn query(
    kernel: &HostKernel,
    scope: Scope,
    control: &ControlRequest,
) -> Result<usize, (NTSTATUS, usize)> {
    let addresses = kernel.stack().addresses(scope.family).ok_or((STATUS_NOT_SUPPORTED, 0))?;
    let addresses: Vec<SOCKADDR_INET> = addresses.into_iter().map(SOCKADDR_INET::from).collect();
    let behind = ENTRIES + addresses.len() * size_of::<SOCKET_ADDRESS>();
    let needed = behind + size_of_val(&addresses[..]);
    let (output, size) = control.raw_output();
    if output.is_null() || size < needed {
        return Err((STATUS_BUFFER_OVERFLOW, needed));
    }
    // SAFETY: writable for what is needed, of which this is the beginning.
    unsafe { output.cast::<i32>().write_unaligned(i32::try_from(addresses.len()).unwrap_or(i32::MAX)) };
    for (index, address) in addresses.iter().enumerate() {
        let at = output.wrapping_add(behind + index * size_of::<SOCKADDR_INET>());
        // SAFETY: within what is needed.
        unsafe { at.cast::<SOCKADDR_INET>().write_unaligned(*address) };
        let length = i32::try_from(address.len()).unwrap_or_default();
        let entry = SOCKET_ADDRESS { lpSockaddr: at.cast(), iSockaddrLength: length };
        // SAFETY: as above.
        unsafe { entry_at(output, index).write_unaligned(entry) };
    }
    Ok(needed)
}

/// Writes the entries of the input in the order in which to try their addresses (RFC 6724, section 6): those that can be
/// reached first. Input and output may be one buffer; the addresses stay where they are.
pub(super) fn sort(kernel: &HostKernel, control: &ControlRequest) -> Result<usize, NTSTATUS> {
    let mut entries = entries(control)?;
    let size = ENTRIES + entries.len() * size_of::<SOCKET_ADDRESS>();
    let (output, room) = control.raw_output();
    if output.is_null() || room < size {
        return Err(STATUS_BUFFER_TOO_SMALL);
    }
    // Stable, so that the client's order decides where nothing else does.
    entries.sort_by_cached_key(|(_, address)| rank(*address, kernel.stack().source_for(*address)));
    // SAFETY: writable for the size.
    unsafe { output.cast::<i32>().write_unaligned(i32::try_from(entries.len()).unwrap_or(i32::MAX)) };
    for (index, (entry, _)) in entries.iter().enumerate() {
        // SAFETY: as above.
        unsafe { entry_at(output, index).write_unaligned(*entry) };
    }
    Ok(size)
}

fn entry_at(list: *mut u8, index: usize) -> *mut SOCKET_ADDRESS {
    list.wrapping_add(ENTRIES + index * size_of::<SOCKET_ADDRESS>()).cast()
}

/// The entries of the input, each with its address.
fn entries(control: &ControlRequest) -> Result<Vec<(SOCKET_ADDRESS, IpAddr)>, NTSTATUS> {
    let count = usize::try_from(control.input::<i32>()?).map_err(|_| STATUS_INVALID_PARAMETER)?;
    let (input, size) = control.raw_input();
    let needed = count.checked_mul(size_of::<SOCKET_ADDRESS>()).and_then(|bytes| bytes.checked_add(ENTRIES));
    if needed.is_none_or(|needed| size < needed) {
        return Err(STATUS_INVALID_PARAMETER);
    }
    let entry = |index| {
        // SAFETY: the input has so many entries.
        let entry = unsafe { entry_at(input.cast_mut(), index).read_unaligned() };
        let length = usize::try_from(entry.iSockaddrLength).unwrap_or_default();
        if length < size_of::<SOCKADDR_IN>() {
            return Err(STATUS_INVALID_PARAMETER);
        }
        // SAFETY: the client's contract: null, or an address as long as its family says.
        let address = unsafe { SOCKADDR_INET::read(entry.lpSockaddr) };
        let address = address.filter(|address| address.len() <= length);
        let address = address.and_then(|address| address.to_socket_addr()).ok_or(STATUS_INVALID_PARAMETER)?;
        Ok((entry, address.ip()))
    };
    (0..count).map(entry).collect()
}

/// Smaller is better: reachable, by a source of the same scope, of higher precedence, of smaller scope.
fn rank(destination: IpAddr, source: Option<IpAddr>) -> (bool, bool, Reverse<u32>, u32) {
    let scope = scope(destination);
    let differs = source.is_none_or(|source| self::scope(source) != scope);
    (source.is_none(), differs, Reverse(precedence(destination)), scope)
}

/// The scope of an address, as the multicast scopes number it.
fn scope(address: IpAddr) -> u32 {
    match unmapped(address) {
        IpAddr::V4(v4) if v4.is_loopback() || v4.is_link_local() => 2,
        IpAddr::V4(_) => 14,
        IpAddr::V6(v6) if v6.is_multicast() => u32::from(v6.octets()[1] & 15),
        IpAddr::V6(v6) if v6.is_loopback() || v6.is_unicast_link_local() => 2,
        IpAddr::V6(_) => 14,
    }
}

/// The default policy table (RFC 6724, section 2.1).
fn precedence(address: IpAddr) -> u32 {
    let IpAddr::V6(v6) = unmapped(address) else { return 35 };
    match v6.segments() {
        _ if v6.is_loopback() => 50,
        [0x2002, ..] => 30,
        [0x2001, 0, ..] => 5,
        [first, ..] if first & 0xfe00 == 0xfc00 => 3,
        [0, 0, 0, 0, 0, 0, ..] => 1,
        [first, ..] if first & 0xffc0 == 0xfec0 || first == 0x3ffe => 1,
        _ => 40,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_reached_comes_before_what_is_preferred() {
        let global: IpAddr = "2001:db8::1".parse().unwrap();
        let v4: IpAddr = "192.0.2.1".parse().unwrap();
        assert!(rank(v4, Some(v4)) < rank(global, None));
        assert!(rank(global, Some(global)) < rank(v4, Some(v4)));
        let local: IpAddr = "fe80::1".parse().unwrap();
        assert!(rank(local, Some(local)) < rank(global, Some(local)), "a source of another scope");
    }

    #[test]
    fn the_policy_table_ranks_prefixes() {
        let of = |text: &str| precedence(text.parse().unwrap());
        let ranked = ["::1", "2001:db8::1", "192.0.2.1", "2002::1", "2001::1", "fd00::1", "fec0::1"];
        assert_eq!(ranked.map(of), [50, 40, 35, 30, 5, 3, 1]);
        assert_eq!(of("::ffff:192.0.2.1"), 35);
    }
}
