//! GetAddrInfoW and GetNameInfoW.

// UNSAFETY: Winsock's calls take and give addresses.
#![expect(unsafe_code, reason = "GetAddrInfoW gives a list, GetNameInfoW fills buffers")]

use skua_engine::abi::sockaddr::{AF_INET, AF_INET6, AF_UNSPEC, SOCKADDR_INET};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_NO_MATCH, STATUS_NOT_SUPPORTED,
    STATUS_UNSUCCESSFUL,
};
use socket2::{Domain, SockAddr, Socket, Type};
use windows_sys::Win32::Networking::WinSock::{
    ADDRINFOW, FreeAddrInfoW, GetAddrInfoW, GetNameInfoW, WSA_NOT_ENOUGH_MEMORY, WSAEAFNOSUPPORT, WSAEINVAL,
    WSAESOCKTNOSUPPORT, WSAGetLastError, WSANO_RECOVERY,
};

use super::{Answer, NameQuestion, Names, Question};
use crate::os::Family;

/// Room for the name of a host and of a service (NI_MAXHOST, NI_MAXSERV of ws2tcpip.h).
const LONGEST_HOST: usize = 1025;
const LONGEST_SERVICE: usize = 32;

/// A list that GetAddrInfoW gave.
///
/// # Invariants
/// It is freed once, by the drop, and only read before.
struct List(*mut ADDRINFOW);

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: came from GetAddrInfoW, and freed once.
        unsafe { FreeAddrInfoW(self.0) };
    }
}

impl List {
    fn entries(&self) -> impl Iterator<Item = &ADDRINFOW> {
        // SAFETY: the list's first entry, or null.
        let first = unsafe { self.0.as_ref() };
        // SAFETY: the next entry, or null.
        std::iter::successors(first, |entry| unsafe { entry.ai_next.as_ref() })
    }
}

/// The addresses of a name, in Winsock's order, each once.
pub(crate) fn addresses(question: &Question) -> Result<Vec<Answer>, NTSTATUS> {
    start_winsock();
    let wide = |text: &Option<String>| -> Option<Vec<u16>> {
        text.as_deref().map(|text| text.encode_utf16().chain([0]).collect())
    };
    let (node, service) = (wide(&question.node), wide(&question.service));
    let family = match question.family {
        None => AF_UNSPEC,
        Some(Family::V4) => AF_INET,
        Some(Family::V6) => AF_INET6,
    };
    let hints = ADDRINFOW {
        ai_flags: question.flags,
        ai_family: family.into(),
        ai_socktype: question.socket_type,
        ai_protocol: question.protocol,
        ..ADDRINFOW::default()
    };
    let pointer = |text: &Option<Vec<u16>>| text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
    let mut first = std::ptr::null_mut();
    // SAFETY: strings that end in zero or null, hints, and where the list goes.
    let result = unsafe { GetAddrInfoW(pointer(&node), pointer(&service), &raw const hints, &raw mut first) };
    if result != 0 {
        return Err(of_result(result));
    }
    let list = List(first);
    let mut answers: Vec<Answer> = Vec::new();
    for entry in list.entries() {
        // SAFETY: an address of the family that it says.
        let address = unsafe { SOCKADDR_INET::read(entry.ai_addr.cast()) };
        let Some(address) = address.and_then(|address| address.to_socket_addr()) else { continue };
        if answers.iter().any(|answer| answer.address == address) {
            continue;
        }
        // SAFETY: a string of the list, or null.
        let canonical_name = unsafe { text_at(entry.ai_canonname) };
        let (socket_type, protocol) = (question.socket_type, question.protocol);
        answers.push(Answer { address, socket_type, protocol, canonical_name });
    }
    if answers.is_empty() { Err(STATUS_NO_MATCH) } else { Ok(answers) }
}

/// The names of an address and its port.
pub(crate) fn names(question: &NameQuestion) -> Result<Names, NTSTATUS> {
    start_winsock();
    let address = SockAddr::from(question.address);
    let mut node = [0u16; LONGEST_HOST];
    let mut service = [0u16; LONGEST_SERVICE];
    let size = |wanted: bool, size: usize| if wanted { u32::try_from(size).unwrap_or_default() } else { 0 };
    let buffer =
        |wanted: bool, buffer: &mut [u16]| if wanted { buffer.as_mut_ptr() } else { std::ptr::null_mut() };
    // SAFETY: an address of its length, and buffers of the sizes given.
    let result = unsafe {
        GetNameInfoW(
            address.as_ptr().cast(),
            address.len(),
            buffer(question.wants_node, &mut node),
            size(question.wants_node, LONGEST_HOST),
            buffer(question.wants_service, &mut service),
            size(question.wants_service, LONGEST_SERVICE),
            question.flags.cast_signed(),
        )
    };
    if result != 0 {
        // SAFETY: no arguments.
        return Err(of_result(unsafe { WSAGetLastError() }));
    }
    Ok(Names {
        node: question.wants_node.then(|| text(&node)),
        service: question.wants_service.then(|| text(&service)),
    })
}

/// What ends in zero.
fn text(units: &[u16]) -> String {
    let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
    String::from_utf16_lossy(units.get(..end).unwrap_or_default())
}

/// # Safety
/// `at` is null or ends in zero.
unsafe fn text_at(at: *const u16) -> Option<String> {
    if at.is_null() {
        return None;
    }
    // SAFETY: not behind its end.
    let length = (0..LONGEST_HOST).find(|index| unsafe { at.wrapping_add(*index).read() } == 0)?;
    // SAFETY: readable for its length.
    Some(String::from_utf16_lossy(unsafe { std::slice::from_raw_parts(at, length) }))
}

/// A process without sockets has not started it; making one does.
fn start_winsock() {
    drop(Socket::new(Domain::IPV4, Type::DGRAM, None));
}

/// What cannot be resolved is STATUS_NO_MATCH, for now or for good.
fn of_result(result: i32) -> NTSTATUS {
    match result {
        WSAEINVAL => STATUS_INVALID_PARAMETER,
        WSAEAFNOSUPPORT | WSAESOCKTNOSUPPORT => STATUS_NOT_SUPPORTED,
        WSA_NOT_ENOUGH_MEMORY => STATUS_INSUFFICIENT_RESOURCES,
        WSANO_RECOVERY => STATUS_UNSUCCESSFUL,
        _ => STATUS_NO_MATCH,
    }
}
