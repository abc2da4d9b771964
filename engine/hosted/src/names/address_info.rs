//! WskGetAddressInfo: what may be asked, and what becomes of the answer.

// UNSAFETY: reads a client's hints and writes where its list goes.
#![expect(unsafe_code, reason = "arguments are given by address")]

use std::sync::Arc;

use skua_engine::abi::nt::{GUID, PEPROCESS, PETHREAD, UNICODE_STRING};
use skua_engine::abi::sockaddr::{AF_INET, AF_INET6, AF_UNSPEC, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_NO_MATCH, STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    ADDRINFOEXW, AI_ADDRCONFIG, AI_ALL, AI_CANONNAME, AI_DISABLE_IDN_ENCODING, AI_FILESERVER, AI_FQDN,
    AI_NON_AUTHORITATIVE, AI_NUMERICHOST, AI_NUMERICSERV, AI_PASSIVE, AI_RETURN_PREFERRED_NAMES, AI_SECURE,
    AI_V4MAPPED, NS_ALL, NS_DNS,
};

use super::{Place, begin, check_owner, refuse, text};
use crate::kernel::registration::Client;
use crate::os::Family;
use crate::os::names::{Question, addresses};
use crate::request::Request;

/// Every flag that there is.
const FLAGS: i32 = AI_PASSIVE
    | AI_CANONNAME
    | AI_NUMERICHOST
    | AI_NUMERICSERV
    | AI_ALL
    | AI_ADDRCONFIG
    | AI_V4MAPPED
    | AI_NON_AUTHORITATIVE
    | AI_SECURE
    | AI_RETURN_PREFERRED_NAMES
    | AI_FQDN
    | AI_FILESERVER
    | AI_DISABLE_IDN_ENCODING;

/// Winsock's name space provider of TCP/IP (svcguid.h of the SDK; NAPI's `Tcpip`), the only one that there is here.
const TCPIP_PROVIDER: GUID = GUID {
    Data1: 0x2205_9d40,
    Data2: 0x7e9c,
    Data3: 0x11cf,
    Data4: [0xae, 0x5a, 0x00, 0xaa, 0x00, 0xa7, 0x11, 0x2b],
};

/// The arguments of WskGetAddressInfo.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AddressInfo {
    pub(crate) node: *mut UNICODE_STRING,
    pub(crate) service: *mut UNICODE_STRING,
    pub(crate) name_space: u32,
    pub(crate) provider: *mut GUID,
    pub(crate) hints: *mut ADDRINFOEXW,
    pub(crate) result: *mut *mut ADDRINFOEXW,
    pub(crate) owner: (PEPROCESS, PETHREAD),
}

/// Serves one call.
///
/// # Safety
/// What `arguments` lead to is null or readable during the call; the result is null or writable until the request
/// completes.
pub(crate) unsafe fn get_address_info(
    client: &Arc<Client>,
    arguments: &AddressInfo,
    request: Request,
) -> NTSTATUS {
    // SAFETY: the caller's promise.
    match unsafe { question(client, arguments) } {
        Ok(question) => {
            let result = Place(arguments.result);
            begin(
                client,
                request,
                move || addresses(&question),
                move |client, answers| {
                    let list = client.kernel.address_lists().lend(&answers);
                    let Place(result) = { result };
                    // SAFETY: the request is not completed, so the client's place is lent.
                    unsafe { result.write_unaligned(list) };
                    STATUS_SUCCESS
                },
            )
        }
        Err(status) => refuse(client, request, status),
    }
}

/// What the host is to be asked. An empty name is no name.
///
/// # Safety
/// As for [`get_address_info`].
unsafe fn question(client: &Client, arguments: &AddressInfo) -> Result<Question, NTSTATUS> {
    if arguments.result.is_null() {
        return Err(STATUS_INVALID_PARAMETER);
    }
    let (process, thread) = arguments.owner;
    check_owner(client, process, thread)?;
    // SAFETY: the caller's promise.
    let node = unsafe { text::read(arguments.node) };
    // SAFETY: the caller's promise.
    let service = unsafe { text::read(arguments.service) };
    let hints = if arguments.hints.is_null() {
        None
    } else {
        // SAFETY: not null, so readable; it may hold any bits.
        Some(unsafe { arguments.hints.read_unaligned() })
    };
    let provider = if arguments.provider.is_null() {
        None
    } else {
        // SAFETY: as above.
        Some(unsafe { arguments.provider.read_unaligned() })
    };
    let mut question = Question::default();
    if let Some(hints) = hints {
        question.take_hints(&hints)?;
    }
    question.node = node?.filter(|node| !node.is_empty());
    question.service = service?.filter(|service| !service.is_empty());
    let wants_name = question.flags & (AI_CANONNAME | AI_FQDN) != 0;
    if wants_name && question.node.is_none() {
        return Err(STATUS_INVALID_PARAMETER);
    }
    // Winsock says of all of these that there is no such host or service.
    let is_asked = question.node.is_some() || question.service.is_some();
    let is_known = matches!(arguments.name_space, NS_ALL | NS_DNS)
        && provider.is_none_or(|provider| provider == TCPIP_PROVIDER);
    if is_asked && is_known { Ok(question) } else { Err(STATUS_NO_MATCH) }
}

impl Question {
    /// STATUS_INVALID_PARAMETER for hints that hold more than flags, family, type and protocol, and for flags that there
    /// are not or that contradict each other; STATUS_NOT_SUPPORTED for a family or a type that there is not.
    fn take_hints(&mut self, hints: &ADDRINFOEXW) -> Result<(), NTSTATUS> {
        let is_bare = hints.ai_addrlen == 0
            && hints.ai_canonname.is_null()
            && hints.ai_addr.is_null()
            && hints.ai_next.is_null();
        let both = AI_CANONNAME | AI_FQDN;
        if !is_bare || hints.ai_flags & !FLAGS != 0 || hints.ai_flags & both == both {
            return Err(STATUS_INVALID_PARAMETER);
        }
        self.flags = hints.ai_flags;
        self.family = match u16::try_from(hints.ai_family) {
            Ok(AF_UNSPEC) => None,
            Ok(AF_INET) => Some(Family::V4),
            Ok(AF_INET6) => Some(Family::V6),
            _ => return Err(STATUS_NOT_SUPPORTED),
        };
        let types = [0, SOCK_STREAM, SOCK_DGRAM, SOCK_RAW];
        if !types.iter().any(|known| i32::from(*known) == hints.ai_socktype) {
            return Err(STATUS_NOT_SUPPORTED);
        }
        self.socket_type = hints.ai_socktype;
        self.protocol = hints.ai_protocol;
        Ok(())
    }
}
