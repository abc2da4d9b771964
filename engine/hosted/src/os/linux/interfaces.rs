//! The addresses of the host's interfaces.

// UNSAFETY: walks a list that the C library made.
#![expect(unsafe_code, reason = "the list is linked by address")]

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::os::Family;

/// The addresses of `family` on interfaces that are up, sorted.
pub(in crate::os) fn addresses(family: Family) -> Option<Vec<SocketAddr>> {
    let mut list: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: writable.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return None;
    }
    let mut found = Vec::new();
    let mut at = list;
    // SAFETY: null or an entry of the list, which is not freed yet.
    while let Some(entry) = unsafe { at.as_ref() } {
        if entry.ifa_flags & libc::IFF_UP.cast_unsigned() != 0 {
            // SAFETY: null or an address as long as its family says.
            found.extend(unsafe { address(entry.ifa_addr, family) });
        }
        at = entry.ifa_next;
    }
    // SAFETY: came from getifaddrs, and nothing refers to it any more.
    unsafe { libc::freeifaddrs(list) };
    found.sort_unstable();
    found.dedup();
    Some(found)
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
