//! Arguments that a provider takes otherwise than they are meant.

// UNSAFETY: reads and changes what a client's arguments lead to.
#![expect(unsafe_code, reason = "arguments are raw pointers")]

use std::ptr::{null, null_mut};

use skua_engine::abi::sockaddr::{PSOCKADDR, SOCKADDR_INET};
use skua_engine::abi::status::NTSTATUS;
use skua_engine::abi::wsk::{WSK_BUF, WSK_FLAG_ABORTIVE};

use super::CallEffect;
use crate::middleware::{Arguments, Call};

/// Passes a call on with its arguments changed. What is changed is read during the call only.
pub(super) fn pass(effect: CallEffect, call: &mut Call<'_>) -> NTSTATUS {
    // Both outlive the call.
    let (mut header, mut address);
    match effect {
        CallEffect::CutsData | CallEffect::UsesFirstMdl | CallEffect::IgnoresOffset => {
            if let Some(buffer) = buffer_of(&mut call.arguments)
                && !buffer.is_null()
            {
                // SAFETY: the client's contract: readable.
                let whole = unsafe { **buffer };
                // SAFETY: the client's contract: a chain that is the provider's.
                header = unsafe { changed(effect, whole) };
                *buffer = &raw mut header;
            } else if effect == CallEffect::CutsData {
                cut_list(&call.arguments);
            }
        }
        CallEffect::IgnoresLocal => {
            if let Arguments::Bind { local_address, .. } | Arguments::SocketConnect { local_address, .. } =
                &mut call.arguments
            {
                address = of_any_port(*local_address);
                *local_address = address.as_mut().map_or(null_mut(), SOCKADDR_INET::as_mut_ptr);
            }
        }
        _ => change(effect, &mut call.arguments),
    }
    call.pass()
}

/// Makes a call's buffer outlive the call. It is never freed.
pub(super) fn keep(arguments: &mut Arguments) {
    if let Some(buffer) = buffer_of(arguments)
        && !buffer.is_null()
    {
        // SAFETY: the client's contract: readable.
        let header = unsafe { **buffer };
        *buffer = Box::leak(Box::new(header));
    }
}

/// Where a call's one buffer is.
const fn buffer_of(arguments: &mut Arguments) -> Option<&mut *mut WSK_BUF> {
    match arguments {
        Arguments::SendTo { buffer, .. }
        | Arguments::ReceiveFrom { buffer, .. }
        | Arguments::Send { buffer, .. }
        | Arguments::SendEx { buffer, .. }
        | Arguments::Receive { buffer, .. }
        | Arguments::ConnectEx { buffer, .. }
        | Arguments::Disconnect { buffer, .. } => Some(buffer),
        _ => None,
    }
}

/// # Safety
/// The chain of `whole` is the provider's.
unsafe fn changed(effect: CallEffect, whole: WSK_BUF) -> WSK_BUF {
    match effect {
        CallEffect::CutsData => WSK_BUF { Length: whole.Length.saturating_sub(1), ..whole },
        CallEffect::UsesFirstMdl if !whole.Mdl.is_null() => {
            // SAFETY: the caller's promise.
            let first = unsafe { (*whole.Mdl).ByteCount }.saturating_sub(whole.Offset);
            WSK_BUF { Length: whole.Length.min(first as usize), ..whole }
        }
        CallEffect::IgnoresOffset => WSK_BUF { Offset: 0, ..whole },
        _ => whole,
    }
}

/// Takes the last one out of a list of buffers.
fn cut_list(arguments: &Arguments) {
    let Arguments::SendMessages { buffer_list, .. } = *arguments else { return };
    let (mut last, mut before) = (buffer_list, null_mut());
    // SAFETY: the client's contract: a list that is the provider's until the packet is completed.
    while let Some(next) = unsafe { last.as_ref() }.map(|node| node.Next).filter(|next| !next.is_null()) {
        before = last;
        last = next;
    }
    if !before.is_null() {
        // SAFETY: as above.
        unsafe { (*before).Next = null_mut() };
    }
}

/// The same address without its port, which leaves the choice to the stack.
fn of_any_port(address: PSOCKADDR) -> Option<SOCKADDR_INET> {
    // SAFETY: the client's contract: null, or an address as long as its family says.
    let address = unsafe { SOCKADDR_INET::read(address) }?.to_socket_addr()?;
    Some(std::net::SocketAddr::new(address.ip(), 0).into())
}

fn change(effect: CallEffect, arguments: &mut Arguments) {
    match (effect, arguments) {
        (
            CallEffect::IgnoresAddress,
            Arguments::SendTo { remote_address, .. } | Arguments::SendMessages { remote_address, .. },
        ) => *remote_address = null_mut(),
        (
            CallEffect::IgnoresControl,
            Arguments::SendTo { control_info_length, .. }
            | Arguments::SendMessages { control_info_length, .. },
        ) => *control_info_length = 0,
        (
            CallEffect::IgnoresFlags,
            Arguments::SendTo { flags, .. }
            | Arguments::SendMessages { flags, .. }
            | Arguments::Bind { flags, .. }
            | Arguments::ReceiveFrom { flags, .. }
            | Arguments::Send { flags, .. }
            | Arguments::Receive { flags, .. }
            | Arguments::Disconnect { flags, .. }
            | Arguments::Connect { flags, .. }
            | Arguments::ConnectEx { flags, .. }
            | Arguments::Accept { flags, .. }
            | Arguments::SocketConnect { flags, .. },
        ) => *flags = 0,
        (
            CallEffect::IgnoresData,
            Arguments::ConnectEx { buffer, .. } | Arguments::Disconnect { buffer, .. },
        ) => *buffer = null_mut(),
        (CallEffect::Aborts, Arguments::Disconnect { buffer, flags }) => {
            *buffer = null_mut();
            *flags |= WSK_FLAG_ABORTIVE;
        }
        (
            CallEffect::ForgetsCallbacks,
            Arguments::Accept { accept_socket_context, accept_socket_dispatch, .. },
        ) => {
            *accept_socket_context = null_mut();
            *accept_socket_dispatch = null();
        }
        (CallEffect::ForgetsCallbacks, Arguments::Socket { socket_context, dispatch, .. }) => {
            *socket_context = null_mut();
            *dispatch = null();
        }
        (CallEffect::ForgetsCallbacks, Arguments::SocketConnect { socket_context, dispatch, .. }) => {
            *socket_context = null_mut();
            *dispatch = null();
        }
        _ => {}
    }
}
