//! getaddrinfo and getnameinfo of the C library.

// UNSAFETY: the C library's calls take and give addresses.
#![expect(unsafe_code, reason = "getaddrinfo gives a list, getnameinfo fills buffers")]

use std::ffi::{CStr, CString, c_char, c_int};
use std::io::Error;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use skua_engine::abi::status::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_NO_MATCH, STATUS_NOT_SUPPORTED,
    STATUS_UNSUCCESSFUL,
};
use skua_engine::abi::wsk::{
    AI_ADDRCONFIG, AI_ALL, AI_CANONNAME, AI_DISABLE_IDN_ENCODING, AI_FQDN, AI_NUMERICHOST, AI_NUMERICSERV,
    AI_PASSIVE, AI_V4MAPPED, NI_DGRAM, NI_NAMEREQD, NI_NOFQDN, NI_NUMERICHOST, NI_NUMERICSERV,
};
use socket2::SockAddr;

use super::{Answer, NameQuestion, Names, Question};
use crate::os::Family;
use crate::status;

/// Room for the name of a host and of a service (NI_MAXHOST, NI_MAXSERV of netdb.h).
const LONGEST_HOST: usize = 1025;
const LONGEST_SERVICE: usize = 32;

/// glibc: encode names that are not ASCII. Other libraries have none and look names up as they are.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const AI_IDN: c_int = 0x40;
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
const AI_IDN: c_int = 0;

/// A list that getaddrinfo gave.
///
/// # Invariants
/// It is freed once, by the drop, and only read before.
struct List(*mut libc::addrinfo);

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: came from getaddrinfo, and freed once.
        unsafe { libc::freeaddrinfo(self.0) };
    }
}

impl List {
    fn entries(&self) -> impl Iterator<Item = &libc::addrinfo> {
        // SAFETY: the list's first entry, or null.
        let first = unsafe { self.0.as_ref() };
        // SAFETY: the next entry, or null.
        std::iter::successors(first, |entry| unsafe { entry.ai_next.as_ref() })
    }
}

/// The addresses of a name, in the library's order. One that comes once for each type of socket is given once.
pub(crate) fn addresses(question: &Question) -> Result<Vec<Answer>, NTSTATUS> {
    let text = |text: &Option<String>| text.as_deref().map(CString::new).transpose();
    let (Ok(node), Ok(service)) = (text(&question.node), text(&question.service)) else {
        return Err(STATUS_INVALID_PARAMETER);
    };
    let is_foreign = question.node.as_ref().is_some_and(|node| !node.is_ascii());
    // SAFETY: hints of zeros ask for anything.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_flags = flags(question.flags);
    if is_foreign && question.flags & AI_DISABLE_IDN_ENCODING == 0 {
        hints.ai_flags |= AI_IDN;
    }
    hints.ai_family = match question.family {
        None => libc::AF_UNSPEC,
        Some(Family::V4) => libc::AF_INET,
        Some(Family::V6) => libc::AF_INET6,
    };
    hints.ai_socktype = question.socket_type;
    hints.ai_protocol = question.protocol;
    let pointer = |text: &Option<CString>| text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
    let mut first = std::ptr::null_mut();
    // SAFETY: strings that end in zero or null, hints, and where the list goes.
    let result =
        unsafe { libc::getaddrinfo(pointer(&node), pointer(&service), &raw const hints, &raw mut first) };
    if result != 0 {
        return Err(of_result(result));
    }
    let list = List(first);
    let mut answers: Vec<Answer> = Vec::new();
    for entry in list.entries() {
        // SAFETY: an entry of the list.
        let Some(address) = (unsafe { address_of(entry) }) else { continue };
        if answers.iter().any(|answer| answer.address == address) {
            continue;
        }
        let canonical_name = if entry.ai_canonname.is_null() {
            None
        } else {
            // SAFETY: not null, so a string of the list.
            Some(unsafe { CStr::from_ptr(entry.ai_canonname) }.to_string_lossy().into_owned())
        };
        let (socket_type, protocol) = (question.socket_type, question.protocol);
        answers.push(Answer { address, socket_type, protocol, canonical_name });
    }
    if answers.is_empty() { Err(STATUS_NO_MATCH) } else { Ok(answers) }
}

