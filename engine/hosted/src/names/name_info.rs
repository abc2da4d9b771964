//! WskGetNameInfo: what may be asked, and what becomes of the answer.

// UNSAFETY: reads a client's address and fills its strings.
#![expect(unsafe_code, reason = "arguments are given by address")]

use std::sync::Arc;

use skua_engine::abi::nt::{PEPROCESS, PETHREAD, UNICODE_STRING};
use skua_engine::abi::sockaddr::{PSOCKADDR, SOCKADDR, SOCKADDR_INET, SOCKADDR_STORAGE};
use skua_engine::abi::status::{NTSTATUS, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use skua_engine::abi::wsk::{NI_DGRAM, NI_NAMEREQD, NI_NOFQDN, NI_NUMERICHOST, NI_NUMERICSERV};

use super::text::Room;
use super::{begin, check_owner, refuse};
use crate::kernel::registration::Client;
use crate::os::names::{NameQuestion, Names, names};
use crate::request::Request;

/// Every flag that there is.
const FLAGS: u32 = NI_NOFQDN | NI_NUMERICHOST | NI_NAMEREQD | NI_NUMERICSERV | NI_DGRAM;

/// The arguments of WskGetNameInfo.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameInfo {
    pub(crate) address: PSOCKADDR,
    pub(crate) address_length: u32,
    pub(crate) node: *mut UNICODE_STRING,
    pub(crate) service: *mut UNICODE_STRING,
    pub(crate) flags: u32,
    pub(crate) owner: (PEPROCESS, PETHREAD),
}

/// Where the names go.
struct Rooms {
    node: Option<Room>,
    service: Option<Room>,
}

/// Serves one call.
///
/// # Safety
/// The address is null or readable for its length; the strings are null or, with their buffers, writable until the request
/// completes.
pub(crate) unsafe fn get_name_info(client: &Arc<Client>, arguments: &NameInfo, request: Request) -> NTSTATUS {
    // SAFETY: the caller's promise.
    match unsafe { question(client, arguments) } {
        Ok((question, rooms)) => {
            begin(client, request, move || names(&question), move |_, names| rooms.fill(&names))
        }
        Err(status) => refuse(client, request, status),
    }
}

/// # Safety
/// As for [`get_name_info`].
unsafe fn question(client: &Client, arguments: &NameInfo) -> Result<(NameQuestion, Rooms), NTSTATUS> {
    let (process, thread) = arguments.owner;
    check_owner(client, process, thread)?;
    // SAFETY: the caller's promise.
    let address = unsafe { address(arguments) }.ok_or(STATUS_INVALID_PARAMETER)?;
    // SAFETY: the caller's promise.
    let node = unsafe { Room::of(arguments.node) }?;
    // SAFETY: the caller's promise.
    let service = unsafe { Room::of(arguments.service) }?;
    if node.is_none() && service.is_none() || arguments.flags & !FLAGS != 0 {
        return Err(STATUS_INVALID_PARAMETER);
    }
    let question = NameQuestion {
        address,
        flags: arguments.flags,
        wants_node: node.is_some(),
        wants_service: service.is_some(),
    };
    Ok((question, Rooms { node, service }))
}

/// The address, if it is one and as long as its family takes, and not longer than any.
///
/// # Safety
/// As for [`get_name_info`].
unsafe fn address(arguments: &NameInfo) -> Option<std::net::SocketAddr> {
    let length = arguments.address_length as usize;
    let is_sized = (size_of::<SOCKADDR>()..=size_of::<SOCKADDR_STORAGE>()).contains(&length);
    if arguments.address.is_null() || !is_sized {
        return None;
    }
    let mut bytes = [0u8; size_of::<SOCKADDR_INET>()];
    // SAFETY: readable for its length.
    unsafe {
        std::ptr::copy_nonoverlapping(
            arguments.address.cast::<u8>(),
            bytes.as_mut_ptr(),
            length.min(bytes.len()),
        );
    };
    let inet: SOCKADDR_INET = bytemuck::must_cast(bytes);
    inet.to_socket_addr().filter(|_| inet.len() <= length)
}

impl Rooms {
    /// Writes both names or, when one does not fit, neither.
    fn fill(&self, names: &Names) -> NTSTATUS {
        let pairs = [(&self.node, &names.node), (&self.service, &names.service)];
        let both = || pairs.iter().filter_map(|(room, name)| Some((room.as_ref()?, name.as_deref()?)));
        if !both().all(|(room, name)| room.fits(name)) {
            return STATUS_BUFFER_TOO_SMALL;
        }
        both().for_each(|(room, name)| room.fill(name));
        STATUS_SUCCESS
    }
}
