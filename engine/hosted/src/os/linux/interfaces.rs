//! The addresses of the host's interfaces.

// UNSAFETY: walks a list that the C library made.
#![expect(unsafe_code, reason = "the list is linked by address")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::os::Family;

/// The addresses of `family` on interfaces that are up, sorted.
pub(in crate::os) fn addresses(family: Family) -> Option<Vec<SocketAddr>> {
    let mut found = Vec::new();
    each(|entry| {
        // SAFETY: null or an address as long as its family says.
        found.extend(unsafe { address(entry.ifa_addr, family) });
    })?;
    found.sort_unstable();
    found.dedup();
    Some(found)
}

/// An address of an interface that is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InterfaceAddress {
    pub(super) interface: u32,
    pub(super) is_loopback: bool,
    pub(super) address: IpAddr,
    /// By which all hosts of its network are reached.
    pub(super) broadcast: Option<IpAddr>,
}

/// The addresses of both families on interfaces that are up, with what they belong to.
pub(super) fn interface_addresses() -> Option<Vec<InterfaceAddress>> {
    let mut found = Vec::new();
    each(|entry| {
        let is = |flag: i32| entry.ifa_flags & flag.cast_unsigned() != 0;
        // SAFETY: null or an address as long as its family says.
        let of = |at: *const libc::sockaddr, family| unsafe { address(at, family) }.map(|it| it.ip());
        let Some(address) =
            [Family::V4, Family::V6].into_iter().find_map(|family| of(entry.ifa_addr, family))
        else {
            return;
        };
        // SAFETY: the name ends with a zero.
        let interface = unsafe { libc::if_nametoindex(entry.ifa_name) };
        let broadcast = if is(libc::IFF_BROADCAST) { of(entry.ifa_ifu, Family::V4) } else { None };
        found.push(InterfaceAddress { interface, is_loopback: is(libc::IFF_LOOPBACK), address, broadcast });
    })?;
    Some(found)
}

/// Calls `found` with every address of an interface that is up; `None` when the list cannot be had.
fn each(mut found: impl FnMut(&libc::ifaddrs)) -> Option<()> {
    let mut list: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: writable.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return None;
    }
    let mut at = list;
    // SAFETY: null or an entry of the list, which is not freed yet.
    while let Some(entry) = unsafe { at.as_ref() } {
        if entry.ifa_flags & libc::IFF_UP.cast_unsigned() != 0 {
            found(entry);
        }
        at = entry.ifa_next;
    }
    // SAFETY: came from getifaddrs, and nothing refers to it any more.
    unsafe { libc::freeifaddrs(list) };
    Some(())
}

/// The address, if it is one of `family`.
///
/// # Safety
/// `address` is null, or readable for an address as long as its family says.
unsafe fn address(address: *const libc::sockaddr, family: Family) -> Option<SocketAddr> {
    // SAFETY: the caller's promise.
    let of = i32::from(unsafe { address.as_ref() }?.sa_family);
    match family {
        Family::V4 if of == libc::AF_INET => {
            // SAFETY: the caller's promise.
            let v4 = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(SocketAddr::new(Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes()).into(), 0))
        }
        Family::V6 if of == libc::AF_INET6 => {
            // SAFETY: the caller's promise.
            let v6 = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            Some(SocketAddrV6::new(ip, 0, 0, v6.sin6_scope_id).into())
        }
        _ => None,
    }
}