/// The names of an address and its port.
pub(crate) fn names(question: &NameQuestion) -> Result<Names, NTSTATUS> {
    let address = SockAddr::from(question.address);
    let mut node: [c_char; LONGEST_HOST] = [0; LONGEST_HOST];
    let mut service: [c_char; LONGEST_SERVICE] = [0; LONGEST_SERVICE];
    let size = |wanted: bool, size: usize| {
        if wanted { libc::socklen_t::try_from(size).unwrap_or_default() } else { 0 }
    };
    let pairs = [
        (NI_NOFQDN, libc::NI_NOFQDN),
        (NI_NUMERICHOST, libc::NI_NUMERICHOST),
        (NI_NAMEREQD, libc::NI_NAMEREQD),
        (NI_NUMERICSERV, libc::NI_NUMERICSERV),
        (NI_DGRAM, libc::NI_DGRAM),
    ];
    let flags =
        pairs.iter().filter(|(theirs, _)| question.flags & theirs != 0).fold(0, |all, (_, ours)| all | ours);
    // SAFETY: an address of its length, and buffers of the sizes given.
    let result = unsafe {
        libc::getnameinfo(
            address.as_ptr().cast(),
            address.len(),
            node.as_mut_ptr(),
            size(question.wants_node, node.len()),
            service.as_mut_ptr(),
            size(question.wants_service, service.len()),
            flags,
        )
    };
    if result != 0 {
        return Err(of_result(result));
    }
    // SAFETY: zeros but for what the library wrote, which ends in zero.
    let text = |text: &[c_char]| unsafe { CStr::from_ptr(text.as_ptr()) }.to_string_lossy().into_owned();
    Ok(Names {
        node: question.wants_node.then(|| text(&node)),
        service: question.wants_service.then(|| text(&service)),
    })
}

/// # Safety
/// `entry` is one of a list of getaddrinfo's.
unsafe fn address_of(entry: &libc::addrinfo) -> Option<SocketAddr> {
    match entry.ai_family {
        libc::AF_INET => {
            // SAFETY: an address of the family that the entry says.
            let address = unsafe { entry.ai_addr.cast::<libc::sockaddr_in>().read_unaligned() };
            let ip = Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr));
            Some(SocketAddr::new(ip.into(), u16::from_be(address.sin_port)))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let address = unsafe { entry.ai_addr.cast::<libc::sockaddr_in6>().read_unaligned() };
            let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
            let port = u16::from_be(address.sin6_port);
            Some(SocketAddrV6::new(ip, port, address.sin6_flowinfo, address.sin6_scope_id).into())
        }
        _ => None,
    }
}

/// Windows' flags as the library has them. What is about where an answer comes from has no counterpart.
fn flags(flags: i32) -> c_int {
    let pairs = [
        (AI_PASSIVE, libc::AI_PASSIVE),
        (AI_CANONNAME | AI_FQDN, libc::AI_CANONNAME),
        (AI_NUMERICHOST, libc::AI_NUMERICHOST),
        (AI_NUMERICSERV, libc::AI_NUMERICSERV),
        (AI_ALL, libc::AI_ALL),
        (AI_ADDRCONFIG, libc::AI_ADDRCONFIG),
        (AI_V4MAPPED, libc::AI_V4MAPPED),
    ];
    pairs.iter().filter(|(theirs, _)| flags & theirs != 0).fold(0, |all, (_, ours)| all | ours)
}

/// What cannot be resolved is STATUS_NO_MATCH, for now or for good.
fn of_result(result: c_int) -> NTSTATUS {
    match result {
        libc::EAI_BADFLAGS => STATUS_INVALID_PARAMETER,
        libc::EAI_FAMILY | libc::EAI_SOCKTYPE => STATUS_NOT_SUPPORTED,
        libc::EAI_MEMORY => STATUS_INSUFFICIENT_RESOURCES,
        libc::EAI_FAIL => STATUS_UNSUCCESSFUL,
        libc::EAI_SYSTEM => status::of(&Error::last_os_error()),
        _ => STATUS_NO_MATCH,
    }
}
